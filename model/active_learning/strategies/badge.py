"""Batch active learning by diverse gradient embeddings."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from active_learning.features import is_sparse
from active_learning.ordering import cosines_with, in_order, questions_of, sampled, steps
from active_learning.scoring import check_proba
from active_learning.types import Candidates, Features, Floats, Ints, Kind

BLOCK = 2_048
"""Tasks looked at together: of a thousand classes 16 MB."""


class Badge:
    """Ask about tasks whose answers would move the model far, and each elsewhere.

    A task stands for the gradient of its loss, if the model's own answer were right: long where
    the model is in doubt, and in a direction of its features. Tasks are drawn as k-means++ draws
    its first centres.

    Notes
    -----
    With p the probabilities, e the model's answer and x the features, the gradient is the outer
    product of p - e and x, whose distances need neither product nor k times the columns. Of the
    tokens of a task, the p - e are added up, and x is the task's. Of more than 20,000 tasks it
    looks at as many, drawn at random.

    References
    ----------
    Ash et al. (2020), Deep batch active learning by diverse, uncertain gradient lower bounds. ICLR.
    """

    name: ClassVar[str] = "badge"

    def score(self, candidates: Candidates) -> Floats:
        """Return the places in the order drawn; the rest by the length of their gradients."""
        check_proba(candidates.proba)
        lengths = np.empty(candidates.tasks)
        for first in range(0, candidates.tasks, BLOCK):
            some = np.arange(first, min(first + BLOCK, candidates.tasks))
            lengths[some] = np.linalg.norm(_residuals(candidates, some), axis=1)
        rows = sampled(candidates)
        k = steps(candidates, rows)
        residuals = _residuals(candidates, rows)
        drawn = rows[_draw(residuals, candidates.X[rows], k, candidates.rng)]
        others = lengths / max(lengths.max(initial=0.0), 1.0)
        return in_order(drawn, others)[candidates.task_of]


def _residuals(candidates: Candidates, tasks: Ints) -> Floats:
    """Return p - e of some tasks, ascending, ``(t, …)``."""
    starts = candidates.starts
    questions = tasks if starts is None else questions_of(starts, tasks)
    # An index by numbers makes a copy.
    residuals = np.asarray(candidates.proba[questions], dtype=np.float64)
    residuals[np.arange(len(residuals)), residuals.argmax(axis=1)] -= 1
    if candidates.kind is Kind.MULTIPLE and len(tasks):
        return residuals.reshape(len(tasks), -1)
    if starts is None:
        return residuals
    summed = np.zeros((len(tasks), residuals.shape[1]))
    np.add.at(summed, np.repeat(np.arange(len(tasks)), np.diff(starts)[tasks]), residuals)
    return summed


def _draw(residuals: Floats, X: Features, k: int, rng: np.random.Generator) -> Ints:
    """Return `k` rows: the longest first, then each as likely as its squared distance is large."""
    squares = np.square(residuals).sum(axis=1)
    squares *= _square_lengths(X)
    distance = np.full(len(squares), np.inf)
    chosen: list[int] = []
    while len(chosen) < k:
        row = _next(squares if not chosen else distance, chosen, rng)
        shared = (residuals @ residuals[row]) * cosines_with(X, row)
        np.minimum(distance, np.maximum(squares + squares[row] - 2 * shared, 0), out=distance)
        distance[row] = 0.0
        chosen.append(row)
    return np.asarray(chosen, dtype=np.int64)


def _next(weights: Floats, chosen: list[int], rng: np.random.Generator) -> int:
    if not chosen:
        return int(weights.argmax())
    total = np.cumsum(weights)
    if total[-1] > 0:
        place = np.searchsorted(total, rng.random() * total[-1], side="right")
        return int(min(place, len(weights) - 1))
    # All that is left is the like of a chosen one.
    left = np.setdiff1d(np.arange(len(weights)), chosen)
    return int(rng.choice(left))


def _square_lengths(X: Features) -> Floats:
    lengths = X.multiply(X).sum(axis=1) if is_sparse(X) else np.square(X).sum(axis=1)
    return np.asarray(lengths, dtype=np.float64).ravel()
