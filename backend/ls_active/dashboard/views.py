"""What is shown, as data: a page and its JSON are the same thing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ls_active import __version__

Cell: TypeAlias = str | int | float | None


@dataclass(frozen=True)
class HeadView:
    """One learned control: its figures, in words and as recorded."""

    control: str
    tag: str
    labels: int
    useful: bool
    quality: str
    on_chosen: str
    audit: Mapping[str, Any] | None = None
    chosen: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Answers:
    """What the page says first, in a sentence each; empty where nothing is known.

    Attributes
    ----------
    worth : str
        Whether more labeling is worth it.
    weak : sequence of str
        What the model is bad at, one a control.
    next : str
        What happens next.
    """

    worth: str = ""
    weak: Sequence[str] = ()
    next: str = ""


@dataclass(frozen=True)
class ProjectView:
    """Where one project stands.

    Attributes
    ----------
    url : str
        Its Data Manager in Label Studio, empty where we do not know Label Studio's address.
    tone : {"busy", "waits", "good", "bad", "off"}
        How good the state is.
    error : str
        Of the last job, while it is not mended.
    """

    uid: str
    number: int
    title: str
    url: str
    state: str
    words: str
    tone: str
    since: float
    detail: str
    remedy: str
    error: str
    labels: int
    tasks: int
    askable: int
    skipped: int
    version: int
    publication: str
    pinned: int | None
    strategy: str
    advice: str
    answers: Answers = Answers()
    heads: Sequence[HeadView] = ()
    left_out: Sequence[str] = ()
    unreadable: Mapping[str, int] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    active: bool = True


@dataclass(frozen=True)
class Chart:
    """A table that is drawn as well.

    Attributes
    ----------
    kind : {"curve", "line", "bars", "reliability", "matrix", "table"}
    rows : sequence
        As long as `columns` each; empty: nothing was recorded, and `note` says so.
    """

    name: str
    title: str
    kind: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...] = ()
    note: str = ""
    says: str = ""

    @property
    def key(self) -> str:
        """A name of just these figures as this release draws them: its picture never changes."""
        return hashlib.sha256(f"{__version__} {self!r}".encode()).hexdigest()[:16]


@dataclass(frozen=True)
class VersionView:
    """One version: its figures, and what can be done with it."""

    number: int
    name: str
    created_at: float
    labels: int
    tasks: int
    annotators: int
    strategy: str
    heads: Sequence[Mapping[str, Any]]
    evaluated: bool
    in_force: bool
    pinned: bool
    kept: bool
    newest: bool
    gate: str = ""


@dataclass(frozen=True)
class Preview:
    """One field of a task as it may be shown.

    `kind` is text, image, audio, page (markup, for a sandbox) or data.
    """

    field: str
    kind: str
    text: str


@dataclass(frozen=True)
class QueueItem:
    """One task of the queue's head."""

    place: int
    task: int
    url: str
    label: str
    confidence: float
    reason: str
    why: str
    shown: bool
    previews: Sequence[Preview] = ()


@dataclass(frozen=True)
class QueueView:
    """Some tasks of the queue as published, from `start` on; `size` are in it."""

    publication: str
    published_at: float
    why: str
    size: int
    items: Sequence[QueueItem]
    start: int = 0
    trouble: str = ""


@dataclass(frozen=True)
class Suspect:
    """One label that the model contradicts, or that contradicts a near-duplicate's."""

    task: int
    url: str
    control: str
    given: str
    suggested: str
    score: float | None
    why: str
    previews: Sequence[Preview] = ()


@dataclass(frozen=True)
class SuspectsView:
    """Doubtful labels of the newest evaluated version: some of `size`, from `start` on."""

    version: int
    size: int
    items: Sequence[Suspect]
    start: int = 0
    note: str = ""
    trouble: str = ""


@dataclass(frozen=True)
class RunningView:
    """A job that runs or waits."""

    id: str
    name: str
    words: str
    share: float | None
    started_at: float | None


@dataclass(frozen=True)
class AskedView:
    """What somebody asked for, and what became of it.

    Attributes
    ----------
    what : str
        What the button says.
    end : {"asked", "done", "refused", "failed"}
    tone : {"busy", "good", "waits", "bad"}
        How good that is.
    """

    id: str
    action: str
    what: str
    at: float
    end: str
    tone: str
    said: str
    remedy: str = ""


@dataclass(frozen=True)
class JobsView:
    """What runs, what people asked for, and what ran."""

    running: Sequence[RunningView]
    asked: Sequence[AskedView]
    past: Sequence[Mapping[str, Any]]
    trouble: str = ""


@dataclass(frozen=True)
class FindingView:
    """One thing that the doctor found."""

    about: str
    check: str
    severity: str
    what: str
    remedy: str


@dataclass(frozen=True)
class ActionReply:
    """What became of a button that was pressed.

    `asked` is its id in the list of what was asked for; without a `job` there is nothing to do, or
    it was asked for before.
    """

    said: str
    job: str = ""
    asked: str = ""
