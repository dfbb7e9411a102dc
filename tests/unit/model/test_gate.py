"""Two versions on the same random tasks."""

from __future__ import annotations

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
    assert found.worse
    assert found.holds
    assert "40 random tasks judged by both, 8 are answered worse and 1 better" in found.sentence


def test_better_is_not_worse():
    found = compare(results([0] * 40), results([1] * 40))
    assert found.p_value < LEVEL
    assert not found.worse


def test_few_tasks_hold_nothing_back():
    found = compare(results([1] * 29), results([0] * 29))
    assert found.worse
    assert not found.holds
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


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), max_size=60))
def test_of_two_versions_at_most_one_is_worse(pairs):
    old, new = results([a for a, _ in pairs]), results([b for _, b in pairs])
    there, back = compare(old, new), compare(new, old)
    assert (there.lost, there.gained) == (back.gained, back.lost)
    assert there.p_value == back.p_value
    assert not (there.worse and back.worse)
    assert not compare(old, old).worse
