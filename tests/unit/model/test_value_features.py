"""Pages, dialogues, tables, vectors, series and tokens: the common checks, and their own."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from active_learning.errors import Unreadable
from active_learning.featurizers.hypertext import HyperTextFeaturizer
from active_learning.featurizers.paragraphs import ParagraphsFeaturizer
from active_learning.featurizers.table import NumberFeaturizer, TableFeaturizer
from active_learning.featurizers.text import TextFeaturizer
from active_learning.featurizers.timeseries import TimeSeriesFeaturizer
from active_learning.featurizers.timeseries_windows import TimeSeriesWindows
from active_learning.featurizers.tokens import TokenFeaturizer
from active_learning.featurizers.vector import VectorFeaturizer
from tests.checks import featurizer as checks


def wave(speed, n=120):
    return {"time": list(range(n)), "a": np.sin(np.arange(n) * speed).round(4).tolist()}


SERIES = [wave(0.2), wave(0.7), wave(0.1, 30), {"time": [0, 1, 2], "a": [1, None, 3]}]

CHANNELS = {"channels": "a", "timeColumn": "time"}

EXAMPLES = [
    (HyperTextFeaturizer, ["<p>A <b>page</b></p>", "<ul><li>Ünïcödé", "no tags &amp; all"]),
    (
        ParagraphsFeaturizer,
        [
            [{"author": "Ann", "text": "Hello"}, {"author": "Bob", "text": "Good day"}],
            [{"author": "Ann", "text": "Bye"}],
        ],
    ),
    (TableFeaturizer, [{"age": 42, "town": "Bonn"}, {"age": 7.5, "town": "Köln"}, {"age": None}]),
    (NumberFeaturizer, [1, -2.5, "1e3"]),
    (partial(VectorFeaturizer, {"length": "3"}), [[1, 2, 3], [0.5, -1, 0]]),
    (partial(TimeSeriesFeaturizer, CHANNELS), SERIES),
]

CUTTERS = [
    (TokenFeaturizer, ["Ada met Alan.", "東京都", "👩‍👩‍👧 e\u0301 שלום\r\n", "a" * 50]),
    (partial(TimeSeriesWindows, CHANNELS), SERIES),
]


def name_of(make):
    return getattr(getattr(make, "func", make), "__name__", "")


@pytest.mark.parametrize("check", list(checks.yield_checks()), ids=lambda check: check.__name__)
@pytest.mark.parametrize(("make", "values"), EXAMPLES, ids=name_of)
def test_featurizer(make, values, check):
    check(make, values)


@pytest.mark.parametrize(
    "check", list(checks.yield_unit_checks()), ids=lambda check: check.__name__
)
@pytest.mark.parametrize(("make", "values"), CUTTERS, ids=name_of)
def test_cutter(make, values, check):
    check(make, values)


def test_a_page_has_the_features_of_its_text():
    page = HyperTextFeaturizer()
    text = TextFeaturizer()
    html = "<p>Rates&nbsp;rise</p><script>alert('x')</script><style>p {}</style>"
    marked = page.transform([page.parse(html)])
    plain = text.transform([text.parse("Rates rise")])
    assert abs(marked - plain).nnz == 0


def test_who_speaks_matters():
    featurizer = ParagraphsFeaturizer()
    turns = [[{"author": who, "text": "yes"}] for who in ("doctor", "patient")]
    X = featurizer.transform([featurizer.parse(each) for each in turns])
    assert abs(X[0] - X[1]).nnz


def test_other_keys_of_a_dialogue_are_read():
    featurizer = ParagraphsFeaturizer({"nameKey": "who", "textKey": "said"})
    assert featurizer.parse([{"who": "Ann", "said": "Hello"}])
    with pytest.raises(Unreadable):
        featurizer.parse([{"author": "Ann", "text": "Hello"}])


def test_a_vector_of_another_length_is_named():
    with pytest.raises(Unreadable, match=r"2.*3|3.*2"):
        VectorFeaturizer({"length": "3"}).parse([1, 2])


@pytest.mark.parametrize("bad", [[1, None, 3], [1, "a", 3], [1, [2], 3], [1, float("nan"), 3]])
def test_a_vector_holds_numbers(bad):
    with pytest.raises(Unreadable):
        VectorFeaturizer({"length": "3"}).parse(bad)


def test_a_series_reads_the_same_from_csv():
    featurizer = TimeSeriesFeaturizer(CHANNELS)
    values = wave(0.3)
    lines = [f"{t},{a}" for t, a in zip(values["time"], values["a"], strict=True)]
    csv = "\n".join(["time,a", *lines]).encode()
    X = featurizer.transform([featurizer.parse(values), featurizer.parse(csv)])
    np.testing.assert_allclose(X[0], X[1], rtol=1e-4, atol=1e-4)


def test_a_series_without_its_channel_is_unreadable():
    with pytest.raises(Unreadable, match="'a'"):
        TimeSeriesFeaturizer(CHANNELS).parse({"time": [0, 1], "b": [1, 2]})


def test_windows_follow_the_time_column():
    values = {"time": [10, 20, 30, 40], "a": [1, 5, 2, 8]}
    cutter = TimeSeriesWindows(CHANNELS)
    _, places = cutter.cut(cutter.parse(values))
    assert places[0][0] == 10
    assert places[-1][1] == 40


@given(st.text(max_size=60).filter(str.strip))
def test_tokens_are_exactly_what_is_not_blank(text):
    cutter = TokenFeaturizer()
    rows, places = cutter.cut(cutter.parse(text))
    assert rows.shape[0] == len(places)
    left = list(text)
    for start, end in places:
        assert text[int(start) : int(end)].strip()
        left[int(start) : int(end)] = " " * (int(end) - int(start))
    # What is left over separates: nothing that a person could mark alone.
    assert not any(character.isalnum() for character in left)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Dr. Who, 42!", ["Dr", ".", "Who", ",", "42", "!"]),
        ("e\u0301te\u0301 im Café", ["e\u0301te\u0301", "im", "Café"]),
        ("東京", ["東", "京"]),
        ("go 👩‍👩‍👧!", ["go", "👩‍👩‍👧", "!"]),
    ],
)
def test_tokens(text, words):
    cutter = TokenFeaturizer()
    _, places = cutter.cut(cutter.parse(text))
    assert [text[int(start) : int(end)] for start, end in places] == words
