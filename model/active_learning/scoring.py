"""What every query strategy may take for granted about the probabilities it is given."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from active_learning.errors import InvalidInput
from active_learning.features import blocks
from active_learning.types import Floats

SLACK = 1e-3
"""How far from 1 a row may sum: float32 heads with a thousand classes stay within."""


def check_proba(proba: Floats) -> Floats:
    """Return `proba` if it is ``(m, k)``, k ≥ 1, and its rows are distributions.

    Raises
    ------
    InvalidInput
        They are not; a strategy would otherwise rank by garbage without anybody noticing.
    """
    if proba.ndim != 2 or proba.shape[1] == 0:
        raise InvalidInput(f"probabilities should be (tasks, classes), got shape {proba.shape}")
    least, most = proba.min(initial=0.0), proba.max(initial=0.0)
    if not (np.isfinite(least) and np.isfinite(most)):
        raise InvalidInput("probabilities hold NaN or infinity")
    if least < 0:
        raise InvalidInput(f"probabilities should not be negative, got {least:.3g}")
    off = np.abs(proba.sum(axis=1) - 1).max(initial=0.0)
    if off > SLACK:
        raise InvalidInput(f"each row of probabilities should sum to 1, one is off by {off:.3g}")
    return proba


def of_rows(rule: Callable[[Floats], Floats], proba: Floats) -> Floats:
    """Return ``rule(proba)``, one number a row, in memory that does not grow with the classes."""
    found = np.empty(len(proba))
    for rows in blocks(proba):
        found[rows] = rule(proba[rows])
    return found
