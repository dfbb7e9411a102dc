"""SIGKILL in the middle of a refit on a real Label Studio: whole within a minute, by itself.

`tests/unit/backend/test_sigkill.py` has every point, with Label Studio in memory.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from typing import Self

import pytest

from ls_active.demo.studio import Studio
from ls_active.errors import LabelStudioUnreachable
from ls_active.label_studio.client import LabelStudioClient
from tests.harness.case import Case
from tests.harness.data import short_texts
from tests.harness.label_studio import label_studio
from tests.harness.stack import ROOT, Stack, serve

WHOLE_AGAIN = 60.0
HEAD = 20

POINTS = (
    "horse after mirror COMMIT",
    "worker after replace models .npz",
    "horse after create versions .json",
    "worker after create publications .claim",
    "horse during LabelStudioClient.import_predictions",
    "worker after LabelStudioClient.import_predictions",
    "horse during LabelStudioClient.update_project",
    "worker after LabelStudioClient.update_project",
    "horse after create publications .json",
    "worker during LabelStudioClient.delete_model_version",
)
"""A page is synced, a model and its manifest are there, a number is claimed, and so on."""

pytestmark = pytest.mark.slow


class Watch(threading.Thread):
    """Asks Label Studio all the time which version it serves, and how many predictions of it.

    Attributes
    ----------
    seen : Counter
        Pairs of both, and how often they were found.
    """

    def __init__(self, studio: Studio, project_id: int) -> None:
        super().__init__()
        self.seen: Counter[tuple[str, int]] = Counter()
        self._studio, self._project_id = studio, project_id
        self._over = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        with LabelStudioClient(self._studio.url, self._studio.api_key) as client:
            while not self._over.wait(0.1):
                with contextlib.suppress(LabelStudioUnreachable):
                    self._look(client)

    def _look(self, client: LabelStudioClient) -> None:
        named = client.project(self._project_id).model_version
        count = client.prediction_counts(self._project_id).get(named, 0)
        # Else it was replaced between both questions, and is no longer needed.
        if client.project(self._project_id).model_version == named:
            self.seen[named, count] += 1


@pytest.fixture(scope="module")
def lives() -> Iterator[contextlib.ExitStack]:
    """Keep every Label Studio that was started until the end of the module."""
    with contextlib.ExitStack() as running:
        yield running


@pytest.fixture(scope="module")
def studio(lives: contextlib.ExitStack, tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """Return one that may be killed."""
    return lives.enter_context(label_studio(tmp_path_factory.mktemp("studio")))


@pytest.fixture(scope="module")
def client(studio: Studio) -> Iterator[LabelStudioClient]:
    with LabelStudioClient(studio.url, studio.api_key) as opened:
        yield opened


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("control")


@pytest.fixture(scope="module")
def stack(
    studio: Studio, control: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("killed")
    paths = (ROOT, ROOT / "backend", ROOT / "model")
    env = {
        "WORKERS": "1",
        "PREDICT_PROCESSES": "1",
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
    }
    command = ("tests.harness.fragile_serve", str(control))
    with serve(folder, studio.url, studio.api_key, env, command) as running:
        yield running


@pytest.fixture(scope="module")
def case(make_shared_case, stack) -> Case:
    """A project with a model; every test leaves it whole to the next."""
    made = make_shared_case(stack, texts=short_texts(200))
    made.connect(min_interval=0, busy_share=1, head_size=HEAD)
    made.label_both_ways(4)
    made.wait_learned()
    made.wait_until(lambda: is_whole(made))
    return made


@pytest.fixture
def watch(studio: Studio, case: Case) -> Iterator[Watch]:
    with Watch(studio, case.id) as watching:
        yield watching


@pytest.mark.parametrize("point", POINTS)
def test_a_worker_in_mid_refit(case: Case, watch: Watch, control: Path, point: str) -> None:
    (control / "at").write_text(point)
    case.label(2)
    case.wait_until(lambda: not (control / "at").exists())
    assert_whole_again(case, watch)


@pytest.mark.parametrize("name", ["api", "valkey"])
def test_what_workers_stand_on(case: Case, watch: Watch, name: str) -> None:
    case.label(1)
    case.wait_until(lambda: bool(case.stack.desk.redis.exists(f"al:{case.uid}:lock")))
    [pid] = case.stack.pids(name)
    os.kill(pid, signal.SIGKILL)
    case.label(1)
    assert_whole_again(case, watch)


def test_label_studio_itself(
    case: Case, watch: Watch, studio: Studio, lives: contextlib.ExitStack
) -> None:
    case.label(2)
    case.wait_until(lambda: bool(case.stack.desk.redis.exists(f"al:{case.uid}:lock")))
    studio._process.kill()
    studio.stop()
    status = case.wait_for(lambda status: status.state == "failing")
    assert studio.url in status.detail
    lives.enter_context(label_studio(studio.data_dir, port=studio.port))
    assert_whole_again(case, watch)


def assert_whole_again(case: Case, watch: Watch) -> None:
    started, said = time.monotonic(), case.said()
    case.wait_until(lambda: case.learned(said) and is_whole(case), WHOLE_AGAIN)
    print(f"whole again in {time.monotonic() - started:.1f} s")
    assert case.status.labels == len(said)
    assert_always_complete(case, watch)


def is_whole(case: Case) -> bool:
    """Say whether all name one queue of the newest model, in its order, and it is all there is."""
    named, record, status = case.project.model_version, case.publications()[-1], case.status
    if (record["name"], status.publication, status.state) != (named, named, "ready"):
        return False
    if record["version"] != case.versions[-1]:
        return False
    path, params = "/api/predictions/", {"project": case.id}
    rows = case.client.http.json("GET", path, params=params)
    # Annotators are served the lowest score first.
    there = [(row["model_version"], row["task"]) for row in sorted(rows, key=itemgetter("score"))]
    return there == [(named, task) for task in record["tasks"]]


def assert_always_complete(case: Case, watch: Watch) -> None:
    """Whatever annotators were served from at any moment was a whole publication."""
    sizes = {record["name"]: len(record["tasks"]) for record in case.publications()}
    for named, count in watch.seen:
        # One that was named when its worker died has no record: nothing less was ever sent.
        assert count == sizes.get(named, count) >= HEAD, watch.seen
