"""Files that are written out in the value itself, as ``data:`` URLs (RFC 2397)."""

from __future__ import annotations

import base64
import re
from urllib.parse import unquote_to_bytes

from ls_active.media.errors import MediaError, MediaProblem

_BASE64 = re.compile(r";\s*base64\s*", re.IGNORECASE)
_WHITESPACE = re.compile(rb"[\t\n\f\r ]+")


def is_data_url(value: str) -> bool:
    """Say whether a value is meant to be a ``data:`` URL."""
    return value[:5].lower() == "data:"


def decode(value: str, max_bytes: int) -> bytes:
    """Return the bytes of a ``data:`` URL, as forgiving of missing padding as browsers are.

    Raises
    ------
    MediaError
        If it is none, or longer than `max_bytes`.
    """
    head, comma, payload = value.partition(",")
    if not comma:
        raise MediaError(MediaProblem.BAD_DATA_URL, "a data: URL must have a comma, this has none")
    # Three characters a byte is the most that percent-encoding takes; base64 of it, four.
    if len(payload) > 4 * max_bytes:
        raise _too_big(max_bytes)
    content = _plain(payload, in_base64=_BASE64.search(head[-40:]) is not None)
    if len(content) > max_bytes:
        raise _too_big(max_bytes)
    return content


def _plain(payload: str, *, in_base64: bool) -> bytes:
    try:
        raw = unquote_to_bytes(payload)
        if not in_base64:
            return raw
        raw = _WHITESPACE.sub(b"", raw).rstrip(b"=")
        return base64.b64decode(raw + b"=" * (-len(raw) % 4), validate=True)
    except ValueError:
        # From None: the error would quote the data.
        raise MediaError(
            MediaProblem.BAD_DATA_URL, "the data: URL cannot be decoded; is it cut off?"
        ) from None


def _too_big(max_bytes: int) -> MediaError:
    return MediaError(MediaProblem.TOO_BIG, f"the data: URL holds more than {max_bytes:,} bytes")
