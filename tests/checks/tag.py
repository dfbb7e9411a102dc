"""What every tag adapter must do, whatever its tag."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ls_active.label_config import LabelConfig, parse
from ls_active.tags import Head, TagAdapter, plan

Check = Callable[[TagAdapter], None]

EXAMPLES = {
    "Choices": (
        '<View><Text name="t" value="$text"/>'
        '<Choices name="c" toName="t"><Choice value="A"/><Choice value="B &amp; C" alias="bc"/>'
        '<Choice value="ünï"/></Choices></View>'
    ),
}
"""A learnable config a tag."""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def yield_checks() -> Iterator[Check]:
    """Every check, to be parametrized over every adapter."""
    yield check_example_is_learned
    yield check_read_gives_back_what_was_written
    yield check_label_studio_takes_what_was_written
    yield check_others_answers_are_not_read
    yield check_nothing_is_read_from_nothing
    yield check_a_label_that_left_the_config_is_not_read
    yield check_anything_can_be_read


def learn(adapter: TagAdapter) -> tuple[LabelConfig, Head]:
    """The example's config and head."""
    config = parse(EXAMPLES[adapter.tag])
    head = plan(config).head
    assert head is not None
    return config, head


def check_example_is_learned(adapter: TagAdapter) -> None:
    config, head = learn(adapter)

    assert type(head.adapter) is type(adapter)
    assert adapter.why_not(head.control, config) is None
    assert len(set(head.classes)) == len(head.classes) >= 2


def check_read_gives_back_what_was_written(adapter: TagAdapter) -> None:
    _, head = learn(adapter)

    @settings(max_examples=50)
    @given(st.sampled_from(head.classes), st.floats(0, 1))
    def read_write(label: str, proba: float) -> None:
        assert head.read(head.write(label, proba)) == label

    read_write()


def check_label_studio_takes_what_was_written(adapter: TagAdapter) -> None:
    config, head = learn(adapter)

    @settings(max_examples=50)
    @given(st.sampled_from(head.classes), st.floats(0, 1.0000001))
    def validate(label: str, proba: float) -> None:
        result = head.write(label, proba)
        assert config.validate({"result": result, "score": 0.5, "model_version": "al-1"}) == []
        assert all(region["score"] == min(proba, 1) for region in result)

    validate()


def check_others_answers_are_not_read(adapter: TagAdapter) -> None:
    _, head = learn(adapter)
    foreign = deepcopy(head.write(head.classes[0], 0.5))
    for region in foreign:
        region["from_name"] = "somebody else"

    assert head.read(foreign) is None
    assert head.read(foreign + head.write(head.classes[1], 0.5)) == head.classes[1]


def check_nothing_is_read_from_nothing(adapter: TagAdapter) -> None:
    _, head = learn(adapter)

    assert head.read([]) is None
    assert head.read(None) is None


def check_a_label_that_left_the_config_is_not_read(adapter: TagAdapter) -> None:
    _, head = learn(adapter)

    assert head.read(head.write("a label of last week", 0.5)) is None


def check_anything_can_be_read(adapter: TagAdapter) -> None:
    _, head = learn(adapter)

    @settings(max_examples=100)
    @given(JSON, JSON)
    def read(result: Any, value: Any) -> None:
        head.read(result)
        assert head.read([result, {"from_name": head.control.name, "value": value}]) is None

    read()
