"""Text cut into tokens, each described by itself and by what stands beside it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from itertools import islice
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.utils import murmurhash3_32

from active_learning.featurizers.text import TextFeaturizer

MAX_TOKENS = 2_000
"""Tokens of a text that are looked at, from its start: some four pages."""

WIDTH = 2**18

CACHED_WORDS = 2**15
"""Words whose hashes are remembered: most of what any text holds, in some 10 MB."""

CACHED_LENGTH = 40
"""Characters of a word that count."""

AFFIXES = (1, 2, 3, 4)

WORD, SHAPE, KIND = 0, 1, 2
"""Places among the features of a word."""

NEAR = {-2: (WORD, KIND), -1: (WORD, SHAPE, KIND), 1: (WORD, SHAPE, KIND), 2: (WORD, KIND)}
"""What a token sees of its neighbours, by distance. Their affixes as well cost half a point of F1
on addresses and gave nothing on tweets."""

EDGE = max(NEAR)

PAIRED = (WORD, SHAPE)
"""What of two neighbours is hashed together."""

UNSPACED = frozenset(
    ["BOPOMOFO", "CJK", "HANGUL", "HIRAGANA", "KATAKANA", "KHMER", "LAO", "MYANMAR", "THAI", "YI"]
)
"""Scripts whose words, or their endings, are not set apart by spaces: a character is a token."""

Hashes = NDArray[np.uint32]


class TokenFeaturizer:
    """Words and single signs: word, shape, affixes and place, the neighbours, and what is between.

    On 1,500 addresses and 2,400 tweets, three folds, F1 of spans: .913 and .443 in a linear chain
    (see `learners.chain`) without the features that one token alone has; .908 and .452 in a CRF
    (python-crfsuite); .886 and .382 in that CRF with the features of its tutorial.

    References
    ----------
    Ratinov & Roth (2009), Design challenges and misconceptions in named entity recognition. CoNLL.
    Weinberger et al. (2009), Feature hashing for large scale multitask learning. ICML.
    """

    name: ClassVar[str] = "tokens"
    version: ClassVar[int] = 1
    unit_tags: ClassVar[tuple[str, ...]] = ("Text",)
    media: ClassVar[bool] = False
    sparse: ClassVar[bool] = True
    n_features = WIDTH

    def __init__(self, attributes: Mapping[str, str] = MappingProxyType({})) -> None:
        self._text = TextFeaturizer(attributes)

    def parse(self, value: Any) -> str:
        """Return the text or its start, code point for code point: spans count them.

        Raises
        ------
        Unreadable
            It is neither text nor number, or nothing but white space.
        """
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        return self._text.parse(value)

    def cut(self, parsed: str) -> tuple[csr_matrix, list[tuple[float, float]]]:
        """Return a row a token, ``(t, n_features)``, and where each starts and ends.

        Spans are in code points, end exclusive, and leave out white space only.
        """
        spans = token_spans(parsed)
        if not spans:
            return csr_matrix((0, WIDTH), dtype=np.float32), []
        words = np.array(
            [_word(parsed[start : min(end, start + CACHED_LENGTH)]) for start, end in spans]
        )
        columns = _columns(words, _apart(spans))
        ends = np.arange(0, columns.size + 1, columns.shape[1])
        ones = np.ones(columns.size, dtype=np.float32)
        rows = csr_matrix((ones, columns.ravel(), ends), shape=(len(spans), WIDTH))
        rows.sum_duplicates()
        return rows, list(spans)


def token_spans(text: str) -> list[tuple[int, int]]:
    """Return where the first ``MAX_TOKENS`` tokens start and end.

    Letters and digits in a row are one token, every other sign is its own, and so is every
    character of scripts without spaces. A combining mark stays with its base, an emoji with what
    is joined to it. White space, control characters and marks of direction belong to none.
    """
    found = _TOKEN.finditer(text.translate(_LETTERS))
    return [match.span() for match in islice(found, MAX_TOKENS)]


_TOKEN = re.compile("w[wmj]*|rr[mj]*|em*(?:j+em*)*[mj]*|[cpemrj][mj]*")
"""On texts that are spelt in the letters of `_letter`."""


class _Letters(dict[int, str]):
    """The letter of each character, by code point; found out when it is first seen."""

    def __missing__(self, code: int) -> str:
        letter = self[code] = _letter(chr(code))
        return letter


_LETTERS = _Letters()


def _letter(character: str) -> str:
    """Return what a character is to a token.

    **w** within words, **c** a token for itself, **e** emoji, **r** half a flag, **m** mark,
    **j** joiner, **p** other signs, **s** between tokens.
    """
    category, code = unicodedata.category(character), ord(character)
    if character in "\u200c\u200d":
        return "j"
    # Skin tones, the letters of flags, soft hyphen and word joiner are marks in all but category.
    if 0x1F3FB <= code <= 0x1F3FF or 0xE0020 <= code <= 0xE007F or character in "\u00ad\u2060":
        return "m"
    if 0x1F1E6 <= code <= 0x1F1FF:
        return "r"
    if category[0] in "LN":
        script = re.split("[ -]", unicodedata.name(character, ""))
        return "w" if UNSPACED.isdisjoint(script) else "c"
    if category in ("Cc", "Cf"):
        return "s"
    return {"M": "m", "Z": "s", "C": "e"}.get(category[0], "e" if category == "So" else "p")


@lru_cache(maxsize=CACHED_WORDS)
def _word(word: str) -> Hashes:
    """Return a hash of each feature of a word: itself, its shape, its kind, its affixes."""
    low = word.lower()
    shape = "".join(_class(character) for character in word)
    digits = "D" if word.isdigit() else "d" if "d" in shape else ""
    case = "U" if word.isupper() else "T" if word.istitle() else "l" if word.islower() else ""
    sign = "" if word[0].isalnum() else "p"
    features = [
        f"w{low}",
        "h" + re.sub(r"(.)\1+", r"\1", shape),
        f"k{digits}{case}{sign}{min(len(word), 8)}",
        f"S{shape[:12]}",
        *(f"p{n}{low[:n]}" for n in AFFIXES),
        *(f"s{n}{low[-n:]}" for n in AFFIXES),
    ]
    return np.array([murmurhash3_32(each.encode(), positive=True) for each in features], np.uint32)


def _class(character: str) -> str:
    if character.isupper():
        return "X"
    if character.islower():
        return "x"
    if character.isdigit():
        return "d"
    return "c" if character.isalpha() else character


def _apart(spans: list[tuple[int, int]]) -> Hashes:
    """Return 1 for each token that something separates from the last one, and a 1 at the end."""
    places = np.array(spans)
    apart = np.ones(len(places) + 1, dtype=np.uint32)
    apart[1:-1] = places[1:, 0] > places[:-1, 1]
    return apart


def _columns(words: Hashes, apart: Hashes) -> NDArray[np.int32]:
    """Return the columns of each token, ``(t, 32)``."""
    n = len(words)
    padded = np.vstack([_BEFORE, words, _AFTER])
    beside = [padded[EDGE + step : EDGE + step + n, slots] for step, slots in NEAR.items()]
    lefts, rights = padded[EDGE - 1 : EDGE + n, PAIRED], padded[EDGE : EDGE + n + 1, PAIRED]
    pairs = _mixed(lefts * np.uint32(31) + rights)
    before, after = apart[:-1, None], apart[1:, None]
    gaps = before * np.uint32(2) + after
    glued = [
        gaps,
        words[:, [KIND]] + gaps,
        padded[EDGE - 1 : EDGE - 1 + n, [WORD]] + before,
        padded[EDGE + 1 : EDGE + 1 + n, [WORD]] + after,
    ]
    hashes = np.hstack([words, *beside, pairs[:-1], pairs[1:], *glued, _place(n)])
    # The same hash means something else in every column of this table.
    salts = np.arange(1, hashes.shape[1] + 1, dtype=np.uint32) * np.uint32(0x9E3779B9)
    return (_mixed(hashes + salts) % np.uint32(WIDTH)).astype(np.int32)


_BEFORE = np.repeat(_word("\x02")[None], EDGE, axis=0)
_AFTER = np.repeat(_word("\x03")[None], EDGE, axis=0)


def _place(n: int) -> NDArray[np.int64]:
    """Return how far each token is from the start and from the end, up to three."""
    near = np.minimum(np.arange(n), 3)
    return np.stack([near, near[::-1]], axis=1)


def _mixed(hashes: NDArray[Any]) -> Hashes:
    """Spread hashes anew, by the last steps of MurmurHash3."""
    mixed = hashes.astype(np.uint32)
    mixed = (mixed ^ (mixed >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    mixed = (mixed ^ (mixed >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return mixed ^ (mixed >> np.uint32(16))
