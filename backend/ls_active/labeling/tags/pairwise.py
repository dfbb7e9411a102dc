"""`<Pairwise>`: which of two objects."""

from __future__ import annotations

from typing import Any, ClassVar

from active_learning.outcomes import Verdict
from active_learning.types import Answer, Kind
from ls_active.labeling.label_config import ControlTag, LabelConfig
from ls_active.labeling.layout import Layout
from ls_active.labeling.tags import region, values_of

SIDES = ("left", "right")


class PairwiseAdapter:
    """The left or the right one, learned from the difference of the two.

    References
    ----------
    Joachims (2002), Optimizing search engines using clickthrough data. KDD.
    """

    tag: ClassVar[str] = "Pairwise"
    region_type: ClassVar[str] = "pairwise"
    compares: ClassVar[bool] = True

    def why_not(self, control: ControlTag, config: LabelConfig) -> str | None:
        """Say why this control is not learned; None: it is."""
        if len(control.to_names) != 2:
            return f"it compares {len(control.to_names)} objects (toName); two can be learned"
        tags = {shown.tag for name in control.to_names if (shown := config.object.get(name))}
        return "it compares objects of two kinds" if len(tags) > 1 else None

    def kind(self, control: ControlTag) -> Kind:  # noqa: ARG002
        """Return what an answer is."""
        return Kind.SINGLE

    def classes(self, control: ControlTag) -> tuple[str, ...]:  # noqa: ARG002
        """Return the two sides."""
        return SIDES

    def read(self, control: ControlTag, result: Any, layout: Layout | None) -> Answer | None:  # noqa: ARG002
        """Return the side that one annotation prefers."""
        values = values_of(control, result, "selected")
        said = {side for value in values if isinstance(side := value["selected"], str)}
        return said.pop() if len(said) == 1 and said <= set(SIDES) else None

    def write(
        self,
        control: ControlTag,
        verdict: Verdict,
        layout: Layout | None,  # noqa: ARG002
    ) -> list[dict[str, Any]]:
        """Return the one region that says the verdict."""
        # Its pages write both names into to_name; Label Studio's import refuses that.
        return [region(control, "pairwise", {"selected": verdict.answer}, verdict.confidence)]
