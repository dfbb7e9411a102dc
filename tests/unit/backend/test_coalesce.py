from __future__ import annotations

import multiprocessing
import os
import signal
import time
from contextlib import ExitStack

import pytest
import redis
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from ls_active.engine.coalesce import DUE, Coalescer
from ls_active.engine.lock import Lock
from ls_active.errors import LockLost
from tests.redis_fixture import fresh_valkey, pop, wait_until

UID = "7.1700000000"
processes = multiprocessing.get_context("spawn")


@pytest.fixture
def jobs() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def coalescer(connection: redis.Redis, jobs: list[tuple[str, str]]) -> Coalescer:
    return Coalescer(connection, lambda uid, job_id: jobs.append((uid, job_id)))


def nothing(_lock: Lock) -> None:
    pass


class TestHint:
    def test_the_first_enqueues_and_the_others_are_answered_with_its_id(self, coalescer, jobs):
        ids = {coalescer.hint(UID) for _ in range(5)}
        assert jobs == [(UID, ids.pop())]
        assert not ids

    def test_projects_are_apart(self, coalescer, jobs):
        assert coalescer.hint("1.1") != coalescer.hint("2.1")
        assert [uid for uid, _ in jobs] == ["1.1", "2.1"]

    def test_one_more_job_may_wait_once_a_job_has_started(self, coalescer, jobs):
        coalescer.hint(UID)
        coalescer.started(UID)
        assert coalescer.hint(UID) == coalescer.hint(UID)
        assert len(jobs) == 2

    def test_an_enqueue_that_fails_is_raised_and_holds_nothing_back(self, connection, coalescer):
        def fail(uid: str, job_id: str) -> None:
            raise redis.ConnectionError("refused")

        with pytest.raises(redis.ConnectionError, match="refused"):
            Coalescer(connection, fail).hint(UID)
        assert coalescer.queued(UID) is None
        assert coalescer.overdue(UID)

    def test_a_job_that_never_started_holds_the_place_for_a_minute_only(
        self, connection, coalescer
    ):
        coalescer.hint(UID)
        assert 50_000 < connection.pttl(f"al:{UID}:queued") <= 60_000

    def test_only_the_job_that_holds_the_place_can_be_unqueued(self, coalescer):
        job_id = coalescer.hint(UID)
        assert not coalescer.unqueue(UID, "another")
        assert coalescer.queued(UID) == job_id
        assert coalescer.unqueue(UID, job_id)
        assert coalescer.queued(UID) is None

    def test_works_on_a_decoding_connection_too(self, valkey, coalescer, jobs):
        with redis.Redis.from_url(valkey, decode_responses=True) as decoding:
            other = Coalescer(decoding, lambda uid, job_id: jobs.append((uid, job_id)))
            assert other.hint(UID) == coalescer.hint(UID)
            assert other.serve(UID, nothing)


class TestServe:
    def test_serves_what_was_wanted_before_the_work(self, coalescer):
        coalescer.hint(UID)
        assert coalescer.overdue(UID)
        assert coalescer.serve(UID, nothing)
        assert not coalescer.overdue(UID)

    def test_a_hint_during_the_work_gets_one_more_job(self, coalescer, jobs):
        def work(lock: Lock) -> None:
            lock.check()
            coalescer.hint(UID)
            coalescer.hint(UID)
            # As when another worker is idle: it starts the pending job, which finds us at work.
            assert not coalescer.serve(UID, nothing)

        coalescer.hint(UID)
        assert coalescer.serve(UID, work)
        assert len(jobs) == 3
        assert coalescer.queued(UID) == jobs[-1][1]

    def test_work_that_raises_leaves_the_hint_unserved_and_the_project_free(self, coalescer):
        def work(_lock: Lock) -> None:
            raise ValueError("broken")

        coalescer.hint(UID)
        with pytest.raises(ValueError, match="broken"):
            coalescer.serve(UID, work)
        assert coalescer.overdue(UID)
        with coalescer.lock(UID) as lock:
            assert lock is not None

    def test_done_never_moves_backwards(self, connection, coalescer):
        coalescer.hint(UID)
        first = coalescer.wanted(UID)
        coalescer.hint(UID)
        assert not coalescer.finish(UID, first + 1)
        assert coalescer.finish(UID, first)
        assert int(connection.get(f"al:{UID}:done")) == first + 1

    def test_overdue_waits_for_who_is_at_work(self, coalescer):
        coalescer.hint(UID)
        with coalescer.lock(UID):
            assert not coalescer.overdue(UID)
        assert coalescer.overdue(UID)


class TestWipedRedis:
    def test_knows_of_nothing(self, coalescer):
        assert coalescer.wanted(UID) == 0
        assert not coalescer.overdue(UID)
        assert coalescer.queued(UID) is None
        assert coalescer.forced(UID) is None
        assert not coalescer.finish(UID, 0)

    def test_during_the_work_asks_for_one_more_run_and_only_one(self, connection, coalescer, jobs):
        coalescer.hint(UID)
        coalescer.serve(UID, lambda _lock: connection.flushall())
        assert len(jobs) == 2
        coalescer.serve(UID, nothing)
        assert len(jobs) == 2

    def test_numbers_from_before_never_pass_for_later_hints(self, connection, coalescer):
        for _ in range(3):
            coalescer.hint(UID)
        before = coalescer.wanted(UID)
        connection.flushall()
        for _ in range(3):
            coalescer.hint(UID)
        assert coalescer.finish(UID, before)
        assert coalescer.overdue(UID)

    def test_a_count_that_went_back_asks_for_one_more_run(self, connection, coalescer):
        coalescer.hint(UID)
        seen = coalescer.wanted(UID)
        connection.decrby(f"al:{UID}:wanted", 1)
        assert coalescer.finish(UID, seen)
        assert not coalescer.finish(UID, seen - 1)


class TestDue:
    def test_the_earliest_time_wins(self, coalescer):
        now = time.time()
        for seconds in (30, 5, 60):
            coalescer.hint_later(UID, seconds)
        assert list(coalescer.due(now)) == []
        assert list(coalescer.due(now + 6)) == [UID]
        assert list(coalescer.due(now + 100)) == []

    def test_stay_until_they_were_hinted(self, coalescer):
        coalescer.hint_later(UID, 1)
        assert next(coalescer.due(time.time() + 2)) == UID  # Its timer died here.
        assert list(coalescer.due(time.time() + 2)) == [UID]

    def test_stay_for_a_time_set_meanwhile(self, coalescer):
        coalescer.hint_later(UID, 1)
        for uid in coalescer.due(now := time.time() + 2):
            coalescer._redis.zadd(DUE, {uid: now + 5})
        assert list(coalescer.due(now + 6)) == [UID]

    def test_come_in_order(self, coalescer):
        for uid, seconds in (("b", 2), ("a", 3), ("c", 1), ("later", 90)):
            coalescer.hint_later(uid, seconds)
        assert list(coalescer.due(time.time() + 10)) == ["c", "b", "a"]


class TestForce:
    def test_stays_until_its_own_version_was_made(self, coalescer):
        coalescer.force(UID)
        token = coalescer.forced(UID)
        assert coalescer.forced(UID) == token
        coalescer.force(UID)
        assert not coalescer.clear_force(UID, token)
        assert coalescer.clear_force(UID, coalescer.forced(UID))
        assert coalescer.forced(UID) is None


class TestLock:
    def test_one_holder(self, coalescer):
        with coalescer.lock(UID) as lock, coalescer.lock(UID) as other:
            assert lock is not None
            assert other is None

    def test_is_renewed_while_held(self, coalescer):
        with coalescer.lock(UID, 1.0) as lock:
            time.sleep(1.5)
            lock.check()
            with coalescer.lock(UID) as other:
                assert other is None

    def test_notices_that_another_took_it_and_leaves_it_to_them(self, connection, coalescer):
        with coalescer.lock(UID, 0.3) as lock:
            connection.set(f"al:{UID}:lock", "another")
            wait_until(lambda: lock.lost)
            with pytest.raises(LockLost, match="the next one carries on"):
                lock.check()
        assert connection.get(f"al:{UID}:lock") == b"another"

    def test_is_lost_when_redis_is_gone_for_its_time(self, caplog):
        with fresh_valkey() as url, ExitStack() as stack:
            connection = stack.enter_context(redis.Redis.from_url(url))
            with Coalescer(connection, print).lock(UID, 1.0) as lock:
                connection.shutdown(nosave=True)
                lock.check()
                wait_until(lambda: lock.lost)
        assert "could not release" in caplog.text


# What runs in processes of its own. Module level, so that spawned ones find it.


def hint_often(url: str, count: int) -> None:
    with redis.Redis.from_url(url) as connection:
        coalescer = Coalescer(connection, lambda uid, job_id: connection.rpush("jobs", job_id))
        for _ in range(count):
            coalescer.hint(UID)


def serve_jobs(url: str) -> None:
    with redis.Redis.from_url(url) as connection:
        coalescer = Coalescer(connection, lambda uid, job_id: connection.rpush("jobs", job_id))

        def work(lock: Lock) -> None:
            connection.rpush("at work", connection.incr("working"))
            connection.rpush("waiting", connection.llen("jobs"))
            time.sleep(0.05)
            connection.decr("working")

        while connection.get("over") is None:
            if connection.blpop("jobs", timeout=1):
                coalescer.serve(UID, work)


def hold(url: str) -> None:
    with (
        redis.Redis.from_url(url) as connection,
        Coalescer(connection, print).lock(UID, 2.0) as lock,
    ):
        connection.rpush("held", 1)
        try:
            while True:
                lock.check()
                time.sleep(0.01)
        except LockLost:
            connection.rpush("noticed", 1)


class TestManyProcesses:
    @pytest.mark.slow
    def test_a_thousand_hints_are_one_running_and_one_pending_job(self, valkey, connection):
        workers = [processes.Process(target=serve_jobs, args=(valkey,)) for _ in range(2)]
        hinters = [processes.Process(target=hint_often, args=(valkey, 250)) for _ in range(4)]
        for process in workers + hinters:
            process.start()
        for process in hinters:
            process.join()
        coalescer = Coalescer(connection, print)
        wait_until(lambda: connection.get(f"al:{UID}:done") and not coalescer.overdue(UID))
        wait_until(lambda: not connection.exists(f"al:{UID}:lock", f"al:{UID}:queued"))
        connection.set("over", 1)
        for process in workers:
            process.join()
        assert [process.exitcode for process in workers + hinters] == [0] * 6
        assert int(connection.get(f"al:{UID}:done")) == coalescer.wanted(UID)
        assert set(connection.lrange("at work", 0, -1)) == {b"1"}
        assert max(map(int, connection.lrange("waiting", 0, -1))) <= 1
        assert connection.llen("at work") < 200

    def test_another_takes_over_from_a_killed_holder(self, valkey, connection, coalescer):
        holder = processes.Process(target=hold, args=(valkey,))
        holder.start()
        pop(connection, "held")
        holder.kill()
        holder.join()

        def taken() -> bool:
            with coalescer.lock(UID) as lock:
                return lock is not None

        assert not taken()
        wait_until(taken)

    def test_a_paused_holder_notices(self, valkey, connection, coalescer):
        holder = processes.Process(target=hold, args=(valkey,))
        holder.start()
        pop(connection, "held")
        os.kill(holder.pid, signal.SIGSTOP)
        wait_until(lambda: not connection.exists(f"al:{UID}:lock"))
        with coalescer.lock(UID) as lock:
            os.kill(holder.pid, signal.SIGCONT)
            pop(connection, "noticed")
            lock.check()
        holder.join()
        assert holder.exitcode == 0


class Interleaving(RuleBasedStateMachine):
    """Hints, jobs, kills and wipes in any order: in the end the last hint is served."""

    connection: redis.Redis

    @initialize()
    def begin(self) -> None:
        self.connection.flushall()
        self.pending: list[str] = []
        self.running: list[tuple[ExitStack, int, int]] = []
        self.coalescer = Coalescer(
            self.connection, lambda _uid, job_id: self.pending.append(job_id)
        )
        self.hints = self.served = 0

    @rule()
    def hint(self) -> None:
        self.hints += 1
        assert self.coalescer.hint(UID) in self.pending

    @precondition(lambda self: self.pending)
    @rule()
    def start(self) -> None:
        self.pending.pop(0)
        self.coalescer.started(UID)
        stack = ExitStack()
        if stack.enter_context(self.coalescer.lock(UID, 60.0)) is None:
            stack.close()
        else:
            self.running.append((stack, self.coalescer.wanted(UID), self.hints))
        # A wipe takes the lock away from its holder, so two may run then, and only then.
        assert len(self.running) <= 1 or self.wiped

    @precondition(lambda self: self.running)
    @rule(late_hint=st.booleans())
    def finish(self, late_hint: bool) -> None:
        stack, seen, hints = self.running.pop(0)
        if late_hint:
            self.hint()
        stack.close()
        if self.coalescer.finish(UID, seen):
            self.coalescer.rehint(UID)
        self.served = max(self.served, hints)

    @precondition(lambda self: self.running)
    @rule()
    def kill(self) -> None:
        self.running.pop(0)[0].close()

    @rule()
    def tick(self) -> None:
        if self.coalescer.overdue(UID):
            self.coalescer.rehint(UID)

    wiped = False

    @rule()
    def wipe(self) -> None:
        self.wiped = True
        self.connection.flushall()
        self.pending.clear()

    def teardown(self) -> None:
        while self.running:
            self.finish(late_hint=False)
        if self.wiped:
            self.hint()  # as the timer does for every project
        for _ in range(3):
            while self.pending:
                self.start()
                while self.running:
                    self.finish(late_hint=False)
            self.tick()
        assert self.served == self.hints


def test_any_interleaving_serves_the_last_hint(connection):
    case = type("OnThisServer", (Interleaving,), {"connection": connection}).TestCase
    case.settings = settings(stateful_step_count=20)
    case().runTest()
