"""What the page asks of the job desk."""

from __future__ import annotations

from typing import Protocol

from ls_active.engine.running import JobInHand
from ls_active.engine.wishes import Wishes


class Steering(Protocol):
    """Part of `JobDesk`. It blocks, half a second at most: then `QueueDown`."""

    wishes: Wishes

    def ask_version(self, uid: str) -> tuple[str, str]:
        """Ask for a new version at once; return the ids of the request and of its job."""
        ...

    def trains(self, uid: str) -> str:
        """Return the id of the request for a new version that is not made yet, if there is one."""
        ...

    def failure(self, job_id: str) -> str:
        """Return the last words of a job that failed for good; empty of any other."""
        ...

    def is_done(self, job_id: str) -> bool:
        """Return whether a job came to a good end, as far as is known: for a minute."""
        ...

    def is_forgotten(self, job_id: str) -> bool:
        """Return whether nothing is known of a job: it ended well a while ago, or was lost."""
        ...

    def ask(self, function: str, *arguments: str | int | None) -> str:
        """Enqueue an entry point by its bare name; return the job's id."""
        ...

    def in_hand(self) -> list[JobInHand]:
        """Return the jobs that run or wait."""
        ...
