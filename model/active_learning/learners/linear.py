"""Logistic regression on cached features, with one temperature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from active_learning.calibration import fit_temperature, probabilities
from active_learning.errors import InvalidInput
from active_learning.evaluation import figures, near_duplicate_groups
from active_learning.features import (
    blocks,
    document_frequency,
    inverse_document_frequency,
    is_sparse,
    row_norms,
    weigh,
)
from active_learning.learners.basis import Basis, make_basis
from active_learning.learners.head import Head, choose_folds, fit_head, out_of_fold
from active_learning.types import Features, Fit, Floats, Ints, Pool

N_FOLDS = 5

FIELDS: Mapping[str, tuple[str, int]] = {
    "seen": ("i", 1),
    "columns": ("i", 1),
    "coef": ("f", 2),
    "weights": ("f", 1),
    "temperature": ("f", 0),
    "n_labels": ("i", 0),
}
"""The arrays of a saved model: kind of number and dimensions."""


@dataclass(frozen=True, eq=False)
class LinearModel:
    """A linear head that reads features as the featurizer made them.

    Attributes
    ----------
    classes : tuple of str
        All classes of the label config, seen or not.
    seen : (s,) int32
        The classes that had labels.
    columns : (c,) int32
        Feature columns the labelled rows use; any other column has weight zero.
    coef : (s, c) float32
        On weighted rows of unit length.
    weights : (d,) float32
        The inverse document frequency of every column: a column without a coefficient still
        counts for the length of a row.
    temperature : float
        Divides the logits.
    n_labels : int
        How many labels it was fitted on.
    """

    name: ClassVar[str] = "linear"

    classes: tuple[str, ...]
    seen: NDArray[np.int32]
    columns: NDArray[np.int32]
    coef: NDArray[np.float32]
    weights: NDArray[np.float32]
    temperature: float
    n_labels: int

    def predict_proba(self, X: Features) -> Floats:
        """Return ``(m, k)`` probabilities; an empty row gets equal ones.

        Raises
        ------
        InvalidInput
            `X` has another width than the model, NaN or infinity.
        """
        result = np.empty((X.shape[0], len(self.classes)))
        for rows in blocks(X):
            result[rows] = probabilities(self._logits(X[rows]), self.temperature, self.n_labels)
        return result

    def weigh(self, X: Features) -> Features:
        """Return the rows weighted by inverse document frequency and of unit length."""
        return weigh(X, self.weights)

    def coef_on(self, columns: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return the coefficients of other columns, ``(s, len(columns))``."""
        return np.asarray(self._table[self._position[columns]].T / self.weights[columns])

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return all state but the class names."""
        return {name: np.asarray(getattr(self, name)) for name in FIELDS}

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], classes: tuple[str, ...]
    ) -> LinearModel:
        """Rebuild a model from `to_arrays`.

        Raises
        ------
        InvalidInput
            The arrays are not those of a linear model for `classes`.
        """
        _check_arrays(arrays, len(classes))
        state: dict[str, Any] = {name: arrays[name] for name in FIELDS}
        state["temperature"] = float(arrays["temperature"])
        state["n_labels"] = int(arrays["n_labels"])
        return cls(classes=classes, **state)

    @cached_property
    def _table(self) -> NDArray[np.float32]:
        # One row of zeros more than columns: where every column without a coefficient is sent.
        table = np.zeros((len(self.columns) + 1, len(self.seen)), dtype=np.float32)
        table[:-1] = (self.coef * self.weights[self.columns]).T
        return table

    @cached_property
    def _position(self) -> NDArray[np.int32]:
        position = np.full(len(self.weights), len(self.columns), dtype=np.int32)
        position[self.columns] = np.arange(len(self.columns), dtype=np.int32)
        return position

    def _logits(self, X: Features) -> Floats:
        norms = row_norms(X, self.weights)
        if is_sparse(X):
            # Renumbering the columns costs one pass; slicing or weighing them would copy X.
            shape = (X.shape[0], len(self._table))
            X = csr_matrix((X.data, self._position[X.indices], X.indptr), shape=shape)
            products = X @ self._table
        else:
            products = X[:, self.columns] @ self._table[:-1]
        logits = np.full((X.shape[0], len(self.classes)), -np.inf)
        logits[:, self.seen] = products / norms[:, None]
        return logits


def fit_linear(pool: Pool, *, previous: LinearModel | None = None, seed: int = 0) -> Fit:
    """Fit on all labels of a pool, and see how it does on each label left out.

    Parameters
    ----------
    pool : Pool
        With at least two labels in at least two classes. All of it counts for the inverse
        document frequency.
    previous : LinearModel, optional
        Where to start the search from.
    seed : int
        Deals near-duplicate groups to folds.

    Returns
    -------
    Fit
        `chosen` and `out_of_fold` are None when no folds leave two classes to learn from.
    """
    labeled, n_classes = pool.labeled, len(pool.classes)
    y, weights = pool.y[labeled], column_weights(pool.X)
    X = weigh(pool.X[labeled], weights)
    basis = make_basis(X)
    groups = near_duplicate_groups(X, pool.u[labeled], cosines=basis.cosines)
    held = None
    temperature = 1.0
    fold_of = choose_folds(groups, y, N_FOLDS, seed)
    if fold_of is not None:
        logits, n_train = out_of_fold(basis.rows, y, fold_of, n_classes)
        temperature = fit_temperature(logits, y, fold_of)
        held = probabilities(logits, temperature, n_train)
    head = fit_head(basis.rows, y, start=_start(basis, y, previous, len(weights)))
    return Fit(
        model=LinearModel(
            classes=pool.classes,
            seen=head.seen.astype(np.int32),
            columns=basis.columns,
            coef=basis.lift(head.coef),
            weights=weights,
            temperature=temperature,
            n_labels=len(y),
        ),
        chosen=None if held is None else figures("chosen", y, held, pool.classes),
        out_of_fold=held,
        majority_share=float(np.bincount(y).max() / len(y)),
    )


def column_weights(X: Features) -> NDArray[np.float32]:
    """Return what each column counts: rare ones more if sparse, all the same if dense."""
    if is_sparse(X):
        return inverse_document_frequency(document_frequency(X), X.shape[0])
    return np.ones(X.shape[1], dtype=np.float32)


def _start(basis: Basis, y: Ints, previous: LinearModel | None, width: int) -> Head | None:
    if previous is None or len(previous.weights) != width:
        return None
    if not np.array_equal(previous.seen, np.unique(y)):
        return None
    coef = basis.project(previous.coef_on(basis.columns))
    return Head(previous.seen.astype(np.int64), coef)


def _check_arrays(arrays: Mapping[str, NDArray[Any]], n_classes: int) -> None:
    for name, (kind, dimensions) in FIELDS.items():
        if name not in arrays:
            raise InvalidInput(f"the saved model has no array {name!r}; fit it again")
        array = arrays[name]
        if array.dtype.kind != kind or array.ndim != dimensions or not np.isfinite(array).all():
            raise InvalidInput(
                f"array {name!r} of the saved model should be finite, of kind {kind!r} and "
                f"{dimensions}-d; got {array.dtype} {array.shape}; fit it again"
            )
    seen, columns, coef = arrays["seen"], arrays["columns"], arrays["coef"]
    fits = (
        coef.shape == (len(seen), len(columns))
        and _ascending_below(seen, n_classes)
        and _ascending_below(columns, len(arrays["weights"]))
        and arrays["temperature"] > 0
        and arrays["n_labels"] > 0
    )
    if not fits:
        raise InvalidInput(f"the saved model does not fit {n_classes} classes; fit it again")


def _ascending_below(numbers: NDArray[Any], limit: int) -> bool:
    return bool(
        len(numbers) and numbers[0] >= 0 and numbers[-1] < limit and (np.diff(numbers) > 0).all()
    )
