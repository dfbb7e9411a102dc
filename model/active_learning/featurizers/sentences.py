"""Texts as what they mean: MiniLM's embedding in place of words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from active_learning.encoders import minilm
from active_learning.featurizers.hypertext import HyperTextFeaturizer
from active_learning.featurizers.paragraphs import ParagraphsFeaturizer
from active_learning.featurizers.text import TextFeaturizer
from active_learning.types import Block


class TextSentences:
    """The embedding of the start of a text.

    It knows that *cheap* and *low-priced* are alike before anybody labelled either, which words
    cannot; of languages other than English it knows little. No object tag asks for it by itself.
    """

    name: ClassVar[str] = "text-minilm"
    version: ClassVar[int] = 1
    object_tags: ClassVar[tuple[str, ...]] = ()
    block: ClassVar[Block] = Block.VECTOR
    media: ClassVar[bool] = False
    n_features = minilm.WIDTH

    def __init__(self, attributes: Mapping[str, str] = MappingProxyType({})) -> None:
        self._text = TextFeaturizer(attributes)

    def parse(self, value: Any) -> str:
        """Return the text; see `TextFeaturizer.parse`."""
        return self._text.parse(value)

    def transform(self, parsed: Sequence[str]) -> NDArray[np.float32]:
        """Return one row a text, ``(len(parsed), n_features)``.

        Raises
        ------
        EncoderUnavailable
            The extra is not installed.
        """
        return minilm.embed(parsed)


class HyperTextSentences(TextSentences):
    """The embedding of the start of a page without its markup."""

    name: ClassVar[str] = "hypertext-minilm"
    version: ClassVar[int] = 1
    object_tags: ClassVar[tuple[str, ...]] = ()

    def __init__(self, attributes: Mapping[str, str] = MappingProxyType({})) -> None:
        self._page = HyperTextFeaturizer(attributes)

    def parse(self, value: Any) -> str:
        """Return the text of a page; see `HyperTextFeaturizer.parse`."""
        return self._page.parse(value)


class ParagraphsSentences(TextSentences):
    """The embedding of the start of a dialogue, each turn after the name of who says it."""

    name: ClassVar[str] = "paragraphs-minilm"
    version: ClassVar[int] = 1
    object_tags: ClassVar[tuple[str, ...]] = ()

    def __init__(self, attributes: Mapping[str, str] = MappingProxyType({})) -> None:
        self._dialogue = ParagraphsFeaturizer(attributes)

    def parse(self, value: Any) -> str:
        """Return a line a turn; see `ParagraphsFeaturizer.parse`."""
        turns = self._dialogue.parse(value)
        return "\n".join(f"{author}: {said}" if author else said for author, said in turns)
