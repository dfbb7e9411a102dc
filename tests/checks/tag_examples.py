"""Label configs that are learned, one or more a control tag."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st

from ls_active.labeling.layout import Layout


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
    layouts: st.SearchStrategy[Layout | None] = field(default_factory=st.none)
    numbers: st.SearchStrategy[float] = field(default_factory=st.nothing)


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
            view(
                f'<Choices name="c" toName="t" choice="multiple" required="true">{INNER}</Choices>'
            )
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
        Example(
            view(
                f'<TimeSeriesLabels name="c" toName="s">{LABELS}</TimeSeriesLabels>',
                '<TimeSeries name="s" value="$series" valueType="json" timeColumn="time" '
                'timeFormat="%Y-%m-%dT%H:%M:%S.%L"><Channel column="y"/></TimeSeries>',
            ),
            STEPS,
        ),
    ),
}
"""Learnable configs, by tag."""
