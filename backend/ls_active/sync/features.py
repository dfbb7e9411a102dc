"""Feature rows in an append-only file, mapped into memory."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

EMPTY_ROW = 0
"""Row of a task whose data could not be read: all zeros."""


class FeatureFile:
    """Sparse float32 rows that are written once and never change.

    The caller commits `length` (rows, non-zeros) elsewhere, in the same transaction as the row
    numbers it hands out; whatever a killed writer appended beyond it is overwritten.

    Parameters
    ----------
    folder : Path
        Where the three arrays live.
    n_features : int
        Columns.
    length : tuple of int
        Committed rows and non-zeros; ``(0, 0)`` starts a new file with its empty row.
    """

    def __init__(self, folder: Path, n_features: int, length: tuple[int, int]) -> None:
        self._folder = folder
        self._n_features = n_features
        self.rows, self.nonzeros = length
        if self.rows == 0:
            folder.mkdir(parents=True, exist_ok=True)
            self.append(csr_matrix((1, n_features), dtype=np.float32))

    @property
    def length(self) -> tuple[int, int]:
        """Rows and non-zeros written so far: what the caller must commit."""
        return self.rows, self.nonzeros

    def append(self, X: csr_matrix) -> NDArray[np.int64]:
        """Write rows and return their numbers."""
        numbers = np.arange(self.rows, self.rows + X.shape[0], dtype=np.int64)
        ends = X.indptr[1:].astype(np.int64) + self.nonzeros
        self._write("data", X.data.astype(np.float32, copy=False), self.nonzeros)
        self._write("indices", X.indices.astype(np.int32, copy=False), self.nonzeros)
        self._write("ends", ends, self.rows)
        self.rows += X.shape[0]
        self.nonzeros += X.nnz
        return numbers

    def read(self, rows: NDArray[np.int64]) -> csr_matrix:
        """Return the numbered rows, shape ``(len(rows), n_features)``."""
        data, indices = self._map("data", np.float32), self._map("indices", np.int32)
        ends = np.fromfile(self._path("ends"), dtype=np.int64, count=self.rows)
        index_type = np.int32 if self.nonzeros < np.iinfo(np.int32).max else np.int64
        indptr = np.concatenate([[0], ends]).astype(index_type)
        shape = (self.rows, self._n_features)
        whole = csr_matrix((data, indices, indptr), shape=shape, copy=False)
        return whole[rows]

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.bin"

    def _write(self, name: str, values: NDArray[np.generic], position: int) -> None:
        path = self._path(name)
        path.touch()
        with path.open("r+b") as file:
            file.seek(position * values.itemsize)
            file.truncate()
            file.write(np.ascontiguousarray(values).data)
            file.flush()
            # The caller's commit must not outlive these bytes in a power cut.
            os.fsync(file.fileno())

    def _map(self, name: str, dtype: type[np.generic]) -> NDArray[np.generic]:
        if self.nonzeros == 0:
            return np.empty(0, dtype=dtype)
        return np.memmap(self._path(name), dtype=dtype, mode="r", shape=(self.nonzeros,))
