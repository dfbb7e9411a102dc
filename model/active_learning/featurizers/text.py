"""Text as hashed words and character n-grams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from numbers import Number
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack, vstack
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.utils import murmurhash3_32

from active_learning.errors import Unreadable
from active_learning.types import Block

MAX_CHARACTERS = 100_000
"""How much of a text is read, from its start: some 40 pages, and a 50 MB log costs no more."""

CHUNK_CHARACTERS = 2_000_000
"""Characters hashed at once: some six million n-grams, 0.1 GB."""

HALF = 2**17
"""Columns of the words, and as many again of the characters."""

LENGTHS = (3, 4, 5)
"""Of the character n-grams, the space at either end of a word included."""

CACHED_WORDS = 2**15
"""Words whose n-grams are remembered: most of what any text holds, in some 10 MB."""

CACHED_LENGTH = 40
"""Longer words are seldom seen twice."""


class TextFeaturizer:
    """Counts of words (1-2) and of characters within words (3-5), hashed, logarithmic.

    Words carry topic; character n-grams survive typos, inflection and languages that write no
    spaces. Hashing needs no vocabulary, so a text has the same features in every pool and for
    ever. The inverse document frequency belongs to a pool and is the model's business.

    References
    ----------
    Weinberger et al. (2009), Feature hashing for large scale multitask learning. ICML.
    """

    name: ClassVar[str] = "text"
    version: ClassVar[int] = 1
    object_tags: ClassVar[tuple[str, ...]] = ("Text",)
    block: ClassVar[Block] = Block.COUNTS
    media: ClassVar[bool] = False
    n_features = 2 * HALF

    def __init__(self, attributes: Mapping[str, str] = MappingProxyType({})) -> None:  # noqa: ARG002
        self._words = HashingVectorizer(
            ngram_range=(1, 2),
            n_features=HALF,
            norm=None,
            dtype=np.float32,
            # A sum of collisions must stay a count for its logarithm to mean anything.
            alternate_sign=False,
        )

    def parse(self, value: Any) -> str:
        """Return the text, of a file too; numbers are read as they print.

        Raises
        ------
        Unreadable
            It is neither text nor number, or nothing but white space.
        """
        if isinstance(value, bytes):
            value = value[: 4 * MAX_CHARACTERS].decode("utf-8-sig", "replace")
        if not isinstance(value, str | Number):
            raise Unreadable(f"must be text, got {type(value).__name__}")
        # JSON can carry half of a surrogate pair, which no hash function accepts.
        text = str(value)[:MAX_CHARACTERS].encode("utf-8", "replace").decode("utf-8")
        if not text.strip():
            raise Unreadable("empty text")
        return text

    def transform(self, parsed: Sequence[str]) -> csr_matrix:
        """Return one float32 row a text, shape ``(len(parsed), n_features)``."""
        empty = csr_matrix((0, self.n_features), dtype=np.float32)
        return vstack([empty, *map(self._hash, _chunks(parsed))], format="csr")

    def _hash(self, texts: list[str]) -> csr_matrix:
        counts = hstack([self._words.transform(texts), _characters(texts)], format="csr")
        np.log(counts.data, out=counts.data)
        counts.data += 1
        return counts


def _characters(texts: Sequence[str]) -> csr_matrix:
    """Count the hashed character n-grams of each text, shape ``(len(texts), HALF)``.

    What ``HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5))`` returns, number for number,
    in a third of the time: n-grams stay within a word, and most words have been seen before.
    """
    columns = [
        [_remembered(w) if len(w) <= CACHED_LENGTH else _hashed(w) for w in text.lower().split()]
        for text in texts
    ]
    ends = np.cumsum([0, *(sum(map(len, row)) for row in columns)])
    indices = np.concatenate([_NONE, *(part for row in columns for part in row)])
    ones = np.ones(len(indices), dtype=np.float32)
    counts = csr_matrix((ones, indices, ends), shape=(len(texts), HALF))
    counts.sum_duplicates()
    return counts


_NONE = np.empty(0, dtype=np.int32)


def _hashed(word: str) -> NDArray[np.int32]:
    """Return one column an n-gram of a word, by the hash that scikit-learn uses."""
    padded = f" {word} "
    grams = (padded[i : i + n] for n in LENGTHS for i in range(len(padded) - n + 1))
    hashes = [abs(murmurhash3_32(gram.encode())) % HALF for gram in grams]
    return np.array(hashes, dtype=np.int32)


_remembered = lru_cache(maxsize=CACHED_WORDS)(_hashed)


def _chunks(texts: Sequence[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    characters = 0
    for text in texts:
        chunk.append(text)
        characters += len(text)
        if characters >= CHUNK_CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk
