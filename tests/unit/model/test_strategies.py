import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from active_learning import features, ordering, registry
from active_learning.outcomes import Choice
from active_learning.strategies import badge
from active_learning.types import Kind
from tests.checks import strategy as checks

CASES = [
    pytest.param(strategy, check, id=f"{name}-{check.__name__}")
    for name, strategy in registry.strategies().items()
    for check in checks.yield_checks(strategy)
]


@pytest.mark.parametrize(("strategy", "check"), CASES)
def test_strategy(strategy, check):
    check(strategy)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("margin", [0.8, 0.0, 1.0]),
        ("least_confidence", [0.75, 0.0, 0.75]),
        ("entropy", [1.0297 / np.log(3), 0.0, np.log(2) / np.log(3)]),
    ],
)
def test_known_scores(name, expected):
    proba = np.array([[0.5, 0.3, 0.2], [1.0, 0.0, 0.0], [0.5, 0.5, 0.0]])
    scores = registry.strategies()[name].score(checks.candidates(proba))
    np.testing.assert_allclose(scores, expected, atol=1e-4)


def test_random_uses_the_seed_it_is_given():
    proba = checks.distributions(20, 3)
    strategy = registry.strategy_named("random")
    first = strategy.score(checks.candidates(proba, seed=1))
    second = strategy.score(checks.candidates(proba, seed=2))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("name", ["badge", "bald", "coreset"])
def test_a_large_pool_is_sampled(name, monkeypatch):
    monkeypatch.setattr(ordering, "SAMPLE", 25)
    given = checks.candidates(checks.distributions(60, 3), wanted=10)
    scores = checks.check_scores(registry.strategy_named(name), given)
    assert 10 < len(np.unique(scores)) <= 26 or name == "badge"


@pytest.mark.parametrize("name", sorted(registry.strategies()))
def test_many_classes_are_not_copied(name, monkeypatch):
    # A pool of 100,000 tasks and 1,000 classes is 800 MB.
    monkeypatch.setattr(features, "BLOCK_VALUES", 50_000)
    monkeypatch.setattr(ordering, "SAMPLE", 50)
    monkeypatch.setattr(badge, "BLOCK", 50)
    given = checks.candidates(checks.distributions(3_000, 500), wanted=10)
    strategy = registry.strategy_named(name)
    tracemalloc.start()
    try:
        checks.check_scores(strategy, given)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < given.proba.nbytes / 2


@pytest.mark.parametrize("name", ["mnlp", "token_entropy"])
def test_scores_of_whole_texts(name):
    proba = np.array([[0.5, 0.5], [0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.8, 0.2]])
    given = checks.candidates(proba, tasks=3, kind=Kind.SEQUENCE, starts=np.array([0, 2, 4, 5]))
    expected = {
        "mnlp": 1 - np.array([np.sqrt(0.45), 0.9, 0.8]),
        "token_entropy": np.array([1.0182, 0.6502, 0.5004]) / np.array([2.0182, 1.6502, 1.5004]),
    }
    scores = registry.strategy_named(name).score(given)
    np.testing.assert_allclose(given.best(scores), expected[name], atol=1e-4)
    np.testing.assert_array_equal(scores, given.best(scores)[given.task_of])


@pytest.mark.parametrize(
    ("y", "strategy", "why"),
    [
        ([], "typiclust", "since this control has no label yet"),
        ([-1, -1], "typiclust", "since this control has no label yet"),
        ([0] * 6 + [1], "typiclust", "until there are 8 labels (7 labels in 2 classes so far)"),
        ([0] * 7 + [1], "margin", "now that there are 8 labels in 2 classes"),
        ([*range(100), *range(28)], "margin", "now that there are 128 labels in 100 classes"),
    ],
)
def test_what_auto_says_is_what_it_counted(y, strategy, why):
    proba = checks.distributions(5, 3)
    given = replace(checks.candidates(proba), y=np.array(y, dtype=np.int64))
    assert registry.strategy_named("auto").choose(given) == Choice(strategy, why)
