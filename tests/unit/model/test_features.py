import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, random_array

from active_learning import features
from active_learning.errors import InvalidInput

from .synthetic import sparse_topics


def random_rows(n: int, width: int = 50, density: float = 0.2, seed: int = 0) -> csr_matrix:
    array = random_array((n, width), density=density, rng=np.random.default_rng(seed))
    return csr_matrix(array.astype(np.float32))


@given(st.integers(0, 60), st.integers(1, 20), st.integers(1, 200), st.booleans())
def test_blocks_cover_every_row_once(n, block_rows, block_values, sparse):
    X = random_rows(n, 10) if sparse else np.zeros((n, 10), dtype=np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features, "BLOCK_ROWS", block_rows)
        patch.setattr(features, "BLOCK_VALUES", block_values)
        cut = list(features.blocks(X))
    assert [row for rows in cut for row in range(rows.start, rows.stop)] == list(range(n))
    assert all(0 < rows.stop - rows.start <= block_rows for rows in cut)
    values = [X[rows].nnz if sparse else X[rows].size for rows in cut]
    lone = [rows.stop - rows.start == 1 for rows in cut]
    assert all(alone or size <= block_values for alone, size in zip(lone, values, strict=True))


def test_document_frequency_of_sparse_and_dense_agree():
    X = random_rows(30)
    expected = (X.toarray() > 0).sum(axis=0)
    np.testing.assert_array_equal(features.document_frequency(X), expected)
    np.testing.assert_array_equal(features.document_frequency(X.toarray()), expected)


def test_rare_columns_weigh_more():
    weights = features.inverse_document_frequency(np.array([0, 1, 10]), 10)
    assert weights[0] > weights[1] > weights[2]
    assert weights[2] == pytest.approx(1)


def test_weigh_sparse_and_dense_agree_and_leave_the_input_alone():
    X = random_rows(30)
    before = X.copy()
    weights = np.linspace(1, 3, 50, dtype=np.float32)
    sparse, dense = features.weigh(X, weights), features.weigh(X.toarray(), weights)
    np.testing.assert_allclose(sparse.toarray(), dense, atol=1e-6)
    lengths = np.linalg.norm(dense, axis=1)
    np.testing.assert_allclose(lengths[lengths > 0], 1, atol=1e-6)
    assert abs(X - before).nnz == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("form", [csr_matrix, np.asarray])
def test_broken_rows_are_named(bad, form):
    X = np.ones((3, 4), dtype=np.float32)
    X[1, 2] = bad
    with pytest.raises(InvalidInput, match="1 rows of features hold NaN"):
        features.weigh(form(X), np.ones(4, dtype=np.float32))


@pytest.mark.parametrize("crowded", [(0, 1e9), (10, 4), (1e9, 1)])
def test_similarity_is_the_product_however_it_is_cut(monkeypatch, crowded):
    X, _ = sparse_topics(80)
    monkeypatch.setattr(features, "CROWDED", crowded)
    expected = X.toarray() @ X.toarray().T
    np.testing.assert_allclose(features.similarity(X, X), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(features.similarity(X[:7], X), expected[:7], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        features.similarity(X.toarray(), X.toarray()), expected, rtol=1e-5, atol=1e-5
    )
