"""What learning curves say: their area, when they arrive, and how one compares with another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student

from active_learning.errors import InvalidInput
from active_learning.types import Floats


class Arrival(NamedTuple):
    """How many labels it took; where `censored`, more than that many."""

    labels: float
    censored: bool = False


class Interval(NamedTuple):
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


def area(labels: Sequence[int], scores: Sequence[float]) -> float:
    """Return the mean height of a learning curve, by trapezoids from its first point to its last.

    Parameters
    ----------
    labels : (r,)
        Ascending.
    scores : (r,)

    Raises
    ------
    InvalidInput
        There are no points, or the labels do not ascend.
    """
    x, y = _curve(labels, scores)
    if len(x) == 1:
        return float(y[0])
    return float(np.trapezoid(y, x) / (x[-1] - x[0]))


def labels_to(labels: Sequence[int], scores: Sequence[float], target: float) -> Arrival:
    """Return where a learning curve first is as good as `target`.

    Between two points it is a straight line: models are fitted a batch apart, and arrivals would
    otherwise be as coarse. A curve that never is as good, is censored at its last point.
    """
    x, y = _curve(labels, scores)
    there = np.flatnonzero(y >= target)
    if not len(there):
        return Arrival(float(x[-1]), censored=True)
    last = int(there[0])
    if last == 0:
        return Arrival(float(x[0]))
    share = (target - y[last - 1]) / (y[last] - y[last - 1])
    return Arrival(float(x[last - 1] + share * (x[last] - x[last - 1])))


def _curve(labels: Sequence[int], scores: Sequence[float]) -> tuple[Floats, Floats]:
    x, y = np.asarray(labels, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    if not len(x) or len(x) != len(y) or (np.diff(x) <= 0).any():
        raise InvalidInput(
            f"a curve is points of ascending labels, got {len(x)} labels and {len(y)} scores"
        )
    return x, y


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Interval:
    """Compare paired runs: the geometric mean of their ratios, with Student's interval of its log.

    A bootstrapped interval of ten pairs holds the truth nine times in ten, not nineteen in twenty.

    Parameters
    ----------
    ours, theirs : (s,)
        Positive figures of the same seeds. Of one run, the interval is all numbers.

    Notes
    -----
    Censored arrivals take part with the labels they were censored at. Where more of ours are
    censored than of theirs the ratio is too kind to ours, and the other way round too harsh: show
    how many were.

    References
    ----------
    Student (1908), The probable error of a mean. Biometrika.
    """
    return mean_ratio([ours], [theirs])


def mean_ratio(ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]]) -> Interval:
    """Compare paired runs on several data sets: the geometric mean over sets, which weigh alike.

    Parameters
    ----------
    ours, theirs : one sequence of positive figures a data set, by seed
        The interval is about other seeds on these sets, not about other sets.

    Raises
    ------
    InvalidInput
        The runs are not paired, or a figure is not positive.

    References
    ----------
    Welch (1947), The generalization of Student's problem when several different population
    variances are involved. Biometrika.
    """
    logs = [_log_ratios(a, b) for a, b in zip(ours, theirs, strict=True)]
    if not logs:
        raise InvalidInput("there is nothing to compare")
    middle = float(np.mean([each.mean() for each in logs]))
    if min(map(len, logs)) < 2:
        return Interval(float(np.exp(middle)), 0.0, float("inf"))
    half = _half_width(logs)
    return Interval(*np.exp([middle, middle - half, middle + half]).tolist())


def _half_width(logs: Sequence[Floats]) -> float:
    """Return half the 95 % interval of the mean of means, its degrees of freedom by Welch."""
    shares = np.array([each.var(ddof=1) / len(each) for each in logs])
    total = float(shares.sum())
    if total <= 0:
        return 0.0
    freedom = 1 / float(sum((shares / total) ** 2 / [len(each) - 1 for each in logs]))
    return float(student.ppf(0.975, freedom)) * float(np.sqrt(total)) / len(logs)


def _log_ratios(ours: Sequence[float], theirs: Sequence[float]) -> Floats:
    a, b = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    if len(a) != len(b) or not len(a):
        raise InvalidInput(f"runs are compared in pairs, got {len(a)} and {len(b)}")
    if not (np.isfinite(a).all() and np.isfinite(b).all() and min(a.min(), b.min()) > 0):
        raise InvalidInput("figures to compare must be positive numbers")
    return np.asarray(np.log(a) - np.log(b))
