"""No room on the disk, at any file: said in words, nothing half-written, healed when there is."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from ls_active import jobs
from ls_active.records.project import State
from tests.harness.desk import desk_of_jobs
from tests.harness.rig import TEXTS, Rig
from tests.harness.simulated import SimulatedLabelStudio
from tests.harness.simulated_project import UID

pytestmark = pytest.mark.usefixtures("quickly")


@pytest.fixture
def rig(tmp_path, valkey) -> Iterator[Rig]:
    studio = SimulatedLabelStudio(TEXTS[:24])
    rig = Rig(tmp_path / "data", studio)
    rig.connect()
    rig.label(6)
    rig.run()
    rig.label(4)
    with desk_of_jobs(rig.settings, valkey, studio):
        yield rig


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """Have the kernel refuse every byte of a file beyond a size, as a quota does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("room", [100, 700, 3_000, 30_000, 100_000, 1_000_000])
def test_is_said_and_healed(rig, room, caplog, tmp_path):
    desk = jobs._desk()
    _end_any_pause(rig)
    with no_file_beyond(room):
        jobs.refit(UID)
        assert rig.studio.serves_whole()
        # Tried again, though not at once: whether or not that could be written down.
        assert desk.redis.exists(f"al:{UID}:failures")
        assert desk.redis.zscore("al:due", UID) is not None
    assert "cannot use" in caplog.text
    assert "an unexpected error" not in caplog.text
    assert "Traceback" not in caplog.text
    if rig.status.state == State.FAILING:
        assert "cannot use" in rig.status.detail
    jobs.refit(UID)
    rig.run()
    assert (rig.status.state, rig.status.labels) == (State.READY, 10)
    assert rig.studio.serves_whole()
    assert list(tmp_path.rglob(".writing-*")) == []


def _end_any_pause(rig: Rig) -> None:
    replace(rig.status, timings={}).save(rig.store)
