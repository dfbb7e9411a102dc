"""The strategy that suits the kind of answer and the stage."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from active_learning.outcomes import Choice
from active_learning.protocols import QueryStrategy
from active_learning.scoring import check_proba
from active_learning.strategies.margin import Margin
from active_learning.strategies.typiclust import TypiClust
from active_learning.types import UNLABELED, Candidates, Floats, Kind

PER_CLASS = 4
"""Labels for each class that was seen, on average over them, below which a spread over the pool
teaches more than doubt does."""

SPREAD = 128
"""Labels from which on doubt asks, however many classes turn up."""


class Auto:
    """Ask as suits the stage and the kind of answer: spread out at first, then where in doubt.

    References
    ----------
    Hacohen, Dekel & Weinshall (2022), Active learning on a budget: opposite strategies suit high
    and low budgets. ICML.
    Bahri, Jiang, Schuster & Rostamizadeh (2022), Is margin all you need? An extensive empirical
    study of active learning on tabular data. arXiv:2210.03822.
    """

    name: ClassVar[str] = "auto"

    def choose(self, candidates: Candidates) -> Choice:
        """Return the name of a strategy, and why it is that one."""
        if candidates.kind is Kind.NUMBER:
            return Choice("typiclust", "since for numbers nothing beats a spread reliably")
        if candidates.kind is Kind.SINGLE:
            return _of_a_class(candidates)
        # Each answer tells of many classes. On genes with sets of 14, ten spread ones came to less.
        return Choice("margin", "now that there is a model")

    def score(self, candidates: Candidates) -> Floats:
        """Return the scores of the strategy that `choose` names."""
        check_proba(candidates.proba)
        return CHOICES[self.choose(candidates).strategy].score(candidates)


def _of_a_class(candidates: Candidates) -> Choice:
    y = np.empty(0) if candidates.y is None else candidates.y
    known = y[y != UNLABELED]
    if not len(known):
        return Choice("typiclust", "since this control has no label yet")
    seen = len(np.unique(known))
    needed = min(PER_CLASS * seen, SPREAD)
    classes = f"{len(known)} labels in {seen} classes"
    if len(known) < needed:
        return Choice("typiclust", f"until there are {needed} labels ({classes} so far)")
    return Choice("margin", f"now that there are {classes}")


CHOICES: dict[str, QueryStrategy] = {each.name: each for each in (Margin(), TypiClust())}
