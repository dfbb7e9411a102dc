"""From logits to probabilities one can believe."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from active_learning.types import Floats, Ints

PRIOR_WIDTH = 0.5
"""Standard deviation of ln T before any label is seen: T within 0.4 to 2.7."""

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
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    np.exp(scaled, out=scaled)
    scaled /= scaled.sum(axis=1, keepdims=True)
    unseen = np.isneginf(logits)
    if not unseen.any():
        return scaled
    share = np.broadcast_to(1.0 / (np.asarray(n_labels) + logits.shape[1]), len(logits))[:, None]
    return np.where(unseen, share, scaled * (1.0 - unseen.sum(axis=1, keepdims=True) * share))


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
