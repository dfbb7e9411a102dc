"""What can be learned: one control tag a file, which turns its results into answers and back."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, ClassVar, Protocol

from active_learning import registry
from active_learning.outcomes import Verdict
from active_learning.types import Answer, Kind
from ls_active.labeling.label_config import ControlTag, LabelConfig
from ls_active.labeling.layout import Layout

__all__ = ["TagAdapter", "adapters", "is_blank", "names_in", "region", "regions_of", "values_of"]


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


def regions_of(result: Any) -> list[dict[str, Any]]:
    """Return the regions of a result: JSON of any shape, as a script may import it.

    Null says nothing. Whatever else is no region is one that says nothing of itself: it may be
    anybody's, and cannot be read.
    """
    if not isinstance(result, list):
        return [] if result is None else [{}]
    return [item if isinstance(item, dict) else {} for item in result if item is not None]


def values_of(control: ControlTag, result: Any, kind: str) -> Iterator[Any]:
    """Yield ``value`` of each region that a control made, as far as it is an object with `kind`."""
    for value in _said(control, result, kind):
        if isinstance(value, dict) and kind in value:
            yield value


def is_blank(control: ControlTag, result: Any, kind: str) -> bool:
    """Whether a control made no region, or none that says more than an empty list under `kind`.

    Else something was answered: where it cannot be read, that is not "none of these".
    """
    said = _said(control, result, kind)
    return all(isinstance(value, dict) and value.get(kind) == [] for value in said)


def _said(control: ControlTag, result: Any, kind: str) -> Iterator[Any]:
    """Yield what stands as the value of each region of a control; None for what may be its own."""
    for item in regions_of(result):
        name, its_kind = item.get("from_name"), item.get("type")
        if name == control.name:
            yield item.get("value")
        elif not isinstance(name, str) and (its_kind == kind or not isinstance(its_kind, str)):
            yield None


def names_in(
    adapter: TagAdapter, control: ControlTag, result: Any, names: Callable[[Any], Iterable[str]]
) -> Answer | None:
    """Return the class or the classes that a result names, None where it does not say.

    Two classes where one is asked for do not say; none, where any number is, is the empty set.

    Parameters
    ----------
    names : callable
        Returns the classes named by what stands under `region_type`.
    """
    kind = adapter.region_type
    said = list(values_of(control, result, kind))
    answers = frozenset(name for value in said for name in names(value[kind]))
    if not answers <= set(adapter.classes(control)):
        return None
    if adapter.kind(control) is Kind.SINGLE:
        return min(answers) if len(answers) == 1 else None
    # Where one must be chosen, no region at all is another control's annotation.
    empty = not said and control.has("required")
    unread = not answers and not is_blank(control, result, kind)
    return None if empty or unread else answers


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
