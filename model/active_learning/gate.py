"""Is a new version worse than the one in force? Judged on the same audit tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest, permutation_test

from active_learning.audit import NEEDED
from active_learning.outcomes import Results
from active_learning.types import Floats

LEVEL = 0.05
"""Two-sided: of two equal versions, one in forty is called worse."""

NOISE = 1e-6
"""Differences of less than this share of the largest value are rounding."""

SIGNS = 4_999
"""Draws of signs: a chance of 5 % is told to within 0.6 %. Where there are fewer signs to give, all
are tried."""

AT_ONCE = 256
"""Draws in memory at once."""


@dataclass(frozen=True)
class Comparison:
    """Two versions on the audit tasks that both were judged on.

    Attributes
    ----------
    tasks : int
        Such tasks; those whose label changed in between are left out.
    lost, gained : int
        Tasks that the new version answers worse, and better.
    change : float
        What a task is answered better by, on average; below 0: worse by.
    p_value : float
        How likely so much is where both are equally good.
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
    change: float
    p_value: float
    worse: bool
    conclusive: bool
    sentence: str


def compare(old: Results, new: Results, *, needed: int = NEEDED) -> Comparison:
    """Compare two versions on the tasks that both were judged on.

    Where answers are right or wrong, by the exact test of McNemar: only tasks that one of them
    answers better count. Where they are more or less good, by how much counts as well: the sign of
    each difference is flipped at random, and the mean compared with what comes of that.

    Parameters
    ----------
    needed : int
        Tasks from which on a version may be held back.

    References
    ----------
    McNemar (1947), Note on the sampling error of the difference between correlated proportions
    or percentages. Psychometrika.
    Fisher (1935), The design of experiments, section 21. Oliver & Boyd.
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
    was, now = np.array(pairs, dtype=np.float64).reshape(-1, 2).T
    rise = _rise(was, now)
    graded = not np.isin([was, now], [0.0, 1.0]).all()
    lost, gained = int((rise < 0).sum()), int((rise > 0).sum())
    change = float(rise.mean()) if len(rise) else 0.0
    p_value = _by_signs(rise) if graded else _mcnemar(lost, gained)
    worse = change < 0 and p_value < LEVEL
    conclusive = len(pairs) >= needed
    found = _found(len(pairs), lost, gained, change if graded else None)
    sentence = _sentence(found, p_value, worse=worse, conclusive=conclusive)
    return Comparison(len(pairs), lost, gained, change, p_value, worse, conclusive, sentence)


def _rise(was: Floats, now: Floats) -> Floats:
    """Return by how much each value rose; 0 where that is rounding."""
    largest = max(np.abs(was).max(initial=0.0), np.abs(now).max(initial=0.0))
    return np.where(np.abs(now - was) > NOISE * largest, now - was, 0.0)


def _mcnemar(lost: int, gained: int) -> float:
    return float(binomtest(lost, lost + gained, 0.5).pvalue) if lost + gained else 1.0


def _by_signs(rise: Floats) -> float:
    """Return the chance of so large a mean, either way, where each sign is as likely as the other.

    A difference of 0 has no sign: without those, all signs can be tried more often. One alone is
    as large whatever its sign.
    """
    moved = rise[rise != 0]
    if len(moved) < 2:
        return 1.0

    def mean(first: Floats, second: Floats, axis: int) -> Any:
        return np.mean(first - second, axis=axis)

    found = permutation_test(
        (moved, np.zeros_like(moved)), mean, permutation_type="samples", vectorized=True,
        n_resamples=SIGNS, batch=AT_ONCE, rng=np.random.default_rng(0),
    )  # fmt: skip
    return float(found.pvalue)


def _found(tasks: int, lost: int, gained: int, change: float | None) -> str:
    """Say what was counted; nothing without tasks.

    Parameters
    ----------
    change : float or None
        None where answers are right or wrong: the counts say it all.
    """
    if not tasks:
        return ""
    counted = f"{tasks} random task" if tasks == 1 else f"{tasks} random tasks"
    found = f"of {counted} judged by both, {lost} are answered worse and {gained} better"
    if not change:
        return found
    return f"{found}, on average {'worse' if change < 0 else 'better'} by {abs(change):.2g}"


def _sentence(found: str, p_value: float, *, worse: bool, conclusive: bool) -> str:
    if not found:
        return "no random task has been judged by both versions yet"
    if not worse:
        return f"{found}: not significantly worse"
    chance = f"chance alone does that in {100 * p_value:.2g} % of cases"
    few = "" if conclusive else "; too few tasks to hold it back for"
    return f"{found}: significantly worse ({chance}){few}"
