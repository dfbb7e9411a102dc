"""Entropy."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy.special import entr

from active_learning.scoring import check_proba, of_rows
from active_learning.types import Candidates, Floats


class Entropy:
    """Ask where the whole distribution is flattest.

    With ten classes or more it averaged below random: unlikely classes drown the question that
    matters, which of the likely ones it is. Prefer margin.

    References
    ----------
    Shannon (1948), A mathematical theory of communication. Bell System Technical Journal.
    Dagan & Engelson (1995), Committee-based sampling for training probabilistic classifiers. ICML.
    """

    name: ClassVar[str] = "entropy"

    def score(self, candidates: Candidates) -> Floats:
        """Return the entropy as a share of the highest possible, ``ln k``."""
        proba = check_proba(candidates.proba)
        if proba.shape[1] == 1:
            return np.zeros(len(proba))
        return np.asarray(np.clip(of_rows(entropies, proba) / np.log(proba.shape[1]), 0.0, 1.0))


def entropies(proba: Floats) -> Floats:
    """Return the entropy of each row, in nats."""
    return np.asarray(entr(proba).sum(axis=1))
