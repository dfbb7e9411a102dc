"""Dialogues as what is said, and who says it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import HashingVectorizer

from active_learning.errors import Unreadable
from active_learning.featurizers.text import HALF, MAX_CHARACTERS, TextFeaturizer
from active_learning.types import Block

MAX_AUTHOR = 100
"""Characters of an author's name that count."""

WORDS = re.compile(r"\w+")

Turns = tuple[tuple[str, str], ...]
"""Author and text of each turn."""


class ParagraphsFeaturizer:
    """The features of `TextFeaturizer` of all turns, and which words which author used.

    "Refund" said by a customer and by an agent are one word in the first columns and two in the
    last ``HALF``, where every word is hashed together with its author.

    Parameters
    ----------
    attributes : mapping
        ``nameKey`` and ``textKey`` name the fields of a turn, as in Label Studio.

    References
    ----------
    Weinberger et al. (2009), Feature hashing for large scale multitask learning. ICML.
    """

    name: ClassVar[str] = "paragraphs"
    version: ClassVar[int] = 1
    object_tags: ClassVar[tuple[str, ...]] = ("Paragraphs",)
    block: ClassVar[Block] = Block.COUNTS
    media: ClassVar[bool] = False
    n_features = TextFeaturizer.n_features + HALF

    def __init__(self, attributes: Mapping[str, str] = MappingProxyType({})) -> None:
        given = {name.lower(): value for name, value in attributes.items()}
        self._author = given.get("namekey") or "author"
        self._said = given.get("textkey") or "text"
        self._text = TextFeaturizer(attributes)
        self._spoken = HashingVectorizer(
            analyzer=_spoken_words,
            n_features=HALF,
            norm=None,
            dtype=np.float32,
            alternate_sign=False,
        )

    def parse(self, value: Any) -> Turns:
        """Return the turns of a dialogue: a list of objects, or the bytes of a JSON file of one.

        Raises
        ------
        Unreadable
            It is neither, or no turn holds text.
        """
        if isinstance(value, bytes):
            value = _json(value)
        if not isinstance(value, list | tuple):
            raise Unreadable(f"must be a list of turns, got {type(value).__name__}")
        turns = tuple(self._turns(value))
        if not any(text.strip() for _, text in turns):
            raise Unreadable(f"no turn has text under {self._said!r}")
        return turns

    def transform(self, parsed: Sequence[Turns]) -> csr_matrix:
        """Return one float32 row a dialogue, shape ``(len(parsed), n_features)``."""
        texts = self._text.transform(["\n".join(text for _, text in turns) for turns in parsed])
        if not parsed:
            return csr_matrix((0, self.n_features), dtype=np.float32)
        spoken = self._spoken.transform(parsed)
        np.log(spoken.data, out=spoken.data)
        spoken.data += 1
        return hstack([texts, spoken], format="csr", dtype=np.float32)

    def _turns(self, value: Sequence[Any]) -> Iterator[tuple[str, str]]:
        left = MAX_CHARACTERS
        for turn in value:
            if left <= 0:
                return
            if isinstance(turn, Mapping):
                text = _clean(turn.get(self._said))[:left]
                yield _clean(turn.get(self._author))[:MAX_AUTHOR].strip().lower(), text
                # A turn without text costs its time as well.
                left -= len(text) + 1


def _spoken_words(turns: Turns) -> Iterator[str]:
    for author, text in turns:
        yield f"{author}\0"
        for word in WORDS.findall(text.lower()):
            yield f"{author}\0{word}"


def _clean(value: Any) -> str:
    if not isinstance(value, str | int | float):
        return ""
    return str(value).encode("utf-8", "replace").decode("utf-8")


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Unreadable("the file of the dialogue is not JSON") from error
