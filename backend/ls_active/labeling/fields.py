"""What the tasks' data says beyond the label config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

VECTOR = "embedding"
"""The field of a task's data that may hold a ready vector; then no other feature is made."""


ABSENT = object()
"""What `value_at` returns where there is nothing; null is something."""


def value_at(data: Any, field: str) -> Any:
    """Return a value of a task's data, by its key or, as in ``$meta.title``, by the path to it."""
    if isinstance(data, Mapping) and field in data:
        return data[field]
    for key in field.split("."):
        if not isinstance(data, Mapping) or key not in data:
            return ABSENT
        data = data[key]
    return data


def look_at(sample: Sequence[Any]) -> tuple[int, tuple[str, ...]]:
    """Return the length of the ready vectors (0 without), and the fields that hold numbers.

    Only what all of a few tasks agree on counts: one odd task must not change how all are read.

    Parameters
    ----------
    sample : sequence
        The data of tasks.
    """
    fields = [data for data in sample if isinstance(data, Mapping)]
    lengths = {_length(data.get(VECTOR)) for data in fields}
    names = {name for data in fields for name in data}
    numbers = (name for name in names if _all_numbers([data.get(name) for data in fields]))
    return lengths.pop() if len(lengths) == 1 else 0, tuple(sorted(numbers))


def _length(vector: Any) -> int:
    if not isinstance(vector, list) or {type(each) for each in vector} - {int, float}:
        return 0  # Something else has that name.
    return len(vector)


def _all_numbers(values: Sequence[Any]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(type(value) in (int, float) for value in known)
