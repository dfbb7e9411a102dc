"""The chain against summing and searching over all labellings one by one."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from active_learning.learners.chain import C, Packed, best_path, fit_chain, marginals


def chains(lengths, k, seed):
    rng = np.random.default_rng(seed)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return starts, rng.normal(size=(starts[-1], k)) * 2, rng.normal(size=(k, k)) * 2


def score(emissions, transitions, path):
    steps = sum(transitions[a, b] for a, b in pairwise(path))
    return sum(emissions[place, label] for place, label in enumerate(path)) + steps


LENGTHS = st.lists(st.integers(0, 4), min_size=1, max_size=4)


@given(LENGTHS, st.integers(1, 3), st.integers(0, 99))
def test_marginals_are_sums_over_all_labellings(lengths, k, seed):
    starts, emissions, transitions = chains(lengths, k, seed)
    packed = Packed.of(starts)
    log_z, found, pairs = marginals(emissions[packed.rows], transitions, packed)
    proba = np.empty_like(emissions)
    proba[packed.rows] = found
    total, expected, moves = 0.0, np.zeros_like(emissions), np.zeros((k, k))
    for low, high in pairwise(starts):
        if low == high:
            continue
        paths = list(product(range(k), repeat=int(high - low)))
        weights = np.exp([score(emissions[low:high], transitions, path) for path in paths])
        total += np.log(weights.sum())
        for path, share in zip(paths, weights / weights.sum(), strict=True):
            expected[np.arange(low, high), path] += share
            for a, b in pairwise(path):
                moves[a, b] += share
    np.testing.assert_allclose(log_z, total, atol=1e-8)
    np.testing.assert_allclose(proba, expected, atol=1e-8)
    np.testing.assert_allclose(pairs, moves, atol=1e-8)


@given(st.integers(0, 4), st.integers(1, 3), st.integers(0, 99))
def test_the_best_path_is_the_best_of_all(length, k, seed):
    _, emissions, transitions = chains([length], k, seed)
    found = best_path(emissions, transitions)
    best = max(score(emissions, transitions, path) for path in product(range(k), repeat=length))
    np.testing.assert_allclose(score(emissions, transitions, found), best)


def alternating(n: int, length: int, seed: int):
    """Labels that alternate; only the first unit of each sequence shows which it is."""
    rng = np.random.default_rng(seed)
    first = rng.integers(2, size=n)
    y = np.array([[(start + place) % 2 for place in range(length)] for start in first]).ravel()
    X = np.zeros((n * length, 3), dtype=np.float32)
    X[:, 2] = 1
    X[np.arange(n) * length, first] = 1
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    return X, y, np.arange(0, n * length + 1, length, dtype=np.int64)


@pytest.mark.parametrize("make", [csr_matrix, np.asarray])
def test_it_learns_what_follows_what(make):
    X, y, starts = alternating(40, 5, seed=0)
    coef, transitions = fit_chain(make(X), y, starts, 2)
    X, y, starts = alternating(20, 5, seed=1)
    emissions = X @ coef.T
    said = [best_path(emissions[a:b], transitions) for a, b in pairwise(starts)]
    assert (np.concatenate(said) == y).all()


def test_a_warm_start_finds_the_same():
    X, y, starts = alternating(40, 5, seed=0)
    coef, transitions = fit_chain(X, y, starts, 2)
    again, moved = fit_chain(X, y, starts, 2, start=(coef, transitions))
    np.testing.assert_allclose(coef, again, atol=0.05)
    np.testing.assert_allclose(transitions, moved, atol=0.05)


def words(n: int, k: int):
    """Units that are words, few of them frequent and most of them rare, and noisy labels."""
    rng = np.random.default_rng(0)
    word = np.minimum(rng.zipf(1.3, size=n), 2000) - 1
    y = np.where(rng.random(n) < 0.15, rng.integers(k, size=n), (7 * word + 3) % k)
    y[rng.random(n) < 0.8] = 0
    return csr_matrix((np.ones(n, dtype=np.float32), (np.arange(n), word)), shape=(n, 2000)), y


def test_units_without_neighbours_are_a_logistic_regression():
    X, y = words(5000, 6)
    coef, transitions = fit_chain(X, y, np.arange(5001), 6)
    theirs = LogisticRegression(C=C, fit_intercept=False, tol=1e-8, max_iter=5000).fit(X, y)
    ours = softmax(X @ coef.T, axis=1)
    np.testing.assert_allclose(ours, theirs.predict_proba(X), atol=0.015)
    np.testing.assert_allclose(transitions, 0, atol=1e-6)


def test_sparse_and_dense_units_are_the_same_chain():
    X, y = words(200, 3)
    starts = np.arange(0, 201, 5)
    coef, transitions = fit_chain(X, y, starts, 3)
    dense, moves = fit_chain(X.toarray(), y, starts, 3)
    np.testing.assert_allclose(coef, dense, atol=0.02)
    np.testing.assert_allclose(transitions, moves, atol=0.02)
