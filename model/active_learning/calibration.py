"""From logits to probabilities one can believe."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from active_learning.types import Floats, Ints

PRIOR_WIDTH = 0.5
"""Standard deviation of ln T before any label is seen: T within 0.4 to 2.7."""

AT_ONCE = 4_096
"""Rows of which there are copies: of 1,000 classes, 33 MB each."""

LOGITS = 500_000
"""A temperature is found from: of 1,000 classes, those of 500 labels."""

BOUNDS = (np.log(0.02), np.log(50.0))
"""Where ln T is searched."""


def probabilities(logits: Floats, temperature: float, n_labels: int | Ints) -> Floats:
    """Turn logits into rows that sum to 1.

    Parameters
    ----------
    logits : (m, k)
        ``-inf`` where a class had no label: it gets ``1 / (n_labels + k)``, never 0, so that an
        acquisition score can see that it exists.
    n_labels : int or (m,)
        How many labels the model was fitted on.
    """
    result = np.empty(logits.shape)
    share = np.broadcast_to(1.0 / (np.asarray(n_labels) + logits.shape[1]), len(logits))[:, None]
    for start in range(0, len(logits), AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        result[rows] = _shares(logits[rows], temperature, share[rows])
    return result


def _shares(logits: Floats, temperature: float, of_unseen: Floats) -> Floats:
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    np.exp(scaled, out=scaled)
    scaled /= scaled.sum(axis=1, keepdims=True)
    unseen = np.isneginf(logits)
    left = 1.0 - unseen.sum(axis=1, keepdims=True) * of_unseen
    return np.where(unseen, of_unseen, scaled * left)


def enough(n: int, k: int) -> Ints:
    """Return places of rows of k logits, evenly spaced, that suffice to find one temperature."""
    return np.linspace(0, n - 1, min(n, max(LOGITS // k, 1))).astype(np.int64)


def fit_temperature(logits: Floats, y: Ints, fold_of: Ints) -> float:
    """Return the temperature of out-of-fold logits, or 1 when it does not help.

    The maximum a posteriori of one scalar, with a log-normal prior at 1. It is kept only where,
    fitted on the other folds, it lowers the loss of the fold left out. One scalar keeps the order
    within a task and makes no ties, which isotonic regression does.

    Parameters
    ----------
    logits : (n, k)
        Each row from a model that did not see it; ``-inf`` for classes that model did not know.
    y : (n,)
        The labels.
    fold_of : (n,)
        The fold of each row.

    References
    ----------
    Guo et al. (2017), On calibration of modern neural networks. ICML.
    """
    known = np.isfinite(logits[np.arange(len(y)), y])
    logits, y, fold_of = logits[known], y[known], fold_of[known]
    gain = 0.0
    for fold in np.unique(fold_of):
        held = fold_of == fold
        temperature = _posterior_mode(logits[~held], y[~held])
        gain += _loss(logits[held], y[held], 1.0) - _loss(logits[held], y[held], temperature)
    return _posterior_mode(logits, y) if gain > 0 else 1.0


def losses_at_best(logits: Floats, y: Ints) -> Floats:
    """Return the log loss of each row at the temperature that suits all of them.

    Rows whose class the model did not know are left out: no temperature changes them.
    """
    known = np.isfinite(logits[np.arange(len(y)), y])
    logits, y = logits[known], y[known]
    return _losses(logits, y, _posterior_mode(logits, y))


def _losses(logits: Floats, y: Ints, temperature: float) -> Floats:
    scaled = logits / temperature
    return np.asarray(logsumexp(scaled, axis=1) - scaled[np.arange(len(y)), y])


def _loss(logits: Floats, y: Ints, temperature: float) -> float:
    return float(_losses(logits, y, temperature).sum())


def _posterior_mode(logits: Floats, y: Ints) -> float:
    def objective(log_t: float) -> float:
        return _loss(logits, y, float(np.exp(log_t))) + (log_t / PRIOR_WIDTH) ** 2 / 2

    found = minimize_scalar(objective, bounds=BOUNDS, method="bounded", options={"xatol": 1e-3})
    return float(np.exp(found.x))
