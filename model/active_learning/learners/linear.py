"""Features times coefficients: what all fitted heads are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from active_learning.errors import InvalidInput
from active_learning.features import blocks, is_sparse, row_norms
from active_learning.learners.basis import Basis
from active_learning.scaling import Scaling
from active_learning.types import Features, Floats, Ints


@dataclass(frozen=True, eq=False)
class Linear:
    """Rows of coefficients that read features as the featurizer made them.

    Attributes
    ----------
    scaling : Scaling
        A column without a coefficient still counts for the length of a row.
    columns : (c,) int32
        Scaled columns that the labelled rows use; any other has weight zero.
    coef : (s, c) float32
        On scaled rows.
    """

    scaling: Scaling
    columns: NDArray[np.int32]
    coef: NDArray[np.float32]

    def __call__(self, X: Features) -> Floats:
        """Return ``(m, s)`` products.

        Raises
        ------
        InvalidInput
            `X` has another width than the model, NaN or infinity.
        """
        result = np.empty((X.shape[0], len(self.coef)))
        for rows in blocks(X):
            result[rows] = self._products(X[rows])
        return result

    def _products(self, X: Features) -> Floats:
        if self.scaling.only_counts and is_sparse(X):
            # Renumbering the columns costs one pass; slicing or scaling them would copy X.
            norms = row_norms(X, self.scaling.weights)
            return np.asarray((self._renumbered(X) @ self._weighted) / norms[:, None])
        scaled = self.scaling.apply(X)
        if is_sparse(scaled):
            return np.asarray(self._renumbered(scaled) @ self._table)
        return np.asarray(scaled[:, self.columns] @ self._table[:-1])

    def coef_on(self, columns: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return the coefficients of other columns, ``(s, len(columns))``."""
        return np.asarray(self._table[self._position[columns]].T)

    def start_in(self, basis: Basis, width: int) -> Floats | None:
        """Return these coefficients in another basis, None where the features differ."""
        if self.scaling.width != width:
            return None
        return basis.project(self.coef_on(basis.columns))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return all state."""
        return {**self.scaling.to_arrays(), "columns": self.columns, "coef": self.coef}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], n_rows: int) -> Linear:
        """Rebuild from `to_arrays`, with as many rows of coefficients.

        Raises
        ------
        InvalidInput
            The arrays are damaged.
        """
        scaling = Scaling.from_arrays(arrays)
        columns = checked(arrays, "columns", "i", 1)
        coef = checked(arrays, "coef", "f", 2)
        if coef.shape != (n_rows, len(columns)) or not ascending_below(columns, scaling.width):
            raise InvalidInput("the coefficients of the saved model do not fit; fit it again")
        return cls(scaling, columns, coef)

    @cached_property
    def _table(self) -> NDArray[np.float32]:
        # One row of zeros more than columns: where every column without a coefficient is sent.
        table = np.zeros((len(self.columns) + 1, len(self.coef)), dtype=np.float32)
        table[:-1] = self.coef.T
        return table

    @cached_property
    def _weighted(self) -> NDArray[np.float32]:
        table = self._table.copy()
        table[:-1] *= self.scaling.weights[self.columns][:, None]
        return table

    @cached_property
    def _position(self) -> NDArray[np.int32]:
        position = np.full(self.scaling.width, len(self.columns), dtype=np.int32)
        position[self.columns] = np.arange(len(self.columns), dtype=np.int32)
        return position

    def _renumbered(self, X: csr_matrix) -> csr_matrix:
        shape = (X.shape[0], len(self._table))
        return csr_matrix((X.data, self._position[X.indices], X.indptr), shape=shape)


def checked(
    arrays: Mapping[str, NDArray[Any]], name: str, kind: str, dimensions: int
) -> NDArray[Any]:
    """Return one array of a saved model if it is what it should be.

    Raises
    ------
    InvalidInput
        It is missing, of another type or shape, or not finite.
    """
    array = arrays.get(name)
    if array is None:
        raise InvalidInput(f"the saved model has no array {name!r}; fit it again")
    if array.dtype.kind != kind or array.ndim != dimensions or not np.isfinite(array).all():
        raise InvalidInput(
            f"array {name!r} of the saved model should be finite, of kind {kind!r} and "
            f"{dimensions}-d; got {array.dtype} {array.shape}; fit it again"
        )
    return array


def ascending_below(numbers: Ints | NDArray[np.int32], limit: int) -> bool:
    """Whether there are numbers, each above the last, all in ``[0, limit)``."""
    return bool(
        len(numbers) and numbers[0] >= 0 and numbers[-1] < limit and (np.diff(numbers) > 0).all()
    )
