"""`<TimeSeriesLabels>`: stretches of a time series."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from active_learning.featurizers.series import format_time, parse_time
from active_learning.outcomes import Verdict
from active_learning.types import Answer, Kind
from ls_active.labeling.label_config import ControlTag, LabelConfig
from ls_active.labeling.layout import Layout
from ls_active.labeling.tags.spans import number, read_spans, write_spans


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
        return None

    def kind(self, control: ControlTag) -> Kind:  # noqa: ARG002
        """Return what an answer is."""
        return Kind.SEQUENCE

    def classes(self, control: ControlTag) -> tuple[str, ...]:
        """Return the labels, as results spell them."""
        return control.labels

    def read(self, control: ControlTag, result: Any, layout: Layout | None) -> Answer | None:
        """Return the label of each window."""

        def place(time: Any) -> float | None:
            return _milliseconds(time, control.time_format) if control.time_format else number(time)

        return read_spans(control, result, layout, "timeserieslabels", place=place)

    def write(
        self, control: ControlTag, verdict: Verdict, layout: Layout | None
    ) -> list[dict[str, Any]]:
        """Return a region a stretch."""
        written = partial(_value, control.time_format)
        return write_spans(control, verdict, layout, "timeserieslabels", written)


def _value(time_format: str, layout: Layout, first: int, last: int) -> dict[str, Any]:
    times: tuple[Any, Any] = float(layout.spans[first][0]), float(layout.spans[last][1])
    if time_format:
        times = format_time(times[0], time_format), format_time(times[1], time_format)
    return {"start": times[0], "end": times[1], "instant": times[0] == times[1]}


def _milliseconds(time: Any, time_format: str) -> float | None:
    try:
        return parse_time(str(time), time_format)
    except (ValueError, OverflowError):
        return None
