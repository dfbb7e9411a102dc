"""What the page asks of the job desk."""

from __future__ import annotations

from typing import Protocol

from ls_active.engine.outcomes import Outcomes
from ls_active.engine.running import JobInHand


class Steering(Protocol):
    """Part of `JobDesk`. It blocks, half a second at most: then `QueueDown`."""

    outcomes: Outcomes

    def start_training(self, uid: str) -> str:
        """Enqueue a refit that makes a new version; return the job's id."""
        ...

    def trains(self, uid: str) -> str:
        """Return the id of the request for a new version that is not made yet, if there is one."""
        ...

    def failure(self, job_id: str) -> str:
        """Return the last words of a job that failed for good; empty of any other."""
        ...

    def ask(self, function: str, *arguments: str | int | None) -> str:
        """Enqueue an entry point by its bare name; return the job's id."""
        ...

    def in_hand(self) -> list[JobInHand]:
        """Return the jobs that run or wait."""
        ...
