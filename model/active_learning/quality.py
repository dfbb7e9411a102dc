"""Which labels are probably wrong."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from active_learning.errors import InvalidInput
from active_learning.evaluation import same_question
from active_learning.features import similarity
from active_learning.types import Features, Floats, Ints

MOST = 200
"""Suspects worth listing: nobody reads more before the next version comes."""

BLOCK = 512
"""Rows compared with all others at once."""


class Doubt(StrEnum):
    """Why a label is suspect."""

    MODEL = "model"
    """A model that did not see it says otherwise, and is rarely wrong when it does."""
    TWIN = "twin"
    """All but the same task has another label: one of the two is wrong."""


@dataclass(frozen=True)
class Suspect:
    """A label that may be wrong.

    Attributes
    ----------
    row : int
        Of the arrays it was found in.
    given, suggested : int
        Classes.
    score : float
        In [0, 1], higher = look at it first.
    doubt : Doubt
    twin : int or None
        The row of the task that says otherwise.
    """

    row: int
    given: int
    suggested: int
    score: float
    doubt: Doubt
    twin: int | None = None
