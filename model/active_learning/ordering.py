"""What strategies that choose one task after the other have in common."""

from __future__ import annotations

import numpy as np

from active_learning.features import blocks, similarity, stored_values
from active_learning.types import Candidates, Features, Floats, Ints

SAMPLE = 20_000
"""Tasks looked at, drawn alike from all: each choice compares one task with all of them. What that
loses is measured by ``tests/bench/sampling.py``: nothing that its intervals show, of four sets."""

STEPS = 512
"""Tasks chosen one after the other; those beyond stand by what they had alone."""


def sampled(candidates: Candidates) -> Ints:
    """Return the places of at most `SAMPLE` tasks, ascending; none of them without features."""
    rows = np.arange(candidates.tasks)
    if len(rows) > SAMPLE:
        rows = np.sort(candidates.rng.choice(rows, SAMPLE, replace=False, shuffle=False))
    return rows[stored_values(candidates.X[rows]) > 0]


def questions_of(starts: Ints, tasks: Ints) -> Ints:
    """Return the questions of some tasks, see `Candidates.starts`."""
    counts = np.diff(starts)[tasks]
    before = np.concatenate([[0], np.cumsum(counts)[:-1]])
    return np.asarray(np.arange(counts.sum()) + np.repeat(starts[tasks] - before, counts))


def steps(candidates: Candidates, rows: Ints) -> int:
    """Return how many tasks to choose among `rows`."""
    return min(max(candidates.wanted, 1), STEPS, len(rows))


def in_order(chosen: Ints, others: Floats) -> Floats:
    """Return scores: above one half for the chosen, in their order; half of `others` for the rest.

    Parameters
    ----------
    chosen : (c,)
        Places of tasks, first asked first.
    others : (m,)
        In [0, 1].
    """
    scores = others / 2
    scores[chosen] = np.linspace(1.0, 0.5, len(chosen), endpoint=False)
    return scores


def nearest(X: Features, others: Features) -> Floats:
    """Return the largest cosine of each row of `X` with any of `others`, -1 without any."""
    found = np.full(X.shape[0], -1.0)
    if not others.shape[0]:
        return found
    for rows in blocks(X):
        for some in blocks(others):
            close = similarity(X[rows], others[some]).max(axis=1)
            np.maximum(found[rows], close, out=found[rows])
    return found


def cosines_with(X: Features, row: int) -> Floats:
    """Return the cosines of all rows with one of them."""
    return similarity(X, X[[row]])[:, 0].astype(np.float64)
