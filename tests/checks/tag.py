"""What every tag adapter must do, whatever its tag."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from copy import deepcopy
from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from active_learning.outcomes import Verdict
from active_learning.types import Answer, Kind
from ls_active.labeling.label_config import LabelConfig, parse
from ls_active.labeling.layout import Layout
from ls_active.labeling.plan import Head
from ls_active.labeling.tags import TagAdapter
from tests.checks.tag_examples import Example

Check = Callable[[TagAdapter, Example], None]


HUGE = 10**400
"""Valid JSON, and too big for a float."""

ODD: tuple[Any, ...] = (
    *(None, True, 0, -1, 3, 2.5, HUGE, -HUGE, math.nan, math.inf, "", "3", "left", "Cat", "Person"),
    *([], [None], [[]], [3], ["Cat", 3], [HUGE], [["Cat"]], [[None]], {}, {"start": "0"}),
)
JSON = st.sampled_from(ODD) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=3,
)

GONE = "a label of last week"


def yield_checks() -> Iterator[Check]:
    """Every check, to be parametrized over every adapter and its examples."""
    yield check_example_is_learned
    yield check_read_gives_back_what_was_written
    yield check_label_studio_takes_what_was_written
    yield check_regions_are_as_the_mirror_keeps_them
    yield check_others_answers_are_not_read
    yield check_nothing_is_read_from_nothing
    yield check_labels_that_left_the_config_are_not_read
    yield check_anything_can_be_read


def learn(adapter: TagAdapter, example: Example) -> tuple[LabelConfig, Head]:
    """The example's config and head."""
    config = parse(example.xml)
    return config, Head(config.controls[0], adapter)


@st.composite
def written(draw: st.DrawFn, head: Head, example: Example) -> tuple[Verdict, Layout | None]:
    """A verdict that a model may give, and where the units lie."""
    layout = draw(example.layouts)
    share = st.floats(0, 1)
    if head.kind is Kind.SINGLE:
        confidence = draw(share)
        return Verdict(draw(st.sampled_from(head.classes)), confidence, (confidence,)), layout
    if head.kind is Kind.NUMBER:
        return Verdict(draw(example.numbers), draw(share)), layout
    if head.kind is Kind.MULTIPLE:
        least = int(head.control.has("required"))
        answer: Answer = frozenset(draw(st.sets(st.sampled_from(head.classes), min_size=least)))
        n = len(head.classes)
    else:
        assert layout is not None
        n = len(layout.spans)
        names = st.none() | st.sampled_from(head.classes)
        answer = tuple(draw(st.lists(names, min_size=n, max_size=n)))
    shares = tuple(draw(st.lists(share, min_size=n, max_size=n)))
    return Verdict(answer, draw(share), shares), layout


def nothing(head: Head, layout: Layout | None) -> tuple[Answer | None, ...]:
    """What may be read of an annotation without a region of the control."""
    if head.kind is Kind.MULTIPLE:
        return None, frozenset()
    if head.kind is Kind.SEQUENCE and layout is not None:
        return None, (None,) * len(layout.spans)
    return (None,)


def is_answer(head: Head, answer: Answer | None, layout: Layout | None) -> bool:
    """Whether it is one of the control, or none."""
    if head.kind is Kind.SINGLE:
        return answer is None or answer in head.classes
    if head.kind is Kind.NUMBER:
        return answer is None or isinstance(answer, float)
    if head.kind is Kind.MULTIPLE:
        return answer is None or (isinstance(answer, frozenset) and answer <= set(head.classes))
    known = {None, *head.classes}
    n = len(layout.spans) if layout else 0
    # A name that the config no longer has stays: such a unit is not learned from.
    whole = isinstance(answer, tuple) and len(answer) == n
    return answer is None or (
        whole and all(name in known or isinstance(name, str) for name in answer)
    )


def check_example_is_learned(adapter: TagAdapter, example: Example) -> None:
    config, head = learn(adapter, example)

    assert head.control.tag.lower() == adapter.tag.lower()
    assert adapter.why_not(head.control, config) is None
    assert len(set(head.classes)) == len(head.classes)
    assert len(head.classes) >= {Kind.NUMBER: 0, Kind.SEQUENCE: 1}.get(head.kind, 2)


def check_read_gives_back_what_was_written(adapter: TagAdapter, example: Example) -> None:
    _, head = learn(adapter, example)

    @given(written(head, example))
    def read_write(said: tuple[Verdict, Layout | None]) -> None:
        verdict, layout = said
        answer = head.read(head.write(verdict, layout), layout)
        # Where there are no units, there is nothing to learn from either.
        assert answer == verdict.answer or (answer is None and verdict.answer == ())

    read_write()


def check_label_studio_takes_what_was_written(adapter: TagAdapter, example: Example) -> None:
    config, head = learn(adapter, example)

    @given(written(head, example))
    def validate(said: tuple[Verdict, Layout | None]) -> None:
        result = head.write(*said)
        prediction = {"result": result, "score": 0.5, "model_version": "al-1"}
        assert config.validate(json.loads(json.dumps(prediction))) == []
        assert config.validate(prediction) == []
        assert len({region["id"] for region in result}) == len(result)

    validate()


def check_regions_are_as_the_mirror_keeps_them(adapter: TagAdapter, example: Example) -> None:
    _, head = learn(adapter, example)

    @given(written(head, example))
    def keep(said: tuple[Verdict, Layout | None]) -> None:
        for region in head.write(*said):
            assert region["type"] == adapter.region_type
            assert region["from_name"] == head.control.name
            assert region["to_name"] in head.control.to_names

    keep()


def check_others_answers_are_not_read(adapter: TagAdapter, example: Example) -> None:
    _, head = learn(adapter, example)

    @given(written(head, example), st.data())
    def read(said: tuple[Verdict, Layout | None], data: st.DataObject) -> None:
        own, layout = head.write(*said), said[1]
        foreign = deepcopy(own)
        for region in foreign:
            region["from_name"] = "somebody else"
        assert head.read(foreign, layout) in nothing(head, layout)
        mixed = data.draw(st.permutations([*foreign, *own]))
        assert head.read(mixed, layout) == head.read(own, layout)

    read()


def check_nothing_is_read_from_nothing(adapter: TagAdapter, example: Example) -> None:
    _, head = learn(adapter, example)

    @settings(max_examples=10)
    @given(example.layouts)
    def read(layout: Layout | None) -> None:
        empties: list[Any] = [[], None, {}, [None]]
        for empty in empties:
            assert head.read(empty, layout) in nothing(head, layout)

    read()
    if head.kind is Kind.SEQUENCE:
        assert head.read([], None) is None


def check_labels_that_left_the_config_are_not_read(adapter: TagAdapter, example: Example) -> None:
    _, head = learn(adapter, example)
    if head.kind is Kind.NUMBER:
        return

    @given(written(head, example))
    def read(said: tuple[Verdict, Layout | None]) -> None:
        result, layout = head.write(*said), said[1]
        for region in result:
            key = _key(adapter, region["value"])
            region["value"][key] = _gone(region["value"][key])
        answer = head.read(result, layout)
        if isinstance(answer, tuple):
            # Units keep the name: what they are by today's labels, nobody said.
            assert not set(answer) & set(head.classes)
            return
        assert answer is None or (answer in nothing(head, layout) and _may_be_ignored(head, result))

    read()


def check_anything_can_be_read(adapter: TagAdapter, example: Example) -> None:
    _, head = learn(adapter, example)

    @given(written(head, example), JSON)
    def read(said: tuple[Verdict, Layout | None], value: Any) -> None:
        result, layout = head.write(*said), said[1]
        assert head.read(value, layout) in nothing(head, layout)
        odd = {"from_name": head.control.name, "value": value}
        assert is_answer(head, head.read([value, odd, *result], layout), layout)
        for region in result[:1]:
            for key, one in product(region["value"], [value, *ODD]):
                spoilt = region | {"value": region["value"] | {key: one}}
                assert is_answer(head, head.read([spoilt, *result[1:]], layout), layout)

    read()


def _key(adapter: TagAdapter, value: dict[str, Any]) -> str:
    """The part of a region's value that says the answer."""
    return adapter.region_type if adapter.region_type in value else next(iter(value))


def _gone(value: Any) -> Any:
    if isinstance(value, list):
        return [_gone(item) for item in value]
    return GONE if isinstance(value, str) else 10**6


def _may_be_ignored(head: Head, result: list[dict[str, Any]]) -> bool:
    """Whether what is left of an annotation without its unknown labels is an answer still."""
    return head.kind is Kind.SEQUENCE or not result
