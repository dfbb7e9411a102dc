"""What `--fix` does, by asking the service that runs."""

from __future__ import annotations

import time

from ls_active.checks import Tools
from ls_active.console.waiting import wait_for
from ls_active.job_desk import JobDesk
from ls_active.records.project import ProjectStatus


def mend(tools: Tools) -> str:
    """Have a job put webhook, sampling and queue right, and wait until it has."""
    desk, since = tools.desk, time.time()
    job = desk.ask("mend", tools.uid)
    wait_for(
        desk.store,
        tools.uid,
        lambda _: desk.is_done(job),
        what="Mending",
        since=since,
        failure=lambda: desk.failure(job) or _loss(desk, job),
    )
    status = ProjectStatus.load(desk.store, tools.uid)
    return f"had webhook, sampling and queue put right; in force: {status.publication or 'none'}"


def _loss(desk: JobDesk, job: str) -> str:
    return "Redis knows the job no more; try again" if desk.is_forgotten(job) else ""
