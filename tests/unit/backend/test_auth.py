from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ls_active.errors import Unauthorized
from ls_active.records.secret import SECRET_HEADER
from ls_active.web.auth import Guard
from tests.http_fakes import make_settings

HERE = Path()
OPEN = Guard(make_settings(HERE))
CLOSED = Guard(make_settings(HERE, basic_auth_user="ann", basic_auth_pass="pä:ss"))
SECRET = SECRET_HEADER.lower()


def basic(credentials: str, encoding: str = "utf-8") -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(credentials.encode(encoding)).decode()}


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_the_right_credentials_open_in_either_spelling(encoding: str) -> None:
    CLOSED.check(basic("ann:pä:ss", encoding))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("ann:"),
        basic("ann:pa:ss"),
        basic("ann"),
        basic(""),
        {"authorization": "Basic"},
        {"authorization": "Basic %%%"},
        {"authorization": "Basic é"},
        {"authorization": "Bearer " + basic("ann:pä:ss")["authorization"][6:]},
    ],
    ids=range(9),
)
def test_others_do_not(headers: dict[str, str]) -> None:
    with pytest.raises(Unauthorized):
        CLOSED.check(headers)


def test_without_configured_credentials_every_door_is_open() -> None:
    OPEN.check({})
    OPEN.check(basic("any:one"))
    OPEN.check_webhook({}, "secret")


@given(st.text(st.characters(codec="latin-1")))
def test_any_header_is_answered(header: str) -> None:
    with pytest.raises(Unauthorized):
        CLOSED.check({"authorization": header})


@pytest.mark.parametrize("guard", [OPEN, CLOSED])
def test_a_webhook_comes_in_by_its_secret(guard: Guard) -> None:
    guard.check_webhook({SECRET: "secret"}, "secret")


@pytest.mark.parametrize("guard", [OPEN, CLOSED])
@pytest.mark.parametrize("expected", ["secret", None])
def test_a_wrong_secret_stays_out_even_of_an_open_house(guard: Guard, expected: str | None) -> None:
    with pytest.raises(Unauthorized):
        guard.check_webhook({SECRET: "schlüssel"}, expected)


def test_start_training_comes_in_by_password() -> None:
    CLOSED.check_webhook(basic("ann:pä:ss"), "secret")
    with pytest.raises(Unauthorized):
        CLOSED.check_webhook({}, "secret")


def test_a_secret_is_good_for_nothing_else() -> None:
    with pytest.raises(Unauthorized):
        CLOSED.check({SECRET: "secret"})


def test_no_credentials_are_turned_away_before_the_body_is_read() -> None:
    with pytest.raises(Unauthorized):
        CLOSED.may_be_webhook({})
    CLOSED.may_be_webhook({SECRET: "any"})
