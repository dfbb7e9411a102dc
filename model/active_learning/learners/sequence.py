"""One class, or none, a unit: multinomial logistic regression over tokens or windows."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from active_learning.errors import InvalidInput
from active_learning.evaluation import near_duplicate_groups
from active_learning.features import document_frequency
from active_learning.figures import sequence_figures
from active_learning.learners.linear import Linear, ascending_below, checked
from active_learning.learners.resampling import AUDIT_FOLDS, N_FOLDS, choose_folds, out_of_fold
from active_learning.outcomes import Figures, Fit, Model, Opinion, Verdict
from active_learning.scaling import Scaling, fit_scaling, scaling_of
from active_learning.types import (
    OUTSIDE,
    UNLABELED,
    Features,
    Floats,
    Ints,
    Kind,
    Labels,
    Pool,
    Units,
)

C = 30.0

MIN_LABELS = 2

MAX_ITERATIONS = 100


@dataclass(frozen=True, eq=False)
class SequenceModel:
    """A linear head over the units of tasks.

    Attributes
    ----------
    classes : tuple of str
    seen : (s,) int32
        What units were labelled: `OUTSIDE`, or a class plus one; one row of `linear` each.
    linear : Linear
    intercepts : (s,) float32
    """

    classes: tuple[str, ...]
    seen: NDArray[np.int32]
    linear: Linear
    intercepts: NDArray[np.float32]

    def predict_proba(self, X: Features) -> Floats:
        """Return ``(u, 1 + k)`` probabilities of units, `OUTSIDE` first."""
        proba = np.zeros((X.shape[0], 1 + len(self.classes)))
        proba[:, self.seen] = softmax(self.linear(X) + self.intercepts, axis=1)
        return proba

    def predict(self, X: Features, starts: Ints | None = None) -> Opinion:
        """Judge tasks by the features of their units."""
        if starts is None:
            raise InvalidInput("a sequence model needs to know which units belong to which task")
        proba = self.predict_proba(X)

        def verdicts(rows: Ints) -> tuple[Verdict, ...]:
            return tuple(
                self._verdict(proba[starts[row] : starts[row + 1]]) for row in rows.tolist()
            )

        return Opinion(verdicts, proba, starts)

    def _verdict(self, proba: Floats) -> Verdict:
        best = proba.argmax(axis=1)
        shares = proba[np.arange(len(best)), best]
        names = (None, *self.classes)
        # The doubt about a task is that about its most doubtful unit.
        confidence = float(shares.min()) if len(shares) else 0.0
        return Verdict(tuple(names[index] for index in best), confidence, tuple(shares.tolist()))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return all state but the class names."""
        return {**self.linear.to_arrays(), "seen": self.seen, "intercepts": self.intercepts}


class SequenceLearner:
    """Multinomial logistic regression over units; the features of a unit see its neighbours.

    References
    ----------
    Ratinov & Roth (2009), Design challenges and misconceptions in named entity recognition. CoNLL.
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

    def fit(self, pool: Pool, *, previous: Model | None = None, seed: int = 0) -> Fit:  # noqa: ARG002
        """Fit on the units of all labelled tasks, and see how it does on each task left out."""
        data = _Labeled.of(pool)
        fold_of = data.folds(np.ones(len(data.tasks), np.bool_), N_FOLDS, seed)
        held = None if fold_of is None else data.out_of_fold(fold_of)
        coef, intercepts, seen = _fit(data.X[:, data.columns], data.y)
        linear = Linear(data.scaling, data.columns, coef)
        model = SequenceModel(pool.classes, seen, linear, intercepts)
        chosen = (
            None
            if held is None
            else sequence_figures("chosen", data.y, held, data.starts, pool.classes)
        )
        return Fit(model, chosen, held)

    def estimate(self, pool: Pool, rows: Ints, *, model: Model | None, seed: int) -> Figures | None:  # noqa: ARG002
        """Judge labelled `rows`, each by a head fitted on all other tasks."""
        data = _Labeled.of(pool)
        judged = np.isin(data.tasks, rows)
        fold_of = data.folds(judged, AUDIT_FOLDS, seed)
        if fold_of is None:
            return None
        units, starts = Units(data.X, data.starts).of(np.flatnonzero(judged))
        held = data.out_of_fold(fold_of)
        return sequence_figures("audit", data.y[units], held, starts, pool.classes)

    def restore(
        self, arrays: Mapping[str, NDArray[Any]], classes: tuple[str, ...]
    ) -> SequenceModel:
        """Rebuild a model from `SequenceModel.to_arrays`."""
        seen = checked(arrays, "seen", "i", 1)
        intercepts = checked(arrays, "intercepts", "f", 1)
        if not ascending_below(seen, 1 + len(classes)) or len(intercepts) != len(seen):
            raise InvalidInput(f"the saved model does not fit {len(classes)} classes; fit it again")
        return SequenceModel(classes, seen, Linear.from_arrays(arrays, len(seen)), intercepts)


@dataclass(frozen=True, eq=False)
class _Labeled:
    """The units of the labelled tasks."""

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
        X = scaling.apply(pool.units.X[units])
        columns = np.union1d(np.flatnonzero(document_frequency(X)), [0]).astype(np.int32)
        return cls(pool, tasks, starts, pool.y[units], X, scaling, columns)

    def folds(self, judged: NDArray[np.bool_], n_folds: int, seed: int) -> Ints | None:
        """Return a fold a labelled task."""
        labels = np.maximum.reduceat(self.y, self.starts[:-1]) if len(self.y) else self.y
        Z = scaling_of(self.pool).apply(self.pool.X[self.tasks[judged]])
        groups = near_duplicate_groups(Z, self.pool.u[self.tasks[judged]])
        return choose_folds(groups, labels, judged, (n_folds, seed), _some_label)

    def out_of_fold(self, fold_of: Ints) -> Floats:
        """Return probabilities of the units of the tasks with a fold, in order."""
        of_unit = np.repeat(fold_of, np.diff(self.starts))
        X, width = self.X[:, self.columns], 1 + len(self.pool.classes)

        def predictor(train: Ints, test: Ints) -> Floats:
            coef, intercepts, seen = _fit(X[train], self.y[train])
            proba = np.zeros((len(test), width))
            proba[:, seen] = softmax(X[test] @ coef.T + intercepts, axis=1)
            return proba

        return out_of_fold(of_unit, predictor)


def _some_label(most: Labels) -> bool:
    return len(most) >= MIN_LABELS and bool((most > OUTSIDE).any())


def _fit(
    X: Features, y: Labels
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]:
    """Fit on units that have a label; return coefficients, intercepts and what was seen."""
    known = np.flatnonzero(y != UNLABELED)
    X, y = X[known], y[known]
    seen = np.unique(y).astype(np.int32)
    if len(seen) == 1:
        return np.zeros((1, X.shape[1]), np.float32), np.zeros(1, np.float32), seen
    with warnings.catch_warnings():
        # A search that stops short still leaves a usable head.
        warnings.simplefilter("ignore", ConvergenceWarning)
        head = LogisticRegression(C=C, max_iter=MAX_ITERATIONS).fit(X, y)
    coef, intercepts = head.coef_, head.intercept_
    if len(seen) == 2:
        coef, intercepts = (
            np.vstack([-coef, coef]) / 2,
            np.concatenate([-intercepts, intercepts]) / 2,
        )
    return coef.astype(np.float32), intercepts.astype(np.float32), seen
