"""What every query strategy must do, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from active_learning.errors import InvalidInput
from active_learning.protocols import QueryStrategy
from active_learning.types import Candidates, Features, Floats, Ints, Kind

Check = Callable[[QueryStrategy], None]

DRAWN = ("random", "badge", "typiclust")
"""Strategies that draw: their scores depend on the place of a row."""

ORDERED = ("badge", "coreset", "typiclust")
"""Strategies that choose one task after the other, and the like of a chosen one late."""

UNDOUBTING = ("random", "coreset", "typiclust")
"""Strategies that do not look at how sure the model is."""

WIDTH = 8


def candidates(proba: Floats, seed: int = 0, **changed: Any) -> Candidates:
    """Return a task a row of `proba`, five answered ones, and a committee that disagrees."""
    m = changed.pop("tasks", len(proba))
    X = rows_of_unit_length(m + 5)
    given = Candidates(
        proba=proba, X=X[:m], X_labeled=X[m:], rng=np.random.default_rng(seed), wanted=10
    )
    if changed.get("kind", Kind.SINGLE) is Kind.SINGLE:
        # Of one class: enough for what spreads at first to ask by doubt.
        given = replace(given, y=np.zeros(5, dtype=np.int64))
    given = replace(given, **changed)
    if "committee" in changed:
        return given
    return replace(given, committee=lambda tasks: disagreeing(proba[questions(given, tasks)]))


def questions(given: Candidates, tasks: Ints) -> Ints:
    return np.flatnonzero(np.isin(given.task_of, tasks))


def disagreeing(proba: Floats) -> Floats:
    """Return what two say who lean to opposite classes: the further apart the less is known."""
    lean = np.linspace(0.5, 1.5, proba.shape[1])
    said = [proba**lean, proba ** lean[::-1]]
    return np.stack([each / each.sum(axis=1, keepdims=True) for each in said])


def rows_of_unit_length(n: int) -> Floats:
    X = np.random.default_rng(1).normal(size=(n, WIDTH)).astype(np.float32)
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def distributions(m: int, k: int) -> Floats:
    return np.random.default_rng(2).dirichlet(np.ones(k), size=m)


def of_kinds() -> Iterator[Candidates]:
    """Yield candidates of every kind of answer, one of them without a question."""
    one = candidates(distributions(40, 3), y=np.array([0, 1, 1, 2, -1]))
    yield one
    X = csr_matrix(np.where(np.abs(one.X) < 0.3, 0, one.X))
    yield replace(one, X=X, X_labeled=csr_matrix(one.X_labeled))
    yield candidates(
        distributions(80, 2),
        tasks=20,
        kind=Kind.MULTIPLE,
        starts=np.arange(0, 81, 4),
        y=np.array([[0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1], [-1, -1, -1, -1]]),
    )
    yield candidates(
        distributions(30, 4), tasks=5, kind=Kind.SEQUENCE, starts=np.array([0, 1, 9, 9, 20, 30])
    )
    yield candidates(
        distributions(40, 2), kind=Kind.NUMBER, y=np.array([0.5, 2, np.nan, 3, 4]), committee=None
    )


def yield_checks(strategy: QueryStrategy) -> Iterator[Check]:
    yield check_scores_are_in_range
    yield check_every_kind_of_answer
    yield check_same_seed_same_scores
    yield check_inputs_are_unchanged
    yield check_no_candidates
    yield check_one_candidate
    yield check_nothing_is_answered
    yield check_one_class
    yield check_certain_and_undecided
    yield check_all_tasks_alike
    yield check_refuses_bad_probabilities
    yield check_cites_a_paper
    yield check_tasks_without_features_take_no_place
    if strategy.name == "random":
        yield check_long_tasks_are_not_preferred
    if strategy.name not in DRAWN:
        yield check_order_of_rows_does_not_matter
    if strategy.name in ORDERED:
        yield check_wanted_tasks_come_first
    elif strategy.name not in DRAWN:
        yield check_duplicates_score_alike
    if strategy.name not in UNDOUBTING:
        yield check_undecided_comes_first


def check_scores(strategy: QueryStrategy, given: Candidates) -> Floats:
    scores = strategy.score(given)
    assert scores.shape == (len(given.proba),)
    assert np.isfinite(scores).all()
    assert scores.min(initial=0) >= 0
    assert scores.max(initial=0) <= 1
    return scores


def check_scores_are_in_range(strategy: QueryStrategy) -> None:
    for k in (2, 3, 50):
        check_scores(strategy, candidates(distributions(40, k)))


def check_every_kind_of_answer(strategy: QueryStrategy) -> None:
    for given in of_kinds():
        scores = check_scores(strategy, given)
        best = given.best(scores)
        assert best.shape == (given.tasks,)
        assert len(np.unique(best)) > given.tasks / 2, given.kind


def check_tasks_without_features_take_no_place(strategy: QueryStrategy) -> None:
    """What cannot be read is asked last: places in an order must not be spent on it."""
    given = candidates(distributions(40, 3), y=np.array([0, 1, 1, 2, 2]))
    given = candidates(
        np.vstack([given.proba, np.full((60, 3), 1 / 3)]),
        X=np.vstack([np.abs(given.X), np.zeros((60, WIDTH), np.float32)]),
        X_labeled=np.abs(given.X_labeled),
        y=given.y,
    )
    scores = check_scores(strategy, given)[:40]
    if strategy.name in ORDERED:
        assert np.sum(scores > 0.5) == given.wanted


def check_long_tasks_are_not_preferred(strategy: QueryStrategy) -> None:
    """Of one long task among many short ones, which all have the same chance to be first."""
    starts = np.concatenate([[0], 200 + np.arange(20)])
    proba = distributions(int(starts[-1]), 2)
    firsts = []
    for seed in range(200):
        given = candidates(proba, seed, tasks=20, kind=Kind.SEQUENCE, starts=starts)
        firsts.append(int(given.best(strategy.score(given)).argmax()))
    assert firsts.count(0) < 30


def check_same_seed_same_scores(strategy: QueryStrategy) -> None:
    proba = distributions(20, 4)
    np.testing.assert_array_equal(
        strategy.score(candidates(proba, seed=3)), strategy.score(candidates(proba, seed=3))
    )


def check_inputs_are_unchanged(strategy: QueryStrategy) -> None:
    for given in of_kinds():
        arrays = [value for value in map(content, members(given)) if value is not None]
        before = [array.copy() for array in arrays]
        strategy.score(given)
        for array, was in zip(arrays, before, strict=True):
            np.testing.assert_array_equal(array, was)


def members(given: Candidates) -> list[Any]:
    return [getattr(given, each.name) for each in fields(given)]


def content(value: Any) -> Floats | None:
    if isinstance(value, csr_matrix):
        return np.asarray(value.data)
    return value if isinstance(value, np.ndarray) else None


def check_no_candidates(strategy: QueryStrategy) -> None:
    check_scores(strategy, candidates(np.empty((0, 3))))
    nothing = csr_matrix((0, WIDTH), dtype=np.float32)
    check_scores(strategy, candidates(np.empty((0, 3)), X=nothing, X_labeled=nothing))


def check_one_candidate(strategy: QueryStrategy) -> None:
    check_scores(strategy, candidates(distributions(1, 3)))


def check_nothing_is_answered(strategy: QueryStrategy) -> None:
    nothing: Features = np.empty((0, WIDTH), dtype=np.float32)
    check_scores(strategy, candidates(distributions(9, 3), X_labeled=nothing))


def check_one_class(strategy: QueryStrategy) -> None:
    check_scores(strategy, candidates(np.ones((5, 1))))


def check_certain_and_undecided(strategy: QueryStrategy) -> None:
    check_scores(strategy, candidates(np.vstack([np.eye(4), np.full((2, 4), 0.25)])))


def check_all_tasks_alike(strategy: QueryStrategy) -> None:
    same = np.tile(rows_of_unit_length(1), (30, 1))
    proba = np.tile(distributions(1, 3), (30, 1))
    check_scores(strategy, candidates(proba, X=same, X_labeled=same[:2]))


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
    given = candidates(distributions(30, 5))
    shuffled = np.random.default_rng(4).permutation(30)
    moved = candidates(given.proba[shuffled], X=given.X[shuffled])
    np.testing.assert_allclose(
        strategy.score(given)[shuffled], strategy.score(moved), rtol=1e-6, atol=1e-9
    )


def check_duplicates_score_alike(strategy: QueryStrategy) -> None:
    proba, X = distributions(5, 3), rows_of_unit_length(5)
    scores = strategy.score(candidates(np.repeat(proba, 2, axis=0), X=np.repeat(X, 2, axis=0)))
    np.testing.assert_array_equal(scores[::2], scores[1::2])


def check_wanted_tasks_come_first(strategy: QueryStrategy) -> None:
    scores = strategy.score(candidates(distributions(60, 3), wanted=12))
    assert 12 <= np.count_nonzero(scores > 0.5) <= 24
    assert len(np.unique(scores[scores > 0.5])) == np.count_nonzero(scores > 0.5)


def check_undecided_comes_first(strategy: QueryStrategy) -> None:
    proba = np.array([[0.98, 0.01, 0.01], [1 / 3, 1 / 3, 1 / 3], [0.6, 0.3, 0.1]])
    given = candidates(proba, wanted=1)
    assert np.argsort(-strategy.score(given)).tolist() == [1, 2, 0]
