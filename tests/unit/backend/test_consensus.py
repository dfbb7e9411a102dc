"""What several annotators said is one answer, or none; and an answer is numbers and back."""

from __future__ import annotations

from collections import Counter
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from active_learning.types import OUTSIDE, UNLABELED, Answer, Kind, Labels
from ls_active.loop.consensus import UNDECIDED, consensus, encode

CLASSES = ("a", "b", "c")
UNITS = 3

ANSWERS: dict[Kind, st.SearchStrategy[Answer]] = {
    Kind.SINGLE: st.sampled_from(CLASSES),
    Kind.MULTIPLE: st.frozensets(st.sampled_from(CLASSES)),
    Kind.NUMBER: st.floats(-1e6, 1e6),
    Kind.SEQUENCE: st.tuples(*[st.none() | st.sampled_from(CLASSES)] * UNITS),
}

every_kind = pytest.mark.parametrize("kind", list(Kind))


def said(kind: Kind) -> st.SearchStrategy[list[Answer]]:
    return st.lists(ANSWERS[kind], min_size=1, max_size=6)


class TestConsensus:
    @every_kind
    def test_of_nobody_is_none(self, kind):
        assert consensus(kind, []) is None

    @every_kind
    @given(data=st.data())
    def test_of_one_is_what_they_said(self, kind, data):
        answer = data.draw(ANSWERS[kind])
        assert consensus(kind, [answer]) == answer
        assert consensus(kind, [answer] * 3) == answer

    @every_kind
    @given(data=st.data())
    def test_does_not_depend_on_who_was_first(self, kind, data):
        votes = data.draw(said(kind))
        shuffled = data.draw(st.permutations(votes))
        assert consensus(kind, shuffled) == consensus(kind, votes)

    @given(said(Kind.SINGLE))
    def test_of_classes_is_what_more_people_said_than_anything_else(self, votes):
        best = {label for label in votes if votes.count(label) == max(map(votes.count, votes))}
        assert consensus(Kind.SINGLE, votes) == (best.pop() if len(best) == 1 else None)

    @pytest.mark.parametrize(
        ("votes", "answer"),
        [
            (["a", "ab"], None),
            (["a", "a"], "a"),
            (["ab", "ac", "a"], "a"),
            (["ab", "bc", "ca"], "abc"),
            (["a", "b", "c"], ""),
            (["", "", "a"], ""),
            (["", "a"], None),
            (["ab", "ab", "c", "ac"], None),
        ],
    )
    def test_of_sets_is_decided_class_by_class_and_a_tie_leaves_all_open(self, votes, answer):
        expected = None if answer is None else frozenset(answer)
        assert consensus(Kind.MULTIPLE, [frozenset(vote) for vote in votes]) == expected

    @given(said(Kind.NUMBER))
    def test_of_numbers_is_the_median(self, votes):
        assert consensus(Kind.NUMBER, votes) == median(votes)

    @given(said(Kind.SEQUENCE))
    def test_of_sequences_is_decided_unit_by_unit_and_a_tie_leaves_that_unit_open(self, votes):
        decided = consensus(Kind.SEQUENCE, votes)
        assert len(decided) == UNITS
        for unit, answer in enumerate(decided):
            first, *second = Counter(vote[unit] for vote in votes).most_common(2)
            tied = bool(second) and second[0][1] == first[1]
            assert answer == (UNDECIDED if tied else first[0])

    def test_of_sequences_of_other_units_is_none(self):
        assert consensus(Kind.SEQUENCE, [("a", None), ("a", None, "b")]) is None


def decode(kind: Kind, y: Labels, row: int) -> Answer:
    """Return what `encode` was given for a labelled row."""
    if kind is Kind.NUMBER:
        return float(y[row])
    if kind is Kind.MULTIPLE:
        return frozenset(CLASSES[place] for place in np.flatnonzero(y[row]))
    if kind is Kind.SEQUENCE:
        units = y[UNITS * row : UNITS * (row + 1)]
        return tuple(None if code == OUTSIDE else CLASSES[code - 1] for code in units)
    return CLASSES[y[row]]


class TestEncoding:
    @every_kind
    @given(data=st.data())
    def test_keeps_every_answer_in_its_row_and_nothing_else(self, kind, data):
        answers = data.draw(st.dictionaries(st.integers(0, 4), ANSWERS[kind]))
        starts = np.arange(6) * UNITS
        y = encode(kind, answers, 5, CLASSES, starts if kind is Kind.SEQUENCE else None)
        assert len(y) == (5 * UNITS if kind is Kind.SEQUENCE else 5)
        assert {row: decode(kind, y, row) for row in answers} == answers
        silent = y.reshape(5, -1)[[row for row in range(5) if row not in answers]]
        assert np.all(np.isnan(silent) if kind is Kind.NUMBER else silent == UNLABELED)

    def test_of_a_class_that_is_none_is_no_label(self):
        assert encode(Kind.SINGLE, {0: "z"}, 1, CLASSES, None).tolist() == [UNLABELED]

    def test_of_a_set_leaves_out_what_is_no_class(self):
        y = encode(Kind.MULTIPLE, {0: frozenset("az")}, 1, CLASSES, None)
        assert y.tolist() == [[1, 0, 0]]

    def test_of_an_empty_set_is_an_answer(self):
        assert encode(Kind.MULTIPLE, {0: frozenset()}, 1, CLASSES, None).tolist() == [[0, 0, 0]]

    def test_of_units_tells_outside_from_undecided(self):
        answers = {1: (None, UNDECIDED, "c")}
        y = encode(Kind.SEQUENCE, answers, 2, CLASSES, np.array([0, 2, 5]))
        assert y.tolist() == [UNLABELED, UNLABELED, OUTSIDE, UNLABELED, 3]

    def test_of_other_units_than_the_task_has_is_no_label(self):
        y = encode(Kind.SEQUENCE, {0: ("a",)}, 1, CLASSES, np.array([0, 2]))
        assert y.tolist() == [UNLABELED] * 2
