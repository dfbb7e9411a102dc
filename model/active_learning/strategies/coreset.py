"""Core set."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from active_learning.ordering import cosines_with, in_order, nearest, sampled, steps
from active_learning.scoring import check_proba
from active_learning.types import Candidates, Features, Floats, Ints


class CoreSet:
    """Ask about the task that is least like all that are answered or chosen.

    It covers the pool and asks about its outliers first; with few labels it averaged below random
    in seven of ten configurations of six data sets. For numbers it is the greedy sampling of Wu,
    Lin & Huang.

    Notes
    -----
    Of more than 20,000 tasks it looks at as many, drawn at random.

    References
    ----------
    Sener & Savarese (2018), Active learning for convolutional neural networks: a core-set approach.
    ICLR.
    Wu, Lin & Huang (2019), Active learning for regression using greedy sampling. Information
    Sciences.
    """

    name: ClassVar[str] = "coreset"

    def score(self, candidates: Candidates) -> Floats:
        """Return the places in the order of choice; the rest by distance from what is answered."""
        check_proba(candidates.proba)
        rows = sampled(candidates)
        X = candidates.X[rows]
        close = nearest(X, candidates.X_labeled)
        others = np.zeros(candidates.tasks)
        others[rows] = np.clip((1 - close) / 2, 0.0, 1.0)
        chosen = rows[_furthest_first(X, close, steps(candidates, rows))]
        return in_order(chosen, others)[candidates.task_of]


def _furthest_first(X: Features, close: Floats, k: int) -> Ints:
    """Return `k` rows, each the least close to those before it.

    Parameters
    ----------
    close : (n,)
        The largest cosine of each row with what is answered.
    """
    chosen: list[int] = []
    close = close.copy()
    if k and np.all(close < 0):
        # Nothing is answered: from the centre outwards.
        centre = np.asarray(X.mean(axis=0)).ravel()
        chosen.append(int(np.argmax(X @ centre)))
        np.maximum(close, cosines_with(X, chosen[0]), out=close)
        close[chosen[0]] = np.inf
    while len(chosen) < k:
        row = int(np.argmin(close))
        np.maximum(close, cosines_with(X, row), out=close)
        close[row] = np.inf
        chosen.append(row)
    return np.asarray(chosen, dtype=np.int64)
