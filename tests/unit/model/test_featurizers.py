import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import HashingVectorizer

from active_learning import registry
from active_learning.errors import Unreadable
from active_learning.featurizers import text
from active_learning.featurizers.text import MAX_CHARACTERS, TextFeaturizer
from tests.checks import featurizer as checks

EXAMPLES = {
    TextFeaturizer: (
        "A plain sentence.",
        "Ünïcödé façade",
        "東京都は日本の首都である",
        "👩‍👩‍👧 emoji",
        "half a pair \ud800 of surrogates",
        "x" * 5000,
    ),
}

CASES = [
    pytest.param(featurizer, check, id=f"{featurizer.name}-{check.__name__}")
    for featurizer in EXAMPLES
    for check in checks.yield_checks()
]


@pytest.mark.parametrize(("featurizer", "check"), CASES)
def test_featurizer(featurizer, check):
    check(featurizer, EXAMPLES[featurizer])


TESTS = [path.read_text() for path in Path(__file__).parent.glob("test_*.py")]


@pytest.mark.parametrize(
    "featurizer", [*registry.featurizers().values(), *registry.unit_featurizers().values()]
)
def test_every_registered_featurizer_has_tests(featurizer):
    assert any(re.search(rf"\b{featurizer.__name__}\b", text) for text in TESTS)


def test_numbers_are_read_as_they_print():
    featurizer = TextFeaturizer()
    assert featurizer.parse(42.5) == featurizer.parse("42.5") == "42.5"


@pytest.mark.parametrize("value", [None, [], {}, ["a"]])
def test_what_is_no_text_is_named(value):
    with pytest.raises(Unreadable, match=f"must be text, got {type(value).__name__}"):
        TextFeaturizer().parse(value)


def test_files_are_read_as_utf_8():
    featurizer = TextFeaturizer()
    assert featurizer.parse("\ufeffÜber".encode()) == "Über"
    assert featurizer.parse(b"\xff ok") == "\ufffd ok"


@pytest.mark.parametrize("value", ["", " \n\t "])
def test_empty_text_is_unreadable(value):
    with pytest.raises(Unreadable, match="empty text"):
        TextFeaturizer().parse(value)


def transform(values):
    featurizer = TextFeaturizer()
    return featurizer.transform([featurizer.parse(value) for value in values])


def test_case_and_repetition():
    X = transform(["Bank", "bank", "bank bank bank"])
    assert abs(X[0] - X[1]).nnz == 0
    assert X[2].max() == pytest.approx(1 + np.log(3))


def test_a_huge_text_is_read_up_to_its_limit():
    head = "word " * (MAX_CHARACTERS // 5)
    X = transform([head + "unread " * 7_000_000, head])
    assert abs(X[0] - X[1]).nnz == 0


def test_chunks_change_nothing(monkeypatch):
    texts = [f"text number {number} " * (1 + number % 7) for number in range(30)]
    whole = transform(texts)
    monkeypatch.setattr(text, "CHUNK_CHARACTERS", 100)
    assert abs(transform(texts) - whole).nnz == 0


@given(st.lists(st.one_of(st.text(st.characters()), st.floats(), st.none()), max_size=5))
def test_any_values(values):
    featurizer = TextFeaturizer()
    parsed = [one for value in values for one in checks.readable(featurizer, value)]
    X = featurizer.transform(parsed)
    assert X.shape == (len(parsed), TextFeaturizer.n_features)
    assert np.isfinite(X.data).all()
    assert (X.data >= 1).all()


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=4))
def test_characters_are_hashed_as_scikit_learn_does(texts):
    texts = [*texts, "Bank of the bank, a ΣΑΣ İstanbul x", "y" * (text.CACHED_LENGTH + 1)]
    theirs = HashingVectorizer(
        analyzer="char_wb",
        ngram_range=(3, 5),
        n_features=text.HALF,
        norm=None,
        alternate_sign=False,
        dtype=np.float32,
    ).transform(texts)
    theirs.data = 1 + np.log(theirs.data)
    ours = TextFeaturizer().transform(texts)[:, text.HALF :]
    assert ours.nnz == theirs.nnz
    assert abs(ours - theirs).max() == 0


def test_attributes_of_the_tag_are_taken_and_do_not_matter():
    given_some = TextFeaturizer({"name": "text", "value": "$text", "granularity": "word"})
    assert abs(given_some.transform(["a text"]) - TextFeaturizer().transform(["a text"])).nnz == 0
