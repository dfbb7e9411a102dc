"""The nouns of the core: what goes into a round of active learning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from active_learning.errors import InvalidInput

Floats: TypeAlias = NDArray[np.floating[Any]]
Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]
Features: TypeAlias = csr_matrix | NDArray[np.float32]

Labels: TypeAlias = NDArray[Any]
"""Answers as numbers, see `Pool.y`."""

Answer: TypeAlias = str | frozenset[str] | float | tuple[str | None, ...]
"""What an annotator said, by `Kind`: a class; a set of them; a number; a class or None a unit."""

UNLABELED = -1
"""The entry of ``Pool.y`` for what has no usable label."""

OUTSIDE = 0
"""The entry of ``Pool.y`` for a unit that belongs to no class; class ``i`` is ``i + 1`` there."""


class Serving(IntEnum):
    """Whether a task may be asked about."""

    NO = 0
    """Labelled, deleted, or skipped for good."""
    LAST = 1
    """Skipped, and given back by the project's skip queue: after everything else."""
    YES = 2
    """Waiting for an annotator."""


class Kind(StrEnum):
    """What an answer to a control is."""

    SINGLE = "single"
    """One class a task."""
    MULTIPLE = "multiple"
    """Any number of classes a task."""
    NUMBER = "number"
    """A number a task."""
    SEQUENCE = "sequence"
    """One class, or none, for each unit of a task: a token, a window."""


class Block(StrEnum):
    """How the columns of one featurizer are prepared, from the pool they are fitted on."""

    COUNTS = "counts"
    """Sparse and not negative: weighted by inverse document frequency."""
    VECTOR = "vector"
    """A dense embedding: standardised."""
    NUMBERS = "numbers"
    """Columns in units of their own: standardised, and an intercept beside them."""
    EMBEDDING = "embedding"
    """A ready vector, in which the larger directions are meant to count more: only centred."""


class Reason(StrEnum):
    """Why a task stands where it stands in the queue."""

    AUDIT = "audit"
    COLD_START = "cold_start"
    STRATEGY = "strategy"
    SKIPPED = "skipped"


@dataclass(frozen=True, eq=False)
class Units:
    """The units of all tasks, one below the other.

    Attributes
    ----------
    X : (u, d) float32
        A row of features a unit.
    starts : (n + 1,) int64
        Task ``i`` has the units ``starts[i]`` to ``starts[i + 1] - 1``; it may have none.
    """

    X: Features
    starts: Ints

    def of(self, tasks: Ints) -> tuple[Ints, Ints]:
        """Return the unit rows of tasks (by row of the pool), and `starts` among them."""
        counts = np.diff(self.starts)[tasks]
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        offsets = np.repeat(self.starts[tasks] - starts[:-1], counts)
        return np.arange(starts[-1], dtype=np.int64) + offsets, starts


@dataclass(frozen=True, eq=False)
class Pool:
    """Every task of a project as arrays, as one learned control sees it.

    One row a task, rows in ascending task id.

    Attributes
    ----------
    ids : (n,) int64
        Task ids.
    X : (n, d) float32, sparse or dense
        Features exactly as the featurizer made them. An unreadable task has a row of zeros.
    y : array
        The labels, by `kind`. SINGLE: (n,) int64, an index into `classes` or `UNLABELED`.
        MULTIPLE: (n, k) int8, 0 or 1, a row of `UNLABELED` without a label. NUMBER: (n,) float64,
        NaN without a label. SEQUENCE: (u,) int64 a unit, `OUTSIDE`, a class plus one, or
        `UNLABELED`.
    serving : (n,) int8
        A `Serving` value a row.
    resolved : (n,) bool
        True once nobody will be asked again: labelled, or skipped for good. An audit task that is
        `resolved` without a label is non-response.
    u : (n,) uint64
        The audit order: ascending `u` is a fixed uniform order over present and future tasks.
    classes : tuple of str
        What the label config allows, in its order; nothing for NUMBER.
    kind : Kind
    blocks : tuple of (Block, int)
        How many columns of `X` came from which kind of featurizer, in order; nothing: all of them
        are `Block.COUNTS` if sparse, `Block.VECTOR` if dense.
    units : Units or None
        For SEQUENCE only.
    """

    ids: Ints
    X: Features
    y: Labels
    serving: NDArray[np.int8]
    resolved: Bools
    u: NDArray[np.uint64]
    classes: tuple[str, ...]
    kind: Kind = Kind.SINGLE
    blocks: tuple[tuple[Block, int], ...] = ()
    units: Units | None = None

    def __post_init__(self) -> None:
        n = len(self.ids)
        lengths = {
            name: int(getattr(self, name).shape[0]) for name in ("X", "serving", "resolved", "u")
        }
        if self.units is None:
            lengths["y"] = len(self.y)
        else:
            lengths["starts"] = len(self.units.starts) - 1
        if any(length != n for length in lengths.values()):
            raise InvalidInput(f"a pool of {n} tasks has arrays of other lengths: {lengths}")
        if self.units is not None and len(self.y) != self.units.X.shape[0]:
            raise InvalidInput(f"{self.units.X.shape[0]} units have {len(self.y)} labels")

    @cached_property
    def labeled(self) -> Ints:
        """Row numbers of the tasks that have a label."""
        if self.units is not None:
            units = np.flatnonzero(self.y != UNLABELED)
            return np.unique(np.searchsorted(self.units.starts, units, side="right") - 1)
        if self.kind is Kind.NUMBER:
            return np.flatnonzero(np.isfinite(self.y))
        return np.flatnonzero((self.y if self.y.ndim == 1 else self.y[:, 0]) != UNLABELED)


@dataclass(frozen=True, eq=False)
class Candidates:
    """What a query strategy may see.

    Attributes
    ----------
    proba : (q, k) float
        A distribution a question, rows sum to 1. A task asks one question, or one a class
        (`Kind.MULTIPLE`), or one a unit (`Kind.SEQUENCE`). Of a number (`Kind.NUMBER`), known and
        not known: even odds where its standard deviation is largest, ``(1, 0)`` where there is
        none.
    X : (m, d)
        Features of the candidate tasks, rows of unit length.
    X_labeled : (l, d)
        Features of the answered tasks that nobody is asked about again, rows of unit length.
    rng : numpy.random.Generator
        The only source of randomness a strategy may use.
    kind : Kind
    starts : (m + 1,) int64 or None
        Task ``i`` asks the questions ``starts[i]`` to ``starts[i + 1] - 1``; None: one a task.
    y : array or None
        The answers of all tasks that have one, see `Pool.y`, with `UNLABELED` where this control
        has none; None of sequences. Tasks that wait for their second annotator are among them,
        and not in `X_labeled`.
    wanted : int
        How many tasks will be taken: an order need not go on for long after that.
    committee : callable or None
        ``committee(tasks)`` returns ``(c, q', k)``: what each of c models, fitted on bootstrapped
        labels, says of the questions of some tasks (ascending places in `X`). They are fitted when
        it is first called. None where there is none: of numbers, whose deviation is that of a
        committee.
    """

    proba: Floats
    X: Features
    X_labeled: Features
    rng: np.random.Generator
    kind: Kind = Kind.SINGLE
    starts: Ints | None = None
    y: Labels | None = None
    wanted: int = 100
    committee: Callable[[Ints], Floats] | None = None

    @property
    def tasks(self) -> int:
        """How many tasks there are."""
        return int(self.X.shape[0])

    @cached_property
    def task_of(self) -> Ints:
        """The place of the task that asks each question, shape ``(q,)``."""
        if self.starts is None:
            return np.arange(self.tasks, dtype=np.int64)
        return np.repeat(np.arange(self.tasks, dtype=np.int64), np.diff(self.starts))

    def best(self, scores: Floats) -> Floats:
        """Return the score of each task, ``(m,)``: that of its best question, 0 without any."""
        if self.starts is None:
            return scores
        most = np.zeros(self.tasks)
        np.maximum.at(most, self.task_of, scores)
        return most
