"""Two versions on the same random tasks."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from active_learning.gate import LEVEL, compare
from active_learning.outcomes import Results


def results(values, *, first: int = 1, truths=None) -> Results:
    ids = tuple(range(first, first + len(values)))
    return Results(ids, tuple(map(float, values)), tuple(truths or [0] * len(values)))


def test_by_hand():
    # 8 lost and 1 gained: twice (1 + 9) / 512.
    found = compare(results([1] * 8 + [0] + [1] * 31), results([0] * 8 + [1] + [1] * 31))
    assert (found.tasks, found.lost, found.gained) == (40, 8, 1)
    assert found.p_value == pytest.approx(20 / 512)
    assert (found.worse, found.conclusive) == (True, True)
    assert "40 random tasks judged by both, 8 are answered worse and 1 better" in found.sentence


def test_better_is_not_worse():
    found = compare(results([0] * 40), results([1] * 40))
    assert found.p_value < LEVEL
    assert not found.worse


def test_few_tasks_hold_nothing_back():
    found = compare(results([1] * 29), results([0] * 29))
    assert (found.worse, found.conclusive) == (True, False)
    assert found.sentence.endswith("too few tasks to hold it back for")


def test_only_common_tasks_of_the_same_label_count():
    old = results([1, 1, 1], truths=[5, 5, 5])
    new = results([0, 0, 0], first=2, truths=[5, 6, 5])
    assert (compare(old, new).tasks, compare(old, new).lost) == (1, 1)
    nothing = compare(Results(), new)
    assert (nothing.tasks, nothing.p_value, nothing.worse) == (0, 1.0, False)


def test_of_graded_answers_the_direction_counts():
    found = compare(results([0.5, 0.2, 0.9]), results([0.6, 0.1, 0.9]))
    assert (found.lost, found.gained) == (1, 1)


def test_of_graded_answers_the_size_counts():
    # Large errors become small on fifteen tasks, small ones a little larger on forty-five.
    old = results([-10.0] * 15 + [-0.10] * 45)
    new = results([-1.0] * 15 + [-0.11] * 45)
    found = compare(old, new)
    assert (found.lost, found.gained) == (45, 15)
    assert found.change == pytest.approx((15 * 9 - 45 * 0.01) / 60)
    assert not found.worse
    back = compare(new, old)
    assert (back.worse, back.conclusive) == (True, True)
    assert "15 are answered worse and 45 better, on average worse by 2.2" in back.sentence


def test_rounding_is_no_difference():
    errors = np.array([10.0] * 15 + [0.1] * 45)
    noise = 1 + np.array([1e-9] * 45 + [-1e-9] * 15)
    found = compare(results(-errors), results(-errors * noise))
    assert (found.lost, found.gained, found.p_value, found.worse) == (0, 0, 1.0, False)


def test_of_few_graded_answers_all_signs_are_tried():
    # All eight fell: of 2^8 signs, two are as extreme.
    found = compare(results([0.5] * 8 + [0.7] * 30), results([0.4] * 8 + [0.7] * 30))
    assert found.p_value == pytest.approx(2 / 2**8)


def test_counts_can_be_written_down():
    found = compare(results([0.5, 1.0]), results([0.25, 1.0]))
    assert json.loads(json.dumps(asdict(found))) == asdict(found)


def test_of_equal_graded_versions_few_are_called_worse():
    rng = np.random.default_rng(0)
    called = [compare(results(rng.random(40)), results(rng.random(40))).worse for _ in range(40)]
    assert sum(called) <= 4


@settings(max_examples=20)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=30))
def test_of_two_graded_versions_at_most_one_is_worse(pairs):
    old, new = results([a for a, _ in pairs]), results([b for _, b in pairs])
    there, back = compare(old, new), compare(new, old)
    assert (there.lost, there.gained) == (back.gained, back.lost)
    assert there.change == pytest.approx(-back.change)
    assert not (there.worse and back.worse)
    assert compare(old, new) == there


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), max_size=60))
def test_of_two_versions_at_most_one_is_worse(pairs):
    old, new = results([a for a, _ in pairs]), results([b for _, b in pairs])
    there, back = compare(old, new), compare(new, old)
    assert (there.lost, there.gained) == (back.gained, back.lost)
    assert there.p_value == back.p_value
    assert not (there.worse and back.worse)
    assert not compare(old, old).worse
