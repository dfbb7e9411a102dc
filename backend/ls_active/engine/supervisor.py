"""Everything on one machine under one parent: what dies is started again, all stop together."""

from __future__ import annotations

import logging
import select
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import Protocol

from ls_active.engine.processes import kill_group, spawn
from ls_active.errors import BackendError

logger = logging.getLogger(__name__)

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)


class Child(Protocol):
    """What a supervisor keeps running: a `Process`, or an `EmbeddedValkey`."""

    @property
    def name(self) -> str:
        """What logs call it."""

    def start(self) -> subprocess.Popen[bytes]:
        """Start it by `processes.spawn`, and return when the next child may rely on it."""


@dataclass(frozen=True)
class Process:
    """A program to keep running.

    Attributes
    ----------
    name : str
        What logs call it.
    argv : sequence of str
    env : mapping
        Added to our environment; kept out of the repr, for it may hold secrets.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict, repr=False)

    def start(self) -> subprocess.Popen[bytes]:
        """Start it."""
        return spawn(self.argv, env=self.env)


@dataclass
class _Slot:
    """One child and its present process."""

    child: Child
    delay: float
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    due: float | None = None

    def start(self) -> None:
        self.started, self.due = time.monotonic(), None
        self.process = self.child.start()
        logger.info("%s runs, pid %d", self.child.name, self.process.pid)

    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None


class Supervisor:
    """Starts children in order, restarts those that die, stops them in reverse order.

    Parameters
    ----------
    children : sequence of Child
        In the order in which they need each other: the Redis server first.
    backoff : (float, float)
        Seconds before the first restart; doubled for each further one, up to the second number.
    healthy_after : float
        A child that ran so many seconds starts again with the shortest wait.
    grace : float
        Seconds each child has after SIGTERM before SIGKILL.
    """

    def __init__(
        self,
        children: Sequence[Child],
        *,
        backoff: tuple[float, float] = (0.5, 10.0),
        healthy_after: float = 60.0,
        grace: float = 10.0,
    ) -> None:
        self._shortest, self._longest = backoff
        self._healthy_after = healthy_after
        self._grace = grace
        self._slots = [_Slot(child, self._shortest) for child in children]

    def run(self) -> int:
        """Run until SIGTERM or SIGINT; a second one ends the waiting. In the main thread only.

        Returns
        -------
        int
            0 when all stopped by themselves, 1 when one had to be killed.

        Raises
        ------
        Exception
            What a child's first start raised, after those before it were stopped.
        """
        with _Signals() as signals:
            try:
                for slot in self._slots:
                    slot.start()
                while not signals.stops:
                    signals.wait(self._seconds_to_restart())
                    self._tend()
            finally:
                clean = [self._stop(slot, signals) for slot in reversed(self._slots)]
        return 0 if all(clean) else 1

    def _seconds_to_restart(self) -> float | None:
        due = [slot.due for slot in self._slots if slot.due is not None]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _tend(self) -> None:
        for slot in self._slots:
            if slot.due is None and not slot.runs():
                self._note_death(slot)
            elif slot.due is not None and slot.due <= time.monotonic():
                self._restart(slot)

    def _note_death(self, slot: _Slot) -> None:
        if slot.process is not None:
            kill_group(slot.process)  # its children may still hold its port
            logger.warning("%s ended with code %d", slot.child.name, slot.process.returncode)
        now = time.monotonic()
        if now - slot.started >= self._healthy_after:
            slot.delay = self._shortest
        slot.due = now + slot.delay
        logger.warning("%s starts again in %g s", slot.child.name, slot.delay)
        slot.delay = min(2 * slot.delay, self._longest)

    def _restart(self, slot: _Slot) -> None:
        slot.process = None
        try:
            slot.start()
        except (BackendError, OSError) as error:
            logger.error("%s did not start: %s", slot.child.name, error)  # noqa: TRY400 - no bug
            self._note_death(slot)

    def _stop(self, slot: _Slot, signals: _Signals) -> bool:
        if slot.process is None or not slot.runs():
            return True
        slot.process.terminate()
        ends = time.monotonic() + self._grace
        while slot.runs() and signals.stops < 2 and time.monotonic() < ends:
            signals.wait(max(0.0, ends - time.monotonic()))
        stopped = not slot.runs()
        if not stopped:
            logger.warning("%s did not stop in time and is killed", slot.child.name)
        kill_group(slot.process)
        return stopped


class _Signals:
    """The signals a supervisor lives by, as something to wait for with a timeout.

    A wakeup descriptor and select: ``signal.sigtimedwait`` is missing on macOS.
    """

    def __init__(self) -> None:
        self.stops = 0

    def __enter__(self) -> _Signals:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._old_fd = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._old_handlers = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(self, *_exc: object) -> None:
        for number, handler in self._old_handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._old_fd)
        self._reader.close()
        self._writer.close()

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            self.stops += 1

    def wait(self, seconds: float | None) -> None:
        """Sleep until one of the signals comes, or for so many seconds."""
        select.select([self._reader], [], [], seconds)
        with suppress(BlockingIOError):
            self._reader.recv(4096)
