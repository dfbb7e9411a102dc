import numpy as np
import pytest

from active_learning import registry
from active_learning.learners import basis, linear
from active_learning.learners.linear import LinearModel, fit_linear
from tests.checks import learner as checks

from .synthetic import bbc, dense_blobs, partly, pool_of, sparse_topics

FITS = {"linear": lambda pool: fit_linear(pool).model}


def sparse_pool():
    X, y = sparse_topics(200)
    return pool_of(X, partly(y, 60), 5)


def dense_pool():
    X, y = dense_blobs(200)
    return pool_of(X, partly(y, 60), 4)


CASES = [
    pytest.param(fit, make, check, id=f"{name}-{make.__name__}-{check.__name__}")
    for name, fit in FITS.items()
    for make in (sparse_pool, dense_pool)
    for check in checks.yield_checks()
]


@pytest.mark.parametrize(("fit", "make", "check"), CASES)
def test_learner(fit, make, check):
    check(fit, make())


def test_every_registered_learner_is_checked():
    assert set(registry.learners()) == set(FITS)


@pytest.mark.parametrize("n_labels", [30, 150])
def test_the_triangle_and_the_columns_find_the_same_model(monkeypatch, n_labels):
    X, y = bbc()
    pool = pool_of(X, partly(y, n_labels), 5)
    triangle = fit_linear(pool).model.predict_proba(X)
    monkeypatch.setattr(linear, "make_basis", lambda X: basis.make_basis(X, gram_rows=0))
    np.testing.assert_allclose(triangle, fit_linear(pool).model.predict_proba(X), atol=1e-3)


def test_a_previous_model_changes_nothing_but_the_time(monkeypatch):
    X, y = bbc()
    previous = fit_linear(pool_of(X, partly(y, 80), 5)).model
    pool = pool_of(X, partly(y, 100), 5)
    fresh = fit_linear(pool).model.predict_proba(X)
    for gram_rows in (0, 1000):
        monkeypatch.setattr(
            linear, "make_basis", lambda X, rows=gram_rows: basis.make_basis(X, gram_rows=rows)
        )
        warm = fit_linear(pool, previous=previous).model.predict_proba(X)
        np.testing.assert_allclose(fresh, warm, atol=1e-3)


def test_a_previous_model_of_other_classes_is_no_start():
    X, y = sparse_topics(100)
    two = fit_linear(pool_of(X, np.where(y < 2, y, -1), 3)).model
    pool = pool_of(X, partly(y, 50), 3)
    fresh, warm = fit_linear(pool).model, fit_linear(pool, previous=two).model
    np.testing.assert_array_equal(fresh.coef, warm.coef)


def test_a_previous_model_of_other_features_is_no_start():
    X, y = sparse_topics(100)
    narrow = fit_linear(pool_of(X[:, :80], partly(y, 50), 3)).model
    pool = pool_of(X, partly(y, 50), 3)
    fresh, warm = fit_linear(pool).model, fit_linear(pool, previous=narrow).model
    np.testing.assert_array_equal(fresh.coef, warm.coef)


def test_unseen_classes_get_their_share():
    X, y = sparse_topics(100, 2)
    pool = pool_of(X, partly(y, 30), 6)
    proba = fit_linear(pool).model.predict_proba(X)
    np.testing.assert_allclose(proba[:, 2:], 1 / 36)


def test_rare_columns_count_by_the_whole_pool():
    X, y = sparse_topics(100)
    weights = fit_linear(pool_of(X, partly(y, 30), 3)).model.weights
    counts = np.asarray((X > 0).sum(axis=0)).ravel()
    assert weights[counts.argmin()] > weights[counts.argmax()]


def test_figures_are_out_of_fold():
    rng = np.random.default_rng(99)
    X, _ = sparse_topics(120, width=400)
    fit = fit_linear(pool_of(X, rng.integers(2, size=120), 2))
    assert fit.chosen is not None
    assert fit.chosen.basis == "chosen"
    assert fit.chosen.accuracy < 0.7
    assert not fit.useful
    assert fit.out_of_fold.shape == (120, 2)


def test_near_duplicates_do_not_flatter():
    # Every row comes twice; what it says is chance.
    rng = np.random.default_rng(99)
    X, _ = sparse_topics(60, width=400)
    y = rng.integers(2, size=60)
    fit = fit_linear(pool_of(X[np.repeat(np.arange(60), 2)], np.repeat(y, 2), 2))
    assert fit.chosen.accuracy < 0.7


def test_two_labels_make_a_model_without_figures():
    X, _ = sparse_topics(10)
    fit = fit_linear(pool_of(X, np.array([0, 1] + [-1] * 8), 2))
    assert (fit.chosen, fit.out_of_fold, fit.useful) == (None, None, False)
    assert fit.majority_share == 0.5


def test_labelled_rows_without_any_feature():
    X, _ = sparse_topics(10)
    fit = fit_linear(pool_of(X * 0, np.array([0, 1] * 5), 2))
    np.testing.assert_allclose(fit.model.predict_proba(X), 0.5, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("columns", lambda a: a + 10**6),
        ("columns", lambda a: a[::-1]),
        ("columns", lambda a: a[:-1]),
        ("columns", lambda a: a[:0]),
        ("seen", lambda a: a - 1),
        ("temperature", lambda a: a * 0),
        ("n_labels", lambda a: a * 0),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(name, change):
    pool = sparse_pool()
    arrays = fit_linear(pool).model.to_arrays()
    with pytest.raises(ValueError, match="fit it again"):
        LinearModel.from_arrays(arrays | {name: change(arrays[name])}, pool.classes)


def test_survives_a_file(tmp_path):
    pool = sparse_pool()
    model = fit_linear(pool).model
    np.savez_compressed(tmp_path / "model.npz", **model.to_arrays())
    with np.load(tmp_path / "model.npz", allow_pickle=False) as arrays:
        again = LinearModel.from_arrays(dict(arrays), pool.classes)
    np.testing.assert_array_equal(model.predict_proba(pool.X), again.predict_proba(pool.X))
