import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from active_learning.errors import InvalidInput
from active_learning.evaluation import (
    NEAR_DUPLICATE,
    calibration_error,
    folds,
    near_duplicate_groups,
    same_question,
    wilson,
)
from active_learning.features import weigh

from .synthetic import sparse_topics, widened


@given(st.integers(0, 500), st.integers(0, 500))
def test_wilson_holds_the_share(successes, failures):
    n = successes + failures
    low, high = wilson(successes, n)
    assert 0 <= low <= high <= 1
    if n:
        assert low <= successes / n <= high


def test_wilson_as_published():
    # Newcombe (1998), table I, method 3: 81 of 263, and 0 of 20.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(0, 0) == (0.0, 1.0)
    with pytest.raises(InvalidInput, match="3 successes out of 2"):
        wilson(3, 2)


def chain(n: int) -> np.ndarray:
    """Unit vectors, each near its neighbours but not near the next but one."""
    angles = np.arange(n) * np.arccos(0.96)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_chains_are_one_group_named_by_its_smallest_u():
    X = widened(np.vstack([chain(3), -chain(1)]))
    u = np.array([30, 10, 20, 5], dtype=np.uint64)
    assert near_duplicate_groups(X, u).tolist() == [10, 10, 10, 5]
    assert near_duplicate_groups(X[:0], u[:0]).tolist() == []


def test_groups_do_not_depend_on_how_they_are_computed():
    X, _ = sparse_topics(700, width=100)
    X = weigh(X[np.random.default_rng(0).integers(0, 400, 700)], np.ones(100, dtype=np.float32))
    u = np.random.default_rng(1).permutation(700).astype(np.uint64)
    groups = near_duplicate_groups(X, u)
    cosines = (X @ X.T).toarray()
    np.testing.assert_array_equal(groups, near_duplicate_groups(X, u, cosines=cosines))
    np.testing.assert_array_equal(groups, near_duplicate_groups(X.toarray(), u))
    assert len(np.unique(groups)) < 400


def test_in_a_few_columns_only_equal_rows_are_near_duplicates():
    X = chain(4)[[0, 1, 2, 3, 1]]
    # A table is hashed into many columns, of which it uses a few.
    X = np.hstack([X, np.zeros((5, 500), dtype=np.float32)])
    u = np.array([30, 10, 20, 5, 2], dtype=np.uint64)
    assert near_duplicate_groups(X, u).tolist() == [30, 2, 20, 5, 2]
    assert near_duplicate_groups(csr_matrix(X), u).tolist() == [30, 2, 20, 5, 2]
    assert near_duplicate_groups(X[:0], u[:0]).tolist() == []
    cosines = X @ X.T
    np.testing.assert_array_equal(cosines >= same_question(X), cosines > 0.999)
    assert same_question(widened(X)) == NEAR_DUPLICATE


def test_a_crowd_of_copies_is_one_group():
    # More copies than an eight-bit count of their pairs could hold.
    X = widened(chain(3)[[0] * 700 + [2]])
    keys = near_duplicate_groups(X, np.arange(701, dtype=np.uint64))
    assert keys.tolist() == [0] * 700 + [700]


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


# Calibration


def test_confidence_that_is_right_has_no_error():
    right = np.array([0, 1, 1, 1] * 25)
    assert calibration_error(np.full(100, 0.75), right) == pytest.approx(0)
    assert calibration_error(np.full(100, 0.95), right) == pytest.approx(0.2)


def test_errors_that_cancel_are_seen():
    # The mean confidence is the share of right answers: one bin alone would see nothing.
    told, right = np.repeat([0.4, 0.6], 50), np.repeat([0, 1], 50)
    assert calibration_error(told, right) == pytest.approx(0.4)


@given(st.integers(1, 300), st.integers(0, 999))
def test_calibration_error_is_a_share_and_has_no_order(n, seed):
    rng = np.random.default_rng(seed)
    told = rng.random(n)
    right = rng.random(n) < told
    found = calibration_error(told, right)
    assert abs(told.mean() - right.mean()) - 1e-12 <= found <= 1
    mixed = rng.permutation(n)
    assert calibration_error(told[mixed], right[mixed]) == pytest.approx(found)


def test_of_perfect_calibration_little_is_left_with_labels():
    rng = np.random.default_rng(0)
    errors = {}
    for n in (100, 5_000):
        told = rng.uniform(0.5, 1, size=(50, n))
        errors[n] = np.mean([calibration_error(c, rng.random(n) < c) for c in told])
    assert errors[5_000] < 0.02 < errors[100] < 0.1


def test_calibration_of_nothing_is_refused():
    for told, right in (([], []), ([0.5], [])):
        with pytest.raises(InvalidInput):
            calibration_error(np.array(told), np.array(right))
