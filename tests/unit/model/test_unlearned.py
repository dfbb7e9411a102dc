"""Which classes a model cannot tell yet, however steady its answers are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from active_learning.types import OUTSIDE, UNLABELED, Kind
from active_learning.unlearned import FEW, named, unlearned
from tests.unit.model.synthetic import dense_blobs, learnable, pool_of

ALL = {"c0": 1.0, "c1": 1.0, "c2": 1.0}


def single(counts):
    """So many labels of each class, and a hundred tasks without one."""
    y = np.repeat([*range(len(counts)), UNLABELED], [*counts, 100])
    X, _ = dense_blobs(len(y))
    return replace(pool_of(X, y, len(counts)), classes=("c0", "c1", "c2"))


EVERY = np.array([0.0, 1.0, 2.0])


def test_what_is_labelled_answered_and_right_is_learned():
    assert unlearned(single([9, 9, 5]), EVERY, ALL) == ()


@pytest.mark.parametrize("few", [0, 4])
def test_a_class_of_few_labels_is_not(few):
    assert unlearned(single([9, 9, few]), EVERY, ALL) == ("c2",)


def test_a_class_that_is_never_answered_is_not():
    assert unlearned(single([9, 9, 9]), np.array([0.0, 1.0, 1.0]), ALL) == ("c2",)


def test_a_class_never_right_on_what_was_left_out_is_not():
    assert unlearned(single([9, 9, 9]), EVERY, ALL | {"c1": 0.0}) == ("c1",)


def test_without_anything_left_out_recall_says_nothing():
    assert unlearned(single([9, 9, 9]), EVERY, {}) == ()


def test_of_sets_each_class_is_a_question():
    pool = learnable(Kind.MULTIPLE, "counts")
    recall = dict.fromkeys(pool.classes, 1.0)
    # The last class has no label.
    assert unlearned(pool, np.ones(40), recall) == ("d",)
    assert unlearned(pool, np.tile([1.0, 0.0, 1.0, 1.0], 10), recall) == ("b", "d")


def test_of_sequences_tasks_count_and_not_units():
    pool = learnable(Kind.SEQUENCE, "counts")
    said = np.arange(len(pool.classes) + 1.0)
    recall = dict.fromkeys(pool.classes, 1.0)
    assert unlearned(pool, said, recall) == ("c",)
    assert unlearned(pool, said[said != 2], recall) == ("b", "c")
    # Many units of a class, in four tasks.
    starts = pool.units.starts
    four = np.arange(len(starts) - 1) < 4
    y = np.where(np.repeat(four, np.diff(starts)), 1, OUTSIDE)
    assert (y == 1).sum() > FEW
    assert unlearned(replace(pool, y=y), said, recall) == pool.classes


def test_numbers_have_no_classes():
    assert unlearned(learnable(Kind.NUMBER, "counts"), np.zeros(3), {}) == ()


@pytest.mark.parametrize(
    ("n", "words"),
    [
        (0, ""),
        (1, "'c0'"),
        (3, "'c0', 'c1', 'c2'"),
        (77, "'c0', 'c1', 'c2' and 74 more"),
    ],
)
def test_few_are_named(n, words):
    assert named([f"c{place}" for place in range(n)]) == words
