"""Rows come back as they were written, and what a killed writer left is overwritten."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, issparse, random_array

from active_learning.features import stored_values
from ls_active.sync.features import EMPTY_ROW, open_features

COLUMNS = 50
NEW = [0, 0]

both = pytest.mark.parametrize("sparse", [True, False], ids=["sparse", "dense"])


pytestmark = pytest.mark.usefixtures("quickly")


def rows(n: int, *, sparse: bool, seed: int = 0, density: float = 0.2):
    made = random_array((n, COLUMNS), density=density, rng=np.random.default_rng(seed))
    made = made.astype(np.float32)
    return csr_matrix(made) if sparse else made.toarray()


def dense(X):
    return X.toarray() if issparse(X) else X


@both
def test_a_new_file_has_the_empty_row(tmp_path, sparse):
    file = open_features(tmp_path, (COLUMNS, sparse), NEW)
    assert file.length == [1, 0]
    X = file.read(np.array([EMPTY_ROW, EMPTY_ROW]))
    assert issparse(X) == sparse
    assert (X.shape, X.dtype) == ((2, COLUMNS), np.float32)
    assert not dense(X).any()


@both
@pytest.mark.parametrize("density", [0.0, 0.3])
def test_rows_come_back_in_any_order(tmp_path, density, sparse):
    X, shape = rows(9, density=density, sparse=sparse), (COLUMNS, sparse)
    file = open_features(tmp_path, shape, NEW)
    numbers = np.concatenate([file.append(X[:4]), file.append(X[4:])])
    again = open_features(tmp_path, shape, file.length)
    order = np.array([8, 0, 3, 3, 5])
    np.testing.assert_array_equal(dense(again.read(numbers[order])), dense(X[order]))


@both
def test_no_rows_at_all(tmp_path, sparse):
    file = open_features(tmp_path, (COLUMNS, sparse), NEW)
    assert len(file.append(rows(0, sparse=sparse))) == 0
    assert file.read(np.array([], dtype=np.int64)).shape == (0, COLUMNS)


@both
def test_what_was_read_stays_when_the_file_grows(tmp_path, sparse):
    file = open_features(tmp_path, (COLUMNS, sparse), NEW)
    X = rows(5, sparse=sparse)
    numbers = file.append(X)
    read = file.read(numbers)
    file.append(rows(50, seed=1, sparse=sparse))
    np.testing.assert_array_equal(dense(read), dense(X))


def test_zeros_that_were_stored_stay_stored(tmp_path):
    zeros = csr_matrix((np.zeros(2, np.float32), [3, 4], [0, 2]), shape=(1, COLUMNS))
    file = open_features(tmp_path, (COLUMNS, True), NEW)
    [number] = file.append(zeros)
    assert stored_values(file.read(np.array([EMPTY_ROW, number]))).tolist() == [0, 2]


def test_rows_without_columns(tmp_path):
    file = open_features(tmp_path, (0, False), NEW)
    assert file.read(file.append(np.zeros((2, 0), np.float32))).shape == (2, 0)


@both
@given(
    batches=st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from(["commit", "lose"])), min_size=1, max_size=8
    )
)
def test_only_what_was_committed_counts(tmp_path_factory, batches, sparse):
    folder, shape = tmp_path_factory.mktemp("features"), (COLUMNS, sparse)
    committed = open_features(folder, shape, NEW).length
    kept: list[tuple[int, np.ndarray]] = []
    for seed, (n, fate) in enumerate(batches):
        file = open_features(folder, shape, committed)
        X = rows(n, seed=seed, sparse=sparse)
        numbers = file.append(X)
        if fate == "commit":
            committed = file.length
            kept += zip(numbers.tolist(), dense(X), strict=True)
    file = open_features(folder, shape, committed)
    found = dense(file.read(np.array([number for number, _ in kept], dtype=np.int64)))
    expected = np.array([row for _, row in kept]).reshape(-1, COLUMNS)
    np.testing.assert_array_equal(found, expected)
