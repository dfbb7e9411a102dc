"""What can be learned: one control tag a file, which turns its results into answers and back."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any, ClassVar, Protocol

from active_learning import registry
from active_learning.outcomes import Verdict
from active_learning.types import Answer, Kind
from ls_active.labeling.label_config import ControlTag, LabelConfig
from ls_active.labeling.layout import Layout

__all__ = ["TagAdapter", "adapters", "is_blank", "region", "values_of"]


class TagAdapter(Protocol):
    """Turns the results of one kind of control tag into answers, and verdicts into results."""

    tag: ClassVar[str]
    """The tag as written in a label config, such as ``"Choices"``."""
    region_type: ClassVar[str]
    """The `type` of its regions in results, such as ``"choices"``."""
    compares: ClassVar[bool]
    """Whether it asks which of two objects; it is then learned from their difference."""

    def why_not(self, control: ControlTag, config: LabelConfig) -> str | None:
        """Say why this control is not learned, in words; None: it is."""
        ...

    def kind(self, control: ControlTag) -> Kind:
        """Return what an answer is."""
        ...

    def classes(self, control: ControlTag) -> tuple[str, ...]:
        """Return what an annotator may answer, in the order of the config; nothing for numbers."""
        ...

    def read(self, control: ControlTag, result: Any, layout: Layout | None) -> Answer | None:
        """Return the answer in one annotation's `result`, None where there is none to learn from.

        Never raises: other controls, empty submits, skips, labels the config no longer has and
        whatever an import put there are not errors. `layout` is there for sequences only.
        """
        ...

    def write(
        self, control: ControlTag, verdict: Verdict, layout: Layout | None
    ) -> list[dict[str, Any]]:
        """Return the regions of a prediction; probabilities become their scores."""
        ...


@cache
def adapters() -> dict[str, TagAdapter]:
    """Every adapter of this folder by its tag in lower case."""
    found = registry.discover(sys.modules[__name__], lambda member: "tag" in vars(member))
    return {adapter.tag.lower(): adapter() for adapter in found}


def values_of(control: ControlTag, result: Any, kind: str) -> Iterator[Any]:
    """Yield ``value`` of each region that a control made, as far as it is an object with `kind`."""
    for value in _said(control, result):
        if isinstance(value, dict) and kind in value:
            yield value


def is_blank(control: ControlTag, result: Any, kind: str) -> bool:
    """Whether a control made no region, or none that says more than an empty list under `kind`.

    Else something was answered: where it cannot be read, that is not "none of these".
    """
    said = _said(control, result)
    return all(isinstance(value, dict) and value.get(kind) == [] for value in said)


def _said(control: ControlTag, result: Any) -> Iterator[Any]:
    """Yield what stands as the value of each region that a control made."""
    for item in result if isinstance(result, list) else []:
        if isinstance(item, dict) and item.get("from_name") == control.name:
            yield item.get("value")


def region(
    control: ControlTag, kind: str, value: dict[str, Any], share: float, *, place: object = ""
) -> dict[str, Any]:
    """Return one region of a prediction; `place` tells those of one control apart."""
    return {
        "id": hashlib.sha256(f"{control.name}{place}".encode()).hexdigest()[:10],
        "from_name": control.name,
        "to_name": control.to_names[0],
        "type": kind,
        "value": value,
        # Sums of probabilities stray beyond 1 by a rounding error.
        "score": min(max(float(share), 0.0), 1.0),
    }
