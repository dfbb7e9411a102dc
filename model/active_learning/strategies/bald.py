"""Bayesian active learning by disagreement."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy.special import entr

from active_learning.errors import InvalidInput
from active_learning.ordering import questions_of, sampled
from active_learning.scoring import check_proba
from active_learning.types import Candidates, Floats, Kind

BLOCK = 2_048
"""Tasks asked about at once: eight members, fifty tokens and thirty classes are 200 MB."""


class Bald:
    """Ask where models fitted on bootstrapped labels are each sure, and of different answers.

    Doubt that all of them share is the question's own, and more labels would not settle it. Within
    a batch it asks one question many times: in batches of ten it stayed below a random order.

    Notes
    -----
    Of more than 20,000 tasks it looks at as many, drawn at random; the rest come last.

    References
    ----------
    Houlsby et al. (2011), Bayesian active learning for classification and preference learning.
    arXiv:1112.5745.
    Seung, Opper & Sompolinsky (1992), Query by committee. COLT.
    Abe & Mamitsuka (1998), Query learning strategies using boosting and bagging. ICML.
    """

    name: ClassVar[str] = "bald"

    def score(self, candidates: Candidates) -> Floats:
        """Return what the members' answers tell of which member it was, as a share of all.

        Raises
        ------
        InvalidInput
            There is no committee to ask.
        """
        proba = check_proba(candidates.proba)
        if candidates.kind is Kind.NUMBER:
            # A number's deviation is already what heads that lack a fold disagree on.
            return np.asarray(np.clip(2 * proba.min(axis=1, initial=1.0), 0.0, 1.0))
        if candidates.committee is None:
            raise InvalidInput("bald asks a committee; give the candidates one")
        scores = np.zeros(len(proba))
        starts = np.arange(len(proba) + 1) if candidates.starts is None else candidates.starts
        rows = sampled(candidates)
        for first in range(0, len(rows), BLOCK):
            tasks = rows[first : first + BLOCK]
            scores[questions_of(starts, tasks)] = _information(candidates.committee(tasks))
        return scores


def _information(said: Floats) -> Floats:
    """Return the mutual information of answer and member, ``(q,)``, over its largest value."""
    members, _, classes = said.shape
    together = entr(said.mean(axis=0)).sum(axis=1)
    information = together - entr(said).sum(axis=2).mean(axis=0)
    most = np.log(min(members, classes)) if min(members, classes) > 1 else 1.0
    return np.asarray(np.clip(information / most, 0.0, 1.0))
