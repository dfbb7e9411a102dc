"""The API is killed before or after any of its own writes: nothing is lost, nothing stays blocked.

What helps is only what comes anyway: the timer, and the same /setup, which Label Studio sends
again. A webhook is never sent again.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from ls_active import jobs
from ls_active.engine.worker import TICK_SECONDS, _tick
from ls_active.job_desk import JobDesk
from ls_active.jobs import RECONCILE_EVERY
from ls_active.records.project import ProjectStatus
from ls_active.records.store import Store
from ls_active.schemas import SetupRequest, WebhookEvent
from ls_active.settings import Settings
from ls_active.web.desk import react
from tests.harness.desk import desk_of_jobs
from tests.harness.effects import Effects, Killed
from tests.harness.rig import OWN_URL, TEXTS, Rig
from tests.harness.simulated import SimulatedLabelStudio
from tests.harness.simulated_http import KEY, Wire, on_a_socket
from tests.harness.simulated_project import CONFIG, CREATED, UID
from tests.harness.stack import Stack, serve

LABELS = 6
TICKS = 4
"""Of the timer: a minute."""

Start = tuple[Path, SimulatedLabelStudio]
Call = Callable[[JobDesk], object]

# A process that is killed closes nothing.
pytestmark = [
    pytest.mark.usefixtures("quickly"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]


@contextmanager
def process(settings: Settings, effects: Effects) -> Iterator[JobDesk]:
    """Be the API: whatever is sent to Redis, and whatever becomes of a file, is an effect."""
    desk = JobDesk(settings)
    pool, link, unlink = desk.redis.connection_pool, os.link, Path.unlink

    class Counted(pool.connection_class):  # type: ignore[name-defined,misc]
        def send_packed_command(self, command, check_health=True):
            with effects(str(command)):
                super().send_packed_command(command, check_health)

    def counted_link(*args, **kwargs):
        with effects("link"):
            link(*args, **kwargs)

    def counted_unlink(path, **kwargs):
        with effects("unlink"):
            unlink(path, **kwargs)

    pool.connection_class = Counted
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "link", counted_link)
        patch.setattr(Path, "unlink", counted_unlink)
        yield desk
    pool.disconnect()


class Scene:
    """A project at some moment, to be called about by an API that ends at any moment."""

    def __init__(self, start: Start, folder: Path, redis_url: str, **settings: object) -> None:
        self._start = start
        self._folder = folder
        self._redis_url = redis_url
        self._settings = settings
        self._turn = 0

    def deaths(self, call: Call) -> Iterator[tuple[Rig, JobDesk, str]]:
        """Yield a project for every moment of a call at which the API was killed."""
        with self._at(call, None) as (_, _, effects):
            names = effects.names
        assert len(names) > 5
        for moment in [*range(0, 2 * len(names), 2), 2 * len(names) - 1]:
            with self._at(call, moment) as (rig, desk, effects):
                assert effects.dead
                yield rig, desk, f"moment {moment} of {names}"

    @contextmanager
    def _at(self, call: Call, end_at: int | None) -> Iterator[tuple[Rig, JobDesk, Effects]]:
        store, studio = self._start
        self._turn += 1
        folder, effects = self._folder / str(self._turn), Effects(end_at=end_at)
        if store.exists():
            shutil.copytree(store, folder)
        rig = Rig(folder, copy.deepcopy(studio))
        rig.settings = rig.settings.model_copy(update=self._settings)
        with desk_of_jobs(rig.settings, self._redis_url, rig.studio) as desk:
            desk.redis.script_flush()  # As many commands each time.
            with suppress(Killed), process(desk.settings, effects) as api:
                call(api)
            yield rig, desk, effects


def pass_a_minute(desk: JobDesk) -> None:
    """Let the timer tick for a minute, and a worker take what it finds."""
    for tick in range(1, TICKS + 1):
        for uid in desk.coalescer.due(time.time() + tick * TICK_SECONDS):
            desk.coalescer.hint(uid)
        desk.redis.delete("al:tick", "al:recovering")
        _tick(desk.coalescer, desk.queue, desk.active_projects, RECONCILE_EVERY)
        pending = desk.coalescer.queued(UID)
        assert pending is None or pending in desk.queue.job_ids
        work_off(desk)


def work_off(desk: JobDesk) -> None:
    """Run what waits on the queue, the pause since the last publication over."""
    for job in desk.queue.jobs:
        status = ProjectStatus.load(desk.store, UID)
        if status.timings:
            replace(status, timings={}).save(desk.store)
        desk.rest.wake(UID)
        desk.queue.remove(job)
        getattr(jobs, job.func_name.rpartition(".")[2])(*job.args)


def event(action: str) -> WebhookEvent:
    project = {"id": 1, "created_at": CREATED.isoformat(), "label_config": CONFIG}
    return WebhookEvent.model_validate_json(json.dumps({"action": action, "project": project}))


class TestSetup:
    @pytest.fixture
    def scene(self, tmp_path, valkey) -> Scene:
        """Connected in Label Studio a moment ago, by which we get our key, too."""
        studio = SimulatedLabelStudio(TEXTS[:16])
        studio.connect(OWN_URL, "our model", {"min_interval": 0, "busy_share": 1, "head_size": 10})
        for task in list(studio.rows)[:LABELS]:
            studio.annotate(task, "cat" if "cat" in studio.rows[task].data["text"] else "dog")
        own = {"allow_setup_token": True, "label_studio_api_key": SecretStr("")}
        return Scene((tmp_path / "nothing", studio), tmp_path, valkey, **own)

    @pytest.mark.parametrize("minutes", [0, 1], ids=["at once", "a minute later"])
    def test_is_noted_when_it_comes_again(self, scene, minutes):
        for rig, desk, where in scene.deaths(self.call):
            for _ in range(minutes):
                pass_a_minute(desk)
            self.call(JobDesk(desk.settings))
            pass_a_minute(desk)
            assert (rig.status.state, rig.status.labels) == ("ready", LABELS), where
            assert rig.studio.serves_whole(), where
            assert rig.record["name"] == rig.studio.fields["model_version"], where
            assert rig.connection.original["sampling"] == "Sequential sampling", where
            assert (rig.settings.local_dir / "setup-token").read_text() == "a token", where

    def call(self, api: JobDesk) -> None:
        known = api.settings.label_studio_url
        message = {"project": UID, "schema": CONFIG, "hostname": known, "access_token": "a token"}
        api.setup(SetupRequest.model_validate_json(json.dumps(message)), OWN_URL)


@pytest.fixture(scope="module")
def start(tmp_path_factory) -> Start:
    """A project with a model, and as many labels again that nobody has learned."""
    rig = Rig(tmp_path_factory.mktemp("start"), SimulatedLabelStudio(TEXTS[:24]))
    rig.connect()
    rig.label(LABELS // 2)
    rig.run()
    rig.change(adopted_at=rig.connection.adopted_at - 3600)
    rig.label(LABELS - LABELS // 2)
    return Path(rig.settings.data_dir), rig.studio


class TestWebhook:
    @pytest.mark.parametrize("action", ["ANNOTATION_CREATED", "PROJECT_UPDATED", "START_TRAINING"])
    def test_is_made_good_within_a_minute(self, start, tmp_path, valkey, action):
        """Redis knows nothing else: not even when the project would have been due."""
        scene = Scene(start, tmp_path, valkey)
        for rig, desk, where in scene.deaths(lambda api: react(api, event(action))):
            pass_a_minute(desk)
            assert (rig.status.state, rig.status.labels) == ("ready", LABELS), where
            newest = rig.store.manifest(UID, rig.store.versions(UID)[-1])
            assert newest["labels"] == LABELS, where
            assert rig.studio.serves_whole(), where
            assert desk.coalescer.forced(UID) is None, where
            assert not desk.coalescer.overdue(UID), where


@pytest.mark.slow
def test_in_a_flood(tmp_path):
    """Really killed, with hundreds of webhooks on their way to it."""
    with on_a_socket(SimulatedLabelStudio(TEXTS)) as wire:
        env = {"WORKERS": "1", "PREDICT_PROCESSES": "1"}
        with serve(tmp_path, wire.url, KEY, env) as stack:
            rig = connected(stack, wire)
            for _ in range(3):
                with wire.lock:
                    rig.label(2)
                broken = kill_in_a_flood(stack)
                assert broken > 0
                labels = len(rig.labelled)
                stack.wait_until(lambda labels=labels: learned(rig, wire) == labels, 60)


def connected(stack: Stack, wire: Wire) -> Rig:
    """Connect the project."""
    with wire.lock:
        wire.studio.connect(stack.url, "our model", {"min_interval": 0, "head_size": 10})
    setup = {"project": UID, "schema": CONFIG, "hostname": wire.url}
    httpx.post(f"{stack.url}/setup", json=setup).raise_for_status()
    stack.wait_for(UID, lambda status: status.state == "waiting")
    return Rig(stack.folder / "data", wire.studio)


def kill_in_a_flood(stack: Stack) -> int:
    """Send webhooks as fast as it goes, and kill the API; return how many got no answer."""
    message = {"action": "ANNOTATION_CREATED"}
    message |= {"project": {"id": 1, "created_at": CREATED.isoformat()}}
    under_way, answers = threading.Event(), []

    def send(number: int) -> bool:
        try:
            answers.append(httpx.post(f"{stack.url}/webhook", json=message, timeout=5).status_code)
        except httpx.TransportError:
            return True
        if number > 50:
            under_way.set()
        return False

    with ThreadPoolExecutor(16) as senders:
        results = senders.map(send, range(400))
        under_way.wait(30)
        os.kill(stack.pids("api")[-1], signal.SIGKILL)
        broken = sum(results)
    print(f"{len(answers)} answered, {broken} not")
    assert set(answers) <= {200, 503}
    return broken


def learned(rig: Rig, wire: Wire) -> int:
    """Return how many labels are in the model whose queue is in force, once all agree."""
    store = Store(rig.settings.data_dir)
    newest = max(store.versions(UID), default=0)
    with wire.lock:
        named, whole = wire.studio.fields["model_version"], wire.studio.serves_whole()
    if not (newest and whole and named.startswith(f"al-{newest}.")):
        return -1
    return int(store.manifest(UID, newest)["labels"])
