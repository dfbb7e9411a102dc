"""The nouns of the core: what goes into a round of active learning and what comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, ClassVar, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from active_learning.errors import InvalidInput

Floats: TypeAlias = NDArray[np.floating[Any]]
Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]
Features: TypeAlias = csr_matrix | NDArray[np.float32]

UNLABELED = -1
"""The entry of ``Pool.y`` for a task without a usable label."""


class Serving(IntEnum):
    """Whether a task may be asked about."""

    NO = 0
    """Labelled, deleted, or skipped for good."""
    LAST = 1
    """Skipped, and given back by the project's skip queue: after everything else."""
    YES = 2
    """Waiting for an annotator."""


class Reason(StrEnum):
    """Why a task stands where it stands in the queue."""

    AUDIT = "audit"
    COLD_START = "cold_start"
    STRATEGY = "strategy"
    SKIPPED = "skipped"


@dataclass(frozen=True, eq=False)
class Pool:
    """Every task of a project as arrays, one row a task, rows in ascending task id.

    Attributes
    ----------
    ids : (n,) int64
        Task ids.
    X : (n, d) float32, sparse or dense
        Features exactly as the featurizer made them. An unreadable task has a row of zeros.
    y : (n,) int64
        Index into `classes`, or `UNLABELED`.
    serving : (n,) int8
        A `Serving` value a row.
    resolved : (n,) bool
        True once nobody will be asked again: labelled, or skipped for good. An audit task that is
        `resolved` with ``y == UNLABELED`` is non-response.
    u : (n,) uint64
        The audit order: ascending `u` is a fixed uniform order over present and future tasks.
    classes : tuple of str
        What the label config allows, in its order.
    """

    ids: Ints
    X: Features
    y: Ints
    serving: NDArray[np.int8]
    resolved: Bools
    u: NDArray[np.uint64]
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        n = len(self.ids)
        names = ("X", "y", "serving", "resolved", "u")
        lengths = {name: int(getattr(self, name).shape[0]) for name in names}
        if any(length != n for length in lengths.values()):
            raise InvalidInput(f"a pool of {n} tasks has arrays of other lengths: {lengths}")

    @property
    def labeled(self) -> Ints:
        """Row numbers that have a label."""
        return np.flatnonzero(self.y != UNLABELED)


@dataclass(frozen=True, eq=False)
class Candidates:
    """What a query strategy may see.

    Attributes
    ----------
    proba : (m, k) float
        Class probabilities, rows sum to 1.
    X : (m, d)
        Features of the candidates, rows of unit length.
    X_labeled : (l, d)
        Features of the labelled tasks, rows of unit length.
    rng : numpy.random.Generator
        The only source of randomness a strategy may use.
    """

    proba: Floats
    X: Features
    X_labeled: Features
    rng: np.random.Generator


@dataclass(frozen=True)
class Figures:
    """Accuracy on a set of labels, with its 95 % Wilson interval.

    `basis` says what the labels are: ``"audit"`` (a uniform sample: an honest estimate for the
    pool) or ``"chosen"`` (all labels, the tasks we chose: not an estimate of anything else).
    """

    basis: str
    n: int
    accuracy: float
    low: float
    high: float
    log_loss: float | None = None
    recall: Mapping[str, float] = field(default_factory=dict)
    support: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted model and what its own labels say about it.

    Attributes
    ----------
    model : Model
        Fitted on all labels.
    chosen : Figures or None
        Out-of-fold, on the tasks we chose; None with too few labels to leave some out.
    out_of_fold : (n, k) float or None
        Probabilities of each label's task by a model that did not see it, in row order.
    majority_share : float
        Share of the most frequent class among the labels.
    """

    model: Model
    chosen: Figures | None
    out_of_fold: Floats | None
    majority_share: float

    @property
    def useful(self) -> bool:
        """Whether the model clearly beats always answering the most frequent class."""
        return self.chosen is not None and self.chosen.low > self.majority_share


@dataclass(frozen=True)
class AuditEstimate:
    """The honest estimate of section "audit", or why there is none yet.

    `figures` is None until `needed` audit labels exist. `labels` is |A|: the length of the longest
    fully resolved prefix of the audit order, skips left out; `skipped` counts those.
    """

    labels: int
    skipped: int
    needed: int
    figures: Figures | None


@dataclass(frozen=True, eq=False)
class Queue:
    """The head of the annotation queue, first asked first.

    Attributes
    ----------
    ids : (k,) int64
        Task ids in the order annotators should see them.
    rows : (k,) int64
        Their rows in the pool they were ranked from.
    scores : (k,) float64
        Acquisition scores in [0, 1], higher = ask first. Informative: the order is `ids`.
    reasons : tuple of Reason
        Why each task is where it is.
    proba : (k, c) float64 or None
        Class probabilities of the model that ranked them; None at cold start.
    """

    ids: Ints
    rows: Ints
    scores: Floats
    reasons: tuple[Reason, ...]
    proba: Floats | None


class Featurizer(Protocol):
    """Turns task values of one kind into rows of features, computed once per task."""

    name: ClassVar[str]
    version: ClassVar[int]
    """Raised whenever the same value would get other features: part of the cache key."""
    object_tags: ClassVar[tuple[str, ...]]
    """The Label Studio object tags whose values it reads."""
    n_features: int

    def transform(self, values: Sequence[Any]) -> Features:
        """Return one float32 row a value, shape ``(len(values), n_features)``."""
        ...


class Model(Protocol):
    """A fitted, immutable head."""

    @property
    def classes(self) -> tuple[str, ...]:
        """All classes, in the order of the columns of `predict_proba`."""
        ...

    def predict_proba(self, X: Features) -> Floats:
        """Return ``(m, k)`` probabilities for features as the featurizer made them."""
        ...

    def weigh(self, X: Features) -> Features:
        """Return the rows as the model sees them: weighted and of unit length."""
        ...

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return all state as plain numeric arrays (no objects, no strings)."""
        ...


class QueryStrategy(Protocol):
    """Scores candidates; higher = ask first."""

    name: ClassVar[str]

    def score(self, candidates: Candidates) -> Floats:
        """Return ``(m,)`` acquisition scores in [0, 1]."""
        ...
