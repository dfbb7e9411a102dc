"""Hosts that did not answer are left alone for a while: else each file waits for them in turn."""

from __future__ import annotations

import threading
import time
from typing import TypeVar

from ls_active.media.errors import MediaError, MediaProblem

T = TypeVar("T", int, float)

FAILURES = 3
"""In a row; fewer may be bad luck."""

REST_SECONDS = 60.0

HOSTS = 1000
"""Hosts remembered: tasks may name any number of them."""

_SILENT = frozenset({MediaProblem.UNREACHABLE, MediaProblem.TOO_SLOW})


class Patience:
    """What is known of hosts that do not answer. Threads may share an instance."""

    def __init__(self) -> None:
        self._failures: dict[str, int] = {}
        self._until: dict[str, float] = {}
        self._lock = threading.Lock()

    def check(self, host: str) -> None:
        """Raise MediaError while a host is left alone."""
        with self._lock:
            left = self._until.get(host, 0.0) - time.monotonic()
        if left > 0:
            raise MediaError(
                MediaProblem.UNREACHABLE,
                f"{host} did not answer {FAILURES} times in a row; asked again in {left:.0f} s",
            )

    def heard(self, host: str, error: MediaError | None = None) -> None:
        """Note how a request to a host ended."""
        with self._lock:
            if error is None or error.problem not in _SILENT:
                self._failures.pop(host, None)
                return
            failures = self._failures.pop(host, 0) + 1
            if failures < FAILURES:
                _remember(self._failures, host, failures)
            else:
                _remember(self._until, host, time.monotonic() + REST_SECONDS)


def _remember(known: dict[str, T], host: str, value: T) -> None:
    """Put a host last, and forget the one that was put first of too many."""
    known.pop(host, None)
    known[host] = value
    if len(known) > HOSTS:
        del known[next(iter(known))]
