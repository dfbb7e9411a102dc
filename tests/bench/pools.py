"""Real data sets as pools whose answers are known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from active_learning.audit import uniform_order
from active_learning.registry import featurizer_of, featurizers
from active_learning.types import UNLABELED, Kind, Pool, Serving
from ls_active.loop.consensus import encode
from tests.bench.data_sets import DataSet


def labelled_pool(data: DataSet) -> tuple[Pool, NDArray[Any]]:
    """Return a pool in which every task has its label, and the labels."""
    n = len(data.values)
    cls = featurizer_of(data.tag) or featurizers()["vector"]
    featurizer = cls(data.attributes)
    y = encode(data.kind, dict(enumerate(data.answers)), n, data.classes, None)
    ids = np.arange(1, n + 1)
    pool = Pool(
        ids=ids,
        X=featurizer.transform([featurizer.parse(value) for value in data.values]),
        y=y,
        serving=np.full(n, Serving.NO, dtype=np.int8),
        resolved=np.ones(n, dtype=np.bool_),
        u=uniform_order("1.1", 0, ids),
        classes=data.classes,
        kind=data.kind,
        blocks=((featurizer.block, featurizer.n_features),),
    )
    return pool, y


def with_labels(pool: Pool, rows: NDArray[np.int64]) -> Pool:
    """Return the pool as it is when only some rows have been labelled so far."""
    known = np.zeros(len(pool.ids), dtype=np.bool_)
    known[rows] = True
    hidden = np.nan if pool.kind is Kind.NUMBER else UNLABELED
    shown = known if pool.y.ndim == 1 else known[:, None]
    return replace(
        pool,
        y=np.where(shown, pool.y, hidden).astype(pool.y.dtype),
        serving=np.where(known, Serving.NO, Serving.YES).astype(np.int8),
        resolved=known,
    )
