"""Advice follows from the recorded history, and from nothing else."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from active_learning import stopping
from active_learning.history import Snapshot
from active_learning.stopping import Stage, advice, expected_gain


def course(
    kappas, *, start: int = 300, step: int = 20, audit: int = 40, values=None, uncertainty=0.1
) -> list[Snapshot]:
    """Versions `step` labels apart, each compared with the one before."""
    values = np.full(len(kappas), 0.9) if values is None else values
    return [
        Snapshot(
            labels=start + place * step,
            gap=step,
            uncertainty=uncertainty,
            agreement=kappa,
            since=None if kappa is None else start + (place - 1) * step,
            audit=audit + place,
            value=float(value),
            low=float(value) - 0.1,
            high=min(float(value) + 0.08, 1.0),
        )
        for place, (kappa, value) in enumerate(zip(kappas, values, strict=True))
    ]


SETTLED = course([None, *[1.0] * 8])


def test_nothing_is_said_of_nothing():
    assert advice([]).verdict is Stage.TOO_EARLY


def test_enough_where_nothing_changes_any_more():
    found = advice(SETTLED)
    assert found.verdict is Stage.ENOUGH
    assert found.agreement == (1.0, 1.0, 1.0)
    assert found.over == 60
    assert "90 % (80 % to 98 %) accuracy on 48 random tasks" in found.sentence


@pytest.mark.parametrize("audit", [0, 29])
def test_without_thirty_random_labels_it_is_too_early(audit):
    early = [*SETTLED[:-1], replace(SETTLED[-1], audit=audit, value=None, low=None, high=None)]
    found = advice(early)
    assert found.verdict is Stage.TOO_EARLY
    assert found.sentence == f"too early to say: {audit} of 30 random labels are there"


def test_a_bound_alone_is_not_told_as_what_more_labels_bring():
    found = advice(course([None, 0.9, 0.9, 0.9], start=90, step=5))
    assert expected_gain(course([None, 0.9, 0.9, 0.9], start=90, step=5)) is None
    assert (found.verdict, found.gain) == (Stage.GO_ON, None)
    assert "cannot be told yet" in found.sentence


def test_without_three_comparisons_it_is_too_early():
    found = advice(course([None, 1.0, 1.0]))
    assert (found.verdict, len(found.agreement)) == (Stage.TOO_EARLY, 2)
    assert found.sentence.startswith("too early to say: 2 of 3 comparisons")


def test_without_a_sample_it_is_too_early():
    found = advice([replace(each, tasks=0, uncertainty=0.0) for each in SETTLED])
    assert found.verdict is Stage.TOO_EARLY
    assert found.sentence == (
        "too early to say: there is no task to compare versions on, or each asks more than 5000 "
        "questions"
    )


def test_what_was_recorded_by_earlier_releases_is_still_read():
    recorded = [asdict(each) for each in SETTLED]
    for each in recorded:
        del each["tasks"], each["unlearned"]
    assert advice([Snapshot(**each) for each in recorded]).verdict is Stage.ENOUGH


@pytest.mark.parametrize(
    ("kappas", "verdict"),
    [
        ([0.999, 0.999, 0.999], Stage.ENOUGH),
        ([0.999, 0.98, 0.999], Stage.NEARLY),
        ([0.999, 0.999, 0.9], Stage.GO_ON),
        # A model that always says the same is recorded with an agreement of 0.
        ([0.0, 0.0, 0.0], Stage.GO_ON),
    ],
)
def test_the_least_agreement_decides(kappas, verdict):
    assert advice(course([None, *[1.0] * 5, *kappas])).verdict is verdict


def test_it_is_not_enough_while_classes_are_not_learned():
    found = advice([*SETTLED[:-1], replace(SETTLED[-1], unlearned="'c', 'd'")])
    assert found.verdict is Stage.NEARLY
    assert found.sentence.endswith("; not learned yet: 'c', 'd'")


def test_what_was_not_learned_before_does_not_matter():
    before = [replace(each, unlearned="'c'") for each in SETTLED[:-1]]
    assert advice([*before, SETTLED[-1]]).verdict is Stage.ENOUGH


def test_it_is_not_enough_while_the_interval_is_wide():
    found = advice([*SETTLED[:-1], replace(SETTLED[-1], low=0.74, high=0.97)])
    assert found.verdict is Stage.NEARLY
    assert found.sentence.endswith("; the interval is too wide to call it enough")


def test_it_is_not_enough_while_uncertainty_falls():
    falling = [replace(each, uncertainty=0.3 - 0.02 * place) for place, each in enumerate(SETTLED)]
    assert advice(falling).verdict is Stage.NEARLY


def test_it_goes_on_while_the_curve_and_the_answers_rise():
    values = 0.95 - 10 * np.arange(300, 700, 40) ** -0.5
    kappas = [None, *[0.975] * 9]
    rising = course(kappas, step=40, audit=2_000, values=values)
    found = advice(rising)
    assert found.verdict is Stage.GO_ON
    assert found.gain == pytest.approx(10 * (660**-0.5 - 760**-0.5), abs=0.003)


def test_a_curve_that_rises_while_no_answer_changes_is_not_believed():
    values = np.linspace(0.8, 0.95, len(SETTLED))
    settled = course([None, *[1.0] * 8], values=values)
    assert expected_gain(settled) > stopping.NO_GAIN
    assert advice(settled).gain == 0
    assert advice(settled).verdict is Stage.ENOUGH


@pytest.mark.parametrize("measure", ["R²", "F1 of a task", "F1 of units"])
def test_only_accuracy_is_bounded_by_the_answers_that_changed(measure):
    values = np.linspace(0.6, 0.8, len(SETTLED))
    kappas = [None, *[0.998] * 8]
    rising = [
        replace(each, measure=measure, audit=200) for each in course(kappas, step=40, values=values)
    ]
    found = advice(rising)
    assert found.gain == expected_gain(rising) > stopping.LITTLE_GAIN
    assert found.verdict is Stage.GO_ON


def test_comparisons_follow_each_other_without_overlap():
    # A version a label, each compared with the one twenty labels behind.
    dense = [
        replace(SETTLED[0], labels=n, agreement=1 - n / 10_000, since=n - 20)
        for n in range(320, 401)
    ]
    found = advice(dense)
    assert found.agreement == pytest.approx((0.96, 0.962, 0.964))
    assert found.over == 60


# The learning curve


@given(st.floats(0.6, 1.0), st.floats(0.3, 3.0), st.floats(0.3, 0.8), st.integers(100, 1_000))
def test_the_law_that_made_a_curve_is_found(top, drop, power, start):
    n = np.geomspace(start, 4 * start, 15).astype(int)
    history = [
        replace(SETTLED[0], labels=int(each), audit=100_000, value=float(top - drop * each**-power))
        for each in n
    ]
    expected = drop * (n[-1] ** -power - (n[-1] + 100.0) ** -power)
    assert expected_gain(history) == pytest.approx(expected, abs=0.004)


@given(st.lists(st.floats(-3, 1), min_size=4, max_size=20))
def test_whatever_the_figures_a_gain_is_never_negative(values):
    history = course([None, *[1.0] * (len(values) - 1)], step=100, values=np.array(values))
    found = expected_gain(history)
    assert found is not None
    assert np.isfinite(found)
    assert found >= 0


@pytest.mark.parametrize("history", [SETTLED[:3], course([None] * 6, step=1), []])
def test_too_few_points_make_no_curve(history):
    assert expected_gain(history) is None
