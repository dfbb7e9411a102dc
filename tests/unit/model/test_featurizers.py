import numpy as np
import pytest
from active_learning.featurizers.text import CHUNK_CHARACTERS, MAX_CHARACTERS, TextFeaturizer
from hypothesis import given, settings
from hypothesis import strategies as st

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
    check(featurizer(), EXAMPLES[featurizer])


def test_every_registered_featurizer_is_checked():
    from active_learning import registry

    assert set(registry.featurizers().values()) == set(EXAMPLES)


def test_numbers_are_read_as_they_print():
    X = TextFeaturizer().transform([42.5, "42.5", None])
    assert abs(X[0] - X[1]).nnz == 0
    assert X[0].nnz > 0
    assert X[2].nnz == 0


def test_case_and_repetition():
    X = TextFeaturizer().transform(["Bank", "bank", "bank bank bank"])
    assert abs(X[0] - X[1]).nnz == 0
    assert X[2].max() == pytest.approx(1 + np.log(3))


def test_a_huge_text_is_read_up_to_its_limit():
    head = "word " * (MAX_CHARACTERS // 5)
    X = TextFeaturizer().transform([head + "unread " * 7_000_000, head])
    assert abs(X[0] - X[1]).nnz == 0


def test_chunks_change_nothing():
    text = "some words in a row " * 4000
    many = CHUNK_CHARACTERS // len(text) + 2
    X = TextFeaturizer().transform([text] * many)
    assert X.shape[0] == many
    assert abs(X[0] - X[many - 1]).nnz == 0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(st.text(st.characters()), st.floats(), st.none()), max_size=5))
def test_any_values(values):
    X = TextFeaturizer().transform(values)
    assert X.shape == (len(values), TextFeaturizer.n_features)
    assert np.isfinite(X.data).all()
    assert (X.data >= 1).all()
