"""Is labeling worth going on with? One sentence from the recorded history, never an act."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """How far labeling has come."""

    TOO_EARLY = "too_early"
    """Nothing can be said yet."""
    GO_ON = "go_on"
    """Labels still change what the model says."""
    NEARLY = "nearly"
    """They change little."""
    ENOUGH = "enough"
    """They change next to nothing."""


@dataclass(frozen=True)
class Advice:
    """What to tell the admin.

    Attributes
    ----------
    verdict : Stage
    sentence : str
        One, with the figures it rests on.
    labels : int
        So far.
    agreement : tuple of float
        Kappa of the last comparisons of two versions, newest first; each reaches back to where
        the next begins.
    over : int
        Labels that these comparisons reach back.
    uncertainty, uncertainty_before : float or None
        Over the sample, now and where the comparisons begin.
    gain : float or None
        What 100 more labels are expected to add to `value`; None while no curve can be fitted.
    audit : int
        Audit labels.
    value, low, high : float or None
        The audit estimate with its 95 % interval.
    measure : str
        What they are.
    """

    verdict: Stage
    sentence: str
    labels: int = 0
    agreement: tuple[float, ...] = ()
    over: int = 0
    uncertainty: float | None = None
    uncertainty_before: float | None = None
    gain: float | None = None
    audit: int = 0
    value: float | None = None
    low: float | None = None
    high: float | None = None
    measure: str = "accuracy"
