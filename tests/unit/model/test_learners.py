from functools import cache

import pytest

from active_learning import registry
from active_learning.types import Kind
from tests.checks import learner as checks

from .synthetic import FORMS, learnable

CASES = [
    pytest.param(learner, form, check, id=f"{learner.name}-{form}-{check.__name__}")
    for learner in registry.learners().values()
    for form in FORMS
    for check in checks.yield_checks()
]

pool_of_kind = cache(learnable)


@pytest.mark.parametrize(("learner", "form", "check"), CASES)
def test_learner(learner, form, check):
    check(learner, pool_of_kind(learner.kind, form))


def test_every_kind_of_answer_has_one_learner():
    assert sorted(learner.kind for learner in registry.learners().values()) == sorted(Kind)
    assert all(registry.learner_of(kind).kind is kind for kind in Kind)
