"""What the page asks of the job desk."""

from __future__ import annotations

from typing import Protocol

from ls_active.engine.running import JobInHand


class Steering(Protocol):
    """Part of `JobDesk`. It blocks, half a second at most: then `QueueDown`."""

    def start_training(self, uid: str) -> str:
        """Enqueue a refit that makes a new version; return the job's id."""
        ...

    def trains(self, uid: str) -> bool:
        """Whether a new version was asked for and is not made yet."""
        ...

    def ask(self, function: str, *arguments: str | int | None) -> str:
        """Enqueue an entry point by its bare name; return the job's id."""
        ...

    def in_hand(self) -> list[JobInHand]:
        """Return the jobs that run or wait."""
        ...
