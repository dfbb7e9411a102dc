"""``status --watch``: where projects stand, and what runs, until Ctrl-C."""

from __future__ import annotations

import time

from rich.console import Group, RenderableType
from rich.live import Live
from rich.markup import escape

from ls_active.console import show
from ls_active.console.known import find_known, open_desk, read_settings
from ls_active.engine.running import JobInHand
from ls_active.errors import BackendError
from ls_active.job_desk import JobDesk
from ls_active.records.project import Connection, ProjectStatus
from ls_active.records.store import Store
from ls_active.words import percent

EVERY = 1.0
"""Seconds between two looks."""


def watch(text: str | None) -> None:
    """Show one project or all of them until somebody has seen enough."""
    settings = read_settings()
    store = Store(settings.data_dir)
    chosen = find_known(store, text) if text else None
    with open_desk(settings, needs_worker=False) as desk, Live(screen=True) as live:
        try:
            while True:
                live.update(picture(store, desk, [chosen] if chosen else store.projects()))
                time.sleep(EVERY)
        except KeyboardInterrupt:
            return


def picture(store: Store, desk: JobDesk, uids: list[str]) -> RenderableType:
    """Return what is shown at one moment."""
    projects = [show.project(ProjectStatus.load(store, u), Connection.load(store, u)) for u in uids]
    try:
        service = [escape(show.service(desk.figures())), *map(_job, desk.in_hand())]
    except BackendError as error:
        service = [f"Service: {escape(str(error))}"]
    return Group(*projects, *service, "[dim]Ctrl-C ends this.[/]")


def _job(job: JobInHand) -> str:
    doing = job.stage or ("waits" if job.started_at is None else "runs")
    share = f", {percent(job.share)}" if job.share is not None else ""
    return escape(f"  {job.name} of project {job.uid.partition('.')[0]}: {doing}{share}")
