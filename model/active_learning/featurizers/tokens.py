"""Text cut into tokens, each described by itself and its neighbours."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.utils import murmurhash3_32

from active_learning.errors import Unreadable

MAX_TOKENS = 2_000
"""Tokens of a text that are looked at, from its start: some four pages."""

WIDTH = 2**18

CACHED_WORDS = 2**15

Hashes = NDArray[np.uint32]

NEAR = {1: (0, 1, 2), 2: (0, 2)}
"""Which of a word's features its neighbours see, by distance: the word, its shape, its kind. More
did not help on two sets of addresses and tweets."""

ONE_CHARACTER = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "HANGUL")
"""Scripts that put no space between words: each character is a token."""

MARKS = "\u00ad\u2060"
JOINERS = "\u200c\u200d"


class TokenFeaturizer:
    """Words and single signs: the word, its shape and affixes, and what stands beside it.

    References
    ----------
    Ratinov & Roth (2009), Design challenges and misconceptions in named entity recognition. CoNLL.
    """

    name: ClassVar[str] = "tokens"
    version: ClassVar[int] = 1
    unit_tags: ClassVar[tuple[str, ...]] = ("Text",)
    media: ClassVar[bool] = False
    sparse: ClassVar[bool] = True
    n_features = WIDTH

    def __init__(self, attributes: Mapping[str, str] = MappingProxyType({})) -> None:
        """Take the attributes of the tag: none matters."""

    def parse(self, value: Any) -> str:
        """Return the text, unchanged: spans count its characters.

        Raises
        ------
        Unreadable
            It is no text.
        """
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        if not isinstance(value, str):
            raise Unreadable(f"must be text, got {type(value).__name__}")
        return value

    def cut(self, parsed: str) -> tuple[csr_matrix, list[tuple[float, float]]]:
        """Return a row a token, and where each starts and ends, in code points."""
        spans = token_spans(parsed)[:MAX_TOKENS]
        if not spans:
            return csr_matrix((0, WIDTH), dtype=np.float32), []
        columns = _columns(np.stack([_word(parsed[start:end]) for start, end in spans]))
        n, width = columns.shape
        ones = np.ones(n * width, dtype=np.float32)
        ends = np.arange(0, n * width + 1, width)
        rows = csr_matrix((ones, columns.ravel().astype(np.int32), ends), shape=(n, WIDTH))
        rows.sum_duplicates()
        return rows, [(float(start), float(end)) for start, end in spans]


def token_spans(text: str) -> list[tuple[int, int]]:
    """Return where each token starts and ends, white space left out.

    A combining mark stays with its base, an emoji with what is joined to it.
    """
    return [match.span() for match in _TOKEN.finditer(text.translate(_KINDS))]


_TOKEN = re.compile("w[wmj]*|rr[mj]*|e[mj]*(?:je[mj]*)*|[cpemrj][mj]*")


class _Kinds(dict[int, str]):
    """One letter for what a character is to a token; looked up once a character."""

    def __missing__(self, code: int) -> str:
        kind = self[code] = _kind(chr(code))
        return kind


def _kind(character: str) -> str:
    category, code = unicodedata.category(character), ord(character)
    if character in JOINERS:
        return "j"
    tone = 0x1F3FB <= code <= 0x1F3FF or 0xE0020 <= code <= 0xE007F
    if category[0] == "M" or tone or character in MARKS:
        return "m"
    if category[0] == "Z" or category in ("Cc", "Cf"):
        return "s"
    if 0x1F1E6 <= code <= 0x1F1FF:
        return "r"
    if category[0] in "LN":
        name = unicodedata.name(character, "").split()
        return "c" if any(script in name for script in ONE_CHARACTER) else "w"
    return "e" if category in ("So", "Cn", "Co") else "p"


_KINDS = _Kinds()


def _hash(text: str) -> int:
    return int(murmurhash3_32(text.encode("utf-8", "replace"), positive=True))


@lru_cache(maxsize=CACHED_WORDS)
def _word(word: str) -> Hashes:
    """Return hashes of what a word looks like: itself, its shape, its kind, and its affixes."""
    low = word.lower()
    shape = "".join(_letter(character) for character in word)
    digits = "D" if word.isdigit() else "d" if any(map(str.isdigit, word)) else ""
    case = "U" if word.isupper() else "T" if word.istitle() else "l" if word.islower() else ""
    sign = "" if word[0].isalnum() else "p"
    found = [
        f"w{low}",
        "h" + re.sub(r"(.)\1+", r"\1", shape),
        f"k{digits}{case}{sign}{min(len(word), 8)}",
        f"S{shape[:12]}",
        *(f"p{n}{low[:n]}" for n in (1, 2, 3, 4)),
        *(f"s{n}{low[-n:]}" for n in (1, 2, 3, 4)),
    ]
    return np.array([_hash(text) for text in found], dtype=np.uint32)


def _letter(character: str) -> str:
    if character.isupper():
        return "X"
    if character.islower():
        return "x"
    if character.isdigit():
        return "d"
    return "c" if character.isalpha() else character


def _columns(words: Hashes) -> NDArray[np.int64]:
    """Return the columns of each token: its own, its neighbours', pairs, and its place."""
    n = len(words)
    edge = max(NEAR)
    before = np.repeat(_word("\x02")[None], edge, axis=0)
    after = np.repeat(_word("\x03")[None], edge, axis=0)
    padded = np.vstack([before, words, after])
    parts = [_mixed(words, 1)]
    for distance, slots in NEAR.items():
        for step in (-distance, distance):
            beside = padded[edge + step : edge + step + n][:, list(slots)]
            parts.append(_mixed(beside, 10 + step))
    for slot in (0, 1):
        pairs = _mixed(padded[:-1, slot] * np.uint32(31) + padded[1:, slot], 40)
        parts.append(_mixed(pairs[edge - 1 : edge - 1 + n, None], 41))
        parts.append(_mixed(pairs[edge : edge + n, None], 42))
    place = np.arange(n)
    edges = np.stack([np.zeros(n), np.minimum(place, 3), np.minimum(n - 1 - place, 3)], axis=1)
    parts.append(_mixed(edges.astype(np.uint32) * np.uint32(7) + np.arange(3, dtype=np.uint32), 50))
    return (np.hstack(parts) % WIDTH).astype(np.int64)


def _mixed(hashes: Hashes, salt: int) -> Hashes:
    """Spread hashes anew, differently for each salt (the finaliser of MurmurHash3)."""
    salted = hashes + np.uint32((salt * 0x9E3779B9) & 0xFFFFFFFF)
    salted = (salted ^ (salted >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    salted = (salted ^ (salted >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return salted ^ (salted >> np.uint32(16))
