"""The jobs that run, wait or failed, as people want to hear of them."""

from __future__ import annotations

from dataclasses import dataclass

from rq import Queue
from rq.exceptions import DeserializationError
from rq.job import Job, JobStatus

LOOKED_AT = 50
"""Jobs listed at most: a queue may be long."""


@dataclass(frozen=True)
class JobInHand:
    """A job that runs or waits.

    Attributes
    ----------
    name, uid : str
        The entry point, and the project it is about.
    started_at : float or None
        Unix time; None while it waits.
    stage : str
        What it does just now, empty where nobody says.
    share : float or None
        How much of a long stage is done, 0 to 1.
    """

    id: str
    name: str
    uid: str
    started_at: float | None = None
    stage: str = ""
    share: float | None = None


def ended_well(job: Job | None) -> bool:
    """Return whether a job is finished."""
    return job is not None and job.get_status() == JobStatus.FINISHED


def last_words(job: Job | None) -> str:
    """Return what a job that failed for good said; empty of any other."""
    if job is None or job.get_status() != JobStatus.FAILED:
        return ""
    result = job.latest_result()
    last = ((result and result.exc_string) or "").strip().rpartition("\n")[2]
    # What Python writes last is the error's type, a colon, and what it says.
    return last.partition(": ")[2] or last or "the job failed and does not say why"


def jobs_in_hand(queue: Queue) -> list[JobInHand]:
    """Return the running jobs, then the waiting ones, oldest first."""
    running = queue.started_job_registry.get_job_ids()[:LOOKED_AT]
    waiting = [job_id for job_id in queue.get_job_ids(0, LOOKED_AT) if job_id not in running]
    found = (queue.fetch_job(job_id) for job_id in (*running, *waiting))
    return [_in_hand(job) for job in found if job is not None and _is_readable(job)]


def _is_readable(job: Job) -> bool:
    try:
        return bool(job.func_name and job.args)
    except DeserializationError:
        return False  # Somebody else's: the worker refuses it, with words.


def _in_hand(job: Job) -> JobInHand:
    started = job.started_at.timestamp() if job.started_at else None
    name = str(job.func_name).rpartition(".")[2]
    return JobInHand(str(job.id), name, str(job.args[0]), started)
