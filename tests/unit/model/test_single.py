from functools import partial

import numpy as np
import pytest

from active_learning import loop
from active_learning.errors import InvalidInput, NotEnoughLabels
from active_learning.learners import basis, resampling
from active_learning.learners.single import SingleLearner, SingleModel
from active_learning.types import UNLABELED

from .synthetic import bbc, dense_blobs, partly, pool_of, sparse_topics

LEARNER = SingleLearner()


def sparse_pool():
    X, y = sparse_topics(200)
    return pool_of(X, partly(y, 60), 5)


def dense_pool():
    X, y = dense_blobs(200)
    return pool_of(X, partly(y, 60), 4)


def fit(pool, **given) -> SingleModel:
    return LEARNER.fit(pool, **given).model


@pytest.mark.parametrize("pool", [sparse_pool(), dense_pool()], ids=["sparse", "dense"])
def test_rows_are_distributions_and_no_class_is_impossible(pool):
    proba = fit(pool).predict_proba(pool.X)
    assert proba.shape == (len(pool.ids), len(pool.classes))
    assert (proba > 0).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-9)


@pytest.mark.parametrize("pool", [sparse_pool(), dense_pool()], ids=["sparse", "dense"])
def test_the_answer_is_the_likeliest_class(pool):
    model = fit(pool)
    proba = model.predict_proba(pool.X)
    verdicts = model.predict(pool.X).verdicts(np.arange(len(pool.ids)))
    likeliest = [pool.classes[index] for index in proba.argmax(axis=1)]
    assert [verdict.answer for verdict in verdicts] == likeliest
    assert [verdict.confidence for verdict in verdicts] == proba.max(axis=1).tolist()


def test_an_empty_row_could_be_anything():
    X, y = sparse_topics(100)
    proba = fit(pool_of(X, partly(y, 30), 3)).predict_proba(X[:1] * 0)
    np.testing.assert_allclose(proba, 1 / 3)


def assert_same_head(one: SingleModel, other: SingleModel, X) -> None:
    """Heads are searched for finely, the temperature by heads that are not."""
    assert one.c == other.c
    np.testing.assert_allclose(one.linear(X), other.linear(X), atol=0.01)
    assert one.temperature == pytest.approx(other.temperature, rel=0.1)


@pytest.mark.parametrize("n_labels", [30, 150])
def test_the_triangle_and_the_columns_find_the_same_model(monkeypatch, n_labels):
    X, y = bbc()
    pool = pool_of(X, partly(y, n_labels), 5)
    triangle = fit(pool)
    monkeypatch.setattr(resampling, "make_basis", partial(basis.make_basis, gram_rows=0))
    assert_same_head(triangle, fit(pool), X)


def test_a_previous_model_changes_nothing_but_the_time(monkeypatch):
    X, y = bbc()
    previous = fit(pool_of(X, partly(y, 80), 5))
    pool = pool_of(X, partly(y, 100), 5)
    fresh = fit(pool)
    for gram_rows in (0, 1000):
        make_basis = partial(basis.make_basis, gram_rows=gram_rows)
        monkeypatch.setattr(resampling, "make_basis", make_basis)
        assert_same_head(fresh, fit(pool, previous=previous), X)


def test_a_previous_model_of_other_classes_is_no_start():
    X, y = sparse_topics(100)
    two = fit(pool_of(X, np.where(y < 2, y, UNLABELED), 3))
    pool = pool_of(X, partly(y, 50), 3)
    fresh, warm = fit(pool), fit(pool, previous=two)
    np.testing.assert_array_equal(fresh.linear.coef, warm.linear.coef)


def test_a_previous_model_of_other_features_is_no_start():
    X, y = sparse_topics(100)
    narrow = fit(pool_of(X[:, :80], partly(y, 50), 3))
    pool = pool_of(X, partly(y, 50), 3)
    fresh, warm = fit(pool), fit(pool, previous=narrow)
    np.testing.assert_array_equal(fresh.linear.coef, warm.linear.coef)


def test_unseen_classes_get_their_share():
    X, y = sparse_topics(100, 2)
    proba = fit(pool_of(X, partly(y, 30), 6)).predict_proba(X)
    np.testing.assert_allclose(proba[:, 2:], 1 / 36)


def test_rare_columns_count_by_the_whole_pool():
    X, y = sparse_topics(100)
    weights = fit(pool_of(X, partly(y, 30), 3)).linear.scaling.weights
    counts = np.asarray((X > 0).sum(axis=0)).ravel()
    assert weights[counts.argmin()] > weights[counts.argmax()]


def test_figures_are_out_of_fold():
    rng = np.random.default_rng(99)
    X, _ = sparse_topics(120, width=400)
    found = LEARNER.fit(pool_of(X, rng.integers(2, size=120), 2))
    assert found.chosen is not None
    assert found.chosen.basis == "chosen"
    assert found.chosen.value < 0.7
    assert not found.useful
    assert found.out_of_fold.shape == (120, 2)
    np.testing.assert_allclose(found.out_of_fold.sum(axis=1), 1)


def test_near_duplicates_do_not_flatter():
    # Every row comes twice; what it says is chance.
    rng = np.random.default_rng(99)
    X, _ = sparse_topics(60, width=400)
    y = rng.integers(2, size=60)
    found = LEARNER.fit(pool_of(X[np.repeat(np.arange(60), 2)], np.repeat(y, 2), 2))
    assert found.chosen.value < 0.7


def test_two_labels_make_a_model_without_figures():
    X, _ = sparse_topics(10)
    found = LEARNER.fit(pool_of(X, np.array([0, 1] + [UNLABELED] * 8), 2))
    assert (found.chosen, found.out_of_fold, found.useful) == (None, None, False)


def test_the_baseline_is_the_share_of_the_most_frequent_class():
    X, y = sparse_topics(100)
    found = LEARNER.fit(pool_of(X, y, 3))
    assert found.chosen.baseline == np.bincount(y).max() / 100
    assert found.chosen.measure == "accuracy"


def test_labelled_rows_without_any_feature():
    X, _ = sparse_topics(10)
    model = fit(pool_of(X * 0, np.array([0, 1] * 5), 2))
    np.testing.assert_allclose(model.predict_proba(X), 0.5, atol=1e-3)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([], "at least 2 labels in 2 classes; 0 so far$"),
        ([1, 1, 1], "at least 2 labels in 2 classes; 3 so far, all 'b'"),
    ],
)
def test_needs_two_classes_and_says_what_there_is(labels, message):
    X, _ = sparse_topics(10)
    y = np.array(labels + [UNLABELED] * (10 - len(labels)))
    with pytest.raises(NotEnoughLabels, match=message):
        loop.fit(pool_of(X, y, 3))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("seen", lambda a: a - 1),
        ("seen", lambda a: a[::-1]),
        ("seen", lambda a: a + 9),
        ("temperature", lambda a: a * 0),
        ("n_labels", lambda a: a * 0),
        ("c", lambda a: -a),
    ],
)
def test_arrays_that_do_not_fit_the_classes_are_refused(name, change):
    pool = sparse_pool()
    arrays = fit(pool).to_arrays()
    with pytest.raises(InvalidInput, match="does not fit 5 classes; fit it again"):
        LEARNER.restore(arrays | {name: change(arrays[name])}, pool.classes)


def test_survives_a_file(tmp_path):
    pool = sparse_pool()
    model = fit(pool)
    np.savez_compressed(tmp_path / "model.npz", **model.to_arrays())
    with np.load(tmp_path / "model.npz", allow_pickle=False) as arrays:
        again = LEARNER.restore(dict(arrays), pool.classes)
    np.testing.assert_array_equal(model.predict_proba(pool.X), again.predict_proba(pool.X))


def test_the_audit_is_judged_by_the_temperature_and_penalty_in_use():
    pool = sparse_pool()
    arrays = fit(pool).to_arrays()
    rows = pool.labeled[:30]
    losses = []
    for changed in ({}, {"temperature": np.asarray(20.0)}, {"c": np.asarray(1e-3)}):
        model = LEARNER.restore(arrays | changed, pool.classes)
        losses.append(LEARNER.estimate(pool, rows, model=model, seed=0).log_loss)
    assert len(set(losses)) == 3
    assert losses[0] == min(losses)
