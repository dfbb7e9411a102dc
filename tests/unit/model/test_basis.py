import numpy as np
import pytest
from scipy.sparse import csr_matrix

from active_learning.features import weigh
from active_learning.learners import basis
from active_learning.learners.basis import make_basis

from .synthetic import dense_blobs, sparse_topics


def rows(n: int = 60):
    X, _ = sparse_topics(n)
    return weigh(X, np.ones(X.shape[1], dtype=np.float32))


def test_few_rows_get_a_triangle_many_keep_their_columns():
    X = rows()
    assert make_basis(X).rows.shape == (60, 60)
    assert make_basis(X, gram_rows=59).rows.shape[1] == len(make_basis(X).columns)


def test_coordinates_keep_every_angle():
    X = rows()
    found = make_basis(X)
    np.testing.assert_allclose(found.rows @ found.rows.T, (X @ X.T).toarray(), atol=1e-5)


@pytest.mark.parametrize("gram_rows", [0, 1000])
def test_lifted_weights_say_the_same(gram_rows):
    X = rows()
    found = make_basis(X, gram_rows=gram_rows)
    weights = np.random.default_rng(0).normal(size=(3, found.rows.shape[1])) / 10
    lifted = found.lift(weights)
    assert lifted.shape == (3, len(found.columns))
    np.testing.assert_allclose(found.rows @ weights.T, X[:, found.columns] @ lifted.T, atol=2e-3)


@pytest.mark.parametrize("gram_rows", [0, 1000])
def test_projected_weights_say_the_same(gram_rows):
    X = rows()
    found = make_basis(X, gram_rows=gram_rows)
    weights = np.random.default_rng(0).normal(size=(3, len(found.columns)))
    projected = found.project(weights)
    np.testing.assert_allclose(found.rows @ projected.T, X[:, found.columns] @ weights.T, atol=2e-3)


def test_dense_rows_wider_than_many_keep_their_columns():
    X, _ = dense_blobs(40)
    assert make_basis(X).rows.shape == (40, 16)
    assert make_basis(X[:10]).rows.shape == (10, 10)


def test_of_many_outputs_the_columns_that_few_rows_use_are_left_out(monkeypatch):
    monkeypatch.setattr(basis, "COEFFICIENTS", 600)
    X = rows()
    few, counts = make_basis(X, outputs=20), np.diff(X.tocsc().indptr)
    assert len(few.columns) == 30
    assert counts[few.columns].min() >= np.delete(counts, few.columns).max()
    assert few.lift(np.ones((20, few.rows.shape[1]))).shape == (20, 30)
    assert len(make_basis(X, outputs=1).columns) == np.count_nonzero(counts)


def test_rows_of_few_directions():
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(800, 40)) @ rng.normal(size=(40, 1500))).astype(np.float32)
    found = make_basis(weigh(X, np.ones(1500, dtype=np.float32)))
    assert found.rows.shape == (800, 800)
    assert np.isfinite(found.rows).all()


def test_repeated_and_empty_rows():
    X = csr_matrix(np.vstack([np.eye(3), np.eye(3), np.zeros((2, 3))]).astype(np.float32))
    for gram_rows in (0, 1000):
        found = make_basis(X, gram_rows=gram_rows)
        lifted = found.lift(np.ones((2, found.rows.shape[1])))
        assert np.isfinite(lifted).all()
    assert make_basis(X[6:]).rows.shape[0] == 2
