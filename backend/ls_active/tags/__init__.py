"""What can be learned: one control tag a file, and which of a label config's controls we learn."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Protocol

from active_learning import registry
from ls_active.label_config import ControlTag, LabelConfig

__all__ = ["Head", "LeftOut", "Plan", "TagAdapter", "adapters", "plan"]


class TagAdapter(Protocol):
    """Turns the answers of one kind of control tag into classes, and back."""

    tag: ClassVar[str]
    """The tag as written in a label config, such as ``"Choices"``."""

    def why_not(self, control: ControlTag, config: LabelConfig) -> str | None:
        """Say why this control is not learned, in words; None: it is."""
        ...

    def classes(self, control: ControlTag) -> tuple[str, ...]:
        """Return what an annotator may answer, in the order of the config."""
        ...

    def read(self, control: ControlTag, result: Any) -> str | None:
        """Return the answer in one annotation's `result`, None where there is none to learn from.

        Never raises: other controls, empty submits, skips, labels the config no longer has and
        whatever an import put there are not errors.
        """
        ...

    def write(self, control: ControlTag, label: str, proba: float) -> list[dict[str, Any]]:
        """Return the regions of a prediction; `proba` in [0, 1] becomes the region's score."""
        ...


@dataclass(frozen=True)
class Head:
    """The one control that is learned, and from what.

    Attributes
    ----------
    featurizer : str
        A name of `active_learning.registry.featurizers`.
    fields : tuple of str
        Keys of a task's data that the featurizer reads, in the order of `toName`.
    """

    control: ControlTag
    adapter: TagAdapter
    featurizer: str
    fields: tuple[str, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """What an annotator may answer, in the order of the config."""
        return self.adapter.classes(self.control)

    @property
    def feature_key(self) -> str:
        """Names the features: any change of how they are made, or from what, changes it."""
        version = registry.featurizers()[self.featurizer].version
        return f"{self.featurizer}/{version}/{'+'.join(self.fields)}"

    def read(self, result: Any) -> str | None:
        """Return the answer in one annotation's `result`; see `TagAdapter.read`."""
        return self.adapter.read(self.control, result)

    def write(self, label: str, proba: float) -> list[dict[str, Any]]:
        """Return the regions of a prediction; see `TagAdapter.write`."""
        return self.adapter.write(self.control, label, proba)


@dataclass(frozen=True)
class LeftOut:
    """A control that is not learned, and why."""

    name: str
    tag: str
    why: str

    def __str__(self) -> str:
        return f"<{self.tag} name={self.name!r}>: {self.why}"


@dataclass(frozen=True)
class Plan:
    """What we learn of a label config, and what we do not."""

    head: Head | None
    left_out: tuple[LeftOut, ...]

    @property
    def reasons(self) -> str:
        """One line for whoever must change the config, when there is no head."""
        return "; ".join(str(item) for item in self.left_out) or "it asks nothing yet"


@cache
def adapters() -> dict[str, TagAdapter]:
    """Every adapter of this folder by its tag in lower case."""
    found = registry.discover(sys.modules[__name__], lambda member: "tag" in vars(member))
    return {adapter.tag.lower(): adapter() for adapter in found}


def plan(config: LabelConfig) -> Plan:
    """Choose the first control that can be learned."""
    head: Head | None = None
    left_out = []
    for control in config.controls:
        outcome = _head_or_reason(control, config)
        if isinstance(outcome, str):
            left_out.append(LeftOut(control.name, control.tag, outcome))
        elif head is None:
            head = outcome
        else:
            why = f"this version learns one control a project: {head.control.name!r}"
            left_out.append(LeftOut(control.name, control.tag, why))
    return Plan(head, tuple(left_out))


def _head_or_reason(control: ControlTag, config: LabelConfig) -> Head | str:
    adapter = adapters().get(control.tag.lower())
    if adapter is None:
        return f"not learned by this version: {control.tag} (it learns {_known()})"
    why = adapter.why_not(control, config)
    if why:
        return f"not learned by this version: {why}"
    return _with_inputs(control, adapter, config)


def _with_inputs(control: ControlTag, adapter: TagAdapter, config: LabelConfig) -> Head | str:
    """Find what the control is asked about; one modality a head."""
    fields, featurizers = [], set()
    for name in control.to_names:
        shown = config.object.get(name)
        featurizer = registry.featurizer_for(shown.tag) if shown else None
        if shown is None or featurizer is None:
            return f"not learned by this version: it asks about {shown.tag if shown else name!r}"
        if shown.field is None:
            return f'{name!r} does not show one field of the task\'s data (value="$field")'
        if shown.attribute("valueType").lower() == "url":
            return f'not learned by this version: {name!r} is loaded from a URL (valueType="url")'
        fields.append(shown.field)
        featurizers.add(featurizer.name)
    if len(featurizers) != 1:
        return f"not learned by this version: it asks about {len(featurizers)} kinds of data"
    return Head(control, adapter, featurizers.pop(), tuple(fields))


def _known() -> str:
    return ", ".join(sorted(adapter.tag for adapter in adapters().values()))
