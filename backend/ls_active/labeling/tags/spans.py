"""What labels of spans have in common, whether of a text, a sound or a series."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from active_learning.outcomes import Verdict
from active_learning.types import Answer
from ls_active.labeling.label_config import ControlTag
from ls_active.labeling.layout import Layout, runs
from ls_active.labeling.tags import is_blank, region, values_of

Value = dict[str, Any]

LARGEST = 1e300


def number(value: Any) -> float | None:
    """Return a number of a result, None if it is none."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    # JSON may hold integers that no float can.
    return float(value) if plain and abs(value) < LARGEST else None


def read_spans(
    control: ControlTag,
    result: Any,
    layout: Layout | None,
    kind: str,
    shift: float = 0.0,
    place: Callable[[Any], float | None] = number,
) -> Answer | None:
    """Return the label of each unit, None outside of all spans; no spans: all are outside.

    A unit belongs to a span that shares anything with it. Where spans overlap, the shorter one,
    which says more, has the unit. Units under a label that the config no longer has keep its name:
    what they are now, nobody said. Spans of which none can be read are no answer.

    Parameters
    ----------
    shift : float
        How far behind its last unit's start a span ends, as results count.
    place : callable
        Returns where a start or end lies, in the unit of the layout.
    """
    if layout is None or not layout.spans:
        return None
    found = []
    for value in values_of(control, result, kind):
        start, end, labels = place(value.get("start")), place(value.get("end")), value[kind]
        named = labels if _is_list(labels) else []
        known = [name for name in named if name in control.labels] or named
        if known and start is not None and end is not None and start <= end:
            found.append((end - start, start, end + shift, known[0]))
    if not found and not is_blank(control, result, kind):
        return None
    names: list[str | None] = [None] * len(layout.spans)
    for _, start, end, name in sorted(found, reverse=True):
        for unit in layout.touching(start, end):
            names[unit] = name
    return tuple(names)


def write_spans(
    control: ControlTag,
    verdict: Verdict,
    layout: Layout | None,
    kind: str,
    value: Callable[[Layout, int, int], Value],
) -> list[dict[str, Any]]:
    """Return one region for each stretch of units with the same label.

    Parameters
    ----------
    value : callable
        ``value(layout, first, last)`` says where the units lie, in the words of the control.
    """
    if layout is None or not isinstance(verdict.answer, tuple):
        return []
    return [
        region(
            control,
            kind,
            {**value(layout, first, last), kind: [name]},
            float(np.mean(verdict.shares[first : last + 1])),
            place=first,
        )
        for name, first, last in runs(verdict.answer)
    ]


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
