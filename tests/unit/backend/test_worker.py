from __future__ import annotations

import logging
import multiprocessing
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue
from rq.job import Job
from rq.registry import FailedJobRegistry
from rq.serializers import PickleSerializer

from ls_active.engine import worker
from ls_active.engine.coalesce import Coalescer
from ls_active.engine.entry_point import EntryPoint, RefusedJob
from ls_active.engine.lock import Lock
from ls_active.engine.running import jobs_in_hand
from ls_active.engine.valkey import EmbeddedValkey
from ls_active.engine.worker import (
    LoopWorker,
    enqueue,
    make_queue,
    run_timer,
    run_worker,
    worker_count,
)
from tests.redis_fixture import pop, wait_until

UID = "7.1700000000"
processes = multiprocessing.get_context("spawn")


class Ours(EntryPoint):
    module = __name__


class OurWorker(LoopWorker):
    job_class = Ours


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, evidence: Path) -> None:
        self.evidence = str(evidence)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.evidence,)


# The entry points of these tests.


def note(url: str, text: str) -> None:
    with redis.Redis.from_url(url) as connection:
        connection.rpush("notes", text)


def hang_once(url: str) -> None:
    with redis.Redis.from_url(url) as connection:
        first = connection.incr("runs") == 1
        connection.rpush("horses", f"{os.getpid()} {os.getppid()}")
        if first:
            time.sleep(120)
        connection.rpush("notes", "finished")


def work_a_second(url: str) -> None:
    note(url, "began")
    time.sleep(1)
    note(url, "finished")


def learn(url: str, uid: str) -> None:
    """What a refit is to the protocol, and may die at any of its lines."""
    with redis.Redis.from_url(url) as connection:
        queue = make_queue(connection, Ours)
        coalescer = Coalescer(
            connection, lambda uid, job_id: enqueue(queue, "learn", url, uid, job_id=job_id)
        )

        def work(lock: Lock) -> None:
            labels = connection.get("labels")
            die_sometimes()
            time.sleep(0.2)
            lock.check()
            connection.set("model", labels)
            die_sometimes()

        coalescer.serve(uid, work)


def die_sometimes() -> None:
    if random.random() < 0.15:
        os.kill(os.getpid(), signal.SIGKILL)


def _private(url: str) -> None:
    note(url, "ran")


@pytest.fixture
def queue(connection: redis.Redis) -> Queue:
    return make_queue(connection, Ours)


@contextmanager
def workers(url: str, count: int = 1) -> Iterator[list[multiprocessing.process.BaseProcess]]:
    started = [processes.Process(target=run_worker, args=(url, OurWorker)) for _ in range(count)]
    for process in started:
        process.start()
    try:
        with redis.Redis.from_url(url) as connection:
            wait_until(lambda: worker_count(connection) == count)
        yield started
    finally:
        for process in started:
            process.kill()
            process.join()


def is_alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


class TestEnqueue:
    def test_is_json_with_limits(self, queue):
        job_id = enqueue(queue, "note", "an url", "text", timeout=5, job_id="mine")
        job = queue.fetch_job(job_id)
        assert job_id == "mine"
        assert job.data.decode() == f'["{__name__}.note", null, ["an url", "text"], {{}}]'
        assert (job.timeout, job.result_ttl, job.failure_ttl) == (5, 60, 86400)
        assert job.retries_left == 3
        assert job.description == "note"

    def test_runs_our_module_by_default(self, connection):
        job_id = enqueue(make_queue(connection), "refit", UID)
        assert make_queue(connection).fetch_job(job_id).func_name == "ls_active.jobs.refit"


class TestRefusal:
    def plant(self, connection: redis.Redis, name: str, **fields: str) -> Ours:
        """Write a job into Redis as somebody else would."""
        job = Job.create(
            name, args=["true"], connection=connection, serializer=worker.JSONSerializer
        )
        job.origin = worker.QUEUE
        job.save()
        if fields:
            connection.hset(job.key, mapping=fields)
        return Ours.fetch(job.id, connection=connection, serializer=worker.JSONSerializer)

    @pytest.mark.parametrize(
        "name",
        [
            "os.system",
            "antigravity.main",
            "eval",
            f"{__name__}.os.system",
            f"{__name__}._private",
            f"{__name__}.fresh_valkey",
            f"{__name__}.Coalescer",
            f"{__name__}.missing",
            f"{__name__}.",
        ],
    )
    def test_of_every_other_name_without_an_import(self, connection, name):
        job = self.plant(connection, name)
        with pytest.raises(RefusedJob, match="no entry point"):
            job.perform()
        assert "antigravity" not in sys.modules

    def test_of_methods_of_what_a_job_brings(self, connection):
        job = self.plant(
            connection, f"{__name__}.note", data=f'["{__name__}.note", "str", [], {{}}]'
        )
        with pytest.raises(RefusedJob, match="no entry point"):
            job.perform()

    def test_of_pickles(self, connection):
        job = self.plant(connection, f"{__name__}.note", data="\x80\x04N.")
        with pytest.raises(RefusedJob, match="not JSON"):
            job.perform()

    def test_of_callbacks_and_webhooks(self, connection):
        planted = dict.fromkeys(
            ["success_callback_name", "failure_callback_name", "stopped_callback_name"], "os.system"
        )
        hook = '[{"url": "http://localhost/", "job_status": "failed", "method": "GET"}]'
        job = self.plant(connection, "os.system", webhooks=hook, **planted)
        assert job.success_callback is None
        assert job.failure_callback is None
        assert job.stopped_callback is None
        assert not job.webhooks

    def test_leaves_pickles_unopened_wherever_they_lie(self, valkey, connection, queue, tmp_path):
        evidence = tmp_path / "evidence"
        bomb = PickleSerializer.dumps(Bomb(evidence))
        theirs = Queue(worker.QUEUE, connection=connection, serializer=PickleSerializer)
        planted = [theirs.enqueue(os.mkdir, str(evidence)) for _ in range(2)]
        fields = ("meta", "result", "group_id")
        connection.hset(planted[0].key, mapping=dict.fromkeys(fields, bomb))
        connection.hset(planted[1].key, mapping={**dict.fromkeys(fields, bomb), "data": bomb})
        assert jobs_in_hand(queue) == []
        with workers(valkey):
            enqueue(queue, "note", valkey, "still here")
            pop(connection, "notes")
            wait_until(lambda: len(FailedJobRegistry(queue=queue)) == 2)
        assert not evidence.exists()
        PickleSerializer.loads(bomb)
        assert evidence.exists()

    @pytest.mark.parametrize(
        ("field", "value"),
        [("status", b"\x80"), ("timeout", "soon"), ("created_at", "x"), (b"\x80", "x")],
    )
    def test_passes_over_what_is_no_job(self, valkey, connection, queue, field, value):
        odd = Queue(worker.QUEUE, connection=connection, serializer=worker.JSONSerializer)
        connection.hset(odd.enqueue("os.mkdir", "x").key, field, value)
        assert jobs_in_hand(queue) == []
        with workers(valkey):
            enqueue(queue, "note", valkey, "still here")
            pop(connection, "notes")

    def test_fails_the_job_and_leaves_the_worker_at_work(self, valkey, connection, queue, tmp_path):
        evidence = tmp_path / "evidence"
        with workers(valkey):
            foreign = Queue(worker.QUEUE, connection=connection, serializer=worker.JSONSerializer)
            planted = foreign.enqueue("os.mkdir", str(evidence))
            enqueue(queue, "note", valkey, "still here")
            pop(connection, "notes")
            wait_until(lambda: planted.get_status().value == "failed")
        assert "names 'os.mkdir', which is no entry point" in planted.latest_result().exc_string
        assert not evidence.exists()


class TestWorker:
    def test_a_killed_worker_takes_its_horse_along_and_another_does_the_job(
        self, valkey, connection, queue
    ):
        with workers(valkey, 2):
            enqueue(queue, "hang_once", valkey)
            horse, parent = map(int, pop(connection, "horses").split())
            os.kill(parent, signal.SIGKILL)
            wait_until(lambda: not is_alive(horse))
            wait_until(lambda: connection.lrange("notes", 0, -1) == [b"finished"])
            assert connection.get("runs") == b"2"

    def test_a_job_that_was_taken_and_not_begun_is_done_soon(self, valkey, connection, queue):
        """RQ would call it failed, after a minute."""
        job = enqueue(queue, "note", valkey, "done")
        taken = queue.intermediate_queue
        connection.lmove(queue.key, taken.key, "LEFT", "RIGHT")
        began = time.monotonic()
        with workers(valkey):
            assert pop(connection, "notes") == b"done"
            assert time.monotonic() - began < 30
            wait_until(lambda: taken.get_job_ids() == [])
        assert len(FailedJobRegistry(queue=queue)) == 0
        assert not connection.exists(f"al:taken:{job}")

    def test_a_killed_horse_is_replaced(self, valkey, connection, queue):
        with workers(valkey):
            enqueue(queue, "hang_once", valkey)
            horse, _ = map(int, pop(connection, "horses").split())
            os.kill(horse, signal.SIGKILL)
            wait_until(lambda: connection.lrange("notes", 0, -1) == [b"finished"])

    def test_stops_on_sigterm_when_the_job_is_done(self, valkey, connection, queue):
        with workers(valkey) as (process,):
            enqueue(queue, "work_a_second", valkey)
            wait_until(lambda: connection.llen("notes"))
            process.terminate()
            process.join()
            assert process.exitcode == 0
            assert connection.lrange("notes", 0, -1) == [b"began", b"finished"]
            assert worker_count(connection) == 0

    def test_is_known_again_after_redis_was_wiped(self, valkey, connection, queue):
        with workers(valkey):
            connection.flushall()
            assert worker_count(connection) == 0
            wait_until(lambda: worker_count(connection) == 1)
            enqueue(queue, "note", valkey, "still here")
            pop(connection, "notes")

    def test_one_without_a_recent_sign_of_life_does_not_count(self, connection):
        idle = OurWorker(connection)
        idle.register_birth()
        assert worker_count(connection) == 1
        connection.hset(idle.key, "last_heartbeat", "2020-01-01T00:00:00.000000Z")
        assert worker_count(connection) == 0


class TestTimer:
    @pytest.fixture(autouse=True)
    def often(self, monkeypatch):
        monkeypatch.setattr(worker, "TIMER_SECONDS", 0.02)

    @pytest.fixture
    def coalescer(self, queue):
        return Coalescer(
            queue.connection, lambda uid, job_id: enqueue(queue, "note", uid, "", job_id=job_id)
        )

    @contextmanager
    def running(self, coalescer: Coalescer, queue: Queue, *uids: str) -> Iterator[None]:
        stop = threading.Event()
        thread = threading.Thread(
            target=run_timer, args=(coalescer, queue, lambda: uids), kwargs={"stop": stop}
        )
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def test_hints_what_is_due(self, coalescer, queue):
        coalescer.hint_later(UID, 0.2)
        with self.running(coalescer, queue):
            wait_until(lambda: queue.count)
        assert coalescer.overdue(UID)

    def test_enqueues_again_what_was_hinted_and_not_served(self, connection, coalescer, queue):
        coalescer.hint(UID)
        connection.delete(queue.key, f"al:{UID}:queued")
        with self.running(coalescer, queue, UID):
            wait_until(lambda: queue.count)

    def test_frees_the_place_of_a_job_that_was_lost(self, connection, coalescer, queue):
        lost = coalescer.hint(UID)
        connection.delete(queue.key)
        with self.running(coalescer, queue, UID):
            wait_until(lambda: queue.count)
        assert coalescer.queued(UID) not in (None, lost)

    def test_leaves_a_job_that_waits(self, coalescer, queue):
        waiting = coalescer.hint(UID)
        with self.running(coalescer, queue, UID):
            wait_until(lambda: queue.connection.zscore("al:due", UID))
        assert queue.job_ids == [waiting]

    def test_leaves_a_job_that_a_worker_just_took(self, connection, coalescer, queue):
        pending = coalescer.hint(UID)
        Queue.dequeue_any([queue], None, connection, job_class=Ours, serializer=queue.serializer)
        assert pending not in queue.job_ids
        with self.running(coalescer, queue, UID):
            wait_until(lambda: connection.zscore("al:due", UID))
        assert coalescer.queued(UID) == pending

    def test_makes_every_project_due_so_that_a_wiped_redis_heals(self, coalescer, queue):
        with self.running(coalescer, queue, UID, "8.1"):
            wait_until(lambda: queue.connection.zcard("al:due") == 2)
        assert list(coalescer.due(time.time() + 29)) == []
        assert list(coalescer.due(time.time() + 31)) == [UID, "8.1"]

    def test_ticks_in_one_of_several_only(self, connection, coalescer, queue):
        connection.set("al:tick", 1)
        with self.running(coalescer, queue, UID):
            coalescer.hint_later("due", 0)
            wait_until(lambda: queue.count)
        assert not connection.exists("al:due")

    def test_gives_back_the_job_of_a_dead_worker(self, connection, coalescer, queue):
        held = enqueue(queue, "note", UID, "")
        dead = OurWorker(connection)
        dead.prepare_execution(queue.fetch_job(held))
        connection.hset(Ours.key_for(held), "status", "started")
        connection.delete(queue.key)
        for execution in connection.zrange(queue.started_job_registry.key, 0, -1):
            connection.zadd(queue.started_job_registry.key, {execution: time.time() - 1})
        with self.running(coalescer, queue):
            wait_until(lambda: queue.job_ids == [held])

    def test_outlives_redis_and_says_so_once(self, caplog, tmp_path):
        caplog.set_level(logging.INFO)
        server = EmbeddedValkey(tmp_path)
        with server, redis.Redis.from_url(server.url, retry=Retry(NoBackoff(), 0)) as connection:
            queue = make_queue(connection, Ours)
            coalescer = Coalescer(connection, lambda uid, _: connection.rpush("hinted", uid))
            with self.running(coalescer, queue):
                wait_until(lambda: connection.exists("al:tick"))
                server.stop()
                wait_until(lambda: "the timer cannot work" in caplog.text)
                server.start()
                wait_until(lambda: "the timer works again" in caplog.text)
                coalescer.hint_later(UID, 0)
                wait_until(lambda: connection.exists("hinted"))
        assert caplog.text.count("the timer cannot work") == 1


@pytest.mark.slow
def test_the_last_hint_is_served_whoever_is_killed(valkey, connection, queue):
    """Three workers, one killed every 0.3 s, horses that kill themselves, hints all the while."""
    coalescer = Coalescer(
        connection, lambda uid, job_id: enqueue(queue, "learn", valkey, uid, job_id=job_id)
    )
    stop = threading.Event()
    timer = threading.Thread(
        target=run_timer, args=(coalescer, queue, lambda: [UID]), kwargs={"stop": stop}
    )
    timer.start()
    with workers(valkey, 3) as team:
        for burst in range(40):
            for _ in range(25):
                connection.incr("labels")
                coalescer.hint(UID)
            time.sleep(0.3)
            victim = burst % len(team)
            team[victim].kill()
            team[victim].join()
            team[victim] = processes.Process(target=run_worker, args=(valkey, OurWorker))
            team[victim].start()
        wait_until(lambda: connection.get("model") == b"1000")
    stop.set()
    timer.join()
