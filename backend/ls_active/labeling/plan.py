"""What of a label config is learned, from what, and what is left out and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from active_learning import registry
from active_learning.outcomes import Verdict
from active_learning.types import Answer, Kind
from ls_active.labeling.input import WORDS, Input, input_of, reader_of, vector_input
from ls_active.labeling.label_config import CONDITIONS, ControlTag, LabelConfig
from ls_active.labeling.layout import Layout
from ls_active.labeling.tags import TagAdapter, adapters


@dataclass(frozen=True)
class Head:
    """One control that is learned.

    Attributes
    ----------
    sides : (int, int) or None
        The inputs whose difference it learns from, where it compares two; else it sees them all.
    units : int or None
        Which of `Plan.unit_inputs` it labels.
    """

    control: ControlTag
    adapter: TagAdapter
    sides: tuple[int, int] | None = None
    units: int | None = None

    @property
    def name(self) -> str:
        """The control's name."""
        return self.control.name

    @cached_property
    def kind(self) -> Kind:
        """What an answer is."""
        return self.adapter.kind(self.control)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """What an annotator may answer, in the order of the config."""
        return self.adapter.classes(self.control)

    @property
    def signature(self) -> list[Any]:
        """What a model must have been fitted for to answer this control, as JSON."""
        return [self.name, str(self.kind), list(self.classes)]

    def read(self, result: Any, layout: Layout | None = None) -> Answer | None:
        """Return the answer in one annotation's `result`; see `TagAdapter.read`."""
        return self.adapter.read(self.control, result, layout)

    def write(self, verdict: Verdict, layout: Layout | None = None) -> list[dict[str, Any]]:
        """Return the regions of a prediction; see `TagAdapter.write`."""
        return self.adapter.write(self.control, verdict, layout)


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
    """What we learn of a label config, and what we do not.

    Attributes
    ----------
    heads : tuple of Head
        The controls that are learned, in the order of the config.
    inputs : tuple of Input
        What a task's features are made of, side by side.
    unit_inputs : tuple of Input
        What is cut into units.
    vector : int
        Length of the ready vector that takes the place of all other features, 0 without one.
    numbers : tuple of str
        Fields that hold numbers, though a text tag shows them.
    text_encoder : str
        What makes features of whole texts.
    """

    heads: tuple[Head, ...] = ()
    inputs: tuple[Input, ...] = ()
    unit_inputs: tuple[Input, ...] = ()
    left_out: tuple[LeftOut, ...] = field(default=())
    vector: int = 0
    numbers: tuple[str, ...] = ()
    text_encoder: str = WORDS

    @property
    def media(self) -> bool:
        """Whether any value is the address of a file."""
        return any(item.media for item in (*self.inputs, *self.unit_inputs))

    @property
    def feature_key(self) -> str:
        """Names all features of a task."""
        return " ".join(item.key for item in (*self.inputs, *self.unit_inputs))

    @property
    def signature(self) -> list[Any]:
        """What a version must have been fitted for to be in force, as JSON."""
        return [head.signature for head in self.heads]

    @property
    def region_types(self) -> frozenset[str]:
        """Types of the regions that are read."""
        return frozenset(head.adapter.region_type for head in self.heads)

    @property
    def reasons(self) -> str:
        """One line for whoever must change the config, when nothing is learned."""
        return "; ".join(str(item) for item in self.left_out) or "it asks nothing yet"


@lru_cache(maxsize=32)
def make_plan(
    config: LabelConfig,
    vector: int = 0,
    numbers: tuple[str, ...] = (),
    text_encoder: str = WORDS,
) -> Plan:
    """Choose every control that can be learned.

    Parameters
    ----------
    vector : int
        Length of the ready vector in the tasks' data, 0 if they have none.
    numbers : tuple of str
        Fields of the tasks' data that hold numbers; see `fields.look_at`.
    text_encoder : str
        What makes features of whole texts; tokens are always described by their words.
    """
    read = [(shown, reader_of(shown, numbers, text_encoder)) for shown in config.objects]
    readable = [] if vector else [(shown, reader) for shown, reader in read if reader is not None]
    inputs = tuple(input_of(shown, reader) for shown, reader in readable)
    places = {shown.name: place for place, (shown, _) in enumerate(readable)}
    if vector:
        inputs = (vector_input(vector),)
    heads: list[Head] = []
    unit_inputs: list[Input] = []
    left_out: list[LeftOut] = []
    for control in config.controls:
        outcome = _head_or_reason(control, config, places, unit_inputs, any_input=bool(inputs))
        if isinstance(outcome, Head) and not _alike(outcome, inputs):
            outcome = "not learned: the two objects that it compares are read differently"
        if isinstance(outcome, str):
            left_out.append(LeftOut(control.name, control.tag, outcome))
        else:
            heads.append(outcome)
    cut = tuple(unit_inputs)
    return Plan(tuple(heads), inputs, cut, tuple(left_out), vector, numbers, text_encoder)


def _alike(head: Head, inputs: tuple[Input, ...]) -> bool:
    """Whether what a head compares has the same columns."""
    if head.sides is None:
        return True
    one, other = (inputs[side] for side in head.sides)
    channels = [dict(each.attributes).get("channels", "").count(",") for each in (one, other)]
    return one.featurizer == other.featurizer and channels[0] == channels[1]


def _head_or_reason(
    control: ControlTag,
    config: LabelConfig,
    places: dict[str, int],
    unit_inputs: list[Input],
    *,
    any_input: bool,
) -> Head | str:
    adapter = adapters().get(control.tag.lower())
    if adapter is None:
        return f"{control.tag} is not learned (learned are {_known()})"
    why = _sometimes(control) or adapter.why_not(control, config)
    if why:
        return f"not learned: {why}"
    if adapter.kind(control) is Kind.SEQUENCE:
        return _sequence(control, adapter, config, unit_inputs)
    return _whole(control, adapter, config, places, any_input=any_input)


def _whole(
    control: ControlTag,
    adapter: TagAdapter,
    config: LabelConfig,
    places: dict[str, int],
    *,
    any_input: bool,
) -> Head | str:
    """Return the head of a control that is answered once a task."""
    unseen = [name for name in control.to_names if name not in places]
    if not any_input or (places and len(unseen) == len(control.to_names)):
        return f"not learned: {_unreadable(unseen[0], config)}"
    if not adapter.compares:
        return Head(control, adapter)
    sides = [places[name] for name in control.to_names if name in places]
    if len(sides) != 2:
        return "not learned: it compares two objects, and both must be read"
    return Head(control, adapter, sides=(sides[0], sides[1]))


def _sometimes(control: ControlTag) -> str | None:
    """Say why a control is not asked once for every task, if so."""
    for name in ("perRegion", "perItem"):
        if control.has(name):
            return f'{name}="true"'
    for name in CONDITIONS:
        if control.attribute(name):
            return f"it is shown only sometimes ({name}={control.attribute(name)!r})"
    return "what it asks comes from the task's data" if control.dynamic else None


def _sequence(
    control: ControlTag, adapter: TagAdapter, config: LabelConfig, unit_inputs: list[Input]
) -> Head | str:
    if len(control.to_names) > 1:
        return f"not learned: it labels {len(control.to_names)} objects; one can be learned"
    shown = config.object.get(control.to_names[0])
    cutter = registry.unit_featurizer_of(shown.tag) if shown else None
    if shown is None or cutter is None or shown.field is None:
        return f"not learned: {_unreadable(control.to_names[0], config)}"
    item = input_of(shown, cutter)
    if item not in unit_inputs:
        unit_inputs.append(item)
    return Head(control, adapter, units=unit_inputs.index(item))


def _unreadable(name: str, config: LabelConfig) -> str:
    shown = config.object.get(name)
    if shown is None:
        return f"it asks about {name!r}, which shows nothing"
    if shown.field is None:
        return f'{name!r} does not show one field of the task\'s data (value="$field")'
    return f"it asks about {shown.tag}, which is not read"


def _known() -> str:
    return ", ".join(sorted(adapter.tag for adapter in adapters().values()))
