"""Is labeling worth going on with? One sentence from the recorded history, never an act."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from scipy.optimize import least_squares

from active_learning.audit import NEEDED
from active_learning.history import ACCURACY, MOST_QUESTIONS, Snapshot
from active_learning.types import Floats

WINDOW = 3
"""Comparisons of versions that must agree."""

STABLE, SETTLED = 0.97, 0.99
"""Kappa of each of them from which labels change little, and next to nothing. In a study of four
data sets, with batches of a fixed size in place of the gaps between versions here, the first came
at 95 to 101 % of what all labels bring; the second at 99 to 101 % on three of them, and on the
fourth not by 1,500 labels."""

LITTLE_GAIN, NO_GAIN = 0.01, 0.005
"""Expected gain of 100 labels below which it is little, and next to nothing."""

PLATEAU = 0.02
"""Fall of the uncertainty over all comparisons below which it lies on a plateau."""

WIDEST = 0.2
"""Width of the interval of the audit estimate up to which labeling may be called enough: of an
accuracy of 80 % some sixty audit labels."""

STEP = 100
"""Labels that the expected gain is told for."""

CURVE_POINTS, CURVE_GROWTH = 4, 1.25
"""Different counts of labels, and growth between the first and the last, that a curve needs."""

USUAL_POWER, POWER_WIDTH = 0.5, 0.7
"""Where the power of a learning curve is expected, and the width of ln of it: audit figures alone
are too noisy to tell a power."""


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
        What 100 more labels are expected to add to `value`; of accuracy at most what the answers
        that changed lately allow. None while that cannot be told.
    audit : int
        Audit labels.
    value, low, high : float or None
        The audit estimate with its 95 % interval.
    measure : str
        What they are.
    unlearned : str
        The classes that the model cannot tell yet, in words; empty: none.
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
    measure: str = ACCURACY
    unlearned: str = ""


def advice(history: Sequence[Snapshot], *, needed: int = NEEDED) -> Advice:
    """Say whether labeling is worth going on with.

    Four things have to hold before it is enough: the answers to the fixed sample no longer change
    between versions, the uncertainty over it no longer falls, the audit estimate is narrow and not
    expected to rise by more labels, and no class is left that the model cannot tell: steady
    answers may all miss a rare one. Without `needed` audit labels nothing is said.

    Parameters
    ----------
    history : sequence of Snapshot
        Of one head, oldest first.

    References
    ----------
    Bloodgood & Vijay-Shanker (2009), A method for stopping active learning based on stabilizing
    predictions and the need for user-adjustable stopping. CoNLL.
    Zhu et al. (2010), Confidence-based stopping criteria for active learning for data annotation.
    ACM TSLP.
    Pullar-Strecker et al. (2022), Hitting the target: stopping active learning at the cost-based
    optimum. Machine Learning.
    """
    if not history:
        return Advice(Stage.TOO_EARLY, "too early to say: there is no model yet")
    now, chain = history[-1], _chain(history)
    if now.tasks == 0:
        return Advice(
            Stage.TOO_EARLY,
            "too early to say: there is no task to compare versions on, or each asks more than "
            f"{MOST_QUESTIONS} questions",
            labels=now.labels,
            audit=now.audit,
        )
    start = chain[-1].since if chain else None
    before = _newest_below(history, start) if start is not None else None
    found = Advice(
        verdict=Stage.TOO_EARLY,
        sentence="",
        labels=now.labels,
        agreement=tuple(each.agreement for each in chain if each.agreement is not None),
        over=now.labels - start if start is not None else 0,
        uncertainty=now.uncertainty,
        uncertainty_before=before.uncertainty if before else None,
        gain=_gain(history, chain),
        audit=now.audit,
        value=now.value,
        low=now.low,
        high=now.high,
        measure=now.measure,
        unlearned=now.unlearned,
    )
    verdict = _verdict(found, needed)
    return replace(found, verdict=verdict, sentence=_sentence(verdict, found, needed))


def _gain(history: Sequence[Snapshot], chain: Sequence[Snapshot]) -> float | None:
    """Return what the learning curve lets expect; of accuracy, at most what changed answers do.

    A share of right answers moves by no more than the share of answers that change, and kappa falls
    short of 1 by at least that; and later labels change fewer than earlier ones. So a curve that
    only rises because its first estimates rest on few tasks is not believed. Nothing of the kind
    bounds R² or F1: few answers, or slightly other numbers, can move them far.
    """
    curve = expected_gain(history)
    if history[-1].measure != ACCURACY:
        return curve
    over = history[-1].labels - (chain[-1].since or 0) if len(chain) == WINDOW else 0
    if not over:
        return curve
    changed = sum(1 - (each.agreement or 0.0) for each in chain) * STEP / over
    if curve is None:
        # A bound is no expectation: it tells something only where it leaves next to nothing.
        return changed if changed <= LITTLE_GAIN else None
    return min(curve, changed)


def expected_gain(history: Sequence[Snapshot]) -> float | None:
    """Return what the next 100 labels are expected to add to the audit estimate.

    An inverse power law, ``a - b n^-c``, through the audit estimates, each weighed by its labels.
    None while there are too few of them.

    References
    ----------
    Figueroa et al. (2012), Predicting sample size required for classification performance. BMC
    Med. Inform. Decis. Mak.
    """
    points = {each.labels: each for each in history if each.value is not None}
    n = np.array(sorted(points), dtype=np.float64)
    if len(n) < CURVE_POINTS or n[-1] < CURVE_GROWTH * n[0]:
        return None
    value = np.array([points[int(each)].value for each in n])
    # The standard error of a share around 0.8; points share most of their tasks, so they count as
    # one measurement, not as many.
    weight = np.sqrt([points[int(each)].audit for each in n]) / 0.4 / np.sqrt(len(n))

    def misfit(law: Floats) -> Floats:
        top, drop, log_power = law
        curve = top - drop * (n / n[-1]) ** -np.exp(log_power)
        prior = (log_power - np.log(USUAL_POWER)) / POWER_WIDTH
        return np.append((curve - value) * weight, prior)

    start = (min(float(value[-1]), 1.0), 0.0, np.log(USUAL_POWER))
    bounds = ([-np.inf, 0.0, -3.0], [1.0 + 1e-9, np.inf, 1.0])
    top_drop_power = least_squares(misfit, start, bounds=bounds).x
    _, drop, log_power = top_drop_power
    return float(drop * (1 - ((n[-1] + STEP) / n[-1]) ** -np.exp(log_power)))


def _chain(history: Sequence[Snapshot]) -> list[Snapshot]:
    """Return the last comparisons, newest first, each beginning where the one before it ends."""
    chain: list[Snapshot] = []
    each: Snapshot | None = history[-1]
    while each is not None and each.since is not None and len(chain) < WINDOW:
        chain.append(each)
        each = _newest_below(history, each.since)
    return chain


def _newest_below(history: Sequence[Snapshot], labels: int) -> Snapshot | None:
    return next((each for each in reversed(history) if each.labels <= labels), None)


def _verdict(found: Advice, needed: int) -> Stage:
    if found.audit < needed or found.value is None or len(found.agreement) < WINDOW:
        return Stage.TOO_EARLY
    least = min(found.agreement)
    fall = (found.uncertainty_before or 0.0) - (found.uncertainty or 0.0)
    if found.gain is None or least < STABLE or found.gain > LITTLE_GAIN:
        return Stage.GO_ON
    settled = least >= SETTLED and found.gain <= NO_GAIN and fall <= PLATEAU
    known = not found.unlearned and not _wide(found)
    return Stage.ENOUGH if settled and known else Stage.NEARLY


def _wide(found: Advice) -> bool:
    return (found.high or 0.0) - (found.low or 0.0) > WIDEST


def _sentence(verdict: Stage, found: Advice, needed: int) -> str:
    if found.audit < needed or found.value is None:
        return f"too early to say: {found.audit} of {needed} random labels are there"
    stands = (
        f"{_share(found.value)} ({_share(found.low)} to {_share(found.high)}) "
        f"{found.measure} on {found.audit} random tasks"
    )
    if verdict is Stage.TOO_EARLY:
        have = len(found.agreement)
        return f"too early to say: {have} of {WINDOW} comparisons of versions made; {stands}"
    kappa = f"{min(found.agreement):.2f}"
    ends = f"versions of the last {found.over} labels agree to {kappa} of 1; {_more(found.gain)}"
    words = {
        Stage.GO_ON: "go on, labels still teach the model",
        Stage.NEARLY: "nearly enough, labels change little",
        Stage.ENOUGH: "enough, labels hardly change the model any more",
    }
    wide = verdict is Stage.NEARLY and _wide(found)
    but = "; the interval is too wide to call it enough" if wide else ""
    missed = f"; not learned yet: {found.unlearned}" if found.unlearned else ""
    return f"{words[verdict]}: {stands}; {ends}{but}{missed}"


def _more(gain: float | None) -> str:
    if gain is None:
        return f"what {STEP} more would bring cannot be told yet"
    return f"{STEP} more may bring {100 * gain:.1f} points"


def _share(share: float | None) -> str:
    return "?" if share is None else f"{100 * share:.0f} %"
