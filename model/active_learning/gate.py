"""Is a new version worse than the one in force? Judged on the same audit tasks."""

from __future__ import annotations

from dataclasses import dataclass

from scipy.stats import binomtest

from active_learning.audit import NEEDED
from active_learning.outcomes import Results

LEVEL = 0.05
"""Two-sided: of two equal versions, one in forty is called worse."""


@dataclass(frozen=True)
class Comparison:
    """Two versions on the audit tasks that both were judged on.

    Attributes
    ----------
    tasks : int
        Such tasks; those whose label changed in between are left out.
    lost, gained : int
        Tasks that the new version answers worse, and better.
    p_value : float
        How likely so unequal numbers are where both are equally good.
    worse : bool
        Whether it is significantly worse.
    conclusive : bool
        Whether there are tasks enough to hold a version back.
    sentence : str
        All that in words.
    """

    tasks: int
    lost: int
    gained: int
    p_value: float
    worse: bool
    conclusive: bool
    sentence: str

    @property
    def holds(self) -> bool:
        """Whether a gate that is on keeps the new version back."""
        return self.worse and self.conclusive


def compare(old: Results, new: Results, *, needed: int = NEEDED) -> Comparison:
    """Compare two versions by the exact test of McNemar.

    Only tasks that one of them answers better count. Where an answer is more than right or wrong,
    this is the sign test, of which McNemar's is the case of two values.

    Parameters
    ----------
    needed : int
        Tasks from which on a version may be held back.

    References
    ----------
    McNemar (1947), Note on the sampling error of the difference between correlated proportions
    or percentages. Psychometrika.
    """
    before = {
        (task, truth): value
        for task, value, truth in zip(old.ids, old.values, old.truths, strict=True)
    }
    pairs = [
        (before[task, truth], value)
        for task, value, truth in zip(new.ids, new.values, new.truths, strict=True)
        if (task, truth) in before
    ]
    lost = sum(value < was for was, value in pairs)
    gained = sum(value > was for was, value in pairs)
    p_value = float(binomtest(lost, lost + gained, 0.5).pvalue) if lost + gained else 1.0
    worse = lost > gained and p_value < LEVEL
    conclusive = len(pairs) >= needed
    sentence = _sentence(len(pairs), lost, gained, p_value, worse=worse, conclusive=conclusive)
    return Comparison(len(pairs), lost, gained, p_value, worse, conclusive, sentence)


def _sentence(
    tasks: int, lost: int, gained: int, p_value: float, *, worse: bool, conclusive: bool
) -> str:
    if not tasks:
        return "no random task has been judged by both versions yet"
    counted = f"{tasks} random task" if tasks == 1 else f"{tasks} random tasks"
    found = f"of {counted} judged by both, {lost} are answered worse and {gained} better"
    if not worse:
        return f"{found}: not significantly worse"
    chance = f"chance alone does that in {100 * p_value:.2g} % of cases"
    few = "" if conclusive else "; too few tasks to hold it back for"
    return f"{found}: significantly worse ({chance}){few}"
