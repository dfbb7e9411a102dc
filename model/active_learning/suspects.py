"""Which labels are probably wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from active_learning.errors import InvalidInput
from active_learning.evaluation import same_question
from active_learning.features import similarity
from active_learning.types import Features, Floats, Ints

MOST = 200
"""Suspects worth listing: nobody reads more before the next version comes."""

ROUNDING = 1e-6
"""A probability this much below the average is as high: cleanlab's tolerance."""

BLOCK = 512
"""Rows compared with all others at once."""


class Doubt(StrEnum):
    """Why a label is suspect."""

    MODEL = "model"
    """A model that did not see it says otherwise, and is rarely wrong when it does."""
    TWIN = "twin"
    """All but the same task has another label: one of the two is wrong."""


@dataclass(frozen=True)
class Suspect:
    """A label that may be wrong.

    Attributes
    ----------
    row : int
        Of the arrays it was found in.
    given, suggested : int
        Classes.
    score : float
        In [0, 1], higher = look at it first.
    doubt : Doubt
    twin : int or None
        The row of the task that says otherwise.
    """

    row: int
    given: int
    suggested: int
    score: float
    doubt: Doubt
    twin: int | None = None


def find_suspects(
    y: Ints, proba: Floats, X: Features | None = None, *, most: int = MOST
) -> tuple[Suspect, ...]:
    """Return the labels that are probably wrong, the most suspect first.

    Parameters
    ----------
    y : (n,)
        Labels, as indices of classes.
    proba : (n, k)
        Probabilities by models that did not see these labels.
    X : (n, d), optional
        Rows of unit length: then twins with different labels are suspect as well.

    Raises
    ------
    InvalidInput
        The shapes do not fit.
    """
    found = {each.row: each for each in contradicted(y, proba)}
    for each in [] if X is None else contradicting_twins(y, proba, X):
        known = found.get(each.row)
        # Whoever looks wants to see the other task, whatever else speaks against this one.
        score = max(each.score, known.score) if known else each.score
        found[each.row] = replace(each, score=score)
    return tuple(sorted(found.values(), key=lambda each: (-each.score, each.row))[:most])


def contradicted(y: Ints, proba: Floats) -> list[Suspect]:
    """Return the labels off the diagonal of the confident joint, the most suspect first.

    A task counts as another class where its probability of that class is at least the average of
    the tasks that have that label. The score is by how much that class is likelier than the label,
    from 0.5, as likely, to 1.

    References
    ----------
    Northcutt et al. (2021), Confident learning: estimating uncertainty in dataset labels. JAIR.
    """
    if proba.ndim != 2 or len(y) != len(proba):
        raise InvalidInput(f"{len(y)} labels do not fit probabilities of shape {proba.shape}")
    if not len(y):
        return []
    counts = np.bincount(y, minlength=proba.shape[1])
    own = proba[np.arange(len(y)), y]
    usual = np.bincount(y, own, minlength=proba.shape[1]) / np.maximum(counts, 1)
    # Nothing is known of a class that has no label.
    confident = np.where((proba >= usual - ROUNDING) & (counts > 0), proba, -1.0)
    said = confident.argmax(axis=1)
    rows = np.flatnonzero((confident.max(axis=1) >= 0) & (said != y) & (proba.argmax(axis=1) != y))
    scores = (1 + proba[rows, said[rows]] - own[rows]) / 2
    order = np.argsort(-scores, kind="stable")
    return [
        Suspect(row, int(y[row]), int(said[row]), float(score), Doubt.MODEL)
        for row, score in zip(rows[order].tolist(), scores[order].tolist(), strict=True)
    ]


def contradicting_twins(y: Ints, proba: Floats, X: Features) -> list[Suspect]:
    """Return the labels that all but the same task contradicts.

    Of the two, the one that the model likes less is suspect, and at least as likely as not; of
    several twins the closest counts.
    """
    closeness = same_question(X)
    own = proba[np.arange(len(y)), y]
    found = []
    for start in range(0, len(y), BLOCK):
        block = similarity(X[start : start + BLOCK], X)
        block[y[start : start + BLOCK, None] == y[None, :]] = 0.0
        twins = block.argmax(axis=1)
        close = block[np.arange(len(twins)), twins] >= closeness
        for place in np.flatnonzero(close).tolist():
            row, twin = start + place, int(twins[place])
            if own[row] < own[twin] or (own[row] == own[twin] and row < twin):
                other = float(proba[row, y[twin]])
                score = max(0.5, (1 + other - float(own[row])) / 2)
                found.append(Suspect(row, int(y[row]), int(y[twin]), score, Doubt.TWIN, twin))
    return found
