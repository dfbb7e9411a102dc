"""Every registered tag adapter does what the loop expects, and what its own control needs."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from active_learning.outcomes import Verdict
from ls_active.labeling.label_config import parse
from ls_active.labeling.layout import Layout
from ls_active.labeling.plan import Head
from ls_active.labeling.tags import TagAdapter, adapters
from tests.checks import tag as tag_checks
from tests.checks.tag_examples import EXAMPLES, TOKENS, Example, view

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


NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Co", "Zl", "Zp"]),
    min_size=1,
    max_size=8,
)


@st.composite
def configs(draw: st.DrawFn) -> Example:
    """A control whose labels are any, in any script, and of any number."""
    given_names = (" ".join(name.split()) for name in draw(st.lists(NAMES, min_size=2, max_size=6)))
    names = list(dict.fromkeys(name for name in given_names if name))
    assume(len(names) >= 2)
    flat = "".join(f"<Choice value={quoteattr(name)}/>" for name in names)
    deep = f"<Choice value={quoteattr(names[0])}>{flat}</Choice>{flat.partition('/>')[2]}"
    labels = "".join(f"<Label value={quoteattr(name)}/>" for name in names)
    stars, step = draw(st.integers(2, 100)), draw(st.sampled_from([0.1, 0.25, 1, 3]))
    least = draw(st.integers(-20, 20))
    return draw(
        st.sampled_from(
            [
                Example(view(f'<Choices name="c" toName="t">{flat}</Choices>')),
                Example(view(f'<Choices name="c" toName="t" choice="multiple">{flat}</Choices>')),
                Example(view(f'<Taxonomy name="c" toName="t">{deep}</Taxonomy>')),
                Example(view(f'<Taxonomy name="c" toName="t" maxUsages="1">{deep}</Taxonomy>')),
                Example(view(f'<Labels name="c" toName="t">{labels}</Labels>'), TOKENS),
                Example(view(f'<Rating name="c" toName="t" maxRating="{stars}"/>')),
                Example(
                    view(f'<Number name="c" toName="t" min="{least}" step="{step}"/>'),
                    numbers=st.integers(0, 50).map(lambda n: round(least + n * step, 10)),
                ),
            ]
        )
    )


@given(configs(), st.data())
def test_any_config_reads_back_what_it_writes_and_label_studio_takes_it(
    example: Example, data: st.DataObject
) -> None:
    head, config = head_of(example.xml), parse(example.xml)
    assume(head.adapter.why_not(head.control, config) is None)
    verdict, layout = data.draw(tag_checks.written(head, example))
    result = head.write(verdict, layout)
    # Where there are no units, nothing is read.
    assert head.read(result, layout) == (verdict.answer or None if layout else verdict.answer)
    assert config.validate({"result": result, "score": 0.5, "model_version": "al-1"}) == []


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


@pytest.mark.parametrize("step", ["1e-300", "0"])
def test_a_step_of_next_to_nothing_allows_every_number(step: str) -> None:
    head = head_of(view(f'<Number name="c" toName="t" min="0" max="1e12" step="{step}"/>'))
    [region] = head.write(Verdict(1e10 + 0.5, 0.9))
    assert region["value"] == {"number": 1e10 + 0.5}


@pytest.mark.parametrize("said", [None, "A", {"A": 1}, [3], [None], {}], ids=repr)
@pytest.mark.parametrize(
    "head",
    [choices('choice="multiple"'), head_of(EXAMPLES["Taxonomy"][0].xml)],
    ids=["set", "paths"],
)
def test_an_answer_that_cannot_be_read_is_not_none_of_these(head: Head, said: object) -> None:
    kind = head.adapter.region_type
    for value in ({kind: said}, {}, None, said):
        assert head.read([{"from_name": "c", "value": value}]) is None
    for odd in ({}, {"type": kind, "value": {kind: ["A"]}}, {"from_name": [], "type": 5}, said):
        assert head.read([odd]) == (frozenset() if odd is None else None)
    assert head.read(said) == (frozenset() if said in (None, [None]) else None)
    assert head.read([{"from_name": "c", "value": {kind: []}}]) == frozenset()
    for silent in ([], [None], [{"from_name": "d"}], [{"type": "relation", "to_id": "c"}]):
        assert head.read(silent) == frozenset()


@pytest.mark.parametrize("start", [None, "/p[1]/text()[1]", "0", float("nan"), 9], ids=repr)
def test_spans_of_which_none_can_be_read_are_not_no_spans(start: object) -> None:
    head, layout = head_of(EXAMPLES["Labels"][0].xml), Layout(((0, 3), (4, 7)), "Ada saw")
    odd = {"from_name": "c", "value": {"start": start, "end": 3, "labels": ["Person"]}}
    whole = {"from_name": "c", "value": {"start": 4, "end": 7, "labels": ["Person"]}}
    assert head.read([odd], layout) is None
    assert head.read([odd, whole], layout) == (None, "Person")
    assert head.read([{"type": "labels"}], layout) is None
    assert head.read([], layout) == (None, None)


@pytest.mark.parametrize("number", [1e18, -1e18, "5", 0])
def test_numbers_are_read_up_to_where_squares_overflow(number: float | str) -> None:
    head = head_of(EXAMPLES["Number"][0].xml)
    assert head.read([{"from_name": "c", "value": {"number": number}}]) == float(number)
    for more in (1.1e18, "-1e19", 1e308):
        assert head.read([{"from_name": "c", "value": {"number": more}}]) is None


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
