"""Projects that are left alone for a moment: what changed in them has to wait anyway.

Each look at a project makes its annotators wait. Keys are ``al:{uid}:rest|woken``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redis import Redis

LEAST, MOST = 1.0, 10.0
"""Seconds between two looks: half of what is left of the pause, within these. Annotators may begin
to label faster, and use up what is published."""


class Rest:
    """Who rests, and who was woken.

    Parameters
    ----------
    redis : redis.Redis
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def begin(self, uid: str, pause: float, seen: Any) -> None:
        """Leave a project alone for part of a pause (seconds), unless it was woken since `seen`."""
        seconds = min(pause, max(pause / 2, LEAST), MOST)
        self._redis.set(f"al:{uid}:rest", 1, px=max(int(1000 * seconds), 1))
        # After it was set: whoever wakes it from now on finds it there.
        if self.woken(uid) != seen:
            self._redis.delete(f"al:{uid}:rest")

    def wake(self, uid: str) -> None:
        """Have the next job look, and whichever runs now not begin a rest."""
        self._redis.incr(f"al:{uid}:woken")
        self._redis.delete(f"al:{uid}:rest")

    def woken(self, uid: str) -> Any:
        """Return what changes when a project is woken."""
        return self._redis.get(f"al:{uid}:woken")

    def left(self, uid: str) -> float:
        """Return for how many seconds a project rests still."""
        left: Any = self._redis.pttl(f"al:{uid}:rest")
        return max(int(left), 0) / 1000
