"""What of a task's data is read as text, and why some is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ls_active.values import Unreadable, digest_of, text_of


@pytest.mark.parametrize(
    ("value", "text"), [("a cat", "a cat"), (3, "3"), (2.5, "2.5"), (True, "True"), (0, "0")]
)
def test_text_and_numbers_are_read_as_they_print(value, text):
    assert text_of({"text": value}, ["text"]) == text


def test_fields_are_lines_in_their_order():
    data = {"title": "A cat", "body": "It purrs.", "note": None, "other": ["unread"]}
    assert text_of(data, ["title", "body", "note"]) == "A cat\nIt purrs.\n"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (None, "data must be an object, got NoneType"),
        ("a cat", "data must be an object, got str"),
        ({}, "no field 'text' in the task's data"),
        ({"text": None}, "empty text in text"),
        ({"text": " \n\t"}, "empty text in text"),
        ({"text": ["a", "cat"]}, "field 'text' must be text, got list"),
        ({"text": {"en": "cat"}}, "field 'text' must be text, got dict"),
    ],
)
def test_what_cannot_be_read_says_why(data, why):
    with pytest.raises(Unreadable) as caught:
        text_of(data, ["text"])
    assert str(caught.value) == why


@given(st.text(), st.text())
def test_digests_tell_texts_apart(one, other):
    assert (digest_of(one) == digest_of(other)) == (one == other)


def test_half_an_emoji_has_a_digest():
    assert digest_of("\ud83d") != digest_of("\ud83c")
