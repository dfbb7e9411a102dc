"""Every registered tag adapter does what the loop expects, and what its own control needs."""

from __future__ import annotations

import pytest

from active_learning.outcomes import Verdict
from ls_active.label_config import parse
from ls_active.plan import Head
from ls_active.tags import TagAdapter, adapters
from tests.checks import tag as tag_checks
from tests.checks.tag import EXAMPLES, Example, view

CASES = [
    pytest.param(adapter, example, id=f"{adapter.tag}-{number}")
    for adapter in adapters().values()
    for number, example in enumerate(EXAMPLES.get(adapter.tag, ()))
]


def head_of(xml: str) -> Head:
    control = parse(xml).controls[0]
    return Head(control, adapters()[control.tag.lower()])


@pytest.mark.parametrize("check", list(tag_checks.yield_checks()), ids=lambda check: check.__name__)
@pytest.mark.parametrize(("adapter", "example"), CASES)
def test_every_tag(adapter: TagAdapter, example: Example, check: tag_checks.Check) -> None:
    check(adapter, example)


def test_every_tag_has_an_example() -> None:
    assert {adapter.tag for adapter in adapters().values()} == set(EXAMPLES)


def choices(attributes: str = "") -> Head:
    inner = '<Choice value="A"/><Choice value="B"/>'
    return head_of(view(f'<Choices name="c" toName="t" {attributes}>{inner}</Choices>'))


@pytest.mark.parametrize(
    ("chosen", "answer"),
    [(["A"], "A"), (["A", "B"], None), (["A", "A"], "A"), ([], None), (["A", 3], "A"), ("A", None)],
    ids=range(6),
)
def test_two_answers_where_one_was_asked_say_nothing(chosen: object, answer: str | None) -> None:
    assert choices().read([{"from_name": "c", "value": {"choices": chosen}}]) == answer


class TestSetsOfChoices:
    def test_nothing_chosen_is_an_answer(self) -> None:
        assert choices('choice="multiple"').read([]) == frozenset()
        assert choices('choice="multiple"').write(Verdict(frozenset(), 0.9, (0.1, 0.2))) == []

    def test_unless_something_must_be_chosen(self) -> None:
        required = choices('choice="multiple" required="true"')
        assert required.read([]) is None
        [region] = required.write(Verdict(frozenset(), 0.9, (0.1, 0.2)))
        assert region["value"] == {"choices": ["B"]}

    def test_are_written_in_the_order_of_the_config(self) -> None:
        [region] = choices('choice="multiple"').write(Verdict(frozenset("BA"), 0.9, (0.8, 0.9)))
        assert region["value"] == {"choices": ["A", "B"]}

    def test_of_several_regions_are_one(self) -> None:
        said = [{"from_name": "c", "value": {"choices": [name]}} for name in "BA"]
        assert choices('choice="multiple"').read(said) == frozenset("AB")
