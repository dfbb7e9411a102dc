"""What people asked for and what became of it: the last fifty wishes of each project.

In Redis, where the jobs are: a wish is written by whoever asks and again by the job that grants it,
and neither holds the project.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, cast
from uuid import uuid4

from rq import get_current_job

from ls_active.engine.queue_errors import queue_errors
from ls_active.errors import (
    BackendError,
    LabelStudioUnauthorized,
    LabelStudioUnreachable,
    LockLost,
    NotFound,
    NotFoundInLabelStudio,
    StoreError,
)

if TYPE_CHECKING:
    from redis import Redis

KEPT = 50

_SECONDS = 30 * 86_400

End: TypeAlias = Literal["asked", "done", "refused", "failed"]

REMEDIES: Mapping[type[BackendError], str] = {
    LabelStudioUnreachable: "see that Label Studio runs, then press again",
    LabelStudioUnauthorized: "give us a key that works (LABEL_STUDIO_API_KEY), then press again",
    NotFoundInLabelStudio: "see in Label Studio whether the project is still there",
    NotFound: "load the page again: things have changed",
    StoreError: "see that the data folder can be written, then press again",
    LockLost: "another job works on the project: press again when it is done",
}
"""What to do about an error, the nearest kind first."""


@dataclass(frozen=True)
class Wish:
    """One thing that somebody asked for.

    Attributes
    ----------
    id : str
        Of the job, or of the request for a new version.
    action : str
        The button's name: retrain, resync, hold, release, promote or tab.
    at : float
        When it came to this, Unix time.
    end : {"asked", "done", "refused", "failed"}
    said : str
        What became of it, in words.
    remedy : str
        What to do about it; empty where nothing is to be done.
    job : str
        The job that sees to it.
    """

    id: str
    action: str
    at: float
    end: End
    said: str
    remedy: str = ""
    job: str = ""


class Told:
    """What a job says of a wish while it sees to it; `refused` and `failed` end it otherwise."""

    def __init__(self, said: str) -> None:
        self.end: End = "done"
        self.said = said
        self.remedy = ""

    def failed(self, why: str, remedy: str = "press again") -> None:
        """Say that it did not work."""
        self.end, self.said, self.remedy = "failed", why, remedy

    def refused(self, why: str, remedy: str) -> None:
        """Say that it cannot be."""
        self.end, self.said, self.remedy = "refused", why, remedy


class Outcomes:
    """The wishes of all projects, a hash each.

    Parameters
    ----------
    redis : redis.Redis

    Notes
    -----
    Methods raise QueueDown where Redis does not answer.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def ask(self, uid: str, action: str, said: str, *, wish: str, job: str) -> None:
        """Note that something was asked for, unless its job was quicker and said what came."""
        asked = Wish(wish, action, time.time(), "asked", said, job=job)
        with queue_errors():
            self._redis.hsetnx(_key(uid), wish, json.dumps(asdict(asked)))
            self._trim(uid)

    def end(self, uid: str, action: str, told: Told, *, wish: str = "") -> str:
        """Note what became of something; return its id."""
        wish = wish or uuid4().hex
        ended = Wish(wish, action, time.time(), told.end, told.said, told.remedy)
        with queue_errors():
            self._redis.hset(_key(uid), wish, json.dumps(asdict(ended)))
            self._trim(uid)
        return wish

    @contextmanager
    def told(self, uid: str, action: str, said: str) -> Iterator[Told]:
        """Note how the body of a ``with``, the job itself, ended; `said` if nothing else is."""
        job, told = get_current_job(), Told(said)
        try:
            yield told
        except BackendError as error:
            told.failed(str(error), remedy_of(error))
            raise
        except Exception:
            told.failed("an unexpected error", "the worker's log has it whole")
            raise
        finally:
            self.end(uid, action, told, wish=str(job.id) if job else "")

    def all(self, uid: str) -> list[Wish]:
        """Return the wishes of a project, the last first."""
        with queue_errors():
            found = cast("Mapping[bytes, bytes]", self._redis.hgetall(_key(uid)))
        wishes = [Wish(**json.loads(text)) for text in found.values()]
        return sorted(wishes, key=lambda wish: -wish.at)

    def _trim(self, uid: str) -> None:
        """Forget the oldest, now and then."""
        self._redis.expire(_key(uid), _SECONDS)
        if self._redis.hlen(_key(uid)) > 2 * KEPT:
            self._redis.hdel(_key(uid), *(wish.id for wish in self.all(uid)[KEPT:]))


def remedy_of(error: BackendError) -> str:
    """Return what to do about an error."""
    return next((REMEDIES[kind] for kind in type(error).__mro__ if kind in REMEDIES), "press again")


def _key(uid: str) -> str:
    return f"al:{uid}:wishes"
