from __future__ import annotations

import pytest

from ls_active.label_config import parse
from ls_active.tags import TagAdapter, adapters, plan
from tests.checks import tag as tag_checks

CHOICES = '<Choice value="A"/><Choice value="B"/>'
TEXT = '<Text name="t" value="$text"/>'


def view(inner: str, shown: str = TEXT) -> str:
    return f"<View>{shown}{inner}</View>"


def choices(attributes: str = "", inner: str = CHOICES, name: str = "c") -> str:
    return f'<Choices name="{name}" toName="t" {attributes}>{inner}</Choices>'


@pytest.mark.parametrize("check", list(tag_checks.yield_checks()), ids=lambda check: check.__name__)
@pytest.mark.parametrize("adapter", list(adapters().values()), ids=lambda adapter: adapter.tag)
def test_every_tag(adapter: TagAdapter, check: tag_checks.Check) -> None:
    check(adapter)


def test_every_tag_has_an_example() -> None:
    assert {adapter.tag for adapter in adapters().values()} == set(tag_checks.EXAMPLES)


@pytest.mark.parametrize("mode", ["", 'choice="single"', 'choice="single-radio"'])
def test_single_choices_are_learned_from_the_fields_they_are_asked_about(mode: str) -> None:
    control = choices(mode).replace('toName="t"', 'toName="t,u"')
    head = plan(parse(view(control, TEXT + '<Text name="u" value="$title"/>'))).head

    assert head is not None
    assert head.classes == ("A", "B")
    assert head.featurizer == "text"
    assert head.fields == ("text", "title")
    assert head.write("B", 0.5)[0]["to_name"] == "t"


@pytest.mark.parametrize(
    ("config", "why"),
    [
        (view(choices('choice="multiple"')), "several answers"),
        (view(choices('perRegion="true"')), "perRegion"),
        (view(choices('perregion="true"')), "perRegion"),
        (view(choices('perItem="true"')), "perItem"),
        (view(choices('allowNested="true"')), "allowNested"),
        (view(choices('visibleWhen="choice-selected"')), "only sometimes"),
        (view(choices('whenTagName="x"')), "only sometimes"),
        (view(f'<View visibleWhen="region-selected"><View>{choices()}</View></View>'), "sometimes"),
        (view(choices('value="$options"')), "from the task's data"),
        (view(f'<Repeater on="$x" indexFlag="i">{choices()}</Repeater>'), "from the task's data"),
        (view(choices(inner='<Choice value="A"/>')), "1 choices"),
        (view(choices(), '<Image name="t" value="$image"/>'), "Image"),
        (view(choices(), '<Textt name="t" value="$text"/>'), "Textt"),
        (view(choices(), '<Text name="t" value="fixed"/>'), "one field"),
        (view(choices(), '<Text name="t" value="$a, $b"/>'), "one field"),
        (view(choices(), '<Text name="t" value="$url" valueType="url"/>'), "URL"),
        (view('<TextArea name="c" toName="t"/>'), "TextArea"),
        (view('<Choicess name="c" toName="t"><Choice value="A"/></Choicess>'), "Choicess"),
    ],
    ids=range(18),
)
def test_what_is_not_learned_is_left_out_in_words(config: str, why: str) -> None:
    chosen = plan(parse(config))

    assert chosen.head is None
    (left_out,) = chosen.left_out
    assert left_out.name == "c"
    assert why in left_out.why
    assert left_out.why in chosen.reasons


def test_the_first_learnable_control_is_the_one() -> None:
    multiple = choices('choice="multiple"', name="m")
    chosen = plan(parse(view(multiple + choices() + choices(name="d"))))

    assert chosen.head is not None
    assert chosen.head.control.name == "c"
    assert [(left_out.name, left_out.tag) for left_out in chosen.left_out] == [
        ("m", "Choices"),
        ("d", "Choices"),
    ]
    assert "'c'" in chosen.left_out[1].why


def test_a_project_that_asks_nothing_says_so() -> None:
    assert "nothing" in plan(parse(view(""))).reasons


@pytest.mark.parametrize(
    ("chosen", "answer"),
    [(["A"], "A"), (["A", "B"], None), (["A", "A"], "A"), ([], None), (["A", 3], "A"), ("A", None)],
    ids=range(6),
)
def test_two_answers_where_one_was_asked_say_nothing(chosen: object, answer: str | None) -> None:
    head = plan(parse(view(choices()))).head
    assert head is not None
    assert head.read([{"from_name": "c", "value": {"choices": chosen}}]) == answer
