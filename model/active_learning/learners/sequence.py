"""One class, or none, a unit: a linear chain over tokens or windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack

from active_learning.errors import InvalidInput
from active_learning.evaluation import near_duplicate_groups
from active_learning.features import document_frequency, is_sparse
from active_learning.figures import sequence_figures
from active_learning.learners.chain import Packed, best_path, fit_chain, marginals
from active_learning.learners.linear import Linear, ascending_below, checked
from active_learning.learners.resampling import bootstraps, choose_folds
from active_learning.outcomes import Figures, Fit, Model, Opinion, Verdict
from active_learning.scaling import Scaling, fit_scaling, scaling_of
from active_learning.types import (
    OUTSIDE,
    UNLABELED,
    Bools,
    Features,
    Floats,
    Ints,
    Kind,
    Labels,
    Pool,
    Units,
)

MIN_LABELS = 2

N_FOLDS, AUDIT_FOLDS = 3, 5
"""Fewer than of single answers: a task holds many, and a chain costs more to fit."""


@dataclass(frozen=True, eq=False)
class Chain:
    """Fitted coefficients; row i of each array belongs to label ``seen[i]``."""

    seen: NDArray[np.int32]
    coef: NDArray[np.float32]
    intercepts: NDArray[np.float32]
    transitions: NDArray[np.float32]

    def proba(self, X: Features, starts: Ints, width: int) -> Floats:
        """Return ``(u, width)`` probabilities of scaled units."""
        return _proba(np.asarray(X @ self.coef.T + self.intercepts), self, starts, width)


@dataclass(frozen=True, eq=False)
class SequenceModel:
    """A linear chain over the units of tasks.

    Attributes
    ----------
    classes : tuple of str
    seen : (s,) int32
        What units were labelled: `OUTSIDE`, or a class plus one; one row of `linear` each.
    linear : Linear
    intercepts : (s,) float32
    transitions : (s, s) float32
        Scores of one label after another.
    """

    classes: tuple[str, ...]
    seen: NDArray[np.int32]
    linear: Linear
    intercepts: NDArray[np.float32]
    transitions: NDArray[np.float32]

    def predict(self, X: Features, starts: Ints | None = None) -> Opinion:
        """Judge tasks by the features of their units."""
        if starts is None:
            raise InvalidInput("a sequence model needs to know which units belong to which task")
        emissions = self.linear(X) + self.intercepts
        proba = _proba(emissions, self, starts, 1 + len(self.classes))

        def verdicts(rows: Ints) -> tuple[Verdict, ...]:
            parts = (slice(int(starts[row]), int(starts[row + 1])) for row in rows)
            return tuple(self._verdict(emissions[part], proba[part]) for part in parts)

        return Opinion(verdicts, proba, starts)

    def _verdict(self, emissions: Floats, proba: Floats) -> Verdict:
        best = self.seen[best_path(emissions, self.transitions)]
        shares = proba[np.arange(len(best)), best]
        names = (None, *self.classes)
        # The doubt about a task is that about its most doubtful unit.
        confidence = float(np.clip(shares.min(), 0, 1)) if len(shares) else 0.0
        return Verdict(tuple(names[index] for index in best), confidence, tuple(shares.tolist()))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return all state but the class names."""
        return {
            **self.linear.to_arrays(),
            "seen": self.seen,
            "intercepts": self.intercepts,
            "transitions": self.transitions,
        }


class SequenceLearner:
    """A conditional random field: the features of a unit, and the label before it.

    References
    ----------
    Lafferty, McCallum & Pereira (2001), Conditional random fields. ICML.
    """

    name: ClassVar[str] = "sequence"
    kind: ClassVar[Kind] = Kind.SEQUENCE

    def lacks(self, pool: Pool) -> str:
        """Say what is missing for a first model."""
        tasks, seen = len(pool.labeled), np.setdiff1d(np.unique(pool.y), [UNLABELED])
        if tasks >= MIN_LABELS and len(seen) > 1:
            return ""
        return (
            f"{tasks} labelled tasks with {len(seen[seen > OUTSIDE])} labels in use; a model needs "
            f"at least {MIN_LABELS} tasks and a label in one of them"
        )

    def fit(self, pool: Pool, *, previous: Model | None = None, seed: int = 0) -> Fit:
        """Fit on the units of all labelled tasks, and see how it does on each task left out."""
        data = _Labeled.of(pool)
        everything = np.ones(len(data.tasks), np.bool_)
        fold_of = data.folds(everything, N_FOLDS, seed)
        held = None if fold_of is None else data.out_of_fold(fold_of)
        chain = data.fit(everything, previous if isinstance(previous, SequenceModel) else None)
        linear = Linear(data.scaling, data.columns, chain.coef)
        model = SequenceModel(pool.classes, chain.seen, linear, chain.intercepts, chain.transitions)
        chosen = None
        if held is not None:
            chosen = sequence_figures("chosen", data.y, held, data.starts, pool.classes)
        return Fit(model, chosen, held)

    def estimate(self, pool: Pool, rows: Ints, *, model: Model | None, seed: int) -> Figures | None:  # noqa: ARG002
        """Judge labelled `rows`, each by a chain fitted on all other tasks."""
        data = _Labeled.of(pool)
        judged = np.isin(data.tasks, rows)
        fold_of = data.folds(judged, AUDIT_FOLDS, seed)
        if fold_of is None:
            return None
        units, starts = data.units.of(np.flatnonzero(judged))
        held = data.out_of_fold(fold_of)[units]
        return sequence_figures("audit", data.y[units], held, starts, pool.classes)

    def committee(self, pool: Pool, *, model: Model, seed: int) -> tuple[Model, ...]:
        """Return chains that each see the tasks that a draw with replacement takes at all.

        Tasks drawn twice count once: two thirds of the tasks, without weights in the search.
        """
        data = _Labeled.of(pool)
        previous = model if isinstance(model, SequenceModel) else None

        def member(drawn: Ints) -> SequenceModel:
            chain = data.fit(np.isin(np.arange(len(data.tasks)), drawn), previous)
            linear = Linear(data.scaling, data.columns, chain.coef)
            return SequenceModel(
                pool.classes, chain.seen, linear, chain.intercepts, chain.transitions
            )

        return tuple(member(drawn) for drawn in bootstraps(np.zeros(len(data.tasks)), seed))

    def restore(
        self, arrays: Mapping[str, NDArray[Any]], classes: tuple[str, ...]
    ) -> SequenceModel:
        """Rebuild a model from `SequenceModel.to_arrays`."""
        seen = checked(arrays, "seen", "i", 1)
        intercepts = checked(arrays, "intercepts", "f", 1)
        transitions = checked(arrays, "transitions", "f", 2)
        s = len(seen)
        fits = len(intercepts) == s and transitions.shape == (s, s)
        if not (fits and ascending_below(seen, 1 + len(classes))):
            raise InvalidInput(f"the saved model does not fit {len(classes)} classes; fit it again")
        linear = Linear.from_arrays(arrays, s)
        return SequenceModel(classes, seen, linear, intercepts, transitions)


@dataclass(frozen=True, eq=False)
class _Labeled:
    """The units of the labelled tasks: `X` scaled, on the `columns` that they use."""

    pool: Pool
    tasks: Ints
    starts: Ints
    y: Labels
    X: Features
    scaling: Scaling
    columns: NDArray[np.int32]

    @classmethod
    def of(cls, pool: Pool) -> _Labeled:
        if pool.units is None:
            raise InvalidInput("a pool of sequences needs units")
        tasks = pool.labeled
        units, starts = pool.units.of(tasks)
        scaling = fit_scaling(pool.units.X)
        if is_sparse(pool.units.X):
            # What makes a token rare does not make it tell more; a CRF counts all alike.
            scaling = replace(scaling, weights=np.ones_like(scaling.weights))
        X = scaling.apply(pool.units.X[units])
        # What one unit alone has, it can only be known by.
        least = 2 if is_sparse(X) else 1
        columns = np.union1d(np.flatnonzero(document_frequency(X) >= least), [0]).astype(np.int32)
        return cls(pool, tasks, starts, pool.y[units], X[:, columns], scaling, columns)

    @property
    def units(self) -> Units:
        return Units(self.X, self.starts)

    def folds(self, judged: Bools, n_folds: int, seed: int) -> Ints | None:
        """Return a fold a labelled task."""
        labels = np.maximum.reduceat(self.y, self.starts[:-1]) if len(self.y) else self.y
        Z = scaling_of(self.pool).apply(self.pool.X[self.tasks[judged]])
        groups = near_duplicate_groups(Z, self.pool.u[self.tasks[judged]])
        return choose_folds(groups, labels, judged, (n_folds, seed), _some_label)

    def out_of_fold(self, fold_of: Ints) -> Floats:
        """Return probabilities of all units, those of tasks without a fold being zero."""
        proba = np.zeros((len(self.y), 1 + len(self.pool.classes)))
        for fold in np.unique(fold_of[fold_of >= 0]):
            rows, starts = self.units.of(np.flatnonzero(fold_of == fold))
            chain = self.fit(fold_of != fold)
            proba[rows] = chain.proba(self.X[rows], starts, proba.shape[1])
        return proba

    def fit(self, taught: Bools, previous: SequenceModel | None = None) -> Chain:
        """Fit on some of the tasks."""
        rows, starts = self.units.of(np.flatnonzero(taught))
        rows, starts = _known(rows, starts, self.y)
        X, seen = self.X[rows], np.unique(self.y[rows]).astype(np.int32)
        ones = np.ones((X.shape[0], 1), dtype=np.float32)
        X = hstack([X, csr_matrix(ones)], format="csr") if is_sparse(X) else np.hstack([X, ones])
        y = np.searchsorted(seen, self.y[rows]).astype(np.int64)
        start = self._start(seen, previous)
        coef, transitions = fit_chain(X, y, starts, len(seen), start=start)
        return Chain(seen, coef[:, :-1].copy(), coef[:, -1].copy(), transitions)

    def _start(
        self, seen: NDArray[np.int32], previous: SequenceModel | None
    ) -> tuple[Floats, Floats] | None:
        if previous is None or not np.array_equal(previous.seen, seen):
            return None
        if previous.linear.scaling.width != self.scaling.width:
            return None
        coef = np.hstack([previous.linear.coef_on(self.columns), previous.intercepts[:, None]])
        return coef, previous.transitions


def _proba(emissions: Floats, chain: Chain | SequenceModel, starts: Ints, width: int) -> Floats:
    packed = Packed.of(starts)
    _, found, _ = marginals(
        emissions[packed.rows].astype(np.float64), chain.transitions.astype(np.float64), packed
    )
    proba = np.zeros((len(emissions), width))
    proba[np.ix_(packed.rows, chain.seen)] = found
    return proba


def _known(rows: Ints, starts: Ints, y: Labels) -> tuple[Ints, Ints]:
    """Leave out units without a label; what stands on either side of one is two sequences."""
    known = y[rows] != UNLABELED
    first = np.zeros(len(rows), np.bool_)
    first[starts[:-1][np.diff(starts) > 0]] = True
    first[1:] |= ~known[:-1]
    begins = np.flatnonzero(first[known])
    return rows[known], np.append(begins, int(known.sum())).astype(np.int64)


def _some_label(most: Labels) -> bool:
    return len(most) >= MIN_LABELS and bool((most > OUTSIDE).any())
