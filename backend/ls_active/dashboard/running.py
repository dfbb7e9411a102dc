"""What a job does just now, in words."""

from __future__ import annotations

from collections.abc import Mapping

from ls_active.dashboard.views import RunningView
from ls_active.engine.running import JobInHand

_JOBS: Mapping[str, str] = {
    "refit": "looks for labels, learns, publishes",
    "pin": "changes the version in force",
    "promote": "puts a version in force that was held back",
    "resync": "reads every task anew",
    "tab": "makes a tab in the Data Manager",
    "poll": "starts polling",
    "mend": "mends webhook, sampling and queue",
    "disconnect": "gives the project back",
}

_STAGES: Mapping[str, str] = {
    "sync": "reading what changed",
    "first sync": "reading all tasks",
    "fit": "fitting a version",
    "score": "ranking the pool",
    "import": "writing the queue into Label Studio",
    "patch": "putting it in force",
    "evaluate": "testing the version",
    "prune": "deleting older queues",
}


def in_words(job: JobInHand) -> RunningView:
    """Return a job that runs or waits as the page shows it."""
    if job.started_at is None:
        doing = "waits for a worker"
    else:
        doing = _STAGES.get(job.stage, job.stage) or _JOBS.get(job.name, job.name)
    return RunningView(job.id, job.name, doing, job.share, job.started_at)
