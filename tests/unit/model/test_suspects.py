"""Wrong labels are found, right ones left alone."""

from __future__ import annotations

import numpy as np
import pytest
from cleanlab.count import compute_confident_joint
from hypothesis import given
from hypothesis import strategies as st

from active_learning import loop
from active_learning.errors import InvalidInput
from active_learning.features import stacked
from active_learning.scaling import scaling_of
from active_learning.suspects import Doubt, contradicted, contradicting_twins, find_suspects
from tests.unit.model.synthetic import bbc, pool_of


@given(st.integers(5, 80), st.integers(2, 4), st.integers(0, 999))
def test_suspects_are_off_the_diagonal_of_cleanlabs_confident_joint(n, classes, seed):
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(classes), rng.integers(classes, size=n)])
    proba = rng.dirichlet(np.ones(classes), size=len(y))
    _, rows = compute_confident_joint(
        y, proba, calibrate=False, return_indices_of_off_diagonals=True
    )
    likeliest = proba.argmax(axis=1)
    usual = np.array([proba[y == name, name].mean() for name in range(classes)])
    # Where several classes are confident, cleanlab takes the likeliest of all, the paper of these.
    alike = proba.max(axis=1) >= usual[likeliest] - 1e-6
    looked_at = set(np.flatnonzero(alike & (likeliest != y)).tolist())
    found = contradicted(y, proba)
    assert {each.row for each in found} & looked_at == set(map(int, rows)) & looked_at
    scores = [each.score for each in found]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert all(each.given == y[each.row] != each.suggested for each in found)


def test_planted_wrong_labels_come_first():
    X, y = bbc()
    rng = np.random.default_rng(0)
    planted = rng.permutation(len(y))[:30]
    wrong = y.copy()
    wrong[planted] = (y[planted] + rng.integers(1, 5, size=30)) % 5
    pool = pool_of(X, wrong, 5)
    found = find_suspects(wrong, loop.fit(pool).out_of_fold, scaling_of(pool).apply(X))
    first = [each.row for each in found[:20]]
    assert np.isin(first, planted).mean() >= 0.9
    right = {int(row): int(y[row]) for row in planted}
    told = [each for each in found[:20] if each.row in right]
    assert np.mean([each.suggested == right[each.row] for each in told]) >= 0.9


def test_of_twins_that_differ_the_less_likely_label_is_suspect():
    X, y = bbc()
    pool = pool_of(X, y, 5)
    rows = scaling_of(pool).apply(X[:40])
    rows = stacked([rows, rows[:1]])
    labels = np.append(y[:40], y[0] + 1)
    proba = np.full((41, 5), 0.1)
    proba[np.arange(41), np.append(y[:40], y[0])] = 0.6
    [found] = contradicting_twins(labels, proba, rows)
    assert (found.row, found.twin, found.doubt) == (40, 0, Doubt.TWIN)
    assert (found.given, found.suggested) == (y[0] + 1, y[0])
    assert 0.5 <= found.score <= 1
    assert find_suspects(labels, proba, rows)[0] == found
    assert contradicting_twins(np.append(y[:40], y[0]), proba, rows) == []


def test_nothing_is_suspect_where_the_model_agrees():
    y = np.arange(30) % 3
    assert find_suspects(y, np.eye(3)[y] * 0.7 + 0.1) == ()
    assert find_suspects(y[:0], np.empty((0, 3))) == ()


def test_a_class_without_labels_is_never_suggested():
    y = np.array([0, 0, 1, 1])
    proba = np.array([[0.1, 0.1, 0.8], [0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.7, 0.2, 0.1]])
    assert all(each.suggested != 2 for each in find_suspects(y, proba))


def test_only_so_many_are_listed_and_shapes_are_checked():
    rng = np.random.default_rng(0)
    y, proba = rng.integers(3, size=500), rng.dirichlet(np.ones(3), size=500)
    assert len(find_suspects(y, proba, most=7)) == 7
    with pytest.raises(InvalidInput, match="3 labels do not fit"):
        contradicted(y[:3], proba)
