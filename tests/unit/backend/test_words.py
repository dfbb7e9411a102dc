"""Figures and states in words."""

from __future__ import annotations

import time

import pytest

from ls_active import words


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", ""),
        ("start it", "Start it."),
        ("Done already.", "Done already."),
        ("al-7 is held back", "al-7 is held back."),
    ],
)
def test_a_sentence_of_its_own(text, sentence):
    assert words.sentence(text) == sentence


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (59, "59 s"), (60, "1 min"), (7200, "2 h"), (90_000, "1 d")]
)
def test_a_length_of_time(seconds, said):
    assert words.span(seconds) == said


def test_since_when():
    assert words.since(0.0) == ""
    assert words.since(time.time() - 120) == "for 2 min"
    assert words.since(time.time() + 5) == "for 0 s"


def test_an_unknown_state_is_said_as_it_is():
    assert words.state("dreaming") == ("dreaming", "off")


def test_one_is_not_many():
    assert words.count(1, "job") == "1 job"
    assert words.count(1200, "job") == "1,200 jobs"
