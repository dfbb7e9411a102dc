"""What people asked for and what became of it: the last fifty wishes of each project.

In Redis, where the jobs are: a wish is written by whoever asks and again by the job that grants it,
and neither holds the project.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, cast
from uuid import uuid4

from pydantic import TypeAdapter, ValidationError
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
    from rq.job import Job

logger = logging.getLogger(__name__)

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


_WISH = TypeAdapter(Wish)


class Told:
    """What a job says of a wish while it sees to it; `refused` and `failed` end it otherwise."""

    def __init__(self, said: str) -> None:
        self.end: End = "done"
        self.said = said
        self.remedy = ""

    def again(self, why: str) -> None:
        """Say that it did not work, and is tried again by itself: it stays asked for."""
        self.end, self.said, self.remedy = "asked", f"{why}; it is tried again", ""

    def failed(self, why: str, remedy: str = "press again") -> None:
        """Say that it did not work."""
        self.end, self.said, self.remedy = "failed", why, remedy

    def refused(self, why: str, remedy: str) -> None:
        """Say that it cannot be."""
        self.end, self.said, self.remedy = "refused", why, remedy


class Wishes:
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
        job = get_current_job()
        at_work = str(job.id) if job else ""
        ended = Wish(wish, action, time.time(), told.end, told.said, told.remedy, at_work)
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
            _fail(told, job, str(error), remedy_of(error))
            raise
        except Exception:
            _fail(told, job, "an unexpected error", "the worker's log has it whole")
            raise
        finally:
            with only_words(uid):
                self.end(uid, action, told, wish=str(job.id) if job else "")

    def all(self, uid: str) -> list[Wish]:
        """Return the wishes of a project, the last first."""
        with queue_errors():
            found = cast("Mapping[bytes, bytes]", self._redis.hgetall(_key(uid)))
        wishes = (_read(uid, text) for text in found.values())
        return sorted(filter(None, wishes), key=lambda wish: -wish.at)

    def open(self, uid: str, action: str, before: float) -> list[str]:
        """Return the ids of what was asked for until a moment, and is not ended."""
        return [
            wish.id
            for wish in self.all(uid)
            if (wish.action, wish.end) == (action, "asked") and wish.at <= before
        ]

    def _trim(self, uid: str) -> None:
        """Forget the oldest, now and then."""
        self._redis.expire(_key(uid), _SECONDS)
        if self._redis.hlen(_key(uid)) > 2 * KEPT:
            self._redis.hdel(_key(uid), *(wish.id for wish in self.all(uid)[KEPT:]))


@contextmanager
def only_words(uid: str) -> Iterator[None]:
    """Log an error: what people read must not undo a job."""
    try:
        yield
    except BackendError as error:
        logger.warning("project %s: who asked is not told what came of it: %s", uid, error)


def remedy_of(error: BackendError) -> str:
    """Return what to do about an error."""
    return next((REMEDIES[kind] for kind in type(error).__mro__ if kind in REMEDIES), "press again")


def _fail(told: Told, job: Job | None, why: str, remedy: str) -> None:
    """Say that a job failed; the queue tries it again a few times."""
    if job is not None and job.retries_left:
        told.again(why)
    else:
        told.failed(why, remedy)


def _read(uid: str, text: bytes) -> Wish | None:
    """Read a wish; None of one that is damaged."""
    try:
        return _WISH.validate_json(text)  # Fields of another release are passed over.
    except ValidationError as error:
        logger.warning("project %s: a wish that cannot be read is passed over: %s", uid, error)
        return None


def _key(uid: str) -> str:
    return f"al:{uid}:wishes"
