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

_SPENT: Mapping[str, str] = {
    "wait": "waiting",
    "sync": "reading",
    "first sync": "reading all",
    "fit": "fitting",
    "score": "ranking",
    "import": "writing",
    "patch": "switching",
    "evaluate": "testing",
    "prune": "deleting old",
}


def spent(timings: Mapping[str, float]) -> str:
    """Say on what a job spent its seconds; what took next to nothing is left out."""
    told = [(_SPENT.get(stage, stage), f"{s:.1f}") for stage, s in timings.items() if s >= 0.05]
    return ", ".join(f"{stage} {seconds}" for stage, seconds in told)


def in_words(job: JobInHand) -> RunningView:
    """Return a job that runs or waits as the page shows it."""
    if job.started_at is None:
        doing = f"waits for a worker; then {_JOBS.get(job.name, job.name)}"
    else:
        doing = _STAGES.get(job.stage, job.stage) or _JOBS.get(job.name, job.name)
    return RunningView(job.id, job.name, doing, job.share, job.started_at)
