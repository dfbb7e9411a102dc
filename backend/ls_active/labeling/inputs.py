"""From the data of tasks to rows of features, one bad value costing only itself."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, hstack

from active_learning import registry
from active_learning.errors import Unreadable
from active_learning.features import is_sparse
from active_learning.protocols import Featurizer, UnitFeaturizer
from active_learning.types import Block, Features
from ls_active.labeling.fields import ABSENT, value_at
from ls_active.labeling.input import WORDS, Input
from ls_active.labeling.layout import Layout
from ls_active.labeling.plan import Head, Plan
from ls_active.media import Media, MediaError

STORAGES = ("s3://", "gs://", "azure-blob://")
"""What values in cloud storages start with: tasks name them as they are stored."""

FILES_AT_ONCE = 16

VALUES_AT_ONCE = 5_000

ENCODED_AT_ONCE = 100
"""A network reads a dozen long texts a second, and a job must look up now and then."""

Shape = tuple[int, bool]
"""Columns of a matrix of features, and whether it is sparse."""


@dataclass(frozen=True, eq=False)
class UnitRows:
    """The units of one task: ``(u, d)`` features and where each lies."""

    X: Features
    layout: Layout


@dataclass(frozen=True, eq=False)
class Reading:
    """Features of n tasks.

    Attributes
    ----------
    X : (n, d)
        A row of zeros for a task of which nothing could be read.
    units : tuple of (tuple of UnitRows or None)
        For each unit input, one entry a task; None where it could not be cut.
    errors : mapping
        What could not be read, by place; the rest of such a task may be there all the same.
    later : frozenset of int
        Places whose file may be there the next time.
    """

    X: Features
    units: tuple[tuple[UnitRows | None, ...], ...]
    errors: Mapping[int, str]
    later: frozenset[int]


class Inputs:
    """Reads what a plan learns from.

    Parameters
    ----------
    plan : Plan
    media : Media or None
        Fetches files; None where the plan needs none.
    """

    def __init__(self, plan: Plan, media: Media | None = None) -> None:
        self.plan = plan
        self._media = media
        self._featurizers = [_featurizer(item) for item in plan.inputs]
        self._cutters = [_cutter(item) for item in plan.unit_inputs]

    @property
    def blocks(self) -> tuple[tuple[Block, int], ...]:
        """How many columns come from which kind of featurizer, in order."""
        return tuple((each.block, each.n_features) for each in self._featurizers)

    @property
    def shape(self) -> Shape:
        """What a task's features are stored as."""
        sparse = any(each.block is Block.COUNTS for each in self._featurizers)
        return sum(each.n_features for each in self._featurizers), sparse

    @property
    def unit_shapes(self) -> tuple[Shape, ...]:
        """What the features of the units of each unit input are stored as."""
        return tuple((each.n_features, each.sparse) for each in self._cutters)

    @property
    def at_once(self) -> int:
        """How many tasks may be read in one call: their files are in memory together."""
        if self.plan.media:
            return FILES_AT_ONCE
        return VALUES_AT_ONCE if self.plan.text_encoder == WORDS else ENCODED_AT_ONCE

    def view(self, head: Head, X: Features) -> tuple[Features, tuple[tuple[Block, int], ...]]:
        """Return what one head learns from, and its blocks: all of it, or a difference."""
        if head.sides is None:
            return X, self.blocks
        ends = np.cumsum([0, *(width for _, width in self.blocks)])
        left, right = (X[:, ends[side] : ends[side + 1]] for side in head.sides)
        difference = left - right
        return difference, (self.blocks[head.sides[0]],)

    def digest(self, data: Any) -> bytes:
        """Return what changes when a value that is read does."""
        read = (*self.plan.inputs, *self.plan.unit_inputs)
        used = [value_at(data, item.field) for item in read]
        text = "\n".join(_text(None if value is ABSENT else value) for value in used)
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()

    def read(self, tasks: Sequence[Mapping[str, Any]]) -> Reading:
        """Make features of tasks, with their `id` and `data`; `at_once` at most."""
        gathered = _Gathered(tasks, self._media)
        blocks = [
            self._block(gathered, item, featurizer)
            for item, featurizer in zip(self.plan.inputs, self._featurizers, strict=True)
        ]
        units = tuple(
            tuple(gathered.cut(item, cutter))
            for item, cutter in zip(self.plan.unit_inputs, self._cutters, strict=True)
        )
        sparse = self.shape[1]
        X = _side_by_side([_stored(block, sparse) for block in blocks], len(tasks), sparse)
        return Reading(X, units, gathered.errors, frozenset(gathered.later))

    def _block(self, gathered: _Gathered, item: Input, featurizer: Featurizer) -> Features:
        places, parsed = [], []
        for place, value in gathered.values(item):
            try:
                parsed.append(featurizer.parse(value))
            except Unreadable as reason:
                gathered.complain(place, item, reason)
            else:
                places.append(place)
        return _spread(featurizer.transform(parsed), places, len(gathered))


class _Gathered:
    """The values of some tasks, their files fetched once, and what is wrong with them."""

    def __init__(self, tasks: Sequence[Mapping[str, Any]], media: Media | None) -> None:
        self._ids = [task.get("id") for task in tasks]
        self._data = [task.get("data") for task in tasks]
        self._media = media
        self._files: dict[str, list[bytes | MediaError | None]] = {}
        self.errors: dict[int, str] = {}
        self.later: set[int] = set()

    def __len__(self) -> int:
        return len(self._data)

    def values(self, item: Input) -> Iterator[tuple[int, Any]]:
        """Yield the place and value of each task that has one."""
        for place, data in enumerate(self._data):
            value = value_at(data, item.field)
            if not isinstance(data, Mapping):
                self.complain(place, item, f"data must be an object, got {type(data).__name__}")
            elif value is ABSENT:
                self.complain(place, item, "not in the task's data")
            elif not (item.media and isinstance(value, str)):
                yield place, value
            else:
                file = self._fetched(item.field)[place]
                if isinstance(file, bytes):
                    yield place, file
                else:
                    self.complain(place, item, file or "no file")

    def cut(self, item: Input, cutter: UnitFeaturizer) -> Iterator[UnitRows | None]:
        """Yield the units of each task."""
        found: dict[int, UnitRows] = {}
        for place, value in self.values(item):
            try:
                parsed = cutter.parse(value)
                X, spans = cutter.cut(parsed)
            except Unreadable as reason:
                self.complain(place, item, reason)
            else:
                text = parsed if isinstance(parsed, str) else ""
                found[place] = UnitRows(X, Layout(tuple(spans), text))
        yield from (found.get(place) for place in range(len(self)))

    def complain(self, place: int, item: Input, reason: object) -> None:
        """Note the first thing that is wrong with a task."""
        self.errors.setdefault(place, f"{item.field}: {reason}")
        if isinstance(reason, MediaError) and reason.transient:
            self.later.add(place)

    def _fetched(self, field: str) -> list[bytes | MediaError | None]:
        if field not in self._files:
            addresses = [
                _address(value_at(data, field), task)
                for data, task in zip(self._data, self._ids, strict=True)
            ]
            wanted = [address for address in addresses if address is not None]
            files = iter(self._media.fetch_all(wanted) if self._media else [])
            self._files[field] = [
                None if address is None else next(files, None) for address in addresses
            ]
        return self._files[field]


def _address(value: Any, task: Any) -> str | None:
    """Return where the file of a value is: what lies in a storage, Label Studio hands out."""
    if not isinstance(value, str):
        return None
    if value.startswith(STORAGES) and isinstance(task, int):
        uri = base64.urlsafe_b64encode(value.encode("utf-8", "replace")).decode()
        return f"/tasks/{task}/resolve/?fileuri={uri}"
    return value


def _text(value: Any) -> str:
    try:
        return json.dumps(value, sort_keys=True, default=str)
    except RecursionError:
        return ""  # Nested so deep, nothing is read of it anyway.


@lru_cache(maxsize=64)
def _featurizer(item: Input) -> Featurizer:
    return registry.featurizers()[item.featurizer](dict(item.attributes))


@lru_cache(maxsize=64)
def _cutter(item: Input) -> UnitFeaturizer:
    return registry.unit_featurizers()[item.featurizer](dict(item.attributes))


def _spread(rows: Features, places: Sequence[int], n: int) -> Features:
    """Put rows at their places among n, zeros elsewhere."""
    if len(places) == n:
        return rows
    if not is_sparse(rows):
        whole = np.zeros((n, rows.shape[1]), dtype=np.float32)
        whole[list(places)] = rows
        return whole
    counts = np.zeros(n, dtype=np.int64)
    counts[list(places)] = np.diff(rows.indptr)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    return csr_matrix((rows.data, rows.indices, indptr), shape=(n, rows.shape[1]))


def _stored(block: Features, sparse: bool) -> Features:
    """Return a block as it is stored; dense values keep their zeros, a missing row has none."""
    if not sparse or is_sparse(block):
        return block
    there = np.flatnonzero(block.any(axis=1))
    width = block.shape[1]
    counts = np.zeros(len(block), dtype=np.int64)
    counts[there] = width
    indices = np.tile(np.arange(width, dtype=np.int32), len(there))
    indptr = np.concatenate([[0], np.cumsum(counts)])
    return csr_matrix((block[there].ravel(), indices, indptr), shape=block.shape)


def _side_by_side(blocks: list[Features], n: int, sparse: bool) -> Features:
    if len(blocks) == 1:
        return blocks[0]
    if not blocks:
        return np.zeros((n, 0), dtype=np.float32)
    return hstack(blocks, format="csr") if sparse else np.hstack(blocks)
