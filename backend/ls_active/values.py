"""What a featurizer reads of one task's data."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any


class Unreadable(ValueError):
    """Raised when a task's data holds nothing to learn from; says which field and why."""


def text_of(data: Any, fields: Sequence[str]) -> str:
    """Return the text of the named fields, one a line.

    Raises
    ------
    Unreadable
        If the data is no object, a field is missing or not text, or all of them are empty.
    """
    if not isinstance(data, Mapping):
        raise Unreadable(f"data must be an object, got {type(data).__name__}")
    parts = [_part(data, field) for field in fields]
    text = "\n".join(parts)
    if not text.strip():
        raise Unreadable(f"empty text in {', '.join(fields)}")
    return text


def digest_of(text: str) -> bytes:
    """Return a digest that changes when the text does."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _part(data: Mapping[str, Any], field: str) -> str:
    if field not in data:
        raise Unreadable(f"no field {field!r} in the task's data")
    value = data[field]
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return str(value)
    raise Unreadable(f"field {field!r} must be text, got {type(value).__name__}")
