import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from active_learning.errors import Unreadable
from active_learning.featurizers.hypertext import MAX_MARKUP, HyperTextFeaturizer, visible_text
from active_learning.featurizers.paragraphs import ParagraphsFeaturizer
from active_learning.featurizers.text import HALF, MAX_CHARACTERS, TextFeaturizer
from tests.checks import featurizer as checks

PAGES = (
    "<p>A plain <b>sentence</b>.</p>",
    "no markup & no tags <3",
    "<table><tr><td>Ünïcödé</td><td>façade</td></tr></table>",
    b"<h1>bytes of a file</h1>",
    "<div>" * 5000 + "deep",
)

DIALOGUES = (
    [{"author": "Ada", "text": "I want a refund"}, {"author": "Kurt", "text": "no"}],
    [{"author": "Ada", "text": "no"}, {"author": "Kurt", "text": "I want a refund"}],
    [{"text": "nobody says this"}, "not a turn", {"author": "Ada"}, {"author": None, "text": 7}],
    json.dumps([{"author": "Ada", "text": "from a file"}]).encode(),
)

CASES = [
    pytest.param(featurizer, values, check, id=f"{featurizer.name}-{check.__name__}")
    for featurizer, values in (
        (HyperTextFeaturizer, PAGES),
        (ParagraphsFeaturizer, DIALOGUES),
    )
    for check in checks.yield_checks()
]


@pytest.mark.parametrize(("featurizer", "values", "check"), CASES)
def test_featurizer(featurizer, values, check):
    check(featurizer, values)


# Pages


def words(markup):
    return visible_text(markup).split()


@pytest.mark.parametrize(
    ("markup", "seen"),
    [
        ("<td>a</td><td>b</td><br>c<p>d", ["a", "b", "c", "d"]),
        ("<b>wo</b>rd <span>pl</span>ay", ["word", "play"]),
        ("caf&eacute; &amp; &#x1F600; &lt;b&gt;", ["café", "&", "😀", "<b>"]),
        ("a<script>var x = '<p>no</p>'</script><style>p {no}</style><!-- no -->b", ["a", "b"]),
        ("a<script>never closed", ["a"]),
        ("a\0b\ud800", ["a", "b?"]),
        ("<template>no</template><textarea><b>yes</b></textarea>", ["<b>yes</b>"]),
    ],
)
def test_what_a_reader_sees(markup, seen):
    assert words(markup) == seen


def test_a_page_has_the_features_of_its_text():
    page, text = HyperTextFeaturizer(), TextFeaturizer()
    X = page.transform([page.parse("<p>The <i>same</i></p><p>words &amp; signs</p>")])
    Y = text.transform([text.parse("The same words & signs")])
    assert abs(X - Y).nnz == 0


def test_entities_of_a_page_name_no_files():
    page = '<!DOCTYPE html [<!ENTITY file SYSTEM "file:///etc/passwd">]><p>x &file; y</p>'
    assert "root" not in visible_text(page)


def test_a_page_is_read_up_to_its_limit():
    text = HyperTextFeaturizer().parse("<p>" + "word " * MAX_MARKUP)
    assert len(text) == MAX_CHARACTERS


@pytest.mark.parametrize("page", ["", "<p></p><br>", "<script>only()</script>"])
def test_a_page_without_text_is_unreadable(page):
    with pytest.raises(Unreadable, match="empty text"):
        HyperTextFeaturizer().parse(page)


@given(
    st.lists(
        st.sampled_from(
            ["<", ">", "</", "<!--", "<![CDATA[", "&", "&#", "script", "p", ' a="', "x"]
        )
        | st.text(max_size=3)
    )
)
def test_any_markup(parts):
    featurizer = HyperTextFeaturizer()
    for parsed in checks.readable(featurizer, "".join(parts)):
        X = featurizer.transform([parsed])
        assert X.shape == (1, featurizer.n_features)


# Dialogues


def dialogue(featurizer, *turns):
    return featurizer.transform([featurizer.parse(list(turns))])


def test_all_turns_count_as_one_text():
    featurizer, text = ParagraphsFeaturizer(), TextFeaturizer()
    X = dialogue(featurizer, {"author": "A", "text": "one two"}, {"author": "B", "text": "three"})
    Y = text.transform(["one two\nthree"])
    assert abs(X[:, : 2 * HALF] - Y).nnz == 0


def test_who_says_a_word_counts():
    featurizer = ParagraphsFeaturizer()
    one, other = (
        dialogue(featurizer, {"author": a, "text": "refund"}, {"author": b, "text": "refund"})
        for a, b in (("Ada", "Kurt"), ("Ada", "Ada"))
    )
    assert abs(one[:, : 2 * HALF] - other[:, : 2 * HALF]).nnz == 0
    assert abs(one - other).nnz > 0
    shouting = dialogue(
        featurizer, {"author": " ADA", "text": "refund"}, {"author": "KURT ", "text": "refund"}
    )
    assert abs(one - shouting).nnz == 0


def test_keys_come_from_the_tag():
    turn = {"who": "Ada", "said": "hello there"}
    with pytest.raises(Unreadable, match="'text'"):
        ParagraphsFeaturizer().parse([turn])
    featurizer = ParagraphsFeaturizer({"nameKey": "who", "TEXTKEY": "said"})
    assert featurizer.parse([turn]) == (("ada", "hello there"),)


def test_a_dialogue_is_read_up_to_its_limit():
    turns = [{"author": "A", "text": "word " * 1000}] * 1000 + [{"author": "B", "text": "unread"}]
    parsed = ParagraphsFeaturizer().parse(turns)
    assert sum(len(text) for _, text in parsed) <= MAX_CHARACTERS
    assert {author for author, _ in parsed} == {"a"}


@pytest.mark.parametrize("value", ["a text", None, {}, [], [[]], [{"text": " "}], b"[", b"{}"])
def test_what_is_no_dialogue(value):
    with pytest.raises(Unreadable):
        ParagraphsFeaturizer().parse(value)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["author", "text", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.lists(ANY, max_size=4))
def test_any_dialogue(value):
    featurizer = ParagraphsFeaturizer()
    for parsed in checks.readable(featurizer, value):
        X = featurizer.transform([parsed])
        assert X.shape == (1, featurizer.n_features)
        assert np.isfinite(X.data).all()
