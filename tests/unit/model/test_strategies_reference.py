"""The same values, or the same order, as scikit-activeml where it has the same strategy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skactiveml.pool import CoreSet as TheirCoreSet
from skactiveml.pool import TypiClust as TheirTypiClust
from skactiveml.pool import batch_bald, uncertainty_scores

from active_learning.registry import strategy_named
from tests.checks.strategy import candidates, distributions, rows_of_unit_length

METHODS = {
    "least_confidence": "least_confident",
    "margin": "margin_sampling",
    "entropy": "entropy",
}


@given(st.sampled_from(sorted(METHODS)), st.integers(2, 12), st.integers(1, 40))
def test_uncertainty(name, classes, tasks):
    proba = distributions(tasks, classes)
    theirs = uncertainty_scores(proba, method=METHODS[name])
    largest = uncertainty_scores(np.full((1, classes), 1 / classes), method=METHODS[name])
    np.testing.assert_allclose(
        strategy_named(name).score(candidates(proba)), theirs / largest, rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize("classes", [2, 5])
def test_disagreement(classes):
    said = np.random.default_rng(0).dirichlet(np.ones(classes), size=(8, 60))
    ours = strategy_named("bald").score(
        candidates(said.mean(axis=0), committee=lambda tasks: said[:, tasks])
    )
    [theirs] = batch_bald(said, batch_size=1)
    np.testing.assert_allclose(ours * np.log(min(classes, 8)), theirs, rtol=1e-6, atol=1e-7)


def test_core_set():
    X = rows_of_unit_length(65)
    y = np.full(65, np.nan)
    y[60:] = 0
    theirs = TheirCoreSet(random_state=0).query(X, y, batch_size=20)
    given = candidates(distributions(60, 3), X=X[:60], X_labeled=X[60:], wanted=20)
    ours = np.argsort(-strategy_named("coreset").score(given))[:20]
    assert ours.tolist() == theirs.tolist()


def test_gradient_embeddings():
    """The first draw is the longest gradient, and what is drawn next is never at distance zero."""
    proba, X = distributions(30, 3), rows_of_unit_length(30)
    answers = np.eye(3)[proba.argmax(axis=1)]
    gradients = np.einsum("ik,id->ikd", proba - answers, X).reshape(30, -1)
    twice = candidates(np.vstack([proba, proba]), X=np.vstack([X, X]), X_labeled=X[:0], wanted=30)
    order = np.argsort(-strategy_named("badge").score(twice))[:30]
    assert order[0] % 30 == np.linalg.norm(gradients, axis=1).argmax()
    assert len(set(order % 30)) == 30


@pytest.mark.parametrize("answered", [(), (0,), (1, 3)])
def test_themes(answered):
    """A typical task of each theme without an answer, the largest theme first."""
    rng = np.random.default_rng(0)
    theme = np.repeat(np.arange(4), [48, 36, 24, 12])
    X = np.eye(8)[theme] + rng.normal(scale=0.03, size=(120, 8))
    X = (X / np.linalg.norm(X, axis=1, keepdims=True)).astype(np.float32)
    known = np.array([np.flatnonzero(theme == each)[0] for each in answered], dtype=np.int64)
    asked, y = np.setdiff1d(np.arange(120), known), np.full(120, np.nan)
    y[known] = 0
    wanted = 4 - len(answered)
    theirs = TheirTypiClust(random_state=0).query(X, y, batch_size=wanted)
    given = candidates(distributions(len(asked), 3), X=X[asked], X_labeled=X[known], wanted=wanted)
    ours = asked[np.argsort(-strategy_named("typiclust").score(given))[:wanted]]
    assert theme[ours].tolist() == theme[theirs].tolist() == sorted({0, 1, 2, 3} - set(answered))
