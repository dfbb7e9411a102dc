"""What is worth showing of every version and job, small enough to be read at once.

Manifests and evaluations stay the source; this is one document a project, written at the end of
each job by whoever holds the project. Deleting it costs one look at every record.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeVar

from ls_active.errors import NotFound
from ls_active.records.store import Store

JOBS_KEPT = 50

VERSIONS_KEPT = 400
"""Lines of versions; of the older half, every second goes when there are more."""

NAME = "ledger"

T = TypeVar("T", bound="VersionLine | JobLine")
U = TypeVar("U")


@dataclass(frozen=True)
class VersionLine:
    """One version in a line.

    Attributes
    ----------
    heads : list of mapping
        Of each learned control: ``control``, ``labels``, ``useful``, and ``chosen`` and ``audit``,
        each ``{"value", "low", "high", "n", "measure"}`` or None where it was not measured.
    evaluated : bool
        Whether the second file of the version was there when this was written.
    """

    number: int
    created_at: float
    labels: int
    tasks: int = 0
    annotators: int = 0
    strategy: str = ""
    heads: Sequence[Mapping[str, Any]] = ()
    evaluated: bool = False


@dataclass(frozen=True)
class JobLine:
    """One job that did something, or failed.

    `why` is the reason it made a version or a publication; `error` is empty where all went well;
    `timings` are seconds by stage.
    """

    ended_at: float
    seconds: float
    why: str = ""
    version: int = 0
    publication: str = ""
    error: str = ""
    timings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Ledger:
    """Versions ascending, jobs newest first."""

    versions: tuple[VersionLine, ...] = ()
    jobs: tuple[JobLine, ...] = ()

    @classmethod
    def load(cls, store: Store, uid: str) -> Ledger:
        """Return what was written last, or an empty one."""
        document = store.read(uid, NAME) or {}
        return cls(
            tuple(_lines(VersionLine, document.get("versions", ()))),
            tuple(_lines(JobLine, document.get("jobs", ()))),
        )

    def save(self, store: Store, uid: str) -> None:
        """Write it down."""
        store.write(uid, NAME, asdict(self))

    def brought_level(self, store: Store, uid: str) -> Ledger:
        """Return a copy that knows the versions, and the evaluations, that came since."""
        last = max((line.number for line in self.versions), default=0)
        new = thinned([number for number in store.versions(uid) if number > last])
        # A version that was passed over is never evaluated: only the newest may still be.
        lines = [
            line if line.evaluated or line.number < last else read_line(store, uid, line.number)
            for line in self.versions
        ]
        lines += [read_line(store, uid, number) for number in new]
        return Ledger(tuple(thinned([line for line in lines if line is not None])), self.jobs)

    def with_job(self, job: JobLine) -> Ledger:
        """Return a copy with one more job; the oldest are forgotten."""
        return Ledger(self.versions, (job, *self.jobs)[:JOBS_KEPT])


def note_job(store: Store, uid: str, began: float, *, asked: bool = False, **facts: Any) -> None:
    """Bring the ledger level, and add a job that ends now; whoever calls holds the project.

    One that found nothing to do is not worth a line.

    Parameters
    ----------
    began : float
        Unix time.
    asked : bool
        Somebody asked for a new version.
    **facts
        Of the `JobLine`.
    """
    before = Ledger.load(store, uid)
    after = before.brought_level(store, uid)
    made = [line.number for line in after.versions[-1:] if line.created_at >= began]
    if made or facts.get("publication") or facts.get("error"):
        now = time.time()
        seconds, version = round(now - began, 3), made[0] if made else 0
        facts["why"] = _new_labels(after.versions) if made and not asked else facts.get("why", "")
        after = after.with_job(JobLine(now, seconds, version=version, **facts))
    if after != before:
        after.save(store, uid)


def _new_labels(lines: Sequence[VersionLine]) -> str:
    """Say what made a new version: labels that came, or were taken back or changed."""
    more = lines[-1].labels - (lines[-2].labels if len(lines) > 1 else 0)
    return f"{more} new label{'' if more == 1 else 's'}" if more > 0 else "labels changed"


def thinned(lines: list[U]) -> list[U]:
    """Return no more than are kept, the newest half of them whole."""
    while len(lines) > VERSIONS_KEPT:
        half = len(lines) // 2
        lines = lines[:half:2] + lines[half:]
    return lines


def read_line(store: Store, uid: str, number: int) -> VersionLine | None:
    """Return a version in a line, from its records; None if another release wrote them."""
    try:
        manifest, evaluation = store.manifest(uid, number), store.evaluation(uid, number)
    except NotFound:
        return None
    audits = evaluation["audits"] if evaluation else [None] * len(manifest["heads"])
    heads = [
        {
            "control": head["control"],
            "labels": head["labels"],
            "useful": head["useful"],
            "chosen": _figures(head["chosen"]),
            "audit": _figures((audit or {}).get("figures")),
        }
        for head, audit in zip(manifest["heads"], audits, strict=False)
    ]
    return VersionLine(
        number=number,
        created_at=manifest["created_at"],
        labels=manifest["labels"],
        tasks=manifest["tasks"],
        annotators=manifest["annotators"],
        strategy=manifest["strategy"],
        heads=heads,
        evaluated=evaluation is not None,
    )


def _figures(figures: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if figures is None:
        return None
    return {name: figures.get(name) for name in ("value", "low", "high", "n", "measure")}


def _lines(kind: type[T], documents: Iterable[Mapping[str, Any]]) -> list[T]:
    names = {item.name for item in fields(kind)}
    return [
        kind(**{name: value for name, value in document.items() if name in names})
        for document in documents
    ]
