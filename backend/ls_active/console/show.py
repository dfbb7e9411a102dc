"""Projects and the service in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from ls_active.engine.figures import QueueFigures
from ls_active.records.project import Connection, ProjectStatus, State
from ls_active.records.secret import api_key
from ls_active.settings import Settings
from ls_active.words import audit, chosen, count, sentence, since, state

_COLOURS: Mapping[str, str] = {
    "busy": "cyan",
    "waits": "yellow",
    "good": "green",
    "bad": "red",
    "off": "dim",
}


def greeting(settings: Settings) -> str:
    """Say what `serve` is about to run, and what comes next."""
    redis = "REDIS_URL" if settings.redis_url.get_secret_value() else "an embedded Valkey"
    studio = settings.label_studio_url or "not set: LABEL_STUDIO_URL"
    missing = [
        name
        for name, value in (
            ("LABEL_STUDIO_URL", settings.label_studio_url),
            ("LABEL_STUDIO_API_KEY", api_key(settings)),
        )
        if not value
    ]
    following = (
        f"Nothing can be connected yet: set {' and '.join(missing)}, and start anew."
        if missing
        else "Next: ls-active connect PROJECT."
    )
    return (
        f"Starting on http://{settings.host}:{settings.port}, which is the admin's page as well; "
        f"Label Studio {studio}, Redis {redis}, data in {settings.data_dir}. {following} "
        "Ctrl-C stops."
    )


def connected(status: ProjectStatus, browser_url: str, own_url: str) -> str:
    """Say that a project is connected, and what comes next."""
    told = (
        "webhooks tell us of every label"
        if status.mode == "webhook"
        else "we ask for new labels every 5 s"
    )
    if own_url and status.mode == "poll":
        told += " (Label Studio cannot send us webhooks; `ls-active doctor` says why)"
    if not status.publication:
        return f"Connected; {told}. {sentence(status.detail)} {sentence(status.remedy)}".rstrip()
    number = status.uid.partition(".")[0]
    return (
        f"{status.title}: {status.publication} is in force, {status.askable:,} tasks wait; {told}. "
        f"Press Label All Tasks at {browser_url}/projects/{number}/data"
    )


def new_version(number: int, status: ProjectStatus, seconds: float) -> str:
    """Say what a retrain brought."""
    made = f"al-{number} was made from {status.labels:,} labels in {seconds:.1f} s"
    if status.pinned is not None and status.pinned != number:
        return f"{made}; al-{status.pinned} is held, so the queue stays its own."
    return f"{made}; {chosen(status.first.get('chosen'))}. In force: {status.publication}."


def service(figures: QueueFigures) -> str:
    """Say how the service is."""
    return (
        f"Service: {count(figures.workers, 'worker')}, {count(figures.queued, 'job')} waiting, "
        f"{figures.running} running, {figures.failed} failed within a day"
    )


def project(status: ProjectStatus, connection: Connection | None) -> RenderableType:
    """Lay out everything that is known of a project."""
    words, tone = state(status.state)
    head = Table.grid(padding=(0, 2))
    name = escape(status.title) or "project"
    number = status.uid.partition(".")[0]
    head.add_row(
        f"[bold]{name}[/] (number {number})",
        f"[{_COLOURS[tone]}]{words}[/] [dim]{since(status.since)}[/]",
    )
    lines = Table.grid(padding=(0, 2))
    lines.add_column(style="dim", no_wrap=True)
    lines.add_column(overflow="fold")
    for label, value in _lines(status, connection):
        lines.add_row(label, escape(value))
    return Group(head, Padding(lines, (0, 0, 1, 2)))


def _lines(status: ProjectStatus, connection: Connection | None) -> Iterator[tuple[str, str]]:
    yield from _state(status)
    if status.state == State.DISCONNECTED:
        return
    yield "labels", _labels(status)
    yield "model", _model(status)
    if status.publication:
        yield "queue", f"{status.publication}, {status.askable:,} tasks wait for a label"
    for head in status.heads if status.version else ():
        label = "quality" if len(status.heads) == 1 else f"quality of {head['control']}"
        yield label, f"{audit(head['audit'])}; {chosen(head['chosen'])}"
    if status.advice:
        yield "advice", status.advice["sentence"]
    if status.timings:
        yield "last refit", _timings(status.timings)
    yield "told by", _mode(status.mode)
    for item in status.left_out:
        yield "not learned", item
    for reason, number in status.unreadable.items():
        yield "unreadable", f"{count(number, 'task')}: {reason}"
    yield from _warnings(status, connection)


def _state(status: ProjectStatus) -> Iterator[tuple[str, str]]:
    if status.detail:
        yield "state", status.detail
    if status.remedy:
        yield "to do", status.remedy


def _labels(status: ProjectStatus) -> str:
    skipped = f", {count(status.skipped, 'skip')}" if status.skipped else ""
    return f"{status.labels:,} of {count(status.tasks, 'task')}{skipped}"


def _model(status: ProjectStatus) -> str:
    if not status.version:
        return "none yet; the queue is spread over all tasks"
    shown = "its answers are shown" if status.useful else "not yet good enough to show its answers"
    pinned = ", held by rollback" if status.pinned is not None else ""
    return f"al-{status.version}{pinned}, strategy {status.strategy}, {shown}"


def _mode(mode: str) -> str:
    return "webhooks" if mode == "webhook" else "asking every 5 s: no webhook is set up"


def _timings(timings: Mapping[str, float]) -> str:
    parts = ", ".join(f"{name} {seconds:.2f}" for name, seconds in timings.items())
    return f"{sum(timings.values()):.1f} s ({parts})"


def _warnings(status: ProjectStatus, connection: Connection | None) -> Iterator[tuple[str, str]]:
    problem = connection.options("")[1] if connection is not None else ""
    for warning in {problem: None, **dict.fromkeys(status.warnings)}:
        if warning:
            yield "warning", warning
