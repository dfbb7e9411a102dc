import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from active_learning import loop
from active_learning.errors import InvalidInput, NotEnoughLabels
from active_learning.learners.multiple import MultipleLearner, fit_heads
from active_learning.types import UNLABELED, Kind

from .synthetic import dense_blobs, learnable, pool_of, sparse_topics

LEARNER = MultipleLearner()


def unit_rows(n: int = 150):
    X, z = dense_blobs(n)
    X = X / np.linalg.norm(X, axis=1, keepdims=True)
    wrong = np.random.default_rng(0).random(n) < 0.1
    return X, np.stack([z == 0, (z == 1) ^ wrong, z > 5], axis=1).astype(np.int8)


@pytest.mark.parametrize("make", [np.asarray, csr_matrix])
@pytest.mark.parametrize("c", [0.3, 30.0])
def test_each_class_is_a_logistic_regression_of_its_own(make, c):
    X, Y = unit_rows()
    coef, intercepts = fit_heads(make(X), Y, c)
    ours = expit(X @ coef.T + intercepts)
    for index in (0, 1):
        theirs = LogisticRegression(C=c, tol=1e-8, max_iter=1000).fit(X, Y[:, index])
        np.testing.assert_allclose(ours[:, index], theirs.predict_proba(X)[:, 1], atol=0.01)


def test_classes_do_not_mix():
    X, Y = unit_rows()
    coef, intercepts = fit_heads(X, Y)
    alone, intercept = fit_heads(X, Y[:, [1]])
    together = expit(X @ coef[1] + intercepts[1])
    np.testing.assert_allclose(together, expit(X @ alone[0] + intercept), atol=0.01)


def test_a_class_nobody_chose_is_unlikely_and_one_everybody_chose_is_likely():
    X, Y = unit_rows()
    Y[:, 0] = 1
    coef, intercepts = fit_heads(X, Y)
    assert (coef[[0, 2]] == 0).all()
    np.testing.assert_allclose(expit(intercepts[[0, 2]]), [150.5 / 151, 0.5 / 151])


def test_an_empty_set_is_an_answer():
    X, z = sparse_topics(120, noise=0.1)
    Y = np.stack([z == 0, z == 1], axis=1).astype(np.int8)
    model = LEARNER.fit(pool_of(X, Y, 2, kind=Kind.MULTIPLE)).model
    verdicts = model.predict(X).verdicts(np.flatnonzero(z == 2))
    assert np.mean([verdict.answer == frozenset() for verdict in verdicts]) > 0.8


@pytest.mark.parametrize(
    "labels",
    [[], [[1, 0]], [[1, 0], [1, 0], [1, 0]], [[0, 0], [0, 0]]],
)
def test_needs_a_class_that_was_chosen_and_not_chosen(labels):
    X, _ = sparse_topics(10)
    Y = np.full((10, 2), UNLABELED, dtype=np.int8)
    Y[: len(labels)] = np.reshape(labels, (-1, 2))
    pool = pool_of(X, Y, 2, kind=Kind.MULTIPLE)
    with pytest.raises(NotEnoughLabels, match=f"{len(labels)} labels; a model needs at least 2"):
        loop.fit(pool)
    Y[len(labels) : len(labels) + 2] = [[1, 1], [0, 1]]
    assert loop.fit(pool_of(X, Y, 2, kind=Kind.MULTIPLE)).model.classes == ("a", "b")


def test_questions_are_one_yes_or_no_a_class():
    pool = learnable(Kind.MULTIPLE, "vector")
    model = LEARNER.fit(pool).model
    opinion = model.predict(pool.X)
    proba = model.predict_proba(pool.X)
    assert opinion.questions.shape == (len(pool.ids) * 4, 2)
    np.testing.assert_allclose(opinion.questions[:, 1].reshape(-1, 4), proba)
    assert opinion.starts.tolist() == list(range(0, 4 * len(pool.ids) + 1, 4))


def test_rare_classes_are_believed_as_rarely_as_they_are():
    rng = np.random.default_rng(0)
    X, _ = sparse_topics(300, noise=1)
    Y = (rng.random((300, 2)) < [0.05, 0.5]).astype(np.int8)
    found = LEARNER.fit(pool_of(X, Y, 2, kind=Kind.MULTIPLE))
    assert found.out_of_fold.mean(axis=0) == pytest.approx(Y.mean(axis=0), abs=0.07)
    assert not found.useful


def test_the_audit_is_judged_by_the_temperature_and_penalty_in_use():
    pool = learnable(Kind.MULTIPLE, "counts")
    arrays = LEARNER.fit(pool).model.to_arrays()
    rows = pool.labeled[:30]
    losses = []
    for changed in ({}, {"temperature": np.asarray(20.0)}, {"c": np.asarray(1e-3)}):
        model = LEARNER.restore(arrays | changed, pool.classes)
        losses.append(LEARNER.estimate(pool, rows, model=model, seed=0).log_loss)
    assert len(set(losses)) == 3
    assert losses[0] == min(losses)


@pytest.mark.parametrize("name", ["temperature", "c"])
def test_arrays_of_no_model_are_refused(name):
    pool = learnable(Kind.MULTIPLE, "counts")
    arrays = LEARNER.fit(pool).model.to_arrays()
    with pytest.raises(InvalidInput, match="does not fit 4 classes; fit it again"):
        LEARNER.restore(arrays | {name: np.asarray(0.0)}, pool.classes)
