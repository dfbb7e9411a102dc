"""What every query strategy must do, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from active_learning.errors import InvalidInput
from active_learning.protocols import QueryStrategy
from active_learning.types import Candidates, Floats

Check = Callable[[QueryStrategy], None]

DRAWN = ("random", "typiclust")
"""Strategies that draw: their scores depend on the place of a row."""

UNDOUBTING = (*DRAWN, "coreset")
"""Strategies that do not look at how sure the model is."""


def candidates(proba: Floats, seed: int = 0) -> Candidates:
    X = np.random.default_rng(1).random((len(proba), 4), dtype=np.float32)
    return Candidates(proba=proba, X=X, X_labeled=X[:1], rng=np.random.default_rng(seed))


def distributions(m: int, k: int) -> Floats:
    return np.random.default_rng(2).dirichlet(np.ones(k), size=m)


def yield_checks(strategy: QueryStrategy) -> Iterator[Check]:
    yield check_scores_are_in_range
    yield check_same_seed_same_scores
    yield check_inputs_are_unchanged
    yield check_no_candidates
    yield check_one_candidate
    yield check_one_class
    yield check_certain_and_undecided
    yield check_refuses_bad_probabilities
    yield check_cites_a_paper
    if strategy.name not in DRAWN:
        yield check_order_of_rows_does_not_matter
        yield check_duplicates_score_alike
    if strategy.name not in UNDOUBTING:
        yield check_undecided_comes_first


def check_scores_are_in_range(strategy: QueryStrategy) -> None:
    for k in (2, 3, 50):
        scores = strategy.score(candidates(distributions(40, k)))
        assert scores.shape == (40,)
        assert np.isfinite(scores).all()
        assert scores.min() >= 0
        assert scores.max() <= 1


def check_same_seed_same_scores(strategy: QueryStrategy) -> None:
    proba = distributions(20, 4)
    np.testing.assert_array_equal(
        strategy.score(candidates(proba, seed=3)), strategy.score(candidates(proba, seed=3))
    )


def check_inputs_are_unchanged(strategy: QueryStrategy) -> None:
    proba = distributions(20, 4)
    given = candidates(proba.copy())
    X = given.X.copy()
    strategy.score(given)
    np.testing.assert_array_equal(given.proba, proba)
    np.testing.assert_array_equal(given.X, X)


def check_no_candidates(strategy: QueryStrategy) -> None:
    assert strategy.score(candidates(np.empty((0, 3)))).shape == (0,)


def check_one_candidate(strategy: QueryStrategy) -> None:
    assert strategy.score(candidates(distributions(1, 3))).shape == (1,)


def check_one_class(strategy: QueryStrategy) -> None:
    scores = strategy.score(candidates(np.ones((5, 1))))
    assert scores.shape == (5,)
    assert ((scores >= 0) & (scores <= 1)).all()


def check_certain_and_undecided(strategy: QueryStrategy) -> None:
    proba = np.vstack([np.eye(4), np.full((2, 4), 0.25)])
    scores = strategy.score(candidates(proba))
    assert np.isfinite(scores).all()


def check_refuses_bad_probabilities(strategy: QueryStrategy) -> None:
    bad = [
        np.array([[0.5, np.nan]]),
        np.array([[0.5, np.inf]]),
        np.array([[0.7, 0.7]]),
        np.array([[1.5, -0.5]]),
        np.array([0.5, 0.5]),
        np.empty((3, 0)),
    ]
    for proba in bad:
        with pytest.raises(InvalidInput, match="probabilities"):
            strategy.score(candidates(proba))


def check_cites_a_paper(strategy: QueryStrategy) -> None:
    assert "References" in (type(strategy).__doc__ or "")


def check_order_of_rows_does_not_matter(strategy: QueryStrategy) -> None:
    proba = distributions(30, 5)
    shuffled = np.random.default_rng(4).permutation(30)
    np.testing.assert_allclose(
        strategy.score(candidates(proba))[shuffled], strategy.score(candidates(proba[shuffled]))
    )


def check_duplicates_score_alike(strategy: QueryStrategy) -> None:
    scores = strategy.score(candidates(np.repeat(distributions(5, 3), 2, axis=0)))
    np.testing.assert_array_equal(scores[::2], scores[1::2])


def check_undecided_comes_first(strategy: QueryStrategy) -> None:
    proba = np.array([[0.98, 0.01, 0.01], [1 / 3, 1 / 3, 1 / 3], [0.6, 0.3, 0.1]])
    assert np.argsort(-strategy.score(candidates(proba))).tolist() == [1, 2, 0]
