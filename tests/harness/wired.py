"""Jobs run in this process, whose Label Studio is in memory and behind a real socket."""

from __future__ import annotations

import copy
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from ls_active import buttons, jobs
from ls_active.label_studio import client as label_studio_client
from ls_active.loop.workshop import connect
from ls_active.records.project import ProjectStatus
from ls_active.records.store import Store
from tests.harness.desk import desk_of_jobs
from tests.harness.effects import Effects
from tests.harness.rig import Rig
from tests.harness.simulated import SimulatedLabelStudio
from tests.harness.simulated_http import KEY, Wire
from tests.harness.simulated_project import UID
from tests.harness.troubles import PATIENCE


@contextmanager
def wired(
    wire: Wire, start: tuple[Path, SimulatedLabelStudio], folder: Path, redis_url: str
) -> Iterator[Rig]:
    """Have jobs that run in here use a copy of a project, of which both sides are given.

    They have little patience, try nothing twice, and an emptied Valkey.
    """
    store, studio = start
    if store.exists():
        shutil.copytree(store, folder)
    wire.studio, wire.troubles, wire.keys = copy.deepcopy(studio), [], {KEY}
    wire.calls.clear()
    rig = Rig(folder, wire.studio)
    rig.settings = rig.settings.model_copy(
        update={"label_studio_url": wire.url, "label_studio_api_key": SecretStr(KEY)}
    )
    with desk_of_jobs(rig.settings, redis_url), pytest.MonkeyPatch.context() as patch:
        patch.setattr(label_studio_client, "BULK_TIMEOUT", PATIENCE)
        for module in (jobs, buttons):
            patch.setattr(module, "connect", lambda s: connect(s, timeout=PATIENCE, retries=0))
        yield rig


def always_served(rig: Rig) -> None:
    """Look at what annotators are served before and after everything that we do."""

    def watch() -> None:
        assert rig.studio.serves_whole(), f"serves {rig.studio.fields['model_version']!r}"

    rig.studio.effect = Effects(watch=watch)


def run_refit(rig: Rig) -> float | None:
    """Run the job, any pause over; return in how many seconds it is due again, if it is."""
    plain = Store(rig.settings.data_dir)
    status = ProjectStatus.load(plain, UID)
    if status.timings:
        replace(status, timings={}).save(plain)
    redis = jobs._desk().redis
    redis.delete("al:due")
    jobs.refit(UID)
    moment = redis.zscore("al:due", UID)
    return None if moment is None else float(moment) - time.time()
