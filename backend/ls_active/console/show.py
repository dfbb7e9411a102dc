"""Projects and the service in words."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from ls_active.engine.figures import QueueFigures
from ls_active.project import Connection, ProjectStatus, State
from ls_active.settings import Settings

_WORDS: Mapping[str, tuple[str, str]] = {
    State.ADOPTING: ("being connected", "cyan"),
    State.SYNCING: ("reading its tasks", "cyan"),
    State.WAITING: ("waits", "yellow"),
    State.READY: ("ready", "green"),
    State.CONTESTED: ("contested: somebody else steers the queue", "yellow"),
    State.FAILING: ("failing, tried again by itself", "red"),
    State.REFUSED: ("refused: it is another project than the one connected", "red"),
    State.GONE: ("gone from Label Studio, or hidden from our key", "red"),
    State.DISCONNECTED: ("disconnected", "dim"),
}


def greeting(settings: Settings) -> str:
    """Say what `serve` is about to run, and what comes next."""
    redis = "REDIS_URL" if settings.redis_url.get_secret_value() else "an embedded Valkey"
    studio = settings.label_studio_url or "not set: LABEL_STUDIO_URL"
    return (
        f"Listening on http://{settings.host}:{settings.port}, Label Studio {studio}, Redis "
        f"{redis}, data in {settings.data_dir}. Next: ls-active connect PROJECT. Ctrl-C stops."
    )


def connected(status: ProjectStatus, label_studio_url: str, own_url: str) -> str:
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
        f"Press Label All Tasks at {label_studio_url}/projects/{number}/data"
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
        f"Service: {_count(figures.workers, 'worker')}, {_count(figures.queued, 'job')} waiting, "
        f"{figures.running} running, {figures.failed} failed within a day"
    )


def project(status: ProjectStatus, connection: Connection | None) -> RenderableType:
    """Lay out everything that is known of a project."""
    words, colour = _WORDS.get(status.state, (status.state, ""))
    since = _ago(status.since)
    head = Table.grid(padding=(0, 2))
    name = escape(status.title) or "project"
    number = status.uid.partition(".")[0]
    head.add_row(f"[bold]{name}[/] (number {number})", f"[{colour}]{words}[/] [dim]{since}[/]")
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
    for reason, count in status.unreadable.items():
        yield "unreadable", f"{_count(count, 'task')}: {reason}"
    yield from _warnings(status, connection)


def _state(status: ProjectStatus) -> Iterator[tuple[str, str]]:
    if status.detail:
        yield "state", status.detail
    if status.remedy:
        yield "to do", status.remedy


def _labels(status: ProjectStatus) -> str:
    skipped = f", {_count(status.skipped, 'skip')}" if status.skipped else ""
    return f"{status.labels:,} of {_count(status.tasks, 'task')}{skipped}"


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


def audit(estimate: Mapping[str, Any] | None) -> str:
    """Say the honest estimate, or how far it is."""
    if estimate is None:
        return "not estimated yet"
    figures = estimate["figures"]
    if figures is None:
        return f"too few random labels ({estimate['labels']}/{estimate['needed']})"
    return (
        f"{_percent(figures['value'])} ({_percent(figures['low'])} to "
        f"{_percent(figures['high'])}) {_measure(figures)}on {figures['n']} random tasks"
    )


def chosen(figures: Mapping[str, Any] | None) -> str:
    """Say the all-label figure under the only name it deserves."""
    if figures is None:
        return "too few labels to test on the tasks we chose"
    return f"{_percent(figures['value'])} {_measure(figures)}on the {figures['n']} tasks we chose"


def _measure(figures: Mapping[str, Any]) -> str:
    """Name what is measured where it is not plain accuracy."""
    return "" if figures["measure"] == "accuracy" else f"{figures['measure']} "


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def sentence(text: str) -> str:
    """Return a text as a sentence of its own."""
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _ago(moment: float) -> str:
    if not moment:
        return ""
    seconds = max(time.time() - moment, 0)
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"for {seconds / size:.0f} {unit}"
    return f"for {seconds:.0f} s"
