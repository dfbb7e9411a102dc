"""JSON that was right: hurt at any depth, in any way, or nothing of it left."""

from __future__ import annotations

import math
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from tests.harness.questionnaire import ANIMALS, PLAN

DEEP: Any = "the bottom"
for _ in range(200):
    DEEP = [DEEP]

WORDS = (
    *(head.name for head in PLAN.heads), *sorted(PLAN.region_types), *ANIMALS, "id", "parentID",
    "relation", "value", "both", "text", "embedding", "", "5", "0", "1e400", "<b>x</b>", "\x00",
    "\ud800", "data:,x", "x" * 10_000,
)  # fmt: skip
ODD: tuple[Any, ...] = (
    *WORDS, None, True, False, 0, -1, 5, 2.5, 10**9, 2**63, 10**400, 1e19, 1e155, 1e308, -1e308,
    math.nan, math.inf, -math.inf, [], [None], [[]], {}, [["cat"]], ["cat"], ["cat", 3], [{}], DEEP,
    {"start": 0, "end": 3}, {"choices": "cat"}, {"id": 3},
)  # fmt: skip
"""What stands where it does not belong; an integer of JSON may have any number of digits."""

JSON: st.SearchStrategy[Any] = st.sampled_from(ODD) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)

WAYS = ("deeper", "deeper", "deeper", "deeper", "replace", "remove", "repeat")


@st.composite
def damaged(draw: st.DrawFn, whole: Any) -> Any:
    """Hurt a copy of something up to four times."""
    hurt = deepcopy(whole)
    for _ in range(draw(st.integers(1, 4))):
        hurt = _hurt(draw, hurt)
    return hurt


@st.composite
def spoilt(draw: st.DrawFn, result: list[dict[str, Any]]) -> Any:
    """Put what does not belong there where up to three controls have their answers."""
    hurt = deepcopy(result)
    for _ in range(draw(st.integers(1, 3))):
        value = draw(st.sampled_from(hurt))["value"]
        value[draw(st.sampled_from(list(value)))] = deepcopy(draw(JSON))
    return hurt


def _hurt(draw: st.DrawFn, value: Any) -> Any:
    way = draw(st.sampled_from(WAYS))
    if way == "replace" or not isinstance(value, dict | list) or not value:
        return deepcopy(draw(JSON))
    key: Any = draw(st.sampled_from(list(value) if isinstance(value, dict) else range(len(value))))
    if way == "deeper":
        value[key] = _hurt(draw, value[key])
    elif way == "remove":
        del value[key]
    elif isinstance(value, dict):
        value[draw(st.sampled_from(WORDS))] = deepcopy(value[key])
    else:
        value.append(deepcopy(value[key]))
    return value
