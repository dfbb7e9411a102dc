"""RQ, as we use it: one queue, JSON only, and none but our own functions.

RQ runs whatever dotted name a job carries, so who can write to Redis could run anything. Our job
class runs the public functions of one module and drops all else that RQ would do on a job's word.
The intervals bring a killed worker's job back in 5-6 s instead of RQ's 13 min.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

import redis
from redis.exceptions import RedisError
from rq import Queue, Retry, Worker
from rq.job import Job
from rq.registry import FailedJobRegistry, FinishedJobRegistry
from rq.serializers import JSONSerializer
from rq.utils import now
from rq.worker_registration import clean_worker_registry, get_keys, register

from ls_active.engine.entry_point import EntryPoint
from ls_active.engine.processes import die_with_parent
from ls_active.errors import BackendError

if TYPE_CHECKING:
    from ls_active.engine.coalesce import Coalescer

logger = logging.getLogger(__name__)

QUEUE = "ls-active"

JOB_SECONDS = 3600
"""Default limit of a job; what it did until then, sync and features, is kept and resumed."""

RESULT_SECONDS = 60
"""How long a finished job's record stays: long enough to look up the id that we answered."""

FAILURE_SECONDS = 24 * 3600
"""How long a failed job's record, with its traceback, stays."""

TIMER_SECONDS = 0.5
"""How late a due project may be hinted."""

TICK_SECONDS = 15
"""How often, over all timers of one Redis, lost jobs and hints are looked for."""

NICENESS = 5
"""Of a job: where Label Studio shares the machine, annotators go first."""

_ALIVE_SECONDS = 10.0
_RECOVERY_MILLISECONDS = 1000
_TAKEN_SECONDS = 10.0


class LoopWorker(Worker):
    """RQ's worker, quick to notice the dead and taking no orders but jobs."""

    job_class: type[EntryPoint] = EntryPoint
    max_connection_wait_time = 5.0
    log_result_lifespan = False

    def __init__(self, connection: redis.Redis) -> None:
        super().__init__(
            [make_queue(connection, self.job_class)],
            connection=connection,
            # RQ waits worker_ttl - 15 s for a job: 2 s between two heartbeats of an idle worker.
            worker_ttl=17,
            job_monitoring_interval=2,
            maintenance_interval=2,
            serializer=JSONSerializer,
            log_job_description=False,
        )

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:  # noqa: ARG002
        """Seconds after which a silent job is given to another worker; RQ hard-codes 60 more."""
        return 6

    def subscribe(self) -> None:
        """Listen to no commands: a thread in a process that forks is a deadlock in waiting."""

    def clean_registries(self) -> None:
        """Bring back what dead workers held.

        Not RQ's: its lock stays 15 min if the holder dies, and it reads with pickle.
        """
        for queue in self.queues:
            register(self)  # a wiped Redis has forgotten us
            recover(queue)
            queue.intermediate_queue.cleanup(self, queue)
        self.last_cleaned_at = now()  # type: ignore[assignment]  # RQ says None only

    def clean_group_registries(self) -> None:
        """Leave groups alone: we make none."""

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        """Run the job in the forked child, which dies with the worker and yields to the web."""
        die_with_parent(self.pid or os.getppid())
        os.nice(NICENESS)
        super().main_work_horse(job, queue)


def make_queue(connection: redis.Redis, job_class: type[EntryPoint] = EntryPoint) -> Queue:
    """Return the one queue there is: of several, RQ loses the job that a killed worker took."""
    return Queue(QUEUE, connection=connection, job_class=job_class, serializer=JSONSerializer)


def enqueue(
    queue: Queue,
    function: str,
    *args: str | float | bool | None,
    timeout: int = JOB_SECONDS,
    job_id: str | None = None,
) -> str:
    """Put ``function(*args)`` of the entry points on the queue and return the job's id.

    Parameters
    ----------
    queue : Queue
        From `make_queue`.
    function : str
        Its bare name, e.g. ``"refit"``.
    *args : JSON scalars
        Kept readable in Redis: never a secret.
    timeout : int
        Seconds after which the job is ended.
    job_id : str, optional
        Letters, digits, underscores and dashes; a random one by default.
    """
    job_class = cast("type[EntryPoint]", queue.job_class)
    job = queue.enqueue_call(
        f"{job_class.module}.{function}",
        args=args,
        timeout=timeout,
        job_id=job_id,
        description=function,
        retry=Retry(max=3),
        result_ttl=RESULT_SECONDS,
        failure_ttl=FAILURE_SECONDS,
    )
    return str(job.id)


def recover(queue: Queue) -> None:
    """Give the jobs of dead workers back to the queue, and forget what is old."""
    # Two at once would enqueue a job twice. Lapses by itself, so that a killed holder costs 1 s.
    if not queue.connection.set("al:recovering", 1, nx=True, px=_RECOVERY_MILLISECONDS):
        return
    queue.started_job_registry.cleanup()
    _put_back(queue)
    clean_worker_registry(queue)
    for registry in (FinishedJobRegistry, FailedJobRegistry):
        registry(queue=queue).cleanup()


def _put_back(queue: Queue) -> None:
    """Put back what a worker had taken and not begun when it died.

    RQ waits a minute, and then calls it failed.
    """
    taken = queue.intermediate_queue
    for job_id in taken.get_job_ids():
        seen = f"al:taken:{job_id}"
        queue.connection.set(seen, time.time(), nx=True, ex=60)
        first = cast("bytes | None", queue.connection.get(seen))
        # A worker that lives has begun it within milliseconds, or some seconds under load.
        if first is None or time.time() - float(first) < _TAKEN_SECONDS:
            continue
        if job_id not in queue.started_job_registry:
            queue.push_job_id(job_id, at_front=True)
        taken.remove(job_id)
        queue.connection.delete(seen)


def run_worker(redis_url: str, worker_class: type[LoopWorker] = LoopWorker) -> None:
    """Work until SIGTERM or SIGINT (a second one kills the job), or until Redis is gone in one."""
    connection = redis.Redis.from_url(redis_url)
    importlib.import_module(worker_class.job_class.module)  # once here, not in every fork
    logging.getLogger("rq.worker").addFilter(_in_words)
    try:
        worker_class(connection).work(logging_level="WARNING")
    except RedisError as error:
        sys.exit(f"the worker ends, Redis refuses: {error}")


def _in_words(record: logging.LogRecord) -> bool:
    """Have RQ say in a line what Redis said, a full disk for one, and not where it was asked."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, RedisError):
        record.msg, record.args = f"{record.getMessage()} {error}", ()
        record.exc_info = None
    return True


def run_timer(
    coalescer: Coalescer,
    queue: Queue,
    projects: Callable[[], Iterable[str]],
    *,
    reconcile_seconds: float = 30.0,
    stop: threading.Event | None = None,
) -> None:
    """Hint what is due, and each 15 s see to it that nothing was forgotten, until `stop`.

    RQ's own scheduler pickles, and two of them enqueue twice. Any number of these may run.

    Parameters
    ----------
    projects : callable
        The uids of all projects that we look after.
    reconcile_seconds : float
        Each project is hinted at least that often, give or take a tick.
    """
    stop = stop or threading.Event()
    next_tick, down = 0.0, False
    while not stop.is_set():
        try:
            for uid in coalescer.due(time.time()):
                coalescer.hint(uid)
            if time.monotonic() >= next_tick:
                _tick(coalescer, queue, projects, reconcile_seconds)
                next_tick = time.monotonic() + TICK_SECONDS
            if down:
                logger.info("the timer works again")
            down = False
        except (RedisError, BackendError) as error:
            if not down:
                logger.warning("the timer cannot work, trying on: %s", error)
            down = True
        stop.wait(TIMER_SECONDS)


def _tick(
    coalescer: Coalescer,
    queue: Queue,
    projects: Callable[[], Iterable[str]],
    reconcile_seconds: float,
) -> None:
    if not queue.connection.set("al:tick", 1, nx=True, ex=TICK_SECONDS - 1):
        return
    recover(queue)
    for uid in projects():
        # One that Redis or a killed worker lost would hold the pending place for a minute.
        pending = coalescer.queued(uid)
        if pending and not _is_on(queue, pending):
            coalescer.unqueue(uid, pending)
        if coalescer.overdue(uid):
            coalescer.rehint(uid)
        coalescer.hint_some_day(uid, reconcile_seconds)


def _is_on(queue: Queue, job_id: str) -> bool:
    # In the order in which a job passes them: one that moves meanwhile is seen all the same.
    waiting = (*queue.job_ids, *queue.intermediate_queue.get_job_ids())
    return job_id in waiting or job_id in queue.started_job_registry


def worker_count(connection: redis.Redis) -> int:
    """Return how many workers gave a sign of life within 10 s."""
    keys = list(get_keys(connection=connection, queue=make_queue(connection)))
    beats = [connection.hget(key, "last_heartbeat") for key in keys]
    return sum(_is_recent(beat) for beat in beats)


def _is_recent(beat: Any) -> bool:
    if beat is None:
        return False
    last = datetime.fromisoformat(beat.decode() if isinstance(beat, bytes) else beat)
    return (now() - last).total_seconds() < _ALIVE_SECONDS
