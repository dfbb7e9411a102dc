"""Whether we reach Label Studio: address, key, clock."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any

from ls_active.checks import Finding, note, ok, trouble, warning
from ls_active.errors import LabelStudioUnauthorized, LabelStudioUnreachable, NotConfigured
from ls_active.label_studio.client import Identity
from ls_active.label_studio.http import NEW_KEY_HINT

SKEW_SECONDS = 60.0
"""Difference of clocks above which a token that is new here may be old there, or the reverse."""

TRIED = ("1.22", "1.23")
"""Releases of Label Studio that the loop was tried with."""


class KeyKind(StrEnum):
    """What an API key is, as far as one sees from outside."""

    PERSONAL = "personal access token"
    ACCESS = "short-lived access token"
    EXPIRED = "personal access token that has expired"
    LEGACY = "legacy token"


def kind_of(key: str) -> KeyKind:
    """Say what kind of key it is, from its form alone."""
    claims = _claims(key)
    if claims is None:
        return KeyKind.LEGACY
    if claims.get("token_type") == "access":
        return KeyKind.ACCESS
    expires = claims.get("exp")
    if isinstance(expires, int | float) and expires < time.time():
        return KeyKind.EXPIRED
    return KeyKind.PERSONAL


def key_kind(key: str) -> Iterator[Finding]:
    """Check that the key is of a kind that lasts."""
    kind = kind_of(key)
    if kind in (KeyKind.ACCESS, KeyKind.EXPIRED):
        yield trouble("key", f"LABEL_STUDIO_API_KEY is a {kind}", NEW_KEY_HINT)


def access(identity: Identity | Exception, key: str) -> Iterator[Finding]:
    """Check that Label Studio answers, and takes the key."""
    if isinstance(identity, Identity):
        yield ok("label studio", f"{identity.version} answers")
        yield ok("key", f"a {kind_of(key)} of {identity.email}")
    elif isinstance(identity, LabelStudioUnauthorized):
        yield _refused(identity)
    elif isinstance(identity, LabelStudioUnreachable):
        yield trouble(
            "label studio", str(identity), "start Label Studio, or correct LABEL_STUDIO_URL"
        )
    elif isinstance(identity, NotConfigured):
        yield trouble("label studio", str(identity), "set it where `ls-active serve` runs, too")
    else:
        yield trouble("label studio", str(identity), "correct LABEL_STUDIO_URL")


def release(version: str) -> Iterator[Finding]:
    """Check that it is a release we know."""
    if not version.startswith(TRIED):
        yield warning(
            "label studio",
            f"{version} was not tried with this version of ours; {' and '.join(TRIED)} were",
            "look at `ls-active status` after some labels, and tell us",
        )


def clock(theirs: datetime, ours: datetime) -> Iterator[Finding]:
    """Check that the clocks agree."""
    skew = (ours - theirs).total_seconds()
    if abs(skew) > SKEW_SECONDS:
        yield warning(
            "clock",
            f"ours is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} Label Studio's; "
            "tokens may be refused, times on status are off",
            "synchronise both machines (NTP)",
        )
    else:
        yield ok("clock", "agrees with Label Studio's")


def data_manager() -> Iterator[Finding]:
    """Remind of the button to press: Label Studio does not say which one was."""
    yield note(
        "annotators",
        "Label Tasks As Displayed, and any filter or ordering of the Data Manager, bypass our "
        "order and the locks; nothing tells us when somebody uses them",
        "press Label All Tasks",
    )


def _refused(error: LabelStudioUnauthorized) -> Finding:
    if "legacy token authentication has been disabled" in str(error):
        return trouble(
            "key",
            "LABEL_STUDIO_API_KEY is a legacy token, and Label Studio takes none by default",
            f"{NEW_KEY_HINT}; or allow legacy tokens under Organization > Access Token Settings",
        )
    said = str(error).removesuffix(f"; {NEW_KEY_HINT}")
    return trouble("key", f"Label Studio refuses LABEL_STUDIO_API_KEY: {said}", NEW_KEY_HINT)


def _claims(key: str) -> dict[str, Any] | None:
    """Return what a JWT says of itself, None if it is none."""
    parts = key.strip().split(".")
    if len(parts) != 3:
        return None
    padded = parts[1] + "=" * (-len(parts[1]) % 4)
    try:
        claims = json.loads(base64.urlsafe_b64decode(padded))
    except ValueError:
        return None
    return claims if isinstance(claims, dict) else None
