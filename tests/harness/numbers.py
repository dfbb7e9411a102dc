"""An object that shows two numbers, which Label Studio has not."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from active_learning.errors import Unreadable
from active_learning.types import Block


class Numbers:
    """Two numbers, and that they are there."""

    name: ClassVar[str] = "numbers"
    version: ClassVar[int] = 1
    object_tags: ClassVar[tuple[str, ...]] = ("Numbers",)
    block: ClassVar[Block] = Block.NUMBERS
    media: ClassVar[bool] = False
    n_features = 3

    def __init__(self, attributes: object = None) -> None:
        self.attributes = attributes

    def parse(self, value: Any) -> list[float]:
        if not isinstance(value, list) or len(value) != 2:
            raise Unreadable(f"must be two numbers, got {value!r}")
        return [*value, 1]

    def transform(self, parsed: list[list[float]]) -> np.ndarray[Any, Any]:
        return np.array(parsed, dtype=np.float32).reshape(-1, 3)
