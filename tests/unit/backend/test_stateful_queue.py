"""The same, with the queue between: hints, jobs, the timer, and a Redis that forgets.

Nobody runs the loop by hand here. A job runs because something was said, or because the timer saw
that something was not; who dies leaves its lock behind.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from ls_active import jobs
from ls_active.engine.worker import _tick
from ls_active.records.project import ProjectStatus
from ls_active.records.store import Store
from ls_active.schemas import WebhookEvent, parse
from tests.harness.desk import desk_of_jobs
from tests.harness.effects import Killed
from tests.harness.quick import quick
from tests.harness.simulated_project import CREATED, UID
from tests.redis_fixture import fresh_valkey
from tests.unit.backend.test_stateful import Loop

pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.timeout(7200),
]

EVENT = {"action": "ANNOTATION_CREATED", "project": {"id": 1, "created_at": CREATED.isoformat()}}
LOCK = f"al:{UID}:lock"


class LoopAndQueue(Loop):
    """One project, a Valkey, and jobs that are worked off one by one."""

    url: ClassVar[str] = ""

    @initialize(seed=st.integers(0, 2**16))
    def connect(self, seed: int) -> None:
        super().connect(seed)
        self.open = ExitStack()
        self.desk = self.open.enter_context(desk_of_jobs(self.rig.settings, self.url, self.studio))

    @rule()
    def say_so(self) -> None:
        self.desk.hint(parse(WebhookEvent, json.dumps(EVENT).encode()))

    @rule()
    def press_retrain(self) -> None:
        self.desk.start_training(UID)

    @rule()
    def let_the_timer_look(self) -> None:
        for uid in self.desk.coalescer.due(time.time() + 1e6):
            self.desk.coalescer.hint(uid)
        self.desk.redis.delete("al:tick")
        _tick(self.desk.coalescer, self.desk.queue, self.desk.active_projects, 0.0)

    @rule()
    def let_a_worker_take_a_job(self) -> None:
        self._take()

    @rule()
    def lose_a_job(self) -> None:
        """A worker took it, and is no more."""
        for job in self.desk.queue.job_ids[:1]:
            self.desk.queue.remove(job)

    @rule()
    def let_the_lock_of_the_dead_lapse(self) -> None:
        self.desk.redis.delete(LOCK)

    @rule()
    def wipe(self) -> None:
        self.desk.redis.flushall()

    def work(self) -> None:
        self.say_so()
        self._take()

    def settle(self) -> None:
        for _ in range(6):
            self.desk.redis.delete(LOCK)
            self.let_the_timer_look()
            self._take()

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            if hasattr(self, "open"):
                self.open.close()

    def _take(self) -> None:
        """Run what waits on the queue, the pause since the last publication over."""
        plain = Store(self.rig.settings.data_dir)
        replace(ProjectStatus.load(plain, UID), timings={}).save(plain)
        self.desk.rest.wake(UID)
        self.desk.store = self.rig.store
        for job in self.desk.queue.job_ids:
            self.desk.queue.remove(job)
            try:
                jobs.refit(UID)
            except Killed:
                self.desk.redis.set(LOCK, "the dead", ex=3600)
                raise


@pytest.fixture(scope="module", autouse=True)
def _valkey() -> Iterator[None]:
    with fresh_valkey() as LoopAndQueue.url:
        yield


@pytest.mark.parametrize(
    "examples",
    [3, pytest.param(8, marks=pytest.mark.slow), pytest.param(300, marks=pytest.mark.long)],
)
def test_anything_in_any_order_ends_well(examples: int) -> None:
    case = LoopAndQueue.TestCase
    case.settings = settings(
        max_examples=examples,
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    with quick():
        case().runTest()
