import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from active_learning import cold_start
from active_learning.cold_start import spread

from .synthetic import bbc, dense_blobs


def run(X, k, seed=0, asked=None):
    asked = None if asked is None else np.asarray(asked)
    return spread(X, k, rng=np.random.default_rng(seed), asked=asked).tolist()


@pytest.mark.slow
def test_the_first_few_cover_the_classes_of_real_text():
    X, y = bbc()
    found = [len(set(y[run(X, 100, seed)[:10]])) for seed in range(3)]
    assert min(found) >= 4
    assert np.mean(found) >= 4.4


def test_well_separated_themes_are_covered_at_once():
    X, y = dense_blobs(400, 4, seed=3)
    assert set(y[run(X, 4)]) == {0, 1, 2, 3}


def test_going_on_covers_what_is_missing():
    X, y = dense_blobs(400, 4, seed=3)
    first = run(X, 8)
    assert run(X, 2, asked=first[:2])
    answered = np.flatnonzero(y == 0)[:3].tolist()
    assert set(y[run(X, 5, asked=answered)]) >= {1, 2, 3}


def test_the_same_pool_gives_the_same_order():
    X, _ = bbc()
    assert run(X, 30, seed=5) == run(X, 30, seed=5)


@given(st.integers(0, 12), st.integers(0, 15), st.booleans(), st.data())
def test_any_pool(n, k, sparse, data):
    kinds = data.draw(st.lists(st.integers(-1, 3), min_size=n, max_size=n))
    asked = data.draw(st.lists(st.integers(0, n - 1), unique=True)) if n else []
    X = np.array([[0.0] * 4 if kind < 0 else np.eye(4)[kind] for kind in kinds])
    X = X.reshape(n, 4).astype(np.float32)
    rows = run(csr_matrix(X) if sparse else X, k, asked=asked)
    assert len(rows) == len(set(rows)) == min(k, n - len(asked))
    assert not set(rows) & set(asked)
    empty = [kinds[row] < 0 for row in rows]
    assert empty == sorted(empty)
    if not asked:
        first = [kinds[row] for row in rows if kinds[row] >= 0][: len(set(kinds) - {-1})]
        assert len(set(first)) == len(first)


def test_more_wanted_than_clusters_can_be_made(monkeypatch):
    monkeypatch.setattr(cold_start, "MAX_CLUSTERS", 8)
    X, _ = dense_blobs(60)
    assert sorted(run(X, 60)) == list(range(60))


@pytest.mark.parametrize("asked", [[], [0, 1, 2, 39]])
def test_big_pools_are_sampled(monkeypatch, asked):
    monkeypatch.setattr(cold_start, "SAMPLE", 20)
    X, _ = dense_blobs(40)
    rows = run(X, 36, asked=asked)
    assert len(set(rows)) == 36
    assert not set(rows) & set(asked)


def of_answered_themes(k):
    """How many of `k` questions are about the half of forty themes that forty answers cover."""
    X, y = dense_blobs(400, 40, seed=3)
    answered = np.concatenate([np.flatnonzero(y == theme)[:2] for theme in range(20)])
    return [int((y[run(X, k, seed, asked=answered)] < 20).sum()) for seed in range(5)]


def test_many_answers_do_not_end_the_spread(monkeypatch):
    monkeypatch.setattr(cold_start, "MAX_CLUSTERS", 16)
    assert np.mean(of_answered_themes(10)) < 2


def test_past_the_last_clustering_the_order_is_random(monkeypatch):
    monkeypatch.setattr(cold_start, "ALL_CLUSTERS", 16)
    assert np.mean(of_answered_themes(10)) > 3
