"""From features as the featurizers made them to rows of unit length."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack

from active_learning.errors import InvalidInput
from active_learning.features import (
    blocks,
    document_frequency,
    inverse_document_frequency,
    is_sparse,
    weigh,
)
from active_learning.types import Block, Features, Floats, Pool

KINDS = tuple(Block)

REACH = 6.0
"""Standard deviations from the mean beyond which a value says nothing more."""

SAMPLE = 20_000
"""Rows that means and deviations are taken from: a fixed stride through larger pools."""


@dataclass(frozen=True, eq=False)
class Scaling:
    """What each column counts, and where it starts from.

    Every block comes out with rows of unit length, so that several object tags weigh the same; the
    whole row has unit length too. A block of numbers gets one constant column more, its intercept:
    dividing by the row's length then loses nothing, since a linear decision keeps its sign.

    Attributes
    ----------
    weights, offsets : (d,) float32
        A value x counts ``(x - offset) * weight``.
    ends : (b,) int64
        Where each block ends.
    kinds : (b,) int64
        Its place in `KINDS`.
    """

    weights: NDArray[np.float32]
    offsets: NDArray[np.float32]
    ends: NDArray[np.int64]
    kinds: NDArray[np.int64]

    @property
    def only_counts(self) -> bool:
        """Whether there is one block, of counts: then no column moves and none is added."""
        return len(self.kinds) == 1 and KINDS[self.kinds[0]] is Block.COUNTS

    @property
    def width(self) -> int:
        """Columns of what `apply` returns."""
        return len(self.weights) + int(np.sum(self.kinds == KINDS.index(Block.NUMBERS)))

    def apply(self, X: Features) -> Features:
        """Return rows of unit length, or zero where there is nothing; sparse if `X` is.

        Raises
        ------
        InvalidInput
            `X` has another width, NaN or infinity.
        """
        if X.ndim != 2 or X.shape[1] != len(self.weights):
            raise InvalidInput(
                f"the features have shape {X.shape}, the model reads {len(self.weights)} columns; "
                "compute them with the featurizer and version the model was fitted on"
            )
        if self.only_counts:
            return weigh(X, self.weights)
        starts = np.concatenate([[0], self.ends[:-1]])
        parts = [
            self._block(X, int(start), int(end), KINDS[kind])
            for start, end, kind in zip(starts, self.ends, self.kinds, strict=True)
        ]
        if len(parts) == 1:
            return parts[0]
        joined = hstack(parts, format="csr") if is_sparse(X) else np.hstack(parts)
        return weigh(joined, np.ones(joined.shape[1], dtype=np.float32))

    def _block(self, X: Features, start: int, end: int, kind: Block) -> Features:
        part, weights = X[:, start:end], self.weights[start:end]
        if kind is Block.COUNTS:
            return weigh(part, weights)
        result = np.zeros((part.shape[0], end - start + (kind is Block.NUMBERS)), dtype=np.float32)
        # As long as the other columns of an average row.
        constant = np.sqrt(max(int(np.count_nonzero(weights)), 1))
        for rows in blocks(part):
            values = part[rows].toarray() if is_sparse(part) else part[rows]
            _check_finite(values)
            readable = values.any(axis=1)
            scaled = (values - self.offsets[start:end]) * weights
            if kind is not Block.EMBEDDING:
                np.clip(scaled, -REACH, REACH, out=scaled)
            scaled[~readable] = 0
            result[rows, : end - start] = scaled
            if kind is Block.NUMBERS:
                result[rows, -1] = constant * readable
            lengths = np.linalg.norm(result[rows], axis=1)
            result[rows] /= np.where(lengths > 0, lengths, 1)[:, None]
        return csr_matrix(result) if is_sparse(X) else result

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return all state."""
        return {name: getattr(self, name) for name in ("weights", "offsets", "ends", "kinds")}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Scaling:
        """Rebuild from `to_arrays`.

        Raises
        ------
        InvalidInput
            The arrays are damaged.
        """
        try:
            state = {name: arrays[name] for name in ("weights", "offsets", "ends", "kinds")}
        except KeyError as missing:
            raise InvalidInput(f"the saved model has no array {missing}; fit it again") from None
        found = cls(**state)
        good = (
            all(array.ndim == 1 and np.isfinite(array).all() for array in state.values())
            and found.weights.dtype.kind == found.offsets.dtype.kind == "f"
            and found.ends.dtype.kind == found.kinds.dtype.kind == "i"
            and len(found.weights) == len(found.offsets)
            and len(found.ends) == len(found.kinds) > 0
            and found.ends[-1] == len(found.weights)
            and (np.diff(found.ends, prepend=0) > 0).all()
            and ((found.kinds >= 0) & (found.kinds < len(KINDS))).all()
        )
        if not good:
            raise InvalidInput("the scaling of the saved model is damaged; fit it again")
        return found


def scaling_of(pool: Pool) -> Scaling:
    """Learn what each column counts from all tasks of a pool, labelled or not."""
    return fit_scaling(pool.X, pool.blocks)


def fit_scaling(X: Features, layout: tuple[tuple[Block, int], ...] = ()) -> Scaling:
    """Learn what each column counts: rare ones more if counts, all the same range if not.

    Parameters
    ----------
    X : (n, d)
        Features as the featurizers made them.
    layout : tuple of (Block, int)
        See `Pool.blocks`.

    Raises
    ------
    InvalidInput
        The widths of the layout do not add up.
    """
    whole = ((Block.COUNTS if is_sparse(X) else Block.VECTOR), X.shape[1])
    layout = layout or (whole,)
    ends = np.cumsum([width for _, width in layout])
    if ends[-1] != X.shape[1]:
        raise InvalidInput(f"blocks of {layout} make {ends[-1]} columns, there are {X.shape[1]}")
    weights, offsets = np.ones(X.shape[1], np.float32), np.zeros(X.shape[1], np.float32)
    for (kind, width), end in zip(layout, ends, strict=True):
        columns = slice(end - width, end)
        if kind is Block.COUNTS:
            part = X if len(layout) == 1 else X[:, columns]
            weights[columns] = inverse_document_frequency(document_frequency(part), X.shape[0])
        else:
            offsets[columns], weights[columns] = _standard(X, columns)
        if kind is Block.EMBEDDING:
            weights[columns] = weights[columns] > 0
    kinds = np.array([KINDS.index(kind) for kind, _ in layout], dtype=np.int64)
    return Scaling(weights, offsets, ends.astype(np.int64), kinds)


def _standard(X: Features, columns: slice) -> tuple[Floats, Floats]:
    """Return the mean of each column and one over its deviation, 0 where it never varies."""
    sample = X[:: max(X.shape[0] // SAMPLE, 1), columns]
    values = (sample.toarray() if is_sparse(sample) else np.asarray(sample)).astype(np.float64)
    _check_finite(values)
    values = values[values.any(axis=1)]
    if len(values) < 2:
        return np.zeros(values.shape[1]), np.ones(values.shape[1])
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    varies = deviation > 1e-6 * (np.abs(mean) + 1e-12)
    return mean, np.where(varies, 1.0 / np.where(varies, deviation, 1.0), 0.0)


def _check_finite(values: NDArray[Any]) -> None:
    broken = int(np.count_nonzero(~np.isfinite(values).all(axis=1)))
    if broken:
        raise InvalidInput(f"{broken} rows of features hold NaN or infinity; leave them zero")
