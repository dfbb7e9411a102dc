"""SIGKILL between any two effects of a real worker: whole again within a minute, by itself.

Worker, timer and Valkey are processes of their own; Label Studio is in memory, on a real socket.
"""

from __future__ import annotations

import copy
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis
from pydantic import SecretStr

from ls_active.engine.valkey import EmbeddedValkey
from ls_active.job_desk import JobDesk
from ls_active.settings import as_environment
from tests.harness.effects import Effects
from tests.harness.rig import TEXTS, Rig
from tests.harness.simulated import SimulatedLabelStudio
from tests.harness.simulated_http import KEY, Wire, on_a_socket
from tests.harness.simulated_project import UID
from tests.harness.stack import ROOT, TIED

LABELS, POINTS = 14, 40

pytestmark = pytest.mark.slow

SOME = [point for point in range(POINTS) if point % 4]
"""Thirty points, which every slow run takes; `-m long` takes the others."""


@dataclass
class Shop:
    """All the processes, and a project that can be put back to where it was."""

    folder: Path
    wire: Wire
    valkey: EmbeddedValkey
    start: SimulatedLabelStudio
    torn: list[str] = field(default_factory=list)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def control(self) -> Path:
        return self.folder / "control"

    @property
    def rig(self) -> Rig:
        return Rig(self.folder / "data", self.wire.studio)

    @property
    def desk(self) -> JobDesk:
        changes = {
            "redis_url": SecretStr(self.valkey.url),
            "label_studio_url": self.wire.url,
            "label_studio_api_key": SecretStr(KEY),
        }
        return JobDesk(self.rig.settings.model_copy(update=changes), patient=True)

    def keep_running(self) -> None:
        """Start what is not there, as the supervisor does."""
        own = {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
        env = {**as_environment(self.desk.settings), **own, "OMP_NUM_THREADS": "1"}
        roles = {
            "worker": ["-m", "tests.harness.fragile_worker", str(self.control)],
            "timer": ["-m", "ls_active.stack", "timer"],
        }
        for name, arguments in roles.items():
            if name not in self.running or self.running[name].poll() is not None:
                with (self.folder / f"{name}.log").open("ab") as log:
                    self.running[name] = subprocess.Popen(
                        [*TIED, str(os.getpid()), sys.executable, *arguments],
                        env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                        start_new_session=True,
                    )  # fmt: skip

    def put_back(self) -> None:
        """Put project, folder and queue back to the start, with nobody at work."""
        self.wait_until(lambda: not self._at_work())
        redis.Redis.from_url(self.valkey.url).delete(
            *[f"al:{UID}:{name}" for name in ("lock", "wanted", "done", "queued", "failures")],
            "al:due",
        )
        with self.wire.lock:
            shutil.rmtree(self.folder / "data")
            shutil.copytree(self.folder / "start", self.folder / "data")
            studio = copy.deepcopy(self.start)
            studio.effect = Effects(watch=self._look)
            self.wire.studio = studio
        (self.control / "effects").write_text("")
        self.torn.clear()

    def wait_until(self, true, seconds: float = 60) -> float:
        started = time.monotonic()
        while not true():
            assert time.monotonic() < started + seconds, self.story()
            self.keep_running()
            time.sleep(0.05)
        return time.monotonic() - started

    def story(self) -> str:
        log = (self.folder / "worker.log").read_text()[-3000:]
        return f"{self.rig.status}\n{self.wire.studio.version_counts()}\n{log}"

    def is_whole(self) -> bool:
        rig, studio = self.rig, self.wire.studio
        with self.wire.lock:
            versions = studio.version_counts()
            named = studio.fields["model_version"]
            whole = studio.serves_whole()
        return (
            whole
            and set(versions) == {named}
            and rig.status.publication == named == rig.record["name"]
            and (rig.status.state, rig.status.labels) == ("ready", LABELS)
            and self._learned() == LABELS
        )

    def _learned(self) -> int:
        newest = self.rig.store.versions(UID)[-1]
        return int(self.rig.store.manifest(UID, newest)["labels"])

    def _at_work(self) -> bool:
        desk = self.desk
        busy = desk.redis.exists(f"al:{UID}:lock") or desk.figures().running
        return bool(busy or desk.queue.count)

    def _look(self) -> None:
        if not self.wire.studio.serves_whole():
            self.torn.append(str(self.wire.studio.fields["model_version"]))


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("sigkill")
    (folder / "control").mkdir()
    studio = SimulatedLabelStudio(TEXTS[:30])
    with (
        tempfile.TemporaryDirectory(prefix="valkey-") as place,
        EmbeddedValkey(Path(place)) as valkey,
        on_a_socket(studio) as wire,
    ):
        shop = Shop(folder, wire, valkey, studio)
        _prepare(shop)
        shop.keep_running()
        try:
            yield shop
        finally:
            for process in shop.running.values():
                process.kill()
                process.wait()


def _prepare(shop: Shop) -> None:
    """Two queues in force one after the other, labels that nobody learned, a deleted task."""
    rig = shop.rig
    rig.connect()
    rig.label(LABELS // 2)
    rig.run()
    rig.change(adopted_at=rig.connection.adopted_at - 3600)
    rig.label(LABELS - LABELS // 2)
    rig.studio.delete_task(max(rig.studio.rows.keys() - rig.labelled))
    # What was deleted was in the queue, too: from here on a whole queue is one that is whole now.
    rig.studio.sent = {**rig.studio.sent, **rig.studio.version_counts()}
    (shop.folder / "data").rename(shop.folder / "start")
    shutil.copytree(shop.folder / "start", shop.folder / "data")


@pytest.fixture(scope="module")
def moments(shop: Shop) -> int:
    """Return how many moments a run has that nobody kills."""
    shop.put_back()
    shop.desk.hint_now(UID)
    shop.wait_until(shop.is_whole)
    shop.wait_until(lambda: "Lock.release" in (shop.control / "effects").read_text())
    names = (shop.control / "effects").read_text().splitlines()
    first = names.index("Lock.release")
    print(f"{first + 1} effects: {names[: first + 1]}")
    return 2 * (first + 1)


@pytest.mark.parametrize(
    "point",
    [
        pytest.param(point, marks=[] if point in SOME else pytest.mark.long)
        for point in range(POINTS)
    ],
)
def test_anywhere(shop: Shop, moments: int, point: int) -> None:
    assert moments >= POINTS
    moment = round(point * (moments - 1) / (POINTS - 1))
    shop.put_back()
    (shop.control / "at").write_text(f"{'worker' if point % 2 else 'horse'} {moment}")
    shop.desk.hint_now(UID)
    shop.wait_until(lambda: not (shop.control / "at").exists())
    names = (shop.control / "effects").read_text().splitlines()
    seconds = shop.wait_until(shop.is_whole)
    print(f"killed after {names[-1] if names else 'nothing'}: whole again in {seconds:.1f} s")
    assert shop.torn == []
