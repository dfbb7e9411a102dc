"""What the doctor looks at, one question a function.

Every check is a pure function of what was gathered before (`Case`, `Redis`, …): it returns its
findings, good ones included, and what would mend them as something to be called later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from ls_active.job_desk import JobDesk
from ls_active.label_studio.client import LabelStudioClient, Project
from ls_active.loop.adoption import find_backend
from ls_active.records.project import Connection, ProjectStatus

__all__ = ["Case", "Finding", "Fix", "Severity", "Tools", "note", "ok", "trouble", "warning"]


class Severity(StrEnum):
    """How bad it is; a note is advice about what cannot be seen from here."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Tools:
    """What mending needs."""

    client: LabelStudioClient
    desk: JobDesk
    uid: str


Fix: TypeAlias = Callable[[Tools], str]
"""Mends something and says what it did."""


@dataclass(frozen=True)
class Finding:
    """What one check found, and what to do about it."""

    check: str
    severity: Severity
    what: str
    remedy: str = ""
    fix: Fix | None = None


def ok(check: str, what: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(check, Severity.OK, what)


def note(check: str, what: str, remedy: str = "") -> Finding:
    """Return advice."""
    return Finding(check, Severity.NOTE, what, remedy)


def warning(check: str, what: str, remedy: str, fix: Fix | None = None) -> Finding:
    """Return a finding of what works, but worse than it could."""
    return Finding(check, Severity.WARNING, what, remedy, fix)


def trouble(check: str, what: str, remedy: str, fix: Fix | None = None) -> Finding:
    """Return a finding of what does not work."""
    return Finding(check, Severity.ERROR, what, remedy, fix)


@dataclass(frozen=True)
class Case:
    """One project, as Label Studio and our store describe it at one moment.

    Attributes
    ----------
    backends, webhooks : list
        Rows of Label Studio.
    published : str
        Name of our last publication, empty before the first.
    publications : frozenset of int
        Every publication number that is ours.
    headers : mapping
        What our webhook carries: a secret, so it is in no repr.
    own_url : str
        Our address as Label Studio reaches it, empty if nobody said so.
    public_url : str
        PUBLIC_URL.
    options_problem : str
        What is wrong with the connection's options.
    deaf : bool
        Annotations come that no webhook told us of.
    """

    project: Project
    connection: Connection
    status: ProjectStatus
    backends: list[dict[str, Any]]
    webhooks: list[dict[str, Any]]
    published: str = ""
    publications: frozenset[int] = frozenset()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    own_url: str = ""
    public_url: str = ""
    options_problem: str = ""
    deaf: bool = False

    @property
    def active(self) -> bool:
        """Whether we look after the project."""
        return self.connection.active

    @property
    def our_backend(self) -> dict[str, Any] | None:
        """The row of Label Studio's backends that is us."""
        if not self.own_url:
            return None
        return find_backend(self.backends, self.own_url, self.connection.backend)

    @property
    def our_webhooks(self) -> list[dict[str, Any]]:
        """The webhooks that call us."""
        url = f"{self.own_url}/webhook"
        return [row for row in self.webhooks if self.own_url and row["url"].rstrip("/") == url]
