"""Rows of features: weighing, blocks that bound memory, and cosine similarity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, issparse, vstack

from active_learning.errors import InvalidInput
from active_learning.types import Features, Floats, Ints

BLOCK_ROWS = 16_384
"""Rows handled at once: 16 k rows of 384 dense features are 25 MB."""

BLOCK_VALUES = 4_000_000
"""Stored values handled at once, so that a block of long texts stays below 50 MB as well."""

CROWDED = 64, 8
"""A column used by more than 64 rows, and by more than one in 8, is multiplied densely."""


def is_sparse(X: Features) -> TypeGuard[csr_matrix]:
    """Whether `X` is sparse, in words that the type checker understands."""
    return bool(issparse(X))


def stacked(parts: Sequence[Features]) -> Features:
    """Return matrices, all sparse or all dense, one below the other."""
    return vstack(parts, format="csr") if is_sparse(parts[0]) else np.vstack(parts)


def blocks(X: Features) -> Iterator[slice]:
    """Cut the rows of `X` into consecutive slices of bounded size."""
    n = X.shape[0]
    stored = X.indptr if is_sparse(X) else np.arange(n + 1, dtype=np.int64) * X.shape[1]
    start = 0
    while start < n:
        fits = int(np.searchsorted(stored, stored[start] + BLOCK_VALUES, side="right")) - 1
        stop = min(max(fits, start + 1), start + BLOCK_ROWS, n)
        yield slice(start, stop)
        start = stop


def document_frequency(X: Features) -> Ints:
    """Count the rows that use each column, shape ``(d,)``."""
    if is_sparse(X):
        return np.bincount(X.indices, minlength=X.shape[1]).astype(np.int64)
    return np.asarray(np.count_nonzero(X, axis=0), dtype=np.int64)


def stored_values(X: Features) -> Ints:
    """Count what is not zero in each row, shape ``(n,)``."""
    if is_sparse(X):
        return np.asarray(np.diff(X.indptr), dtype=np.int64)
    return np.asarray(np.count_nonzero(X, axis=1), dtype=np.int64)


def inverse_document_frequency(counts: Ints, n_documents: int) -> NDArray[np.float32]:
    """Return the smoothed weight of each column, ``ln((1 + n) / (1 + count)) + 1``.

    References
    ----------
    Spärck Jones (1972), A statistical interpretation of term specificity.
    """
    return (np.log((1 + n_documents) / (1 + counts)) + 1).astype(np.float32)


def row_norms(X: Features, weights: NDArray[np.float32]) -> Floats:
    """Return the length of each row of ``X * weights``; a row of zeros has length 1.

    Raises
    ------
    InvalidInput
        The widths differ, or a row holds NaN or infinity.
    """
    if X.ndim != 2 or X.shape[1] != len(weights):
        raise InvalidInput(
            f"the features have shape {X.shape}, the model reads {len(weights)} columns; "
            "compute them with the featurizer and version the model was fitted on"
        )
    if is_sparse(X):
        squared = csr_matrix((np.square(X.data, dtype=np.float64), X.indices, X.indptr), X.shape)
        norms = np.sqrt(squared @ np.square(weights, dtype=np.float64))
    else:
        norms = np.linalg.norm(X * weights, axis=1)
    broken = np.flatnonzero(~np.isfinite(norms))
    if len(broken):
        raise InvalidInput(f"{len(broken)} rows of features hold NaN or infinity; leave them zero")
    return np.where(norms > 0, norms, 1.0)


def weigh(X: Features, weights: NDArray[np.float32]) -> Features:
    """Return a copy of `X` with weighted columns and rows of unit length (or zero)."""
    if is_sparse(X):
        norms = np.ones(X.shape[0], dtype=np.float32)
        for rows in blocks(X):
            norms[rows] = row_norms(X[rows], weights)
        data = X.data * weights[X.indices]
        data /= np.repeat(norms, np.diff(X.indptr))
        return csr_matrix((data, X.indices, X.indptr), X.shape)
    result = np.empty(X.shape, dtype=np.float32)
    for rows in blocks(X):
        norms = row_norms(X[rows], weights).astype(np.float32)
        np.multiply(X[rows], weights, out=result[rows])
        result[rows] /= norms[:, None]
    return result


def similarity(A: Features, B: Features) -> Floats:
    """Return ``A @ B.T`` as a dense ``(m, n)`` array: cosines, when the rows are of unit length.

    It is as precise as its arguments.

    A sparse product costs the square of how many rows share a column, and in long texts thousands
    of columns are shared by many rows: those go through BLAS, which takes a third of the time.
    """
    if not (is_sparse(A) and is_sparse(B)):
        return np.asarray(A @ B.T)
    counts = document_frequency(B)
    crowded = counts > max(CROWDED[0], B.shape[0] / CROWDED[1])
    if not crowded.any():
        return np.asarray((A @ B.T).toarray())
    dense, sparse = np.flatnonzero(crowded), np.flatnonzero(~crowded & (counts > 0))
    product = (A[:, sparse] @ B[:, sparse].T).toarray()
    product += A[:, dense].toarray() @ B[:, dense].toarray().T
    return np.asarray(product)
