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
        """Return a uniform number in [0, 1) a task, however many questions it asks."""
        check_proba(candidates.proba)
        return candidates.rng.random(candidates.tasks)[candidates.task_of]
