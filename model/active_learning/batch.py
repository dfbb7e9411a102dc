"""Choose a head of the queue in which no two neighbours ask the same question."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from active_learning.evaluation import near_duplicate_groups, same_question
from active_learning.features import similarity
from active_learning.types import Bools, Features, Floats, Ints

LOOK_AHEAD = 40
"""Candidates looked at per task wanted: enough for tasks that come in forty copies, and the work
does not grow with the pool."""

BLOCK = 128
"""Candidates compared at once."""


def diverse_head(
    scores: Floats,
    X: Features,
    k: int,
    *,
    X_labeled: Features,
    rng: np.random.Generator,
) -> Ints:
    """Return up to `k` row numbers, best score first, near-duplicates left out while others last.

    A candidate is passed over when it asks the same question as a labelled or an already chosen
    row. At most ``40 k`` candidates are looked at. Where that leaves fewer than `k`, those passed
    over fill the head, apart from their likes as far as that can be.

    Parameters
    ----------
    scores : (m,)
        Higher = sooner; ties are broken by `rng`.
    X, X_labeled : (m, d), (l, d)
        Rows of unit length, sparse or dense.
    k : int
        Rows wanted; all of them if there are fewer.

    References
    ----------
    Xu, Akella & Zhang (2007), Incorporating diversity and density in active learning for
    relevance feedback. ECIR.
    """
    k, threshold = min(k, len(scores)), same_question(X)
    order = _best_first(scores, LOOK_AHEAD * k, rng)
    chosen: list[int] = []
    skipped: list[int] = []
    for block in _blocks(order):
        if len(chosen) >= k:
            break
        rows = X[block]
        clash = _touches(rows, X_labeled, threshold)
        clash |= _touches(rows, X[np.asarray(chosen, dtype=np.int64)], threshold)
        alike = similarity(rows, rows) >= threshold
        for position, row in enumerate(block.tolist()):
            (skipped if clash[position] else chosen).append(row)
            if not clash[position]:
                clash |= alike[position]
    filled = np.asarray((chosen + skipped)[:k], dtype=np.int64)
    return filled if len(chosen) >= k else filled[apart(X[filled])]


def _best_first(scores: Floats, n: int, rng: np.random.Generator) -> Ints:
    """Return the best `n` rows in order, without sorting a million others."""
    tie_break = rng.random(len(scores))
    least = np.partition(scores, -n)[-n] if 0 < n < len(scores) else -np.inf
    rows: Ints = np.flatnonzero(scores >= least)
    best: Ints = rows[np.lexsort((tie_break[rows], -scores[rows]))]
    return best[:n]


def _blocks(order: Ints) -> Iterator[Ints]:
    for start in range(0, len(order), BLOCK):
        yield order[start : start + BLOCK]


def _touches(rows: Features, others: Features, threshold: float) -> Bools:
    if not others.shape[0]:
        return np.zeros(rows.shape[0], dtype=np.bool_)
    return np.asarray((similarity(rows, others) >= threshold).any(axis=1))


def apart(X: Features) -> Ints:
    """Return an order of rows in which near-duplicates are not neighbours wherever possible.

    The next row is the first in line of another group than the last; a group that fills more than
    half of what is left must come now or end up beside itself. Rows that stand apart stay in order.

    Parameters
    ----------
    X : (n, d)
        Rows of unit length.
    """
    n = X.shape[0]
    group = near_duplicate_groups(X, np.arange(n, dtype=np.uint64)).astype(np.int64)
    if not (group[1:] == group[:-1]).any():
        return np.arange(n, dtype=np.int64)
    left = np.bincount(group, minlength=n)
    waiting = list(range(n))
    order: list[int] = []
    while waiting:
        last = group[order[-1]] if order else -1
        crowd = int(left.argmax())
        urgent = 2 * left[crowd] > len(waiting) and crowd != last
        fits = [row for row in waiting if (group[row] == crowd if urgent else group[row] != last)]
        row = (fits or waiting)[0]
        waiting.remove(row)
        order.append(row)
        left[group[row]] -= 1
    return np.asarray(order, dtype=np.int64)
