"""A random order."""

from __future__ import annotations

from typing import ClassVar

from active_learning.scoring import check_proba
from active_learning.types import Candidates, Floats


class Random:
    """Every candidate is as good as any other: the baseline a strategy must beat.

    References
    ----------
    Cohn, Atlas & Ladner (1994), Improving generalization with active learning. Machine Learning.
    """

    name: ClassVar[str] = "random"

    def score(self, candidates: Candidates) -> Floats:
        """Return uniform numbers in [0, 1)."""
        return candidates.rng.random(len(check_proba(candidates.proba)))
