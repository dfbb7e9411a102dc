import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from active_learning.errors import InvalidInput
from active_learning.evaluation import figures, folds, near_duplicate_groups, wilson
from active_learning.features import weigh

from .synthetic import sparse_topics


@given(st.integers(0, 500), st.integers(0, 500))
def test_wilson_holds_the_share(successes, failures):
    n = successes + failures
    low, high = wilson(successes, n)
    assert 0 <= low <= high <= 1
    if n:
        assert low - 1e-12 <= successes / n <= high + 1e-12


def test_wilson_as_published():
    # Newcombe (1998), table I, method 3: 81 of 263, and 0 of 20.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(0, 0) == (0.0, 1.0)
    with pytest.raises(InvalidInput, match="3 successes out of 2"):
        wilson(3, 2)


def test_figures():
    proba = np.array([[0.8, 0.2, 0.0], [0.4, 0.6, 0.0], [0.3, 0.7, 0.0], [1.0, 0.0, 0.0]])
    found = figures("chosen", np.array([0, 0, 1, 1]), proba, ("a", "b", "c"))
    assert (found.n, found.accuracy) == (4, 0.5)
    assert (found.low, found.high) == wilson(2, 4)
    assert found.recall == {"a": 0.5, "b": 0.5}
    assert found.support == {"a": 2, "b": 2, "c": 0}
    assert np.isfinite(found.log_loss)
    three = figures("chosen", np.array([0, 0, 1]), proba[:3], ("a", "b", "c"))
    assert three.log_loss == pytest.approx(-np.log([0.8, 0.4, 0.7]).mean())


def test_figures_refuse_nothing_and_misfits():
    with pytest.raises(InvalidInput, match="0 labels"):
        figures("audit", np.empty(0, dtype=np.int64), np.empty((0, 2)), ("a", "b"))
    with pytest.raises(InvalidInput, match="2 classes"):
        figures("audit", np.array([0]), np.ones((1, 3)) / 3, ("a", "b"))


def chain(n: int) -> np.ndarray:
    """Unit vectors, each near its neighbours but not near the next but one."""
    angles = np.arange(n) * np.arccos(0.96)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_chains_are_one_group_named_by_its_smallest_u():
    X = np.vstack([chain(3), [[0.0, -1.0]]]).astype(np.float32)
    u = np.array([30, 10, 20, 5], dtype=np.uint64)
    assert near_duplicate_groups(X, u).tolist() == [10, 10, 10, 5]
    assert near_duplicate_groups(X[:0], u[:0]).tolist() == []


def test_groups_do_not_depend_on_how_they_are_computed():
    X, _ = sparse_topics(700, width=60)
    X = weigh(X[np.random.default_rng(0).integers(0, 400, 700)], np.ones(60, dtype=np.float32))
    u = np.random.default_rng(1).permutation(700).astype(np.uint64)
    groups = near_duplicate_groups(X, u)
    cosines = (X @ X.T).toarray()
    np.testing.assert_array_equal(groups, near_duplicate_groups(X, u, cosines=cosines))
    np.testing.assert_array_equal(groups, near_duplicate_groups(X.toarray(), u))
    assert len(np.unique(groups)) < 400


@given(st.lists(st.integers(0, 2**64 - 1), max_size=40), st.integers(1, 10), st.integers(0, 3))
def test_a_group_has_one_fold_whoever_else_is_there(keys, n_folds, seed):
    groups = np.array(keys, dtype=np.uint64)
    dealt = folds(groups, n_folds, seed)
    assert ((dealt >= 0) & (dealt < n_folds)).all()
    for row in range(len(keys)):
        assert folds(groups[row : row + 1], n_folds, seed)[0] == dealt[row]


def test_folds_are_about_equal_even_for_the_lowest_keys():
    sizes = np.bincount(folds(np.arange(5000, dtype=np.uint64), 10))
    assert sizes.min() > 400
