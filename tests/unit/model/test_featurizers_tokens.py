import unicodedata
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from active_learning.errors import Unreadable
from active_learning.featurizers.tokens import (
    CACHED_LENGTH,
    MAX_TOKENS,
    TokenFeaturizer,
    token_spans,
)


def tokens(text):
    return [text[start:end] for start, end in token_spans(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It's 3.5 km, e-mail me_too", ["It", "'", "s", "3", ".", "5", "km", ",",
                                        "e", "-", "mail", "me", "_", "too"]),
        ("line\r\nend\tand\u00a0more\u200bhere", ["line", "end", "and", "more", "here"]),
        ("東京タワー5階", ["東", "京", "タ", "ワ", "ー", "5", "階"]),
        ("서울에서", ["서", "울", "에", "서"]),
        ("กิน", ["กิ", "น"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("می\u200cخواهم", ["می\u200cخواهم"]),  # noqa: RUF001
        ("\u200fשלום, עולם\u200e", ["שלום", ",", "עולם"]),  # noqa: RUF001
        ("cafe\u0301s", ["cafe\u0301s"]),
        ("👩‍👩‍👧👍🏽🇩🇪🇫🇷1️⃣❤️", ["👩‍👩‍👧", "👍🏽", "🇩🇪", "🇫🇷", "1️⃣", "❤️"]),
        ("🏴\U000e0067\U000e0062\U000e007f!", ["🏴\U000e0067\U000e0062\U000e007f", "!"]),
        ("\u0301alone", ["\u0301", "alone"]),
        ("", []),
    ],
)  # fmt: skip
def test_what_is_a_token(text, found):
    assert tokens(text) == found


ANY_TEXT = st.text(
    st.characters(exclude_categories=["Cs"])
    | st.sampled_from(" \n\r\t.,aA1é\u0301\u200d\u200c\ufe0f👩🏽🇩東กিা\u00ad_-'")
)


@given(ANY_TEXT)
def test_spans_are_in_order_and_leave_out_nothing_that_is_seen(text):
    spans = token_spans(text)
    assert all(start < end for start, end in spans)
    assert all(one[1] <= other[0] for one, other in pairwise(spans))
    covered = {place for start, end in spans for place in range(start, end)}
    between = {unicodedata.category(text[place]) for place in set(range(len(text))) - covered}
    assert between <= {"Zs", "Zl", "Zp", "Cc", "Cf"}
    within = {unicodedata.category(text[place]) for place in covered}
    assert within.isdisjoint({"Zs", "Zl", "Zp", "Cc"})


@given(ANY_TEXT)
def test_no_mark_is_cut_from_its_base(text):
    starts = {start for start, _ in token_spans(text)}
    for place in starts:
        if unicodedata.category(text[place]).startswith("M"):
            assert place == 0 or unicodedata.category(text[place - 1])[0] in "ZC"


@given(ANY_TEXT, ANY_TEXT)
def test_a_line_has_the_tokens_it_has_alone(one, other):
    together = tokens(f"{one}\n{other}")
    assert together == (tokens(one) + tokens(other))[:MAX_TOKENS]


@given(st.text(st.characters()) | st.integers() | st.floats() | st.none() | st.binary())
def test_any_value(value):
    featurizer = TokenFeaturizer()
    try:
        text = featurizer.parse(value)
    except Unreadable:
        return
    if isinstance(value, str):
        assert len(text) == len(value)
    X, spans = featurizer.cut(text)
    assert spans == token_spans(text)
    assert X.shape == (len(spans), featurizer.n_features)
    assert X.dtype == np.float32
    assert X.has_canonical_format
    assert (X.data >= 1).all()


def test_half_of_a_surrogate_pair_takes_its_place():
    featurizer = TokenFeaturizer()
    _, spans = featurizer.cut(featurizer.parse("a \ud83d b"))
    assert spans == [(0, 1), (2, 3), (4, 5)]


def rows(text):
    return TokenFeaturizer().cut(text)[0]


def shared(one, other):
    return one.multiply(other).sum()


def test_a_token_is_told_by_itself_and_by_two_neighbours_on_either_side():
    before = rows("one two three four five six seven")
    after = rows("one two three FOUR five six seven")
    changed = [abs(before[place] - after[place]).nnz > 0 for place in range(7)]
    assert changed == [False, True, True, True, True, True, False]


def test_what_stands_between_tokens_counts():
    assert abs(rows("@ paul") - rows("@paul")).nnz > 0


def test_words_that_look_alike_share_features():
    text = rows("Berlin x x x x Bern x x x x 1234")
    berlin, bern, number = (text[place] for place in (0, 5, 10))
    assert shared(berlin, bern) > shared(berlin, number)


def test_a_row_depends_on_its_text_alone():
    one = rows("The very same text.")
    for noise in ("other words", "The", "very same"):
        rows(noise)
    assert abs(rows("The very same text.") - one).nnz == 0


def test_long_texts_and_words_are_read_up_to_their_limits():
    X, spans = TokenFeaturizer().cut("word " * (2 * MAX_TOKENS))
    assert X.shape[0] == len(spans) == MAX_TOKENS
    head = "x" * CACHED_LENGTH
    assert abs(rows(head + "yes" * 30_000) - rows(head + "no" * 9)).nnz == 0


@pytest.mark.parametrize("value", [None, [], {}, "", " \r\n", b" "])
def test_what_is_no_text(value):
    with pytest.raises(Unreadable):
        TokenFeaturizer().parse(value)
