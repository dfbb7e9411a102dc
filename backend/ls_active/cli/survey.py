"""The doctor's findings for programs, the page of the admin among them. Mends nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any

from ls_active.checks import Finding, Severity, queue
from ls_active.cli.doctor import examine, examine_label_studio, examine_service, gather
from ls_active.console.known import find_known, read_settings
from ls_active.errors import NotFoundInLabelStudio
from ls_active.job_desk import JobDesk
from ls_active.label_studio.client import LabelStudioClient
from ls_active.records.project import Connection, ProjectStatus
from ls_active.records.store import Store
from ls_active.settings import Settings


def run(text: str | None) -> int:
    """Print the findings as JSON; return 1 if there is an error among them."""
    with ExitStack() as stack:
        found = [line for group in _groups(read_settings(), stack, text) for line in group]
    print(json.dumps(found))  # noqa: T201
    return int(any(line["severity"] == Severity.ERROR for line in found))


def _groups(
    settings: Settings, stack: ExitStack, text: str | None
) -> Iterator[Iterable[dict[str, Any]]]:
    findings, desk = examine_service(settings, stack)
    yield _lines("Service", findings)
    findings, client = examine_label_studio(settings, stack)
    yield _lines("Label Studio", findings)
    store = Store(settings.data_dir)
    if client is not None:
        for uid in [find_known(store, text)] if text else store.projects():
            connection = Connection.load(store, uid) or Connection(uid, active=False)
            name = ProjectStatus.load(store, uid).title or f"project {connection.project_id}"
            yield _lines(name, _project(settings, client, desk, connection))


def _project(
    settings: Settings, client: LabelStudioClient, desk: JobDesk | None, connection: Connection
) -> list[Finding]:
    try:
        return examine(gather(settings, client, desk, connection))
    except NotFoundInLabelStudio:
        return list(queue.gone(connection))


def _lines(about: str, findings: Iterable[Finding]) -> Iterator[dict[str, Any]]:
    for found in findings:
        yield {
            "about": about,
            "check": found.check,
            "severity": str(found.severity),
            "what": found.what,
            "remedy": found.remedy,
        }
