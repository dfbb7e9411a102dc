"""XML → control tags and object tags. Nobody else sees XML."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from dataclasses import field as column
from functools import cached_property, lru_cache
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml import ElementTree as SafeXml
from label_studio_sdk.label_interface.interface import LabelInterface

from ls_active.errors import BadLabelConfig
from ls_active.labeling.validation import problems_of

MAX_CONFIG_BYTES = 4 * 2**20
"""A taxonomy of 20 000 entries is 1 MB; nothing that people label with comes near this."""

MAX_DEPTH = 200
"""Label Studio's own parser stops at 256 levels."""

CONDITIONS = ("visibleWhen", "whenTagName", "whenLabelValue", "whenChoiceValue")
"""Attributes that show a control only sometimes; a `View` around it may carry them too."""

_VARIABLE = re.compile(r"\$[^, ]+")


@dataclass(frozen=True)
class ObjectTag:
    """What is shown: a text, an image.

    `field` is the key of the task's data that holds its value; None where the value is fixed in the
    config or put together from several.
    """

    name: str
    tag: str
    field: str | None
    attributes: Mapping[str, str] = column(hash=False)

    def attribute(self, name: str) -> str:
        """Return an attribute as written, ``""`` if there is none; its name in any case."""
        return _attribute(self.attributes, name)


@dataclass(frozen=True)
class ControlTag:
    """What is asked: choices, labels, a rating.

    Attributes
    ----------
    labels : tuple of str
        The strings that appear in results, in the order of the config: `alias` or else `value`.
    paths : tuple of (tuple of str)
        Its `Choice` tags from the topmost down, parents included, spelled as in results.
    attributes : mapping
        Its own, and the conditions of visibility that it inherits from the tags around it.
    dynamic : bool
        Its labels come from the task's data, or a `Repeater` multiplies it.
    time_format : str
        How the times of what it labels are written, as d3 has it; empty: they are numbers.
    """

    name: str
    tag: str
    to_names: tuple[str, ...]
    labels: tuple[str, ...]
    attributes: Mapping[str, str] = column(hash=False)
    dynamic: bool = False
    time_format: str = ""
    paths: tuple[tuple[str, ...], ...] = ()

    def attribute(self, name: str) -> str:
        """Return an attribute as written, ``""`` if there is none; its name in any case."""
        return _attribute(self.attributes, name)

    def has(self, name: str) -> bool:
        """Whether a yes/no attribute is set."""
        return self.attribute(name).strip().lower() == "true"


@dataclass(frozen=True, eq=False)
class LabelConfig:
    """A parsed label config. `digest` is the SHA-256 of its text."""

    xml: str = column(repr=False)
    digest: str
    controls: tuple[ControlTag, ...]
    objects: tuple[ObjectTag, ...]
    _interface: LabelInterface = column(repr=False)

    @property
    def empty(self) -> bool:
        """Whether nothing is asked at all, as in a project nobody has set up yet."""
        return not self.controls

    @cached_property
    def control(self) -> dict[str, ControlTag]:
        """The control tags by name."""
        return {control.name: control for control in self.controls}

    @cached_property
    def object(self) -> dict[str, ObjectTag]:
        """The object tags by name."""
        return {shown.name: shown for shown in self.objects}

    def validate(self, prediction: Mapping[str, Any]) -> list[str]:
        """Return what is wrong with a prediction, in words; nothing: Label Studio will take it.

        Label Studio drops bad imports without a word and stores bad /predict answers that break
        its pages later, so this is stricter than the SDK, which lets half of them pass.
        """
        validate: Any = self._interface.validate_prediction  # untyped in the SDK
        singles = [name for name in self.control if self._is_single(name)]
        return problems_of(prediction, singles, lambda whole: validate(whole, return_errors=True))

    def _is_single(self, name: str) -> bool:
        control = self.control[name]
        if control.tag.lower() != "choices":
            return False
        return control.attribute("choice") != "multiple" and not control.has("perRegion")


@lru_cache(maxsize=32)
def parse(xml: str) -> LabelConfig:
    """Parse a label config; the same text is parsed once.

    Raises
    ------
    BadLabelConfig
        Too big, not XML, with a DTD or entities, or not a label config: names used twice, a
        `toName` that names nothing.
    """
    tree = _safe_tree(xml)
    context = _contexts(tree)
    try:
        interface = LabelInterface(xml)
    except Exception as error:  # noqa: BLE001 - it raises whatever its parser stumbles over
        raise BadLabelConfig(f"Label Studio's SDK cannot read the label config: {error}") from None
    objects = tuple(_object(tag, context) for tag in interface.objects or ())
    controls = tuple(_control(tag, context, objects) for tag in interface.controls or ())
    _check_names(tree, controls, objects)
    digest = hashlib.sha256(xml.encode()).hexdigest()
    return LabelConfig(xml, digest, controls, objects, interface)


def _safe_tree(xml: str) -> Element:
    size = len(xml.encode("utf-8", "replace"))
    if size > MAX_CONFIG_BYTES:
        raise BadLabelConfig(f"the label config has {size} bytes, at most {MAX_CONFIG_BYTES} work")
    if not xml.strip():
        raise BadLabelConfig("the label config is empty; set up labeling in the project's settings")
    try:
        tree: Element = SafeXml.fromstring(xml, forbid_dtd=True)
    except DefusedXmlException:
        raise BadLabelConfig("the label config has a DTD or entities; remove them") from None
    except (ParseError, ValueError) as error:
        raise BadLabelConfig(f"the label config is not XML: {error}") from None
    return tree


@dataclass(frozen=True)
class _Context:
    """What the tags around a control say about it."""

    conditions: Mapping[str, str]
    repeated: bool
    paths: tuple[tuple[str, ...], ...] = ()
    channels: str = ""


def _contexts(root: Element) -> dict[str, _Context]:
    """Collect, for every named tag, the conditions it inherits. A loop: depth is the sender's."""
    contexts = {}
    stack = [(root, _Context({}, repeated=False), 1)]
    while stack:
        tag, outer, depth = stack.pop()
        if depth > MAX_DEPTH:
            raise BadLabelConfig(f"the label config is nested deeper than {MAX_DEPTH} tags")
        own = {name: value for name in CONDITIONS if (value := _attribute(tag.attrib, name))}
        repeated = outer.repeated or tag.tag == "Repeater"
        inner = _Context({**outer.conditions, **own}, repeated)
        if "name" in tag.attrib:
            paths, channels = tuple(_paths(tag)), _channels(tag)
            contexts[tag.attrib["name"]] = replace(inner, paths=paths, channels=channels)
        stack.extend((child, inner, depth + 1) for child in tag)
    return contexts


def _paths(control: Element) -> Iterator[tuple[str, ...]]:
    """Yield the path of every `Choice` below a control, in the order of the config.

    Within `Choices` a `View` may arrange them; it is no part of a path.
    """
    top: tuple[str, ...] = ()
    stack = [(child, top) for child in reversed(control)]
    while stack:
        tag, above = stack.pop()
        arranges = tag.tag == "View" and control.tag == "Choices"
        if not (arranges or tag.tag == "Choice") or len(above) > MAX_DEPTH:
            continue
        path = above
        if not arranges:
            path = (*above, tag.attrib.get("alias") or tag.attrib.get("value", ""))
            yield path
        stack.extend((child, path) for child in reversed(tag))


def _channels(shown: Element) -> str:
    """Return the columns of a time series that are shown, by comma."""
    columns = [tag.attrib.get("column", "") for tag in shown.iter("Channel")]
    return ",".join(name for name in columns if name)


def _object(tag: Any, contexts: Mapping[str, _Context]) -> ObjectTag:
    value = tag.value or ""
    name = value[1:] if _VARIABLE.fullmatch(value) else None
    channels = contexts[tag.name].channels
    return ObjectTag(
        tag.name, tag.tag, name, {**tag.attr, **({"channels": channels} if channels else {})}
    )


def _control(
    tag: Any, contexts: Mapping[str, _Context], objects: tuple[ObjectTag, ...]
) -> ControlTag:
    context = contexts[tag.name]
    shown = [item for item in objects if item.name in tag.to_name and item.attribute("timeColumn")]
    return ControlTag(
        name=tag.name,
        tag=tag.tag,
        to_names=tuple(tag.to_name),
        labels=tuple(tag.labels or ()),
        attributes={**context.conditions, **tag.attr},
        dynamic=bool(tag.dynamic_value) or context.repeated,
        time_format=next((item.attribute("timeFormat").strip() for item in shown), ""),
        paths=context.paths,
    )


def _check_names(
    root: Element, controls: tuple[ControlTag, ...], objects: tuple[ObjectTag, ...]
) -> None:
    names = Counter(tag.attrib["name"] for tag in root.iter() if "name" in tag.attrib)
    twice = sorted(name for name, count in names.items() if count > 1)
    if twice:
        raise BadLabelConfig(f"the label config uses a name twice: {', '.join(twice)}")
    known = {tag.name for tag in controls} | {tag.name for tag in objects}
    for control in controls:
        dangling = [name for name in control.to_names if name not in known]
        if dangling:
            raise BadLabelConfig(
                f"<{control.tag} name={control.name!r}> points at toName={dangling[0]!r}, "
                f"which the label config does not have; it has {', '.join(sorted(known))}"
            )


def _attribute(attributes: Mapping[str, str], name: str) -> str:
    if name in attributes:
        return attributes[name]
    lowered = {key.lower(): value for key, value in attributes.items()}
    return lowered.get(name.lower(), "")
