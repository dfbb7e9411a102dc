"""Each labelled task judged by a model that did not see it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from active_learning.evaluation import folds, near_duplicate_groups
from active_learning.learners.basis import Basis, make_basis
from active_learning.scaling import Scaling, scaling_of
from active_learning.types import Bools, Features, Floats, Ints, Labels, Pool

N_FOLDS = 5

AUDIT_FOLDS = 10
"""More, since the audit judges the model in use: each of its heads lacks a tenth of the audit."""


MEMBERS = 8
"""Heads of a committee."""


def two_classes(y: Labels) -> bool:
    """Whether there are labels to tell apart."""
    return len(np.unique(y)) > 1


@dataclass(frozen=True, eq=False)
class Labeled:
    """The labelled tasks of a pool, ready to fit on.

    Attributes
    ----------
    tasks : (n,) int64
        Their rows in the pool.
    y : (n, …)
        Their labels.
    u : (n,) uint64
        Their audit order.
    X : (n, d)
        Scaled rows.
    scaling : Scaling
    basis : Basis
    """

    tasks: Ints
    y: Labels
    u: NDArray[np.uint64]
    X: Features
    scaling: Scaling
    basis: Basis

    @classmethod
    def of(cls, pool: Pool) -> Labeled:
        """Collect the labelled tasks of a pool."""
        tasks, scaling = pool.labeled, scaling_of(pool)
        X = scaling.apply(pool.X[tasks])
        basis = make_basis(X, outputs=max(len(pool.classes), 1))
        return cls(tasks, pool.y[tasks], pool.u[tasks], X, scaling, basis)

    def few(self, limit: int) -> tuple[Labeled, Ints]:
        """Return at most `limit` of the tasks, evenly spaced, and their places among all."""
        n = len(self.y)
        if n <= limit:
            return self, np.arange(n)
        places = np.linspace(0, n - 1, limit).astype(np.int64)
        X = self.X[places]
        basis = make_basis(X, gram_rows=limit)
        tasks, y, u = self.tasks[places], self.y[places], self.u[places]
        return Labeled(tasks, y, u, X, self.scaling, basis), places

    def folds(
        self,
        seed: int,
        n_folds: int = N_FOLDS,
        *,
        only: Ints | None = None,
        enough: Callable[[Labels], bool] = two_classes,
    ) -> Ints | None:
        """Return a fold a task, None if no number of folds leaves enough to learn from.

        Parameters
        ----------
        only : (t,), optional
            Rows of the pool to judge; all others get fold -1: they only teach.
        enough : callable
            Whether labels are enough to learn from.
        """
        judged = np.ones(len(self.y), np.bool_) if only is None else np.isin(self.tasks, only)
        cosines = self.basis.cosines
        if cosines is not None:
            cosines = cosines[np.ix_(judged, judged)]
        X = self.X[np.flatnonzero(judged)]
        groups = near_duplicate_groups(X, self.u[judged], cosines=cosines)
        return choose_folds(groups, self.y, judged, (n_folds, seed), enough)


def choose_folds(
    groups: NDArray[np.uint64],
    y: Labels,
    judged: Bools,
    deal: tuple[int, int],
    enough: Callable[[Labels], bool] = two_classes,
) -> Ints | None:
    """Deal groups to as many folds as leave enough to learn from, None if no number does.

    Parameters
    ----------
    groups : (j,)
        Near-duplicate group of each row to judge.
    y : (n, …)
        All labels.
    judged : (n,)
        Which rows are to be judged; the others get fold -1.
    deal : (int, int)
        How many folds to try first, and the seed.
    """
    n_folds, seed = deal
    fold_of = np.full(len(y), -1, dtype=np.int64)
    for number in range(n_folds, 1, -1):
        fold_of[judged] = folds(groups, number, seed)
        if all(enough(y[fold_of != fold]) for fold in np.unique(fold_of[judged])):
            return fold_of
    return None


def out_of_fold(fold_of: Ints, predictor: Callable[[Ints, Ints], Floats]) -> Floats:
    """Return one row for each row with a fold, in order.

    Parameters
    ----------
    fold_of : (n,)
        A negative fold is never left out: such rows only teach.
    predictor : callable
        ``predictor(train, test)`` fits on the train rows and returns a row for each test row.
    """
    judged = np.flatnonzero(fold_of >= 0)
    parts, order = [], []
    for fold in np.unique(fold_of[judged]):
        test = np.flatnonzero(fold_of == fold)
        parts.append(predictor(np.flatnonzero(fold_of != fold), test))
        order.append(test)
    return np.concatenate(parts)[np.argsort(np.concatenate(order), kind="stable")]


def bootstraps(y: Labels, seed: int) -> Iterator[Ints]:
    """Yield `MEMBERS` draws of as many rows, with replacement; labels differ in each.

    A class that a draw lacks is one that its member knows nothing of: the committee is split where
    that class may be, and asks there.
    """
    rng = np.random.default_rng(seed)
    for _ in range(MEMBERS):
        drawn = rng.integers(len(y), size=len(y))
        others = np.flatnonzero(y != y[drawn[0]])
        if len(others) and not np.isin(drawn, others).any():
            drawn[0] = rng.choice(others)
        yield np.sort(drawn).astype(np.int64)
