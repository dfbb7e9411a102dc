"""What is read, whatever it is read from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Examples:
    """Things and what is right about each.

    Attributes
    ----------
    tag : str
        The object tag that would show them.
    values : sequence
        What a task's data would hold; the path of a file.
    answers : sequence
        Never missing: a class, a list of classes, or a number.
    source : str
        Where they come from, in words.
    """

    tag: str
    values: Sequence[Any]
    answers: Sequence[Any]
    source: str
