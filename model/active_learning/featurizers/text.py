"""Text as hashed words and character n-grams."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from numbers import Number
from typing import Any, ClassVar

import numpy as np
from scipy.sparse import csr_matrix, hstack, vstack
from sklearn.feature_extraction.text import HashingVectorizer

MAX_CHARACTERS = 100_000
"""How much of a text is read, from its start: some 40 pages, and a 50 MB log costs no more."""

CHUNK_CHARACTERS = 2_000_000
"""Characters hashed at once: some six million n-grams, 0.1 GB."""


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
    n_features = 2**18

    def __init__(self) -> None:
        half = {"n_features": self.n_features // 2, "norm": None, "dtype": np.float32}
        # Equal signs: a sum of collisions must stay a count for its logarithm to mean anything.
        self._words = HashingVectorizer(ngram_range=(1, 2), alternate_sign=False, **half)
        self._characters = HashingVectorizer(
            analyzer="char_wb", ngram_range=(3, 5), alternate_sign=False, **half
        )

    def transform(self, values: Sequence[Any]) -> csr_matrix:
        """Return one float32 row a value, shape ``(len(values), n_features)``.

        Numbers are read as they print. What is neither text nor number has a row of zeros.
        """
        empty = csr_matrix((0, self.n_features), dtype=np.float32)
        return vstack([empty, *map(self._hash, _chunks(values))], format="csr")

    def _hash(self, texts: list[str]) -> csr_matrix:
        counts = hstack(
            [self._words.transform(texts), self._characters.transform(texts)], format="csr"
        )
        np.log(counts.data, out=counts.data)
        counts.data += 1
        return counts


def _text(value: Any) -> str:
    if isinstance(value, Number):
        return str(value)
    if not isinstance(value, str):
        return ""
    # JSON can carry half of a surrogate pair, which no hash function accepts.
    return value[:MAX_CHARACTERS].encode("utf-8", "replace").decode("utf-8")


def _chunks(values: Sequence[Any]) -> Iterator[list[str]]:
    chunk: list[str] = []
    characters = 0
    for text in map(_text, values):
        chunk.append(text)
        characters += len(text)
        if characters >= CHUNK_CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk
