"""Digests of what was read."""

from __future__ import annotations

import hashlib


def digest_of(text: str) -> bytes:
    """Return a digest that changes when the text does."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
