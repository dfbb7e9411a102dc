"""Mirrors under test: a featurizer that costs nothing, readers, and all that a mirror holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, cast

import numpy as np
from scipy.sparse import csr_matrix

from ls_active.label_studio.client import LabelStudioClient
from ls_active.sync.cursor import Sync
from ls_active.sync.mirror import Mirror
from ls_active.sync.reader import Reader, Reading
from ls_active.values import digest_of
from tests.harness.simulated import SimulatedLabelStudio

COLUMNS = 16


class Letters:
    """Sixteen numbers that are different for different texts; counts what it was given."""

    name: ClassVar[str] = "letters"
    version: ClassVar[int] = 1
    object_tags: ClassVar[tuple[str, ...]] = ("Text",)
    n_features = COLUMNS

    def __init__(self) -> None:
        self.seen: list[str] = []

    def transform(self, values: Sequence[Any]) -> csr_matrix:
        self.seen += values
        return csr_matrix(np.array([row_of(value) for value in values]).reshape(-1, COLUMNS))


def row_of(text: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return the features of a text."""
    return np.frombuffer(digest_of(text), dtype=np.uint8).astype(np.float32)


def open_mirror(folder: Path, key: str = "letters/1/text") -> Mirror:
    return Mirror(folder, key, COLUMNS)


def reader_of(
    studio: SimulatedLabelStudio,
    mirror: Mirror,
    featurizer: Letters | None = None,
    check: Callable[[], None] = lambda: None,
) -> Reader:
    reading = Reading(("text",), featurizer or Letters(), frozenset({"choices"}))
    return Reader(cast("LabelStudioClient", studio), mirror, 1, reading, check)


def sync_of(studio: SimulatedLabelStudio, mirror: Mirror, **parts: Any) -> Sync:
    return Sync(reader_of(studio, mirror, **parts), lambda done, total: None)


def contents(mirror: Mirror) -> dict[str, Any]:
    """Return what a mirror says of every task, the numbers of feature rows aside."""
    table = mirror.table()
    return {
        "states": mirror.states(),
        "annotations": list(mirror.annotations()),
        "features": mirror.features(table.rows).toarray().tolist(),
        "errors": mirror.errors(),
        "unread": mirror.unread(),
    }


def anew(studio: SimulatedLabelStudio) -> dict[str, Any]:
    """Return what a mirror made from nothing says."""
    with TemporaryDirectory() as folder, open_mirror(Path(folder)) as mirror:
        sync_of(studio, mirror).run()
        return contents(mirror)
