"""What every tag adapter must do, whatever its tag."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from active_learning.outcomes import Verdict
from active_learning.types import Answer, Kind
from ls_active.label_config import LabelConfig, parse
from ls_active.layout import Layout
from ls_active.plan import Head
from ls_active.tags import TagAdapter


@dataclass(frozen=True)
class Example:
    """A label config whose first control the adapter learns.

    Attributes
    ----------
    layouts : strategy
        Where the units of a task may lie; None for a control that is answered once a task.
    numbers : strategy
        What an annotator may enter, where that is a number.
    """

    xml: str
    layouts: st.SearchStrategy[Layout | None] = st.none()
    numbers: st.SearchStrategy[float] = st.nothing()


Check = Callable[[TagAdapter, Example], None]


def tokens(words: list[tuple[str, str]]) -> Layout:
    """Return the layout of words, each with what stands before it."""
    text, spans = "", []
    for gap, word in words:
        text += gap
        spans.append((len(text), len(text) + len(word)))
        text += word
    return Layout(tuple(spans), text)


def windows(ends: list[int], step: float) -> Layout:
    """Return windows that follow one another."""
    return Layout(tuple((end * step, (end + 1) * step) for end in ends))


WORDS = st.sampled_from(["Ada", "λ", "👩‍🚀", "e\u0301", "שלום", "42", "."])
TOKENS = st.lists(st.tuples(st.sampled_from(["", " ", "\r\n"]), WORDS), max_size=6).map(tokens)
WINDOWS = st.integers(0, 6).map(range).map(list)
SECONDS = WINDOWS.map(lambda ends: windows(ends, 0.5))
STEPS = WINDOWS.map(lambda ends: windows(ends, 10))
INNER = '<Choice value="A"/><Choice value="B &amp; C" alias="bc"/><Choice value="ünï"/>'
LABELS = '<Label value="Person"/><Label value="Place &amp; time"/><Label value="ünï" alias="u"/>'
TREE = (
    '<Choice value="Animal"><Choice value="Cat"/><Choice value="Dog"/></Choice>'
    '<Choice value="Plant"><Choice value="Moss"><Choice value="Cat"/></Choice></Choice>'
)


def view(controls: str, shown: str = '<Text name="t" value="$text"/>') -> str:
    """Return a label config."""
    return f"<View>{shown}{controls}</View>"


EXAMPLES: dict[str, tuple[Example, ...]] = {
    "Choices": (
        Example(view(f'<Choices name="c" toName="t">{INNER}</Choices>')),
        Example(view(f'<Choices name="c" toName="t" choice="multiple">{INNER}</Choices>')),
        Example(
            view(f'<Choices name="c" toName="t" choice="multiple" required="true">{INNER}</Choices>')
        ),
    ),
    "Taxonomy": (
        Example(view(f'<Taxonomy name="c" toName="t">{TREE}</Taxonomy>')),
        Example(view(f'<Taxonomy name="c" toName="t" maxUsages="1">{TREE}</Taxonomy>')),
    ),
    "Rating": (
        Example(view('<Rating name="c" toName="t"/>')),
        Example(view('<Rating name="c" toName="t" maxRating="10"/>')),
    ),
    "Number": (
        Example(view('<Number name="c" toName="t"/>'), numbers=st.floats(-1e9, 1e9)),
        Example(
            view('<Number name="c" toName="t" min="-2" max="8" step="0.1"/>'),
            numbers=st.integers(-20, 80).map(lambda tenths: tenths / 10),
        ),
        Example(
            view('<Number name="c" toName="t" min="1" max="9" step="2"/>'),
            numbers=st.sampled_from([1.0, 3.0, 5.0, 7.0, 9.0]),
        ),
    ),
    "Pairwise": (
        Example(
            view(
                '<Pairwise name="c" toName="t,u"/>',
                '<Text name="t" value="$text"/><Text name="u" value="$other"/>',
            )
        ),
    ),
    "Labels": (
        Example(view(f'<Labels name="c" toName="t">{LABELS}</Labels>'), TOKENS),
        Example(
            view(
                f'<Labels name="c" toName="a">{LABELS}</Labels>',
                '<Audio name="a" value="$audio"/>',
            ),
            SECONDS,
        ),
    ),
    "TimeSeriesLabels": (
        Example(
            view(
                f'<TimeSeriesLabels name="c" toName="s">{LABELS}</TimeSeriesLabels>',
                '<TimeSeries name="s" value="$series" valueType="json" timeColumn="time">'
                '<Channel column="y"/></TimeSeries>',
            ),
            STEPS,
        ),
    ),
}
"""Learnable configs, by tag."""

HUGE = 10**400
"""Valid JSON, and too big for a float."""

ODD = st.sampled_from(
    [
        *(None, True, 0, -1, 3, 2.5, HUGE, math.nan, math.inf, "", "3", "left", "Cat", "Person"),
        *([], [None], [[]], [3], ["Cat", 3], [HUGE], [["Cat"]], [[None]], {}, {"start": "0"}),
    ]
)
JSON = ODD | st.recursive(
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
    whole = isinstance(answer, tuple) and len(answer) == n and known.issuperset(answer)
    return answer is None or whole


def check_example_is_learned(adapter: TagAdapter, example: Example) -> None:
    config, head = learn(adapter, example)

    assert head.control.tag.lower() == adapter.tag.lower()
    assert adapter.why_not(head.control, config) is None
    assert len(set(head.classes)) == len(head.classes)
    assert len(head.classes) >= {Kind.NUMBER: 0, Kind.SEQUENCE: 1}.get(head.kind, 2)


def check_read_gives_back_what_was_written(adapter: TagAdapter, example: Example) -> None:
    _, head = learn(adapter, example)

    @settings(max_examples=50)
    @given(written(head, example))
    def read_write(said: tuple[Verdict, Layout | None]) -> None:
        verdict, layout = said
        answer = head.read(head.write(verdict, layout), layout)
        # Where there are no units, there is nothing to learn from either.
        assert answer == verdict.answer or (answer is None and verdict.answer == ())

    read_write()


def check_label_studio_takes_what_was_written(adapter: TagAdapter, example: Example) -> None:
    config, head = learn(adapter, example)

    @settings(max_examples=25)
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

    @settings(max_examples=25)
    @given(written(head, example))
    def keep(said: tuple[Verdict, Layout | None]) -> None:
        for region in head.write(*said):
            assert region["type"] == adapter.region_type
            assert region["from_name"] == head.control.name
            assert region["to_name"] in head.control.to_names

    keep()


def check_others_answers_are_not_read(adapter: TagAdapter, example: Example) -> None:
    _, head = learn(adapter, example)

    @settings(max_examples=25)
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
        for empty in ([], None, {}, [None]):
            assert head.read(empty, layout) in nothing(head, layout)

    read()
    if head.kind is Kind.SEQUENCE:
        assert head.read([], None) is None


def check_labels_that_left_the_config_are_not_read(adapter: TagAdapter, example: Example) -> None:
    _, head = learn(adapter, example)
    if head.kind is Kind.NUMBER:
        return

    @settings(max_examples=25)
    @given(written(head, example))
    def read(said: tuple[Verdict, Layout | None]) -> None:
        result, layout = head.write(*said), said[1]
        for region in result:
            key = _key(adapter, region["value"])
            region["value"][key] = _gone(region["value"][key])
        answer = head.read(result, layout)
        assert answer is None or (answer in nothing(head, layout) and _may_be_ignored(head, result))

    read()


def check_anything_can_be_read(adapter: TagAdapter, example: Example) -> None:
    _, head = learn(adapter, example)

    @settings(max_examples=100)
    @given(written(head, example), JSON, st.data())
    def read(said: tuple[Verdict, Layout | None], value: Any, data: st.DataObject) -> None:
        result, layout = head.write(*said), said[1]
        assert head.read(value, layout) in nothing(head, layout)
        odd = {"from_name": head.control.name, "value": value}
        assert is_answer(head, head.read([value, odd, *result], layout), layout)
        for region in result:
            for key in data.draw(st.sets(st.sampled_from(sorted(region["value"])))):
                region["value"][key] = data.draw(JSON)
        assert is_answer(head, head.read(result, layout), layout)

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
