"""`<Rating>`: one to so many stars."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from active_learning.outcomes import Verdict
from active_learning.types import Answer, Kind
from ls_active.labeling.label_config import ControlTag, LabelConfig
from ls_active.labeling.layout import Layout
from ls_active.labeling.tags import region, values_of

USUAL, MOST = 5, 100


class RatingAdapter:
    """A class a number of stars."""

    tag: ClassVar[str] = "Rating"
    region_type: ClassVar[str] = "rating"
    compares: ClassVar[bool] = False

    def why_not(self, control: ControlTag, config: LabelConfig) -> str | None:  # noqa: ARG002
        """Say why this control is not learned; None: it is."""
        stars = control.attribute("maxRating")
        if stars and not (stars.isdecimal() and 2 <= int(stars) <= MOST):
            return f"maxRating={stars!r}; 2 to {MOST} can be learned"
        return None

    def kind(self, control: ControlTag) -> Kind:  # noqa: ARG002
        """Return what an answer is."""
        return Kind.SINGLE

    def classes(self, control: ControlTag) -> tuple[str, ...]:
        """Return the numbers of stars."""
        return tuple(
            str(stars + 1) for stars in range(int(control.attribute("maxRating") or USUAL))
        )

    def read(self, control: ControlTag, result: Any, layout: Layout | None) -> Answer | None:  # noqa: ARG002
        """Return the stars of one annotation; two different ones say nothing."""
        said = {_text(value["rating"]) for value in values_of(control, result, "rating")}
        answer = said.pop() if len(said) == 1 else ""
        return answer if answer in self.classes(control) else None

    def write(
        self,
        control: ControlTag,
        verdict: Verdict,
        layout: Layout | None,  # noqa: ARG002
    ) -> list[dict[str, Any]]:
        """Return the one region that says the verdict."""
        value = {"rating": int(str(verdict.answer))}
        return [region(control, "rating", value, verdict.confidence)]


def _text(stars: Any) -> str:
    if isinstance(stars, bool) or not isinstance(stars, int | float) or abs(stars) > MOST:
        return ""
    return str(int(stars)) if math.isfinite(stars) and stars == int(stars) else ""
