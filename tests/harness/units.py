"""A way to cut text into units that needs nothing but spaces, in place of the real ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import pytest

from active_learning import registry
from active_learning.errors import Unreadable
from active_learning.types import Features
from ls_active.digests import digest_of
from ls_active.labeling.plan import make_plan

COLUMNS = 8


class Words:
    """Eight numbers a word, the same for the same word."""

    name: ClassVar[str] = "words"
    version: ClassVar[int] = 1
    unit_tags: ClassVar[tuple[str, ...]] = ("Text",)
    media: ClassVar[bool] = False
    sparse: ClassVar[bool] = False
    n_features = COLUMNS

    def __init__(self, attributes: object = None) -> None:
        self.attributes = attributes

    def parse(self, value: Any) -> str:
        if not isinstance(value, str):
            raise Unreadable(f"must be text, got {type(value).__name__}")
        return value

    def cut(self, parsed: str) -> tuple[Features, list[tuple[float, float]]]:
        spans = [match.span() for match in re.finditer(r"\S+", parsed)]
        rows = [word_row(parsed[start:end]) for start, end in spans]
        return np.array(rows, dtype=np.float32).reshape(-1, COLUMNS), [(a, b) for a, b in spans]


def word_row(word: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return the features of a word."""
    return np.frombuffer(digest_of(word)[:COLUMNS], dtype=np.uint8).astype(np.float32) + 1


@contextmanager
def cut_into_words() -> Iterator[None]:
    """Cut text into words inside, wherever units are asked for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "unit_featurizers", lambda: {"words": Words})
        make_plan.cache_clear()
        yield
    make_plan.cache_clear()
