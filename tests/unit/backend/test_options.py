from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ls_active.errors import BadOptions
from ls_active.options import Options, parse, valid

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    "raw",
    [
        {"strategy": "entropy", "audit_share": 0.25},
        '{"strategy": "entropy", "audit_share": 0.25}',
        '"{\\"strategy\\": \\"entropy\\", \\"audit_share\\": 0.25}"',
        "strategy=entropy\naudit_share=0.25",
        "# ours\n\n strategy = entropy ; audit_share = 0.25 ",
    ],
    ids=["object", "JSON", "JSON in JSON", "lines", "one line with a comment"],
)
def test_options_are_read_however_label_studio_sends_them(raw: Any) -> None:
    options = parse(raw)
    assert (options.strategy, options.audit_share) == ("entropy", 0.25)


@pytest.mark.parametrize("raw", [None, "", "  \n", {}, "{}", "# nothing"])
def test_nothing_said_is_the_defaults(raw: Any) -> None:
    assert parse(raw) == Options() == parse()


def test_the_later_layer_wins() -> None:
    options = parse("seed=1\nhead_size=7", {"seed": 2}, None)
    assert (options.seed, options.head_size) == (2, 7)


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ({"stratgy": "margin"}, "unknown option 'stratgy'"),
        ({"strategy": "guess"}, "token_entropy, typiclust, got 'guess'"),
        ({"audit_share": 2}, "audit_share"),
        ("min_interval=inf", "min_interval"),
        ({"prelabels": "sometimes"}, "prelabels"),
        ("strategy", "key=value"),
        ("{", "not valid JSON"),
        ('{"a": ' + "[" * 100_000, "not valid JSON"),
        ('"[1]"', "key=value"),
        ([1], "got list"),
        (7, "got int"),
    ],
    ids=range(11),
)
def test_what_is_wrong_is_answered_with_what_is_right(raw: Any, problem: str) -> None:
    with pytest.raises(BadOptions) as caught:
        parse(raw)
    assert problem in str(caught.value)
    assert valid() in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(BadOptions, match=r"'colour'.*seed"):
        parse({"colour": "red", "seed": -1})


def test_every_option_is_listed_and_described() -> None:
    for name, field in Options.model_fields.items():
        assert f"{name}={field.default}" in valid()
        assert field.description


@given(JSON | JSON.map(json.dumps) | st.text())
def test_anything_is_read_or_refused(raw: Any) -> None:
    try:
        assert isinstance(parse(raw), Options)
    except BadOptions:
        return
