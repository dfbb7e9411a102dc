"""The classes that a model cannot tell yet, however steady its answers are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from active_learning.types import OUTSIDE, Floats, Ints, Kind, Pool

FEW = 5
"""Labels of a class below which it is not learned, whatever else speaks for it."""

NAMED = 3
"""Classes that a sentence has room for."""


def unlearned(pool: Pool, said: Floats, recall: Mapping[str, float]) -> tuple[str, ...]:
    """Return the classes that have few labels, are never answered, or never rightly.

    A rare class is missed by all that is averaged over tasks: a model that never answers it is
    steady, sure and nearly always right.

    Parameters
    ----------
    said : (q,)
        What a model answers to the questions of a sample of the pool, see `history.Sample`.
    recall : mapping
        Of classes, on labels that were left out; nothing where none could be.
    """
    if pool.kind is Kind.NUMBER:
        return ()
    never_right = np.array([recall.get(name, 1.0) == 0 for name in pool.classes])
    missed = (_labels(pool) < FEW) | (_answered(pool, said) == 0) | never_right
    return tuple(pool.classes[index] for index in np.flatnonzero(missed))


def named(classes: Sequence[str]) -> str:
    """Return the first classes in words, and how many there are besides."""
    first = ", ".join(map(repr, classes[:NAMED]))
    return first if len(classes) <= NAMED else f"{first} and {len(classes) - NAMED} more"


def _labels(pool: Pool) -> Ints:
    """Return how many tasks each class was given to."""
    k = len(pool.classes)
    if pool.kind is Kind.MULTIPLE:
        return np.asarray((pool.y == 1).sum(axis=0), dtype=np.int64)
    if pool.units is None:
        return np.bincount(pool.y[pool.labeled], minlength=k)
    task = np.repeat(np.arange(len(pool.ids)), np.diff(pool.units.starts))
    inside = pool.y > OUTSIDE
    given = np.unique(np.stack([task[inside], pool.y[inside]]), axis=1)[1]
    return np.bincount(given - 1, minlength=k)


def _answered(pool: Pool, said: Floats) -> Ints:
    k = len(pool.classes)
    if pool.kind is Kind.MULTIPLE:
        return np.asarray((said.reshape(-1, k) == 1).sum(axis=0), dtype=np.int64)
    classes = said.astype(np.int64) - (pool.kind is Kind.SEQUENCE)
    return np.bincount(classes[classes >= 0], minlength=k)
