"""`<Labels>`: spans of a text or a sound."""

from __future__ import annotations

from typing import Any, ClassVar

from active_learning.outcomes import Verdict
from active_learning.types import Answer, Kind
from ls_active.labeling.label_config import ControlTag, LabelConfig
from ls_active.labeling.layout import Layout
from ls_active.labeling.tags.spans import read_spans, write_spans

OBJECTS = ("Text", "Audio")
"""What it makes regions of, by spans that can be told apart."""


class LabelsAdapter:
    """One label, or none, for each token of a text or window of a sound."""

    tag: ClassVar[str] = "Labels"
    region_type: ClassVar[str] = "labels"
    compares: ClassVar[bool] = False

    def why_not(self, control: ControlTag, config: LabelConfig) -> str | None:
        """Say why this control is not learned; None: it is."""
        if not control.labels:
            return "it has no labels"
        shown = config.object.get(control.to_names[0])
        if shown is not None and shown.tag not in OBJECTS:
            return f"it labels {shown.tag} (it learns {' and '.join(OBJECTS)})"
        return None

    def kind(self, control: ControlTag) -> Kind:  # noqa: ARG002
        """Return what an answer is."""
        return Kind.SEQUENCE

    def classes(self, control: ControlTag) -> tuple[str, ...]:
        """Return the labels, as results spell them."""
        return control.labels

    def read(self, control: ControlTag, result: Any, layout: Layout | None) -> Answer | None:
        """Return the label of each unit."""
        return read_spans(control, result, layout, "labels")

    def write(
        self, control: ControlTag, verdict: Verdict, layout: Layout | None
    ) -> list[dict[str, Any]]:
        """Return a region a span."""
        return write_spans(control, verdict, layout, "labels", _value)


def _value(layout: Layout, first: int, last: int) -> dict[str, Any]:
    start, end = layout.spans[first][0], layout.spans[last][1]
    if not layout.text:
        return {"start": float(start), "end": float(end), "channel": 0}
    return {"start": int(start), "end": int(end), "text": layout.text[int(start) : int(end)]}
