"""Look at everything between Label Studio and us, say what is wrong, and mend what can be."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import httpx
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from ls_active.checks import Case, Finding, Fix, Severity, Tools, queue, service, trouble, way_back
from ls_active.checks import label_studio as reach
from ls_active.console import terminal
from ls_active.console.connecting import default_url
from ls_active.console.known import find_known, open_desk, read_settings, with_redis
from ls_active.errors import BackendError, NotConfigured, NotFoundInLabelStudio
from ls_active.job_desk import JobDesk
from ls_active.label_studio.client import LabelStudioClient
from ls_active.label_studio.query import server_clock
from ls_active.loop.workshop import connect
from ls_active.records.project import Connection, ProjectStatus
from ls_active.records.secret import SECRET_HEADER
from ls_active.records.store import Store
from ls_active.settings import Settings

TICK_WAIT = 2.5
"""Seconds to wait for a timer: its sign of life is missing for one second in 15."""

PROJECT_CHECKS = (
    queue.same_project,
    queue.connected,
    way_back.backend,
    way_back.address,
    way_back.webhook,
    way_back.arrival,
    way_back.orphans,
    way_back.reserved,
    queue.sampling,
    queue.model_version,
    queue.titles,
    queue.other_backends,
    queue.overlap,
    queue.ground_truth_first,
    queue.learnable,
    queue.project_options,
    queue.warned,
)
"""In the order in which they are shown."""

_SIGNS = {
    Severity.OK: ("ok", "green"),
    Severity.NOTE: ("note", "cyan"),
    Severity.WARNING: ("warning", "yellow"),
    Severity.ERROR: ("error", "bold red"),
}


def run(text: str | None, *, fix: bool) -> int:
    """Examine the service and one or all projects; return 1 if an error remains."""
    settings = read_settings()
    with ExitStack() as stack:
        with terminal.working("Looking at our own side …"):
            findings, desk = examine_service(settings, stack)
        terminal.show(render("Service", findings))
        found, client = examine_label_studio(settings, stack)
        terminal.show(render(f"Label Studio {settings.label_studio_url}", found))
        findings += found
        if client is not None:
            for uid in _chosen(Store(settings.data_dir), text):
                findings += _visit(settings, client, desk, uid, fix=fix)
    return int(any(finding.severity is Severity.ERROR for finding in findings))


def examine_service(settings: Settings, stack: ExitStack) -> tuple[list[Finding], JobDesk | None]:
    """Look at our own side; return the desk, too, if it answers: open until `stack` ends."""
    findings = [*service.default_options(settings.options)]
    findings += service.redis_exposure(with_redis(settings).redis_url.get_secret_value())
    desk = None
    try:
        desk = stack.enter_context(open_desk(settings, needs_worker=False))
    except BackendError as error:
        findings.append(trouble("redis", str(error), "nothing is learned until then"))
    else:
        findings += _queue(desk)
    findings += _api(settings)
    folder = _nearest(settings.local_dir)
    free, writable = shutil.disk_usage(folder).free, os.access(folder, os.W_OK)
    findings += service.disk(str(settings.local_dir), free, writable=writable)
    findings += service.packages(_versions("label-studio-ml", "flask"))
    return findings, desk


def examine_label_studio(
    settings: Settings, stack: ExitStack
) -> tuple[list[Finding], LabelStudioClient | None]:
    """Look at address, key and clock; return a client, too, if Label Studio takes us."""
    key = settings.label_studio_api_key.get_secret_value()
    findings = [*reach.key_kind(key)] if key else []
    if findings:
        return findings, None
    try:
        client = stack.enter_context(connect(settings))
        identity = client.check()
    except BackendError as error:
        return [*reach.access(error, key)], None
    findings += reach.access(identity, key)
    findings += reach.release(identity.version)
    answer = client.http.call("GET", "/api/version/")
    findings += reach.clock(server_clock(answer), datetime.now(UTC))
    findings += reach.data_manager()
    return findings, client


def gather(
    settings: Settings,
    client: LabelStudioClient,
    desk: JobDesk | None,
    connection: Connection,
    backends: list[dict[str, Any]] | None = None,
) -> Case:
    """Read everything about a project once.

    Parameters
    ----------
    backends : list, optional
        As read before: asking makes Label Studio call us, so it is done once a run.
    """
    uid, number, store = connection.uid, connection.project_id, Store(settings.data_dir)
    recorded = store.publications(uid)
    last = store.publication(uid, recorded[-1]) if recorded else None
    return Case(
        project=client.project(number),
        connection=connection,
        status=ProjectStatus.load(store, uid),
        backends=client.ml_backends(number) if backends is None else backends,
        webhooks=client.webhooks(number),
        published=str(last["name"]) if last else "",
        publications=frozenset(store.claimed_publications(uid)),
        headers={SECRET_HEADER: desk.webhook_secret(uid)} if desk else {},
        own_url=connection.own_url,
        public_url=settings.public_url,
        options_problem=connection.options("")[1],
        deaf=desk.is_deaf(uid) if desk else False,
    )


def examine(case: Case) -> list[Finding]:
    """Put every question about a project."""
    return [finding for check in PROJECT_CHECKS for finding in check(case)]


def mend(findings: Iterable[Finding], tools: Tools) -> Iterator[str]:
    """Call what mends the findings, each thing once, and say what was done or why not."""
    fixes: dict[Fix, str] = {}
    for finding in findings:
        if finding.fix is not None:
            fixes.setdefault(finding.fix, finding.check)
    for fix, check in fixes.items():
        try:
            yield f"{check}: {fix(tools)}"
        except BackendError as error:
            yield f"{check}: not mended: {error}"


def render(title: str, findings: Iterable[Finding]) -> RenderableType:
    """Lay findings out, each with its remedy below it."""
    table = Table(
        title=f"\n[bold]{escape(title)}[/]",
        title_justify="left",
        title_style="",
        box=None,
        show_header=False,
    )
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for finding in findings:
        word, style = _SIGNS[finding.severity]
        remedy = f"\n[dim]do:[/] {escape(finding.remedy)}" if finding.remedy else ""
        table.add_row(f"[{style}]{word}[/]", finding.check, f"{escape(finding.what)}{remedy}")
    return table


# One project


def _visit(
    settings: Settings, client: LabelStudioClient, desk: JobDesk | None, uid: str, *, fix: bool
) -> list[Finding]:
    """Examine one project, mend it if that is wished, and return what is left."""
    store = Store(settings.data_dir)
    connection = Connection.load(store, uid) or Connection(uid, active=False)
    title = f"Project {connection.project_id} {ProjectStatus.load(store, uid).title}".rstrip()
    try:
        with terminal.working(f"Looking at {title} …"):
            case = gather(settings, client, desk, connection)
    except NotFoundInLabelStudio:
        findings = list(queue.gone(connection))
        terminal.show(render(title, findings))
        return findings
    findings = examine(case)
    terminal.show(render(title, findings))
    if not fix or all(finding.fix is None for finding in findings):
        return findings
    if desk is None:
        terminal.complain("Nothing can be mended while no service runs.")
        return findings
    for line in mend(findings, Tools(client, desk, uid)):
        terminal.say(f"  {line}")
    connection = Connection.load(store, uid) or connection
    findings = examine(gather(settings, client, desk, connection, case.backends))
    bad = [item for item in findings if item.severity in (Severity.WARNING, Severity.ERROR)]
    terminal.show(render(f"{title}, after mending", bad or [_all_well()]))
    return findings


def _all_well() -> Finding:
    return Finding("all", Severity.OK, "nothing is left to mend")


def _chosen(store: Store, text: str | None) -> list[str]:
    return [find_known(store, text)] if text else store.projects()


# Looking at the world


def _queue(desk: JobDesk) -> Iterator[Finding]:
    figures = desk.figures()
    yield from service.redis_server(desk.redis.info("server"))
    yield from service.workers(figures.workers)
    yield from service.failed_jobs(figures.failed)
    yield from service.timer(_ticks(desk))


def _ticks(desk: JobDesk) -> bool:
    ends = time.monotonic() + TICK_WAIT
    while not desk.ticked():
        if time.monotonic() > ends:
            return False
        time.sleep(0.1)
    return True


def _api(settings: Settings) -> Iterator[Finding]:
    try:
        url = default_url(settings)
    except NotConfigured as error:
        yield trouble("api", str(error), "set PUBLIC_URL")
        return
    yield from service.api(url, _problem_of(url))


def _problem_of(url: str) -> str:
    try:
        answer = httpx.get(f"{url}/", timeout=5, trust_env=False)
    except httpx.HTTPError as error:
        return f"{type(error).__name__}: {error}"
    return "" if answer.is_success else f"it says {answer.status_code}"


def _nearest(folder: Path) -> Path:
    """Return the folder, or the nearest above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _versions(*names: str) -> dict[str, str]:
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
