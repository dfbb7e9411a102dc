"""Where units lie: kept exactly, found by what lies on them, and joined where they agree."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ls_active.labeling.layout import Layout, runs

NUMBERS = st.integers(0, 1000) | st.floats(0, 1000)
TEXT = st.text(st.characters(categories=["L", "M", "N", "Z", "So", "Cs"]), max_size=20)
NAMES = st.lists(st.sampled_from(["a", "b", None]), max_size=12)
TOKENS = Layout(((0, 3), (4, 6), (6, 7), (9, 12)), "one to, six")


@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=8), TEXT)
def test_comes_back_as_it_was(spans, text):
    layout = Layout(tuple(spans), text)
    assert Layout.from_bytes(layout.to_bytes()) == layout


def test_half_an_emoji_comes_back():
    layout = Layout(((0, 1),), "\ud83d")
    assert Layout.from_bytes(layout.to_bytes()) == layout


@pytest.mark.parametrize(
    ("start", "end", "units"),
    [
        (0, 3, [0]),
        (0, 4, [0]),
        (2, 5, [0, 1]),
        (3, 4, []),
        (6, 7, [2]),
        (5, 10, [1, 2, 3]),
        (-5, 99, [0, 1, 2, 3]),
        (12, 20, []),
        (5, 5, [1]),
        (4, 4, [1]),
        (7, 3, []),
    ],
)
def test_a_unit_is_touched_by_what_shares_anything_with_it(start, end, units):
    assert list(TOKENS.touching(start, end)) == units


def test_nothing_is_touched_where_there_is_nothing():
    assert list(Layout(()).touching(0, 10)) == []


@given(st.lists(st.integers(1, 5), max_size=8), st.integers(-2, 30), st.integers(-2, 30))
def test_touching_is_sharing(widths, start, end):
    ends = [sum(widths[: place + 1]) for place in range(len(widths))]
    layout = Layout(tuple(zip([0, *ends], ends, strict=False)))
    inside = set(range(start, end))
    shared = [i for i, (low, high) in enumerate(layout.spans) if inside & set(range(low, high))]
    if start < end:
        assert list(layout.touching(start, end)) == shared


def test_runs_are_joined_where_neighbours_agree():
    assert runs(["a", "a", None, "a", "b", "b"]) == [("a", 0, 1), ("a", 3, 3), ("b", 4, 5)]
    assert runs([None, None]) == runs([]) == []


@given(NAMES)
def test_runs_say_the_same_as_the_names(names):
    found = runs(names)
    again: list[str | None] = [None] * len(names)
    for name, first, last in found:
        again[first : last + 1] = [name] * (last - first + 1)
    assert again == names
    # As few as there can be: two runs of one name have something between them.
    for (name, _, last), (following, first, _) in pairwise(found):
        assert last < first
        assert name != following or last + 1 < first


def test_an_instant_lies_in_one_unit():
    layout = Layout(((0.0, 1.0), (1.0, 2.0), (2.0, 3.0)))
    assert [list(layout.touching(at, at)) for at in (0.0, 1.0, 1.5, 3.0, 4.0)] == [
        [0], [1], [1], [2], [],
    ]  # fmt: skip
