"""Smallest margin."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from active_learning.scoring import check_proba, of_rows
from active_learning.types import Candidates, Floats


class Margin:
    """Ask where the two most likely classes are closest.

    References
    ----------
    Scheffer, Decomain & Wrobel (2001), Active hidden Markov models for information extraction.
    IDA.
    """

    name: ClassVar[str] = "margin"

    def score(self, candidates: Candidates) -> Floats:
        """Return ``1 - (p_1 - p_2)``."""
        proba = check_proba(candidates.proba)
        if proba.shape[1] == 1:
            return np.zeros(len(proba))
        return np.clip(1 - of_rows(_lead, proba), 0.0, 1.0)


def _lead(proba: Floats) -> Floats:
    """Return how far the most likely class is ahead of the next."""
    top = np.partition(proba, -2, axis=1)
    return np.asarray(top[:, -1] - top[:, -2])
