"""Web pages as the text that a reader sees."""

# ruff: noqa: PLC0415 - whoever lists the featurizers must not wait for a parser

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from scipy.sparse import csr_matrix

from active_learning.errors import Unreadable
from active_learning.featurizers.text import MAX_CHARACTERS, TextFeaturizer
from active_learning.types import Block

MAX_MARKUP = 20 * MAX_CHARACTERS
"""Characters of markup that are parsed, from the start of a page: half a second at worst."""

UNSEEN = frozenset({"script", "style", "template"})
"""Elements whose content no reader sees."""

INLINE = frozenset([
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em",
    "font", "i", "ins", "kbd", "label", "mark", "q", "s", "samp", "small", "span", "strike",
    "strong", "sub", "sup", "time", "tt", "u", "var", "wbr",
])  # fmt: skip
"""Elements that may begin or end within a word; any other one separates words."""


class HyperTextFeaturizer:
    """The features of `TextFeaturizer`, in the same columns, of a page without its markup.

    Entities are decoded; scripts, styles and comments are dropped. Nothing is run or loaded.
    """

    name: ClassVar[str] = "hypertext"
    version: ClassVar[int] = 1
    object_tags: ClassVar[tuple[str, ...]] = ("HyperText",)
    block: ClassVar[Block] = Block.COUNTS
    media: ClassVar[bool] = False
    n_features = TextFeaturizer.n_features

    def __init__(self, attributes: Mapping[str, str] = MappingProxyType({})) -> None:
        self._text = TextFeaturizer(attributes)

    def parse(self, value: Any) -> str:
        """Return the text of a page, given as markup or as the bytes of a file.

        Raises
        ------
        Unreadable
            It is neither, or holds no text.
        """
        if isinstance(value, bytes):
            value = value[: 4 * MAX_MARKUP].decode("utf-8", "replace")
        if not isinstance(value, str):
            raise Unreadable(f"must be HTML, got {type(value).__name__}")
        return self._text.parse(visible_text(value))

    def transform(self, parsed: Sequence[str]) -> csr_matrix:
        """Return one float32 row a page, shape ``(len(parsed), n_features)``."""
        return self._text.transform(parsed)


def visible_text(markup: str) -> str:
    """Return what is left of HTML without its tags.

    Parsed by libxml2, in time proportional to its length however it is nested or broken: the
    parser of the standard library needs seconds for 20 kB of unclosed tags.
    """
    from lxml.etree import HTMLParser  # type: ignore[import-untyped]

    parser = HTMLParser(target=_Text(), encoding="utf-8", no_network=True)
    # The parser ends at a NUL, and knows no half of a surrogate pair.
    parser.feed(markup[:MAX_MARKUP].replace("\0", " ").encode("utf-8", "replace"))
    return str(parser.close())


class _Text:
    """Gathers text, as the parser comes across it."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._unseen = 0

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:  # noqa: ARG002
        self._unseen += tag in UNSEEN
        self._separate(tag)

    def end(self, tag: str) -> None:
        self._unseen -= tag in UNSEEN
        self._separate(tag)

    def data(self, text: str) -> None:
        if not self._unseen:
            self._parts.append(text)

    def close(self) -> str:
        return "".join(self._parts)

    def _separate(self, tag: str) -> None:
        if tag not in INLINE:
            self._parts.append(" ")
