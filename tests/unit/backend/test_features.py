"""Rows come back as they were written, and what a killed writer left is overwritten."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, random_array

from ls_active.sync.features import EMPTY_ROW, FeatureFile
from tests.harness.quick import quick

COLUMNS = 50


@pytest.fixture(autouse=True, scope="module")
def _quick():
    with quick():
        yield


def rows(n: int, seed: int = 0, density: float = 0.2) -> csr_matrix:
    made = random_array((n, COLUMNS), density=density, rng=np.random.default_rng(seed))
    return csr_matrix(made.astype(np.float32))


def test_a_new_file_has_the_empty_row(tmp_path):
    file = FeatureFile(tmp_path, COLUMNS, (0, 0))
    assert file.length == (1, 0)
    X = file.read(np.array([EMPTY_ROW, EMPTY_ROW]))
    assert (X.shape, X.nnz) == ((2, COLUMNS), 0)


@pytest.mark.parametrize("density", [0.0, 0.3])
def test_rows_come_back_in_any_order(tmp_path, density):
    X, file = rows(9, density=density), FeatureFile(tmp_path, COLUMNS, (0, 0))
    numbers = np.concatenate([file.append(X[:4]), file.append(X[4:])])
    again = FeatureFile(tmp_path, COLUMNS, file.length)
    order = np.array([8, 0, 3, 3, 5])
    np.testing.assert_array_equal(again.read(numbers[order]).toarray(), X[order].toarray())


def test_no_rows_at_all(tmp_path):
    file = FeatureFile(tmp_path, COLUMNS, (0, 0))
    assert len(file.append(rows(0))) == 0
    assert file.read(np.array([], dtype=np.int64)).shape == (0, COLUMNS)


def test_what_was_read_stays_when_the_file_grows(tmp_path):
    file = FeatureFile(tmp_path, COLUMNS, (0, 0))
    X = rows(5)
    numbers = file.append(X)
    read = file.read(numbers)
    file.append(rows(50, seed=1))
    np.testing.assert_array_equal(read.toarray(), X.toarray())


@settings(max_examples=30)
@given(
    batches=st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from(["commit", "lose"])), min_size=1, max_size=8
    )
)
def test_only_what_was_committed_counts(tmp_path_factory, batches):
    folder = tmp_path_factory.mktemp("features")
    committed = FeatureFile(folder, COLUMNS, (0, 0)).length
    kept: list[tuple[int, np.ndarray]] = []
    for seed, (n, fate) in enumerate(batches):
        file = FeatureFile(folder, COLUMNS, committed)
        X = rows(n, seed)
        numbers = file.append(X)
        if fate == "commit":
            committed = file.length
            kept += zip(numbers.tolist(), X.toarray(), strict=True)
    file = FeatureFile(folder, COLUMNS, committed)
    found = file.read(np.array([number for number, _ in kept], dtype=np.int64)).toarray()
    expected = np.array([row for _, row in kept]).reshape(-1, COLUMNS)
    np.testing.assert_array_equal(found, expected)
