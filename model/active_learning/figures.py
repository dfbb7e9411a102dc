"""How good answers are that were given without seeing the labels, one function a kind of answer."""

from __future__ import annotations

import numpy as np

from active_learning.errors import InvalidInput
from active_learning.evaluation import CALIBRATION_NEEDED, calibration_error, wilson
from active_learning.outcomes import Bin, Figures
from active_learning.types import OUTSIDE, UNLABELED, Bools, Floats, Ints, Labels

AUDIT = "audit"
"""The basis that is a uniform sample: only there is a figure an estimate for the pool."""

BIN_LABELS, MOST_BINS = 20, 10
"""Labels in each bin of a reliability diagram, at least, and its bins, at most: with 20 the share
of right answers is known to some 20 points."""

RESAMPLES = 1000

WORST = -1e12
"""R² below this is as bad as this."""

F1_OF_UNITS = "F1 of units"

TINY = np.finfo(np.float64).tiny


def class_figures(basis: str, y: Ints, proba: Floats, classes: tuple[str, ...]) -> Figures:
    """Judge probabilities of classes that exclude each other: accuracy.

    Parameters
    ----------
    basis : {"audit", "chosen"}
        What the labels are a sample of.
    y : (n,)
        Indices into `classes`.
    proba : (n, k)
        Probabilities by models that did not see these labels.

    Raises
    ------
    InvalidInput
        There are no labels, or the shapes do not fit.
    """
    _check(len(y), proba, (len(y), len(classes)))
    said = proba.argmax(axis=1)
    right = said == y
    of_truth = np.clip(proba[np.arange(len(y)), y], TINY, 1.0)
    low, high = wilson(int(right.sum()), len(y))
    counts = np.bincount(y, minlength=len(classes))
    told = proba.max(axis=1)
    calibrated = basis == AUDIT and len(y) >= CALIBRATION_NEEDED
    return Figures(
        basis=basis,
        n=len(y),
        value=float(right.mean()),
        low=low,
        high=high,
        baseline=float(counts.max() / len(y)),
        log_loss=float(-np.log(of_truth).mean()),
        recall={
            name: float(right[y == index].mean())
            for index, name in enumerate(classes)
            if counts[index]
        },
        support={name: int(counts[index]) for index, name in enumerate(classes)},
        confusion=_confusion(y, said, classes),
        calibration_error=calibration_error(told, right) if calibrated else None,
        reliability=reliability(told, right) if calibrated else (),
        of_task=_of_task(basis, right),
    )


def reliability(confidence: Floats, right: Bools) -> tuple[Bin, ...]:
    """Return how often answers are right that are given with about the same confidence.

    Bins of equal size, by confidence: of equal width, the lower ones would hold next to nothing.

    Parameters
    ----------
    confidence : (n,)
        In [0, 1], of each answer.
    right : (n,)
        Whether it was right.

    References
    ----------
    Niculescu-Mizil & Caruana (2005), Predicting good probabilities with supervised learning. ICML.
    """
    order = np.argsort(confidence, kind="stable")
    bins = np.array_split(order, min(max(len(order) // BIN_LABELS, 1), MOST_BINS))
    return tuple(_bin(confidence[rows], right[rows]) for rows in bins if len(rows))


def _bin(confidence: Floats, right: Bools) -> Bin:
    n, found = len(right), int(np.count_nonzero(right))
    return Bin(float(np.mean(confidence)), found / n, *wilson(found, n), n)


def set_figures(basis: str, Y: Labels, proba: Floats, classes: tuple[str, ...]) -> Figures:
    """Judge probabilities of classes that are chosen each on its own: the mean F1 of a task.

    F1 between the set that was chosen and the set of what is likelier than not; two empty sets
    agree. The baseline is the most frequent set.

    Parameters
    ----------
    Y, proba : (n, k)

    References
    ----------
    Godbole & Sarawagi (2004), Discriminative methods for multi-labeled classification. PAKDD.
    """
    _check(len(Y), proba, (len(Y), len(classes)))
    said, truth = proba >= 0.5, Y == 1
    sets, counts = np.unique(truth, axis=0, return_counts=True)
    overlap = _f1(said, truth)
    low, high = wilson(float(overlap.sum()), len(Y))
    of_truth = 1 - proba
    np.copyto(of_truth, proba, where=truth)
    np.log(np.clip(of_truth, TINY, 1.0, out=of_truth), out=of_truth)
    return Figures(
        basis=basis,
        n=len(Y),
        value=float(overlap.mean()),
        low=low,
        high=high,
        measure="F1 of a task",
        baseline=float(_f1(sets[[counts.argmax()]], truth).mean()),
        log_loss=float(-of_truth.mean()),
        recall={
            name: float(said[truth[:, index], index].mean())
            for index, name in enumerate(classes)
            if truth[:, index].any()
        },
        support={name: int(truth[:, index].sum()) for index, name in enumerate(classes)},
        of_task=_of_task(basis, overlap),
    )


def number_figures(basis: str, y: Floats, said: Floats) -> Figures:
    """Judge numbers: the share of their variance that is explained, R², bootstrapped over tasks.

    Parameters
    ----------
    y, said : (n,)
    """
    _check(len(y), said, (len(y),))
    error, variance = np.square(y - said), np.square(y - y.mean())
    # What rounding leaves of labels that are all the same.
    least = 1e-12 * variance.sum() + 1e-24 * np.square(y).sum()
    draws = np.random.default_rng(0).integers(len(y), size=(RESAMPLES, len(y)))
    drawn = _explained(error[draws].sum(axis=1), variance[draws].sum(axis=1), least)
    value = float(_explained(error.sum(), variance.sum(), least))
    low, high = np.quantile(drawn, [0.025, 0.975]).tolist()
    return Figures(
        basis=basis,
        n=len(y),
        value=value,
        low=min(low, value),
        high=max(high, value),
        measure="R²",
        of_task=_of_task(basis, -np.sqrt(error)),
    )


def _explained(error: Floats, variance: Floats, least: float) -> Floats:
    """Return R²; where nothing varies, 1 for no error and else 0, as scikit-learn does."""
    varies = variance > least
    # Beside almost no variance any error is too much to count.
    with np.errstate(over="ignore"):
        share = np.maximum(1 - error / np.where(varies, variance, 1.0), WORST)
    return np.where(varies, share, np.where(error > least, 0.0, 1.0))


def sequence_figures(
    basis: str, y: Ints, proba: Floats, starts: Ints, classes: tuple[str, ...]
) -> Figures:
    """Judge probabilities of units: the mean F1 of a task, over its units that have a class.

    Units outside of all classes are mostly many, and right without any model. Where nothing has a
    class, and nothing is said to have one, a task is right. The baseline is the most frequent
    answer for every unit.

    Parameters
    ----------
    y : (u,)
        `OUTSIDE`, a class plus one, or `UNLABELED`.
    proba : (u, 1 + k)
    starts : (n + 1,)
        Where the units of each task start.

    References
    ----------
    Sang & De Meulder (2003), Introduction to the CoNLL-2003 shared task. CoNLL. There, of spans;
    here of units, as the chain answers.
    """
    _check(len(y), proba, (len(y), 1 + len(classes)))
    task = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    known = y != UNLABELED
    if not known.any():
        raise InvalidInput(f"none of {len(y)} units has a label")
    y, task, said = y[known], task[known], proba[known].argmax(axis=1)
    _, task = np.unique(task, return_inverse=True)
    value = _f1_of_units(y, said, task)
    usual = np.full(len(y), np.bincount(y).argmax())
    low, high = wilson(float(value.sum()), len(value))
    return Figures(
        basis=basis,
        n=len(value),
        value=float(value.mean()),
        low=low,
        high=high,
        measure=F1_OF_UNITS,
        baseline=float(_f1_of_units(y, usual, task).mean()),
        recall={
            name: float((said == y)[y == index + 1].mean())
            for index, name in enumerate(classes)
            if (y == index + 1).any()
        },
        support={name: int((y == index + 1).sum()) for index, name in enumerate(classes)},
        of_task=_of_task(basis, value),
    )


def _f1_of_units(y: Ints, said: Ints, task: Ints) -> Floats:
    """Return the F1 of each task, numbered from 0, over its units that have a class."""
    both = np.bincount(task, (said == y) & (y != OUTSIDE))
    sizes = np.bincount(task, (said != OUTSIDE).astype(np.int64) + (y != OUTSIDE))
    return np.where(sizes == 0, 1.0, 2 * both / np.maximum(sizes, 1))


def _confusion(y: Ints, said: Ints, classes: tuple[str, ...]) -> dict[str, dict[str, int]]:
    pairs, counts = np.unique(np.stack([y, said]), axis=1, return_counts=True)
    found: dict[str, dict[str, int]] = {}
    for truth, answer, count in zip(*pairs.tolist(), counts.tolist(), strict=True):
        found.setdefault(classes[truth], {})[classes[answer]] = count
    return found


def _of_task(basis: str, values: Floats | Bools) -> tuple[float, ...]:
    # Of all labels they would fill the records: only the audit's are compared task by task.
    return tuple(np.asarray(values, dtype=np.float64).tolist()) if basis == AUDIT else ()


def _f1(said: Bools, truth: Bools) -> Floats:
    both = (said & truth).sum(axis=1)
    sizes = said.sum(axis=1) + truth.sum(axis=1)
    return np.where(sizes == 0, 1.0, 2 * both / np.maximum(sizes, 1))


def _check(n: int, said: Floats, shape: tuple[int, ...]) -> None:
    if not n or said.shape != shape:
        raise InvalidInput(f"got {n} labels; answers should be {shape}, got {said.shape}")
