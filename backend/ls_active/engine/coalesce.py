"""Any number of hints, one run: the hint/lock protocol between the web and the jobs.

A hint says "something changed in this project". It is counted in ``wanted`` and answered by at
most one running and one pending job. A job notes ``wanted`` before it works and writes it to
``done`` after; whoever finds ``wanted > done`` and nobody at work enqueues again. So the last
hint is served although hints are dropped, jobs die, and Redis forgets.

Keys of a project are ``al:{uid}:wanted|done|queued|lock|force``, and ``al:due`` is one sorted set.
Nothing here knows RQ or Label Studio. Redis errors pass through as ``redis.exceptions``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, cast
from uuid import uuid4

from redis.exceptions import RedisError

from ls_active.engine.lock import DELETE_IF_SAME, LOCK_SECONDS, Lock
from ls_active.errors import LockLost

if TYPE_CHECKING:
    from redis import Redis

QUEUED_SECONDS = 60.0
"""How long a job that was enqueued and never started holds back the next one, at most."""

DUE = "al:due"

# The count starts at the server's clock in microseconds, not at 1: a Redis that was wiped counts
# on above every number that a job may still hold, so old numbers never pass for new hints.
_HINT = """
if redis.call('EXISTS', KEYS[1]) == 0 then
  local now = redis.call('TIME')
  redis.call('SET', KEYS[1], now[1] .. string.format('%06d', tonumber(now[2])))
end
if ARGV[3] == '1' then redis.call('INCR', KEYS[1]) end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return ARGV[1] end
return redis.call('GET', KEYS[2])
"""

# wanted < seen: Redis lost what we read. Hints may be lost with it, so ask for one more run.
_FINISH = """
local wanted = tonumber(redis.call('GET', KEYS[1]) or '0')
local done = tonumber(redis.call('GET', KEYS[2]) or '0')
local seen = tonumber(ARGV[1])
if wanted < seen then return 1 end
if seen > done then redis.call('SET', KEYS[2], ARGV[1]) end
if wanted > seen then return 1 end
return 0
"""

_OVERDUE = """
if redis.call('EXISTS', KEYS[3]) == 1 then return 0 end
local wanted = tonumber(redis.call('GET', KEYS[1]) or '0')
local done = tonumber(redis.call('GET', KEYS[2]) or '0')
if wanted > done then return 1 end
return 0
"""

# ZADD LT, which Redis has only from 6.2 on.
_LATER = """
local due = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not due or tonumber(ARGV[2]) < tonumber(due) then
  redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
end
"""

_TAKE_OUT = """
local due = redis.call('ZSCORE', KEYS[1], ARGV[1])
if due and tonumber(due) <= tonumber(ARGV[2]) then redis.call('ZREM', KEYS[1], ARGV[1]) end
"""


class Coalescer:
    """Hints, due times, locks and the force flag of every project.

    Parameters
    ----------
    redis : redis.Redis
        Bytes or decoded, both will do.
    enqueue : callable(uid, job_id)
        Puts a job with just this id on the queue. We choose the id, so that every hint, also a
        coalesced one, can name the job that will serve it from the same atomic call.
    """

    def __init__(self, redis: Redis, enqueue: Callable[[str, str], object]) -> None:
        self._redis = redis
        self._enqueue = enqueue
        self._hint = redis.register_script(_HINT)
        self._finish = redis.register_script(_FINISH)
        self._overdue = redis.register_script(_OVERDUE)
        self._later = redis.register_script(_LATER)
        self._take_out = redis.register_script(_TAKE_OUT)
        self._delete_if_same = redis.register_script(DELETE_IF_SAME)

    def hint(self, uid: str) -> str:
        """Note that something changed; return the id of the pending job that will look."""
        return self._ask(uid, counts=True)

    def rehint(self, uid: str) -> str:
        """Enqueue for a hint that was counted already; return the pending job's id."""
        return self._ask(uid, counts=False)

    def _ask(self, uid: str, *, counts: bool) -> str:
        ours = uuid4().hex
        pending = _text(
            self._hint(
                keys=[_key(uid, "wanted"), _key(uid, "queued")],
                args=[ours, int(QUEUED_SECONDS * 1000), int(counts)],
            )
        )
        if pending == ours:
            try:
                self._enqueue(uid, ours)
            except Exception:
                with suppress(RedisError):  # it lapses by itself; the caller needs the first error
                    self.unqueue(uid, ours)
                raise
        return pending

    def queued(self, uid: str) -> str | None:
        """Return the id of the job that holds the pending place, if any."""
        return _text_or_none(self._redis.get(_key(uid, "queued")))

    def unqueue(self, uid: str, job_id: str) -> bool:
        """Free the pending place of a job that is no more; True if it held it."""
        return bool(self._delete_if_same(keys=[_key(uid, "queued")], args=[job_id]))

    def hint_later(self, uid: str, seconds: float) -> None:
        """Make the project due in so many seconds, unless it is due earlier already."""
        self._later(keys=[DUE], args=[uid, time.time() + seconds])

    def hint_some_day(self, uid: str, seconds: float) -> None:
        """Make the project due in so many seconds, unless it is due at all: a safety net."""
        self._redis.zadd(DUE, {uid: time.time() + seconds}, nx=True)

    def due(self, now: float) -> Iterator[str]:
        """Yield the projects due at `now` (seconds since 1970), earliest first, to be hinted.

        Each is taken out after that: who dies in between, or never gets the answer, loses none.
        """
        for uid in map(_text, cast("list[object]", self._redis.zrangebyscore(DUE, "-inf", now))):
            yield uid
            self._take_out(keys=[DUE], args=[uid, now])

    def started(self, uid: str) -> None:
        """Free the pending place, first thing in a job: later hints need another job."""
        self._redis.delete(_key(uid, "queued"))

    def wanted(self, uid: str) -> int:
        """Return the number of the last hint, 0 when Redis knows none."""
        return int(_text_or_none(self._redis.get(_key(uid, "wanted"))) or 0)

    def finish(self, uid: str, seen: int) -> bool:
        """Write down that all hints up to `seen` are served; True if more came, so `rehint`.

        Call it after the lock is released: a job that a late hint enqueued may have come, found
        the lock taken, and gone.
        """
        return bool(self._finish(keys=[_key(uid, "wanted"), _key(uid, "done")], args=[seen]))

    def overdue(self, uid: str) -> bool:
        """Whether a hint is unserved and nobody is at work on it."""
        return bool(self._overdue(keys=[_key(uid, "wanted"), _key(uid, "done"), _key(uid, "lock")]))

    @contextmanager
    def lock(self, uid: str, seconds: float = LOCK_SECONDS) -> Iterator[Lock | None]:
        """Hold the project for the body of a ``with``, or get None: someone else does."""
        lock = Lock(self._redis, _key(uid, "lock"), seconds)
        if not lock.acquire():
            yield None
            return
        try:
            yield lock
        finally:
            lock.release()

    @contextmanager
    def held(self, uid: str, patience: float) -> Iterator[Lock]:
        """Hold the project for the body of a ``with``, waiting so many seconds for who does.

        Raises
        ------
        LockLost
            If that takes longer.
        """
        give_up = time.monotonic() + patience
        while time.monotonic() < give_up:
            with self.lock(uid) as lock:
                if lock is not None:
                    yield lock
                    return
            time.sleep(0.2)
        raise LockLost(f"project {uid} was busy for {patience:g} s; try again")

    def serve(self, uid: str, work: Callable[[Lock], object]) -> bool:
        """Run `work` by the protocol: the whole of a coalesced job.

        Returns
        -------
        bool
            False when another job holds the project: it looks for later hints after its release.

        Raises
        ------
        Exception
            What `work` raised. Its hints stay unserved, until a retry or the timer.
        """
        self.started(uid)
        with self.lock(uid) as lock:
            if lock is None:
                return False
            seen = self.wanted(uid)
            work(lock)
        if self.finish(uid, seen):
            self.rehint(uid)
        return True

    def force(self, uid: str) -> str:
        """Ask for a new version even if nothing was labelled, until `clear_force`.

        Returns
        -------
        str
            The request's token. A later request takes its place: one run grants both.
        """
        token = uuid4().hex
        self._redis.set(_key(uid, "force"), token)
        return token

    def forced(self, uid: str) -> str | None:
        """Return the token of the request for a new version, if there is one."""
        return _text_or_none(self._redis.get(_key(uid, "force")))

    def clear_force(self, uid: str, token: str) -> bool:
        """Drop the request once its version exists; one made since then has another token."""
        return bool(self._delete_if_same(keys=[_key(uid, "force")], args=[token]))


def _key(uid: str, name: str) -> str:
    return f"al:{uid}:{name}"


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else cast("str", value)


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)
