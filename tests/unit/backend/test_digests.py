"""Digests tell texts apart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ls_active.digests import digest_of


@given(st.text(), st.text())
def test_digests_tell_texts_apart(one, other):
    assert (digest_of(one) == digest_of(other)) == (one == other)


def test_half_an_emoji_has_a_digest():
    assert digest_of("\ud83d") != digest_of("\ud83c")
