"""`<Number>`: a number a task."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from active_learning.outcomes import Verdict
from active_learning.types import Answer, Kind
from ls_active.labeling.label_config import ControlTag, LabelConfig
from ls_active.labeling.layout import Layout
from ls_active.labeling.tags import region, values_of

LARGEST = 1e18
"""Beyond it squares overflow: one such number would leave no model, and no order, of any."""


class NumberAdapter:
    """A number, kept within `min` and `max` and on the steps the annotator has."""

    tag: ClassVar[str] = "Number"
    region_type: ClassVar[str] = "number"
    compares: ClassVar[bool] = False

    def why_not(self, control: ControlTag, config: LabelConfig) -> str | None:  # noqa: ARG002
        """Say why this control is not learned; None: it is."""
        for name in ("min", "max", "step"):
            text = control.attribute(name)
            if text and _number(text) is None:
                return f"{name}={text!r} is no number"
        low, high = _number(control.attribute("min")), _number(control.attribute("max"))
        return "min is above max" if low is not None and high is not None and low > high else None

    def kind(self, control: ControlTag) -> Kind:  # noqa: ARG002
        """Return what an answer is."""
        return Kind.NUMBER

    def classes(self, control: ControlTag) -> tuple[str, ...]:  # noqa: ARG002
        """Return nothing: a number has no classes."""
        return ()

    def read(self, control: ControlTag, result: Any, layout: Layout | None) -> Answer | None:  # noqa: ARG002
        """Return the number of one annotation; two different ones say nothing."""
        said = {_number(value["number"]) for value in values_of(control, result, "number")}
        answer = said.pop() if len(said) == 1 else None
        return None if answer is None or abs(answer) > LARGEST else answer

    def write(
        self,
        control: ControlTag,
        verdict: Verdict,
        layout: Layout | None,  # noqa: ARG002
    ) -> list[dict[str, Any]]:
        """Return the one region that says the verdict."""
        value = {"number": _allowed(control, float(verdict.answer))}  # type: ignore[arg-type]
        return [region(control, "number", value, verdict.confidence)]


def _allowed(control: ControlTag, number: float) -> float | int:
    """Return the nearest number that the control lets an annotator enter."""
    low, high = _number(control.attribute("min")), _number(control.attribute("max"))
    step = _number(control.attribute("step"))
    base = low or 0.0
    # A step that is next to nothing allows every number.
    if step and math.isfinite((number - base) / step):
        number = base + step * round((number - base) / step)
        if high is not None and number > high:
            number = base + step * math.floor((high - base) / step)
        # Steps of 0.1 add up to 0.30000000000000004.
        number = round(number, 10)
    number = number if high is None else min(number, high)
    number = number if low is None else max(number, low)
    return int(number) if step and float(step).is_integer() and number.is_integer() else number


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
