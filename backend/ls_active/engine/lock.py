"""A lock in Redis that lapses soon after its holder died, and whose holder notices losing it."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING
from uuid import uuid4

from redis.exceptions import RedisError

from ls_active.errors import LockLost

if TYPE_CHECKING:
    from redis import Redis

logger = logging.getLogger(__name__)

LOCK_SECONDS = 6.0
"""How long a project stays taken after its worker died: seconds, so that no one waits long."""

DELETE_IF_SAME = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""

_EXTEND_IF_SAME = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
"""


class Lock:
    """A project's lock while we hold it. Made by `Coalescer.lock`.

    A daemon thread renews it each third of its time, over a connection of its own from the pool.
    The lock is no fence: call `check` before every side effect.
    """

    def __init__(self, redis: Redis, key: str, seconds: float) -> None:
        self._redis = redis
        self._extend = redis.register_script(_EXTEND_IF_SAME)
        self._delete = redis.register_script(DELETE_IF_SAME)
        self._key, self._token, self._seconds = key, uuid4().hex, seconds
        self._ends = 0.0
        self._lost = False
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"renew {key}", daemon=True)

    @property
    def lost(self) -> bool:
        """Whether the project is no longer ours. A process that was paused finds out by itself."""
        return self._lost or time.monotonic() >= self._ends

    def check(self) -> None:
        """Return while the project is ours.

        Raises
        ------
        LockLost
            Another worker may have taken over: stop without another side effect.
        """
        if self.lost:
            raise LockLost(
                f"{self._key} is no longer ours, it lapsed or another worker took it: "
                "this job stops and the next one carries on"
            )

    def acquire(self) -> bool:
        """Take the project, unless someone has it; True if it is ours now."""
        asked = time.monotonic()
        milliseconds = int(self._seconds * 1000)
        if not self._redis.set(self._key, self._token, nx=True, px=milliseconds):
            return False
        self._ends = asked + self._seconds
        self._thread.start()
        return True

    def release(self) -> None:
        """Give the project back, if it is still ours."""
        self._released.set()
        self._thread.join(timeout=1.0)
        try:
            self._delete(keys=[self._key], args=[self._token])
        except RedisError as error:
            # The work is done and must not fail for this: the key lapses within seconds.
            logger.warning("could not release %s, it lapses by itself: %s", self._key, error)

    def _keep(self) -> None:
        while not self._lost and not self._released.wait(self._seconds / 3):
            self._renew()

    def _renew(self) -> None:
        asked = time.monotonic()
        try:
            kept = self._extend(keys=[self._key], args=[self._token, int(self._seconds * 1000)])
        except RedisError as error:
            # Not lost yet: Redis may be back before our time is over, and `lost` keeps that time.
            logger.warning("could not renew %s: %s", self._key, error)
            return
        if kept:
            self._ends = asked + self._seconds
        else:
            self._lost = True
