"""`<TimeSeriesLabels>`: stretches of a time series."""

from __future__ import annotations

from typing import Any, ClassVar

from active_learning.outcomes import Verdict
from active_learning.types import Answer, Kind
from ls_active.label_config import ControlTag, LabelConfig
from ls_active.layout import Layout
from ls_active.tags.spans import read_spans, write_spans


class TimeSeriesLabelsAdapter:
    """One label, or none, for each window of a series."""

    tag: ClassVar[str] = "TimeSeriesLabels"
    region_type: ClassVar[str] = "timeserieslabels"
    compares: ClassVar[bool] = False

    def why_not(self, control: ControlTag, config: LabelConfig) -> str | None:
        """Say why this control is not learned; None: it is."""
        if not control.labels:
            return "it has no labels"
        shown = config.object.get(control.to_names[0])
        if shown is not None and shown.tag != "TimeSeries":
            return f"it labels {shown.tag}"
        if shown is not None and shown.attribute("timeFormat"):
            return "its times are dates (timeFormat)"
        return None

    def kind(self, control: ControlTag) -> Kind:  # noqa: ARG002
        """Return what an answer is."""
        return Kind.SEQUENCE

    def classes(self, control: ControlTag) -> tuple[str, ...]:
        """Return the labels, as results spell them."""
        return control.labels

    def read(self, control: ControlTag, result: Any, layout: Layout | None) -> Answer | None:
        """Return the label of each window."""
        return read_spans(control, result, layout, "timeserieslabels")

    def write(
        self, control: ControlTag, verdict: Verdict, layout: Layout | None
    ) -> list[dict[str, Any]]:
        """Return a region a stretch."""
        return write_spans(control, verdict, layout, "timeserieslabels", _value)


def _value(layout: Layout, first: int, last: int) -> dict[str, Any]:
    start, end = layout.spans[first][0], layout.spans[last][1]
    return {"start": float(start), "end": float(end), "instant": start == end}
