"""What processes use, as Linux tells in /proc; elsewhere nothing is measured."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

PROC = Path("/proc")

ROLES = (
    ("tests.bench.sdk_backend", "label-studio-ml server"),
    ("ls_active.stack api", "api"),
    ("ls_active.stack worker", "worker and its job"),
    ("ls_active.stack timer", "timer"),
    ("spawn_main", "predict process"),
    ("valkey-server", "valkey"),
    ("redis-server", "valkey"),
)
"""What a command line holds, and what the process is."""


class PeakMemory:
    """Watches a process and all its descendants; the largest of each role counts.

    Parameters
    ----------
    pid : int
    every : float
        Seconds between looks: a job that lives shorter may be missed.

    Attributes
    ----------
    mib : dict
        Peak resident memory in MiB, by role.
    """

    def __init__(self, pid: int, every: float = 0.2) -> None:
        self.mib: dict[str, float] = {}
        self._pid = pid
        self._every = every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._look()
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(self._every):
            self._look()

    def _look(self) -> None:
        for pid in descendants(self._pid):
            # It may be gone by now.
            with suppress(OSError, IndexError):
                role, peak = _role(pid), _peak(pid)
                if role:
                    self.mib[role] = max(self.mib.get(role, 0.0), peak)


def descendants(pid: int) -> set[int]:
    """Return a process and all below it."""
    parents = dict(_parents())
    family = {pid}
    while True:
        more = {child for child, parent in parents.items() if parent in family} - family
        if not more:
            return family
        family |= more


def _parents() -> Iterator[tuple[int, int]]:
    for folder in PROC.glob("[0-9]*"):
        with suppress(OSError):
            # The name, in parentheses, may hold anything; the parent is the second field after it.
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            yield int(folder.name), int(fields[1])


def _role(pid: int) -> str | None:
    command = (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    return next((role for part, role in ROLES if part in command), None)


def _peak(pid: int) -> float:
    status = (PROC / str(pid) / "status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
