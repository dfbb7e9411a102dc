"""What `--fix` does, by asking the service that runs."""

from __future__ import annotations

import time

from ls_active.checks import Tools
from ls_active.project import ProjectStatus
from ls_active.waiting import wait_for


def mend(tools: Tools) -> str:
    """Have a job put webhook, sampling and queue right, and wait until it has."""
    since = time.time()
    job = tools.desk.ask("mend", tools.uid)

    def looked_at(status: ProjectStatus) -> bool:
        return status.updated_at > since

    after = wait_for(
        tools.desk.store,
        tools.uid,
        looked_at,
        what="Mending",
        since=since,
        failure=lambda: tools.desk.failure(job),
    )
    return f"put webhook, sampling and model version right; in force: {after.publication or 'none'}"
