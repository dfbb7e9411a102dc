"""``python -m tests.bench.suspects``: planted wrong labels, ours beside cleanlab's ranking.

On real sets, one label in twenty is replaced by another class at random. Our learner gives each
labelled task probabilities by a model that did not see it; from the same probabilities ours and
cleanlab list suspects. Counted is the share of planted ones among the first 50, or among all where
a list is shorter, and how many that finds. A set has wrong labels of its own, which count against
both.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from cleanlab.filter import find_label_issues
from threadpoolctl import threadpool_limits

from active_learning import loop
from active_learning.scaling import scaling_of
from active_learning.suspects import find_suspects
from active_learning.types import Ints, Kind, Pool
from ls_active import __version__
from tests.bench.__main__ import console
from tests.bench.data_sets import DataSet, digits, news, table, tweets
from tests.bench.pools import labelled_pool
from tests.bench.report import Report, Table

NOISE = 0.05
FIRST = 50
SEEDS = 3


def flipped(y: Ints, classes: int, seed: int) -> tuple[Ints, Ints]:
    """Return labels of which a share is wrong, and the rows that are."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(y))[: round(NOISE * len(y))]
    wrong = y.copy()
    wrong[rows] = (y[rows] + rng.integers(1, classes, size=len(rows))) % classes
    return wrong, rows


def rankings(pool: Pool) -> dict[str, list[int]]:
    """Return the first suspects of ours and of cleanlab's ways to rank, by name."""
    proba = loop.fit(pool).out_of_fold
    assert proba is not None
    X = scaling_of(pool).apply(pool.X)
    issues: Callable[..., Any] = find_label_issues
    found = {"ours": [each.row for each in find_suspects(pool.y, proba, X)]}
    for score in ("self_confidence", "normalized_margin"):
        ranked = issues(pool.y, proba, return_indices_ranked_by=score, n_jobs=1)
        found[score] = ranked.tolist()
    return {name: rows[:FIRST] for name, rows in found.items()}


def signs() -> DataSet:
    """The tweets, by whether people felt them to be good or bad."""
    data = tweets()
    answers = ["good" if answer > 0 else "bad" for answer in data.answers]
    return replace(
        data, name="VADER tweets, sign", kind=Kind.SINGLE, answers=answers, classes=("bad", "good")
    )


def measure(data: DataSet, report: Table) -> None:
    """Add the row of one set: means over seeds."""
    pool, y = labelled_pool(data)
    figures: dict[str, list[tuple[float, int]]] = {}
    for seed in range(SEEDS):
        wrong, planted = flipped(y, len(data.classes), seed)
        for name, rows in rankings(replace(pool, y=wrong)).items():
            hits = int(np.isin(rows, planted).sum())
            figures.setdefault(name, []).append((hits / max(len(rows), 1), hits))
    means = [np.mean(each, axis=0).round(3).tolist() for each in figures.values()]
    planted_number = round(NOISE * len(y))
    report.row(data.name, len(y), planted_number, *(cell for pair in means for cell in pair))


ABOUT = """# Are suspects wrong?

What `make bench-suspects` printed: one label in twenty was changed; how many of the first fifty
suspects are among those, and how many of cleanlab's, on the same out-of-fold probabilities.
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.suspects", description=__doc__)
    parser.add_argument("--page", type=Path, help="write the table as Markdown")
    parser.add_argument("--json", type=Path, default=Path("bench-suspects.json"))
    arguments = parser.parse_args()
    report = Report(console())
    found = Table(
        f"Planted wrong labels among the first {FIRST} suspects",
        ("data", "labels", "planted", "ours", "found", "cleanlab by self confidence", "found",
         "cleanlab by margin", "found"),
        (f"share of planted ones, and their number; means of {SEEDS} seeds",),
    )  # fmt: skip
    with threadpool_limits(1):
        for load in (news, signs, digits, table("breast_cancer")):
            measure(load(), found)
    report.add("suspects", found)
    report.save(arguments.json, version=__version__, quick=False, seconds=0)
    if arguments.page:
        report.page(arguments.page, ABOUT)


if __name__ == "__main__":
    main()
