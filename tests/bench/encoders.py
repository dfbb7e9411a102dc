"""``python -m tests.bench.encoders``: what each text encoder makes of few labels.

Half of each set is judged on; from the other half labels are drawn at random, alike for all
encoders. Learner and scaling are those of a project, with their defaults.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from active_learning import loop
from active_learning.registry import featurizer_of
from active_learning.types import Kind, Pool, Serving
from ls_active.loop.consensus import encode
from tests.bench.__main__ import console
from tests.bench.data_sets import DataSet, news, tweets
from tests.bench.report import Report, Table

ENCODERS = ("words", "minilm")
LABELS = (30, 100, 300)
SEEDS = 10
ABOUT = """# Words or their meaning?

What `make bench-encoders` printed: the option `text_encoder`, judged on half of each set
by a model that learned from labels drawn at random.
"""


def described(data: DataSet, encoder: str) -> tuple[Pool, float]:
    """Return a pool without labels, and texts a second on one core."""
    cls = featurizer_of("Text", encoder)
    assert cls is not None
    featurizer = cls()
    featurizer.transform([featurizer.parse("what is loaded once")])
    began = time.process_time()
    X = featurizer.transform([featurizer.parse(value) for value in data.values])
    per_second = len(data.values) / (time.process_time() - began)
    n = len(data.values)
    pool = Pool(
        ids=np.arange(1, n + 1),
        X=X,
        y=encode(data.kind, {}, n, data.classes, None),
        serving=np.full(n, Serving.YES, dtype=np.int8),
        resolved=np.zeros(n, dtype=bool),
        u=np.arange(n, dtype=np.uint64),
        classes=data.classes,
        kind=data.kind,
        blocks=((featurizer.block, featurizer.n_features),),
    )
    return pool, per_second


def quality(data: DataSet, empty: Pool, labels: int, seed: int) -> float:
    """Return accuracy, or of numbers the squared correlation, on half of the set."""
    n = len(empty.ids)
    order = np.random.default_rng(seed).permutation(n)
    learned, judged = order[:labels], np.sort(order[n // 2 :])
    truth: dict[int, Any] = {int(row): data.answers[row] for row in learned}
    y = encode(data.kind, truth, n, data.classes, None)
    known = np.isin(np.arange(n), learned)
    serving = np.where(known, Serving.NO, Serving.YES).astype(np.int8)
    parts = {**vars(empty), "y": y, "resolved": known, "serving": serving}
    pool = Pool(**{name: parts[name] for name in Pool.__dataclass_fields__})
    verdicts = loop.opine(loop.fit(pool).model, pool, judged).verdicts(np.arange(len(judged)))
    given = [verdict.answer for verdict in verdicts]
    right = [data.answers[row] for row in judged]
    if data.kind is Kind.NUMBER:
        return float(np.corrcoef(np.array(given, dtype=float), right)[0, 1] ** 2)
    return float(np.mean([a == b for a, b in zip(given, right, strict=True)]))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.encoders", description=__doc__)
    parser.add_argument("--page", type=Path, help="write the table as Markdown")
    arguments = parser.parse_args()
    found = Table(
        "Quality on the other half, mean and deviation over ten draws",
        ("data", "texts", "encoder", "texts/s", *(f"{n} labels" for n in LABELS)),
        ("accuracy; of the tweets, whose answers are numbers, the squared correlation",),
    )
    sets: tuple[Callable[[], DataSet], ...] = (news, tweets)
    with threadpool_limits(1):
        for data in (load() for load in sets):
            for encoder in ENCODERS:
                pool, per_second = described(data, encoder)
                cells = []
                for labels in LABELS:
                    runs = [quality(data, pool, labels, seed) for seed in range(SEEDS)]
                    cells.append(f"{np.mean(runs):.3f} ± {np.std(runs):.3f}")
                found.row(data.name, len(data.values), encoder, round(per_second), *cells)
    report = Report(console())
    report.add("encoders", found)
    if arguments.page:
        report.page(arguments.page, ABOUT)


if __name__ == "__main__":
    main()
