from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from active_learning import batch
from active_learning.batch import apart, diverse_head

from .synthetic import widened

RNG = np.random.default_rng


def axes(*groups: int) -> np.ndarray:
    """Unit rows: equal numbers are near-duplicates, others are at right angles."""
    X = np.zeros((len(groups), 30), dtype=np.float32)
    X[np.arange(len(groups)), groups] = 1
    return X


def head(scores, X, k, X_labeled=None, seed=0):
    X_labeled = X[:0] if X_labeled is None else X_labeled
    return diverse_head(
        np.asarray(scores, float), X, k, X_labeled=X_labeled, rng=RNG(seed)
    ).tolist()


def test_best_first():
    assert head([0.1, 0.9, 0.5], axes(0, 1, 2), 2) == [1, 2]


def test_near_duplicates_of_chosen_and_labelled_are_passed_over():
    X = axes(0, 0, 1, 2, 3)
    assert head([0.9, 0.8, 0.7, 0.6, 0.5], X, 3, X_labeled=axes(2)) == [0, 2, 4]


def fan(n: int) -> np.ndarray:
    """Unit rows, each ten degrees from the last."""
    angles = np.deg2rad(10) * np.arange(n)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_neighbours_are_passed_over_where_there_are_many_columns():
    scores = [0.9, 0.8, 0.7, 0.6]
    assert head(scores, widened(fan(4)), 2) == [0, 2]
    assert head(scores, fan(4), 2) == [0, 1]


def test_equal_rows_are_passed_over_in_a_few_columns_too():
    X = fan(3)[[0, 0, 1, 2, 2]]
    assert head([0.9, 0.8, 0.7, 0.6, 0.5], X, 2, X_labeled=X[[2]]) == [0, 3]


def test_fills_with_those_passed_over():
    X = axes(0, 0, 1, 2)
    assert sorted(head([0.9, 0.8, 0.7, 0.6], X, 4, X_labeled=axes(2))) == [0, 1, 2, 3]


def test_likes_stand_apart_where_they_can():
    assert head([0.9, 0.8, 0.7, 0.6, 0.5], axes(0, 0, 0, 1, 2), 5) == [0, 3, 1, 4, 2]


def test_ties_are_broken_by_the_generator():
    X = axes(*range(20))
    first, second = head([0.5] * 20, X, 20, seed=1), head([0.5] * 20, X, 20, seed=2)
    assert first != second
    assert sorted(first) == sorted(second) == list(range(20))
    assert first == head([0.5] * 20, X, 20, seed=1)


def test_looks_at_so_many_candidates_and_no_more(monkeypatch):
    monkeypatch.setattr(batch, "LOOK_AHEAD", 2)
    scores = np.linspace(1, 0, 10)
    assert sorted(head(scores, axes(*[0] * 9, 1), 2)) == [0, 1]
    assert sorted(head(scores, axes(0, 0, 0, 1, *[0] * 6), 2)) == [0, 3]


@given(st.lists(st.integers(0, 5), max_size=40), st.integers(0, 50), st.integers(1, 8), st.data())
def test_any_pool(groups, k, block, data):
    X = axes(*groups)
    scores = np.array(data.draw(st.lists(st.floats(0, 1), min_size=len(X), max_size=len(X))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch, "BLOCK", block)
        rows = head(scores, X, k)
        assert rows == head(scores, csr_matrix(X), k)
    assert len(rows) == len(set(rows)) == min(k, len(groups))
    chosen = [groups[row] for row in rows]
    kinds = {group: chosen.count(group) for group in chosen}
    if len(kinds) < len(set(groups)):
        assert max(kinds.values(), default=1) == 1
    neighbours = sum(a == b for a, b in pairwise(chosen))
    most = max(kinds.values(), default=0)
    assert neighbours == max(0, most - (len(chosen) - most) - 1)


def test_likes_that_stand_apart_stay_where_they_are():
    assert apart(axes(0, 1, 0, 2, 1, 3)).tolist() == [0, 1, 2, 3, 4, 5]
    assert apart(axes(0, 0, 1, 2)).tolist() == [0, 2, 1, 3]
