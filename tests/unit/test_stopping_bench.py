"""What the benchmark of the advice counts as said."""

from __future__ import annotations

from active_learning.stopping import Advice, Stage
from tests.bench.stopping import Step, first_said


def course(*verdicts: Stage) -> list[Step]:
    return [
        Step(20 * place, Advice(verdict, ""), 0.8)
        for place, verdict in enumerate(verdicts, start=1)
    ]


def test_too_early_is_not_nearly():
    steps = course(Stage.TOO_EARLY, Stage.TOO_EARLY)
    assert first_said(steps) == ({}, steps[-1])


def test_going_on_is_not_nearly():
    assert first_said(course(Stage.TOO_EARLY, Stage.GO_ON))[0] == {}


def test_the_first_of_each_counts():
    steps = course(Stage.GO_ON, Stage.NEARLY, Stage.GO_ON, Stage.NEARLY, Stage.ENOUGH, Stage.ENOUGH)
    said, last = first_said(steps)
    assert said == {Stage.NEARLY: steps[1], Stage.ENOUGH: steps[4]}
    assert last == steps[4]


def test_enough_was_nearly_enough():
    steps = course(Stage.GO_ON, Stage.ENOUGH)
    assert first_said(steps)[0] == {Stage.NEARLY: steps[1], Stage.ENOUGH: steps[1]}


def test_nothing_is_labelled_beyond_the_most():
    steps = [Step(labels, Advice(Stage.GO_ON, ""), 0.8) for labels in (1_000, 1_600, 1_700)]
    assert first_said(steps)[1] == steps[1]
