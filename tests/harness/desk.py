"""Jobs run in this process, as a worker runs them, beside a real Valkey."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from ls_active import buttons, jobs
from ls_active.job_desk import JobDesk
from ls_active.settings import Settings
from tests.harness.simulated import SimulatedLabelStudio


@contextlib.contextmanager
def desk_of_jobs(
    settings: Settings, redis_url: str, studio: SimulatedLabelStudio | None = None
) -> Iterator[JobDesk]:
    """Have jobs that run in here use an emptied Valkey, and `studio` in place of what is set."""
    settings = settings.model_copy(update={"redis_url": SecretStr(redis_url)})
    desk = JobDesk(settings, patient=True)
    desk.redis.flushall()
    with contextlib.closing(desk.redis), pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "_desk", lambda: desk)
        if studio is not None:
            for module in (jobs, buttons):
                patch.setattr(module, "connect", lambda _: contextlib.nullcontext(studio))
        yield desk
