"""Feature rows in append-only files, mapped into memory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from active_learning.features import is_sparse
from active_learning.types import Features

EMPTY_ROW = 0
"""Row of a task whose data could not be read: all zeros."""


class FeatureFile(Protocol):
    """Float32 rows that are written once and never change.

    The caller commits `length` elsewhere, in the same transaction as the row numbers it hands out;
    whatever a killed writer appended beyond it is overwritten.
    """

    length: list[int]
    """What was written so far, and the caller must commit."""

    def append(self, X: Features) -> NDArray[np.int64]:
        """Write rows and return their numbers."""
        ...

    def read(self, rows: NDArray[np.int64]) -> Features:
        """Return the numbered rows, shape ``(len(rows), n_features)``."""
        ...


def open_features(folder: Path, shape: tuple[int, bool], length: list[int]) -> FeatureFile:
    """Open a file of features, or begin one with its empty row.

    Parameters
    ----------
    shape : (int, bool)
        Columns, and whether they are sparse.
    length : list of int
        What was committed; ``[0, 0]`` begins a new file.
    """
    width, sparse = shape
    file: FeatureFile = (SparseFile if sparse else DenseFile)(folder, width, length)
    if file.length[0] == 0:
        folder.mkdir(parents=True, exist_ok=True)
        empty = np.zeros((1, width), dtype=np.float32)
        file.append(csr_matrix(empty) if sparse else empty)
    return file


class DenseFile:
    """Dense rows, one array of them all."""

    def __init__(self, folder: Path, n_features: int, length: list[int]) -> None:
        self._path = folder / "rows.bin"
        self._n_features = n_features
        self.length = list(length)

    def append(self, X: Features) -> NDArray[np.int64]:
        """Write rows and return their numbers."""
        start = self.length[0]
        write(self._path, np.asarray(X, dtype=np.float32), start * self._n_features)
        self.length[0] += len(X)
        return np.arange(start, start + len(X), dtype=np.int64)

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the numbered rows."""
        shape = (self.length[0], self._n_features)
        if 0 in shape:
            return np.zeros((len(rows), self._n_features), dtype=np.float32)
        whole = np.memmap(self._path, dtype=np.float32, mode="r", shape=shape)
        return np.asarray(whole[rows])


class SparseFile:
    """Sparse rows: values, their columns, and where each row ends."""

    def __init__(self, folder: Path, n_features: int, length: list[int]) -> None:
        self._folder = folder
        self._n_features = n_features
        self.length = list(length)

    def append(self, X: Features) -> NDArray[np.int64]:
        """Write rows and return their numbers."""
        assert is_sparse(X)  # noqa: S101 - tells the type checker
        rows, nonzeros = self.length
        numbers = np.arange(rows, rows + X.shape[0], dtype=np.int64)
        ends = X.indptr[1:].astype(np.int64) + nonzeros
        write(self._path("data"), X.data.astype(np.float32, copy=False), nonzeros)
        write(self._path("indices"), X.indices.astype(np.int32, copy=False), nonzeros)
        write(self._path("ends"), ends, rows)
        self.length = [rows + X.shape[0], nonzeros + X.nnz]
        return numbers

    def read(self, rows: NDArray[np.int64]) -> csr_matrix:
        """Return the numbered rows."""
        total, nonzeros = self.length
        data, indices = self._map("data", np.float32), self._map("indices", np.int32)
        ends = np.fromfile(self._path("ends"), dtype=np.int64, count=total)
        index_type = np.int32 if nonzeros < np.iinfo(np.int32).max else np.int64
        indptr = np.concatenate([[0], ends]).astype(index_type)
        whole = csr_matrix((data, indices, indptr), shape=(total, self._n_features), copy=False)
        return whole[rows]

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.bin"

    def _map(self, name: str, dtype: type[np.generic]) -> NDArray[np.generic]:
        nonzeros = self.length[1]
        if nonzeros == 0:
            return np.empty(0, dtype=dtype)
        return np.memmap(self._path(name), dtype=dtype, mode="r", shape=(nonzeros,))


def write(path: Path, values: NDArray[np.generic], position: int) -> None:
    """Write values from a position on, and drop what stood beyond."""
    path.touch()
    with path.open("r+b") as file:
        file.seek(position * values.itemsize)
        file.truncate()
        file.write(np.ascontiguousarray(values).data)
        file.flush()
        # The caller's commit must not outlive these bytes in a power cut.
        os.fsync(file.fileno())
