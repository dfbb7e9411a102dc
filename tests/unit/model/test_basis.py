import numpy as np
import pytest
from scipy.sparse import csr_matrix

from active_learning.features import weigh
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
    basis = make_basis(X)
    np.testing.assert_allclose(basis.rows @ basis.rows.T, (X @ X.T).toarray(), atol=1e-5)


@pytest.mark.parametrize("gram_rows", [0, 1000])
def test_lifted_weights_say_the_same(gram_rows):
    X = rows()
    basis = make_basis(X, gram_rows=gram_rows)
    weights = np.random.default_rng(0).normal(size=(3, basis.rows.shape[1])) / 10
    lifted = basis.lift(weights)
    assert lifted.shape == (3, len(basis.columns))
    np.testing.assert_allclose(basis.rows @ weights.T, X[:, basis.columns] @ lifted.T, atol=2e-3)


@pytest.mark.parametrize("gram_rows", [0, 1000])
def test_projected_weights_say_the_same(gram_rows):
    X = rows()
    basis = make_basis(X, gram_rows=gram_rows)
    weights = np.random.default_rng(0).normal(size=(3, len(basis.columns)))
    projected = basis.project(weights)
    np.testing.assert_allclose(basis.rows @ projected.T, X[:, basis.columns] @ weights.T, atol=2e-3)


def test_dense_rows_wider_than_many_keep_their_columns():
    X, _ = dense_blobs(40)
    assert make_basis(X).rows.shape == (40, 16)
    assert make_basis(X[:10]).rows.shape == (10, 10)


def test_rows_of_few_directions():
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(800, 40)) @ rng.normal(size=(40, 1500))).astype(np.float32)
    basis = make_basis(weigh(X, np.ones(1500, dtype=np.float32)))
    assert basis.rows.shape == (800, 800)
    assert np.isfinite(basis.rows).all()


def test_repeated_and_empty_rows():
    X = csr_matrix(np.vstack([np.eye(3), np.eye(3), np.zeros((2, 3))]).astype(np.float32))
    for gram_rows in (0, 1000):
        basis = make_basis(X, gram_rows=gram_rows)
        lifted = basis.lift(np.ones((2, basis.rows.shape[1])))
        assert np.isfinite(lifted).all()
    assert make_basis(X[6:]).rows.shape[0] == 2
