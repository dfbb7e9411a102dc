"""``python -m tests.bench.sampling``: what is lost where strategies look at a part of the pool.

Strategies that compare tasks with each other look at 20,000 of them, drawn anew for each query. The
same run is made with all tasks and with few of them looked at, with the same seeds.
"""

from __future__ import annotations

import argparse
import gzip
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import numpy as np
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from active_learning import cold_start, ordering
from active_learning.curves import Interval, area, mean_ratio, ratio
from active_learning.simulation import Setup, simulate
from active_learning.types import Block, Ints, Pool, Serving
from ls_active import __version__
from tests.bench.__main__ import console
from tests.bench.data_sets import debian
from tests.bench.label_sets import TEST, LabelSet, keel, truth_of
from tests.bench.report import Report, Table

ROUNDS, BATCH = 12, 20
STRATEGIES = ("badge", "bald", "coreset", "typiclust")
SHARES = (10, 50)
SEEDS, FEW_SEEDS = 10, 5
"""The latter where a run takes a minute."""

ABOUT = """# What is lost where only a part of the pool is looked at?

What `make bench-sampling` printed. Of a pool of more than 20,000 tasks, `badge`, `bald`, `coreset`
and `typiclust`, and the start of `auto`, look at 20,000, drawn anew each time; the other strategies
look at all. Here the same runs are made with all tasks looked at, with 20,000 of 59,400, and with
far fewer than ever are: a tenth and a fiftieth. A fiftieth of a million would be 20,000.
In none of the 32 comparisons lies the interval below 1: nothing is lost that could be seen. `bald`
and `coreset`, which ask much of the same and about outliers, get better by it.
"""


def pixels() -> Pool:
    """Fashion-MNIST as it is: 60,000 rows of 784 numbers, ten classes."""
    folder = debian("dataset-fashion-mnist")
    [images] = folder.rglob("train-images-idx3-ubyte.gz")
    [labels] = folder.rglob("train-labels-idx1-ubyte.gz")
    y = np.frombuffer(gzip.decompress(labels.read_bytes()), np.uint8, offset=8)
    X = np.frombuffer(gzip.decompress(images.read_bytes()), np.uint8, offset=16)
    n = len(y)
    return Pool(
        ids=np.arange(1, n + 1),
        X=X.reshape(n, -1).astype(np.float32),
        y=y.astype(np.int64),
        serving=np.full(n, Serving.YES, dtype=np.int8),
        resolved=np.zeros(n, dtype=np.bool_),
        u=np.arange(n, dtype=np.uint64),
        classes=tuple(map(str, range(10))),
        blocks=((Block("vector"), 784),),
    )


def sets() -> Iterator[tuple[str, Pool, tuple[int, ...], int]]:
    """Yield the name of each set, its tasks, how many of them are looked at, and the seeds."""
    for name, title in (("letter", "Letter"), ("magic", "Magic"), ("satimage", "Satellite")):
        found = truth_of(LabelSet(name, "Table", keel(name, title)))
        size = len(found.ids) - TEST
        yield name, found, tuple(size // share for share in SHARES), SEEDS
    found = pixels()
    sizes = ordering.SAMPLE, (len(found.ids) - TEST) // SHARES[-1]
    yield "fashion pixels", found, sizes, FEW_SEEDS


@contextmanager
def looking_at(tasks: int) -> Iterator[None]:
    """Look at so many tasks, where strategies look at a part."""
    with patch.object(ordering, "SAMPLE", tasks), patch.object(cold_start, "SAMPLE", tasks):
        yield


def areas(truth: Pool, strategy: str, tasks: int, seeds: int) -> list[float]:
    """Return the area under the learning curve, by seed."""
    found = []
    for seed in range(seeds):
        with looking_at(tasks):
            test = _test(truth, seed)
            rounds = list(
                simulate(truth, strategy, Setup(ROUNDS * BATCH, BATCH, 0.0), seed=seed, test=test)
            )
        found.append(area([each.labels for each in rounds], [each.score for each in rounds]))
    return found


def _test(truth: Pool, seed: int) -> Ints:
    rows = np.arange(len(truth.ids))
    _, test = train_test_split(rows, test_size=TEST, stratify=truth.y, random_state=seed)
    return np.asarray(test)


def _shown(found: Interval) -> str:
    return f"{found.value:.3f} ({found.low:.3f}-{found.high:.3f})"


def measure(names: Sequence[str] | None, report: Report) -> Table:
    """Return the table of all sets."""
    table = Table(
        "Area under the learning curve, and its ratio to that with all tasks looked at",
        ("data", "pool", "seeds", "strategy", "all", "looked at", "ratio", "looked at ", "ratio "),
        (f"accuracy over {ROUNDS * BATCH} labels, seeds in pairs, 95 % intervals",),
    )
    everything: list[list[float]] = []
    parts: list[list[float]] = []
    for name, truth, sizes, seeds in sets():
        if names and name not in names:
            continue
        for strategy in STRATEGIES:
            whole = areas(truth, strategy, len(truth.ids), seeds)
            cells: list[str | int] = []
            for tasks in sizes:
                part = areas(truth, strategy, tasks, seeds)
                cells += [tasks, _shown(ratio(part, whole))]
            everything.append(whole)
            parts.append(part)
            size, mean = len(truth.ids) - TEST, round(float(np.mean(whole)), 3)
            table.row(name, size, seeds, strategy, mean, *cells)
            report.console.print(*table.rows[-1], style="dim")
    together = mean_ratio(parts, everything)
    table.notes += (f"a fiftieth looked at, all rows together: {_shown(together)}",)
    return table


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.sampling", description=__doc__)
    parser.add_argument("--sets", nargs="+")
    parser.add_argument("--page", type=Path, help="write the table as Markdown")
    parser.add_argument("--json", type=Path, default=Path("bench-sampling.json"))
    arguments = parser.parse_args()
    report, began = Report(console()), time.monotonic()
    with threadpool_limits(1):
        found = measure(arguments.sets, report)
    report.add("sampling", found)
    if arguments.page:
        report.page(arguments.page, ABOUT)
    seconds = round(time.monotonic() - began)
    report.save(arguments.json, version=__version__, quick=False, seconds=seconds)


if __name__ == "__main__":
    main()
