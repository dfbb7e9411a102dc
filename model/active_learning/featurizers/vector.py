"""A ready vector, made by whatever encoder a team has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from active_learning.errors import InvalidInput, Unreadable
from active_learning.types import Block

LARGEST = 1e18
"""Beyond it, squares overflow; no encoder says so much."""


class VectorFeaturizer:
    """The numbers themselves.

    No object tag shows a vector: it lies in the task's data, beside what annotators see.

    Parameters
    ----------
    attributes : mapping
        ``length`` is that of every vector.

    Raises
    ------
    InvalidInput
        ``length`` is no positive number.
    """

    name: ClassVar[str] = "vector"
    version: ClassVar[int] = 1
    object_tags: ClassVar[tuple[str, ...]] = ()
    block: ClassVar[Block] = Block.EMBEDDING
    media: ClassVar[bool] = False

    def __init__(self, attributes: Mapping[str, str] = MappingProxyType({"length": "1"})) -> None:
        length = str(attributes.get("length", "")).strip()
        if not (length.isdecimal() and int(length)):
            raise InvalidInput(f"a vector needs its length as a positive number, got {length!r}")
        self.n_features = int(length)

    def parse(self, value: Any) -> NDArray[np.float32]:
        """Return a vector of the known length.

        Raises
        ------
        Unreadable
            It is no list of finite numbers, has another length, or is zero throughout.
        """
        if not isinstance(value, list | tuple) or not all(map(_is_number, value)):
            raise Unreadable("the vector must be a flat list of numbers")
        if len(value) != self.n_features:
            raise Unreadable(
                f"the vector has {len(value)} numbers, those before have {self.n_features}"
            )
        if not all(-LARGEST <= number <= LARGEST for number in value):
            raise Unreadable("the vector holds NaN, infinity or a number beyond 1e18")
        vector = np.array(value, dtype=np.float32)
        if not vector.any():
            raise Unreadable("the vector is zero throughout")
        return vector

    def transform(self, parsed: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Return the vectors as rows, ``(len(parsed), n_features)``."""
        return np.array(parsed, dtype=np.float32).reshape(len(parsed), self.n_features)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
