"""Typical tasks of ever more clusters."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from active_learning.cold_start import spread
from active_learning.features import stacked
from active_learning.ordering import in_order, sampled
from active_learning.scoring import check_proba
from active_learning.types import Candidates, Floats


class TypiClust:
    """Ask about a typical task of each theme that no answer covers yet, the largest theme first.

    Good for the first labels, which it spreads over the pool, and poor for a whole budget: it does
    not look at what the model is unsure of. What stands for typical, and what a large pool costs,
    is said at `active_learning.cold_start.spread`.

    References
    ----------
    Hacohen, Dekel & Weinshall (2022), Active learning on a budget: opposite strategies suit high
    and low budgets. ICML.
    """

    name: ClassVar[str] = "typiclust"

    def score(self, candidates: Candidates) -> Floats:
        """Return the places in the order; the rest at random."""
        check_proba(candidates.proba)
        rows = sampled(candidates)
        everything = stacked([candidates.X[rows], candidates.X_labeled])
        asked = np.arange(len(rows), everything.shape[0])
        order = spread(everything, max(candidates.wanted, 1), rng=candidates.rng, asked=asked)
        return in_order(rows[order], candidates.rng.random(candidates.tasks))[candidates.task_of]
