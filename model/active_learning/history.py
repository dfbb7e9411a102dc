"""What a version leaves behind, so that later ones can be told how much has changed since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from active_learning.errors import InvalidInput
from active_learning.outcomes import AuditEstimate, Opinion
from active_learning.types import Floats, Ints, Kind, Pool
from active_learning.unlearned import named, unlearned

ACCURACY = "accuracy"
"""The measure of classes that exclude each other, and of a history without figures."""

SAMPLE = 1_000
"""Tasks on which versions are compared: a share of one in a hundred is told to within 0.6 %."""

MOST_QUESTIONS = 5_000
"""Where a task asks many, tasks are taken until they ask so many: a record stays small. A task
that asks more alone is left out."""

GAP_SHARE = 0.05
GAP_PER_CLASS = 2
"""Labels between two versions that are compared: fewer can hardly change any answer."""

THINNED = 1.02
"""Snapshots whose labels grew by less are dropped when newer ones came: ten thousand versions of
one label each leave some 300."""

UNTHINNED = 30
"""The newest snapshots, which stay."""


@dataclass(frozen=True, eq=False)
class Sample:
    """What a version says of the fixed sample of the pool.

    Attributes
    ----------
    ids : (m,) int64
        Task ids, in the order of the sample.
    counts : (m,) int64
        Questions that each task asks: one, or one a class, or one a unit.
    said : (q,) float64
        The answer to each question, as an index; for `Kind.NUMBER` the number.
    confidence : (m,) float64
        Of the answer to each task, in [0, 1].
    number : bool
        Whether answers are numbers.
    """

    ids: Ints
    counts: Ints
    said: Floats
    confidence: Floats
    number: bool = False

    @property
    def constant(self) -> bool:
        """Whether all answers are the same one."""
        return len(np.unique(self.said)) < 2

    @property
    def uncertainty(self) -> float:
        """The mean of what is missing to certainty; 0 for an empty sample."""
        return float(1 - self.confidence.mean()) if len(self.confidence) else 0.0

    def to_record(self) -> dict[str, Any]:
        """Return lists of plain numbers."""
        said = self.said.tolist() if self.number else self.said.astype(np.int64).tolist()
        return {
            "ids": self.ids.tolist(),
            "counts": [] if (self.counts == 1).all() else self.counts.tolist(),
            "said": said,
            "confidence": np.round(self.confidence, 3).tolist(),
            "number": self.number,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Rebuild a sample from what `to_record` returned."""
        ids = np.asarray(record["ids"], dtype=np.int64)
        counts = np.asarray(record["counts"] or np.ones(len(ids)), dtype=np.int64)
        said, confidence = (np.asarray(record[name], np.float64) for name in ("said", "confidence"))
        return cls(ids, counts, said, confidence, bool(record["number"]))


@dataclass(frozen=True)
class Snapshot:
    """What one version adds to the history of a project.

    Attributes
    ----------
    labels : int
        It was fitted on so many.
    gap : int
        Labels that have to lie between it and the version it is compared with.
    uncertainty : float
        Over the sample, in [0, 1].
    agreement : float or None
        With the version of `since` labels, on the sample; None where there is no such version.
    since : int or None
    audit : int
        Audit labels.
    value, low, high : float or None
        The audit estimate with its interval; None while there is none.
    measure : str
        What they are.
    tasks : int or None
        In the sample; None in what was recorded before they were counted.
    unlearned : str
        The classes that it cannot tell yet, in words; empty: none.
    """

    labels: int
    gap: int
    uncertainty: float
    agreement: float | None = None
    since: int | None = None
    audit: int = 0
    value: float | None = None
    low: float | None = None
    high: float | None = None
    measure: str = ACCURACY
    tasks: int | None = None
    unlearned: str = ""


def sample_rows(pool: Pool) -> Ints:
    """Return the rows of the fixed sample: the first in a hash order that is not the audit's.

    The audit order read backwards, byte by byte, is another uniform order: its first tasks are no
    more often labelled than others.
    """
    asked = _questions(pool)
    fit = np.flatnonzero((asked > 0) & (asked <= MOST_QUESTIONS))
    order = pool.u[fit].byteswap()
    size = min(SAMPLE, len(order))
    first = np.argpartition(order, size - 1)[:size] if size else np.empty(0, np.int64)
    rows = fit[first[np.argsort(order[first], kind="stable")]]
    return np.asarray(rows[np.cumsum(asked[rows]) <= MOST_QUESTIONS], dtype=np.int64)


def take_sample(pool: Pool, rows: Ints, opinion: Opinion) -> Sample:
    """Return what a model's opinion of the rows of the sample comes to."""
    verdicts = opinion.verdicts(np.arange(len(rows)))
    confidence = np.array([verdict.confidence for verdict in verdicts], dtype=np.float64)
    if opinion.questions is None:
        said = np.array([verdict.answer for verdict in verdicts], dtype=np.float64)
    else:
        said = opinion.questions.argmax(axis=1).astype(np.float64)
    counts = np.ones(len(rows), np.int64) if opinion.starts is None else np.diff(opinion.starts)
    return Sample(pool.ids[rows], counts, said, confidence, opinion.questions is None)


def agreement(old: Sample, new: Sample) -> float:
    """Return how far two versions agree beyond chance on the tasks that both judged.

    Cohen's kappa; of numbers its continuous kind, Lin's concordance. A version that always says
    the same agrees with anything of that kind: 0, as for no tasks in common.

    References
    ----------
    Cohen (1960), A coefficient of agreement for nominal scales. Educ. Psychol. Meas.
    Lin (1989), A concordance correlation coefficient to evaluate reproducibility. Biometrics.
    Bloodgood & Vijay-Shanker (2009), A method for stopping active learning based on stabilizing
    predictions and the need for user-adjustable stopping. CoNLL.
    """
    if old.number != new.number:
        raise InvalidInput("a version that says numbers and one that says classes do not compare")
    before, after = _in_common(old, new)
    if len(np.unique(before)) < 2 or len(np.unique(after)) < 2:
        return 0.0
    if new.number:
        between = float(np.mean((before - before.mean()) * (after - after.mean())))
        apart = float(np.square(before.mean() - after.mean()))
        return 2 * between / (float(before.var() + after.var()) + apart)
    values, codes = np.unique(np.concatenate([before, after]), return_inverse=True)
    shares = [np.bincount(part, minlength=len(values)) / len(part) for part in np.split(codes, 2)]
    chance = float(shares[0] @ shares[1])
    return (float(np.mean(before == after)) - chance) / (1 - chance)


def gap(labels: int, classes: int) -> int:
    """Return the labels that have to lie between two versions that are compared."""
    return max(GAP_PER_CLASS * max(classes, 2), int(np.ceil(GAP_SHARE * labels)))


def snapshot(
    pool: Pool,
    sample: Sample,
    audit: AuditEstimate,
    earlier: tuple[int, Sample] | None,
    recall: Mapping[str, float] | None = None,
) -> Snapshot:
    """Return what a version adds to the history.

    Parameters
    ----------
    earlier : (int, Sample), optional
        The labels and the sample of the newest version that is `gap` labels behind.
    recall : mapping, optional
        Of classes, on labels that were left out.
    """
    figures, labels = audit.figures, len(pool.labeled)
    return Snapshot(
        labels=labels,
        gap=gap(labels, len(pool.classes)),
        uncertainty=sample.uncertainty,
        agreement=agreement(earlier[1], sample) if earlier else None,
        since=earlier[0] if earlier else None,
        audit=audit.labels,
        value=figures.value if figures else None,
        low=figures.low if figures else None,
        high=figures.high if figures else None,
        measure=figures.measure if figures else ACCURACY,
        tasks=len(sample.ids),
        unlearned=named(unlearned(pool, sample.said, recall or {})),
    )


def earlier_place(labels: Sequence[int], now: int, classes: int) -> int | None:
    """Return the place of the newest version that is far enough behind `now` labels, if any."""
    far = [place for place, n in enumerate(labels) if n <= now - gap(now, classes)]
    return max(far, key=lambda place: (labels[place], place), default=None)


def kept(labels: Sequence[int]) -> list[int]:
    """Return the places of the snapshots worth keeping, oldest first."""
    places: list[int] = []
    for place, n in enumerate(labels):
        recent = place >= len(labels) - UNTHINNED
        if recent or not places or n >= THINNED * labels[places[-1]] or n < labels[places[-1]]:
            places.append(place)
    return places


def _questions(pool: Pool) -> Ints:
    if pool.units is not None:
        return np.diff(pool.units.starts)
    each = len(pool.classes) if pool.kind is Kind.MULTIPLE else 1
    return np.full(len(pool.ids), each, dtype=np.int64)


def _in_common(old: Sample, new: Sample) -> tuple[Floats, Floats]:
    """Return the answers of both to the questions of the tasks that ask as many as before."""
    _, left, right = np.intersect1d(old.ids, new.ids, assume_unique=True, return_indices=True)
    same = old.counts[left] == new.counts[right]
    return _answers(old, left[same]), _answers(new, right[same])


def _answers(sample: Sample, tasks: Ints) -> Floats:
    starts = np.cumsum(sample.counts) - sample.counts
    counts = sample.counts[tasks]
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.asarray(sample.said[np.repeat(starts[tasks], counts) + within])
