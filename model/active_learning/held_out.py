"""How good a model is on tasks whose answers are known, as one number."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from sklearn.metrics import f1_score

from active_learning.figures import (
    F1_OF_UNITS,
    class_figures,
    number_figures,
    sequence_figures,
    set_figures,
)
from active_learning.outcomes import Model
from active_learning.types import UNLABELED, Floats, Kind, Pool


def measure_of(kind: Kind, *, macro: bool = False) -> str:
    """Return what `quality` is called."""
    single = "mean F1 of the classes" if macro else "accuracy"
    return {
        Kind.SINGLE: single,
        Kind.MULTIPLE: "F1 of a task",
        Kind.NUMBER: "R²",
        Kind.SEQUENCE: F1_OF_UNITS,
    }[kind]


def quality(model: Model | None, taught: Pool, judged: Pool, *, macro: bool = False) -> float:
    """Return how good the answers of a model are, in [0, 1].

    Parameters
    ----------
    model : Model or None
        Without one, every answer is the most frequent one of `taught`, or the first class.
    taught : Pool
        What the model learned from.
    judged : Pool
        Tasks with labels; NaN where there are none.
    macro : bool
        For classes that exclude each other: the mean of their F1 in place of accuracy.

    Notes
    -----
    An R² below 0, worse than the mean of all answers, counts as 0.
    """
    if not len(judged.ids):
        return float("nan")
    said = _usual(taught, judged) if model is None else _said(model, judged)
    return _SCORES[judged.kind](judged, said, macro=macro)


def _said(model: Model, judged: Pool) -> Floats:
    """Return probabilities, or numbers, as the figures of a kind take them."""
    if judged.units is not None:
        proba = model.predict(judged.units.X, judged.units.starts).questions
    else:
        opinion = model.predict(judged.X)
        if judged.kind is Kind.NUMBER:
            verdicts = opinion.verdicts(np.arange(len(judged.ids)))
            return np.asarray([verdict.answer for verdict in verdicts], dtype=np.float64)
        proba = opinion.questions
    assert proba is not None  # noqa: S101 - only numbers have no questions
    if judged.kind is Kind.MULTIPLE:
        return np.asarray(proba[:, 1].reshape(len(judged.ids), -1))
    return proba


def _usual(taught: Pool, judged: Pool) -> Floats:
    """Return what `_said` would, of a model that gives everything the most frequent answer."""
    rows, n = taught.labeled, len(judged.y)
    if judged.kind is Kind.NUMBER:
        return np.full(n, taught.y[rows].mean() if len(rows) else 0.0)
    if judged.kind is Kind.MULTIPLE:
        sets = taught.y[rows] if len(rows) else np.zeros((1, judged.y.shape[1]))
        found, counts = np.unique(sets, axis=0, return_counts=True)
        return np.repeat(found[[counts.argmax()]].astype(np.float64), n, axis=0)
    known = taught.y[taught.y != UNLABELED]
    width = len(judged.classes) + (judged.kind is Kind.SEQUENCE)
    proba = np.zeros((n, width))
    proba[:, np.bincount(known, minlength=1).argmax()] = 1.0
    return proba


def _of_classes(judged: Pool, said: Floats, *, macro: bool) -> float:
    if macro:
        best = said.argmax(axis=1)
        return float(f1_score(judged.y, best, average="macro", zero_division=0.0))
    return class_figures("chosen", judged.y, said, judged.classes).value


def _of_sets(judged: Pool, said: Floats, *, macro: bool) -> float:  # noqa: ARG001
    return set_figures("chosen", judged.y, said, judged.classes).value


def _of_numbers(judged: Pool, said: Floats, *, macro: bool) -> float:  # noqa: ARG001
    return max(number_figures("chosen", judged.y, said).value, 0.0)


def _of_units(judged: Pool, said: Floats, *, macro: bool) -> float:  # noqa: ARG001
    assert judged.units is not None  # noqa: S101 - sequences have units
    starts = judged.units.starts
    return sequence_figures("chosen", judged.y, said, starts, judged.classes).value


_SCORES: Mapping[Kind, Callable[..., float]] = {
    Kind.SINGLE: _of_classes,
    Kind.MULTIPLE: _of_sets,
    Kind.NUMBER: _of_numbers,
    Kind.SEQUENCE: _of_units,
}
