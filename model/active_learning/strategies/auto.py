"""The strategy that fits the stage and the kind of answer."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from active_learning.outcomes import Choice
from active_learning.scoring import check_proba
from active_learning.strategies.margin import Margin
from active_learning.strategies.typiclust import TypiClust
from active_learning.types import UNLABELED, Candidates, Floats, Kind


class Auto:
    """Ask as suits the stage and the kind of answer: spread at first, then in doubt; the default.

    References
    ----------
    Hacohen, Dekel & Weinshall (2022), Active learning on a budget: opposite strategies suit high
    and low budgets. ICML.
    """

    name: ClassVar[str] = "auto"

    def choose(self, candidates: Candidates) -> Choice:
        """Return the name of a strategy, and why it is that one."""
        if candidates.kind is Kind.NUMBER:
            return Choice("typiclust", "since doubt about a number beats a spread on few data")
        if candidates.kind is Kind.SINGLE and candidates.y is not None:
            known = candidates.y[candidates.y != UNLABELED]
            seen, allowed = len(np.unique(known)), candidates.proba.shape[1]
            if len(known) < 2 * allowed:
                return Choice("typiclust", f"with {len(known)} labels in {seen} classes so far")
        return Choice("margin", "now that a model can tell classes apart")

    def score(self, candidates: Candidates) -> Floats:
        """Return the scores of the strategy that `choose` names."""
        check_proba(candidates.proba)
        chosen = self.choose(candidates).strategy
        return next(s for s in CHOICES if s.name == chosen).score(candidates)


CHOICES = (Margin(), TypiClust())
