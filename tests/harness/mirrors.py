"""Mirrors under test: a featurizer that costs nothing, readers, and all that a mirror holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, cast

import numpy as np
from scipy.sparse import csr_matrix

from active_learning.errors import Unreadable
from active_learning.types import Block
from ls_active.digests import digest_of
from ls_active.label_studio.client import LabelStudioClient
from ls_active.labeling.input import Input
from ls_active.labeling.inputs import Inputs, Reading
from ls_active.labeling.plan import Plan
from ls_active.sync.cursor import Sync
from ls_active.sync.mirror import Mirror
from ls_active.sync.reader import Reader
from tests.harness.simulated import SimulatedLabelStudio
from tests.harness.units import Words

COLUMNS = 16

LETTERS = Input("text", "letters", 1, media=False)
WORDS = Input("text", "words", 1, media=False)


class Letters:
    """Sixteen numbers that are different for different texts; counts what it was given."""

    name: ClassVar[str] = "letters"
    version: ClassVar[int] = 1
    object_tags: ClassVar[tuple[str, ...]] = ("Text",)
    block: ClassVar[Block] = Block.COUNTS
    media: ClassVar[bool] = False
    n_features = COLUMNS

    def __init__(self, attributes: object = None) -> None:
        self.attributes = attributes
        self.seen: list[str] = []

    def parse(self, value: Any) -> str:
        if not isinstance(value, str) or not value.strip():
            raise Unreadable("empty text")
        return value

    def transform(self, parsed: Sequence[Any]) -> csr_matrix:
        self.seen += parsed
        return csr_matrix(np.array([row_of(value) for value in parsed]).reshape(-1, COLUMNS))


class LetterInputs(Inputs):
    """Inputs of the one featurizer, and of words where they are asked for."""

    def __init__(self, featurizer: Letters | None = None, *, words: bool = False) -> None:
        super().__init__(Plan())
        self.plan = Plan(inputs=(LETTERS,), unit_inputs=(WORDS,) * words)
        self._featurizers = [featurizer or Letters()]
        self._cutters = [Words()] * words


def row_of(text: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return the features of a text."""
    return np.frombuffer(digest_of(text), dtype=np.uint8).astype(np.float32)


def open_mirror(folder: Path, key: str = "letters/1/text", *, words: bool = False) -> Mirror:
    inputs = LetterInputs(words=words)
    return Mirror(folder, key, inputs.shape, inputs.unit_shapes)


def letters(texts: Sequence[Any], *, words: bool = False) -> Reading:
    """Return what is read of texts."""
    return LetterInputs(words=words).read([{"data": {"text": text}} for text in texts])


def reader_of(
    studio: SimulatedLabelStudio,
    mirror: Mirror,
    featurizer: Letters | None = None,
    check: Callable[[], None] = lambda: None,
    *,
    inputs: Inputs | None = None,
) -> Reader:
    inputs = inputs or LetterInputs(featurizer)
    types = frozenset({"choices", "labels"})
    client = cast("LabelStudioClient", studio)
    return Reader(client, mirror, 1, inputs, types, check)


def sync_of(studio: SimulatedLabelStudio, mirror: Mirror, **parts: Any) -> Sync:
    return Sync(reader_of(studio, mirror, **parts), lambda done, total: None)


def contents(mirror: Mirror) -> dict[str, Any]:
    """Return what a mirror says of every task, the numbers of feature rows aside."""
    table = mirror.table()
    return {
        "states": mirror.states(),
        "annotations": list(mirror.annotations()),
        "features": cast("csr_matrix", mirror.features(table.rows)).toarray().tolist(),
        "errors": mirror.errors(),
        "unread": mirror.unread(),
    }


def anew(studio: SimulatedLabelStudio) -> dict[str, Any]:
    """Return what a mirror made from nothing says."""
    with TemporaryDirectory() as folder, open_mirror(Path(folder)) as mirror:
        sync_of(studio, mirror).run()
        return contents(mirror)
