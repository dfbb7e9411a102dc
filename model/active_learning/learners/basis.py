"""A small basis to fit a linear model in when there are far more columns than labelled rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular

from active_learning.features import document_frequency, similarity, stored_values
from active_learning.types import Features, Floats, Ints

GRAM_ROWS = 4_000
"""Rows of the triangular basis at most: its square matrices take 0.4 GB."""

GRAM_RATIO = 8
"""The triangular basis is faster while there are no more than this many times as many rows as a
row stores values: up to 1 400 texts of twelve words, beyond 3 000 of sixty, as measured."""

COEFFICIENTS = 2**23
"""Of a model at most, 34 MB: one of 1,000 classes reads the 8,388 columns that most rows use. Nine
words of ten, the rare ones first, can go without a loss of accuracy (Yang & Pedersen, 1997)."""

JITTER = 1e-6
"""Added to the diagonal: repeated texts make the Gram matrix singular."""


@dataclass(frozen=True, eq=False)
class Basis:
    """Labelled rows in coordinates in which a ridge penalty means the same as in the features.

    With K = X Xᵀ = L Lᵀ, the rows of L are the rows of X after a rotation that drops what no row
    uses. A penalised linear model is blind to rotations: fitted on L, n numbers wide, it is the
    model fitted on X, a quarter of a million wide. Weights come back as Xᵀ L⁻ᵀ w.

    Attributes
    ----------
    rows : (n, r) float32
        What to fit on.
    columns : (c,) int32
        The feature columns in use, ascending.
    cosines : (n, n) float32 or None
        Similarities of the rows, where they came for free: no column was left out.
    """

    rows: Features
    columns: NDArray[np.int32]
    cosines: Floats | None
    _used: Features
    _triangle: Floats | None

    def lift(self, weights: Floats) -> NDArray[np.float32]:
        """Bring ``(k, r)`` weights back to the columns, ``(k, c)``."""
        if self._triangle is None:
            return weights.astype(np.float32)
        dual = solve_triangular(self._triangle, weights.T, lower=True, trans="T")
        return np.asarray((self._used.T @ dual.astype(np.float32)).T, dtype=np.float32)

    def project(self, weights: Floats) -> NDArray[np.float32]:
        """Bring ``(k, c)`` weights on the columns into the basis, ``(k, r)``."""
        if self._triangle is None:
            return weights.astype(np.float32)
        values = self._used @ weights.T
        return np.asarray(solve_triangular(self._triangle, values, lower=True).T, dtype=np.float32)


def make_basis(X: Features, *, gram_rows: int | None = None, outputs: int = 1) -> Basis:
    """Choose the cheaper coordinates for the labelled rows.

    Parameters
    ----------
    X : (n, d)
        Weighted rows of unit length.
    gram_rows : int, optional
        Use the triangular basis up to this many rows, if it is the narrower one, instead of up to
        what was measured to be faster.
    outputs : int
        Rows of weights to be fitted: of many, the columns that few rows use are left out.
    """
    counts = document_frequency(X)
    columns = _columns(counts, max(COEFFICIENTS // outputs, 1))
    used = X[:, columns]
    if gram_rows is None:
        gram_rows = min(GRAM_ROWS, GRAM_RATIO * int(stored_values(X).mean()))
    if X.shape[0] > min(gram_rows, len(columns)):
        return Basis(used, columns, None, used, None)
    # Of short series many columns say the same: rounded to float32, K would not be positive.
    wide = used.astype(np.float64)
    gram = similarity(wide, wide)
    whole = len(columns) >= np.count_nonzero(counts)
    cosines = gram.astype(np.float32) if whole else None
    gram[np.diag_indices_from(gram)] += JITTER
    triangle = cholesky(gram, lower=True)
    return Basis(triangle.astype(np.float32), columns, cosines, used, triangle)


def _columns(counts: Ints, most: int) -> NDArray[np.int32]:
    """Return the columns in use, ascending; of more than `most`, those that most rows use."""
    # The first column stands in when every labelled row is empty: a model has some column.
    columns = np.union1d(np.flatnonzero(counts), [0]).astype(np.int32)
    if len(columns) > most:
        columns = np.sort(columns[np.argsort(-counts[columns], kind="stable")[:most]])
    return columns
