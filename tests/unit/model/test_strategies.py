import numpy as np
import pytest

from active_learning import registry
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
