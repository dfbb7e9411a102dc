"""``python -m tests.bench.data``: full-data quality of our default heads beside plain references.

Each set is cut in two, three times by fixed seeds: seven tenths to learn from, three to judge on;
figures are means. Ours is what a project of that kind gets: featurizer, scaling, learner, all with
their defaults. Neither side is tuned to a set.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from active_learning import loop
from active_learning.features import stacked
from active_learning.outcomes import Verdict
from active_learning.registry import featurizer_of, featurizers, unit_featurizer_of
from active_learning.types import Answer, Block, Features, Kind, Pool, Serving, Units
from ls_active import __version__
from ls_active.labeling.layout import Layout, runs
from ls_active.loop.consensus import encode
from tests.bench import references
from tests.bench.__main__ import console
from tests.bench.data_sets import ALL, DataSet
from tests.bench.report import Report, Table

SHARE = 0.7

CUTS = 3
"""One item more or less on one cut of two hundred says nothing."""


class Split:
    """A data set, cut in two."""

    def __init__(self, data: DataSet, seed: int = 0) -> None:
        order = np.random.default_rng(seed).permutation(len(data.values))
        cut = round(SHARE * len(order))
        self.data = data
        self.train, self.test = np.sort(order[:cut]), np.sort(order[cut:])

    def values(self, rows: Sequence[int]) -> list[Any]:
        """Return the values of rows."""
        return [self.data.values[row] for row in rows]

    def answers(self, rows: Sequence[int]) -> list[Any]:
        """Return what is right about rows."""
        return [self.data.answers[row] for row in rows]


@dataclass(frozen=True, eq=False)
class Described:
    """A data set as we see it."""

    X: Features
    units: Units | None
    layouts: list[Layout]
    block: tuple[Block, int]
    per_second: float


def describe(data: DataSet) -> Described:
    """Featurize all values."""
    cls = featurizer_of(data.tag) or featurizers()["vector"]
    featurizer = cls(data.attributes)
    began = time.perf_counter()
    X = featurizer.transform([featurizer.parse(value) for value in data.values])
    units, layouts = _units(data) if data.kind is Kind.SEQUENCE else (None, [])
    per_second = len(data.values) / (time.perf_counter() - began)
    return Described(X, units, layouts, (featurizer.block, featurizer.n_features), per_second)


def ours(split: Split, described: Described) -> tuple[list[Answer], float]:
    """Return our answers for the test rows, and seconds to fit."""
    data, units, layouts = split.data, described.units, described.layouts
    truth = (
        {int(row): _names(layouts[row], data.answers[row]) for row in split.train}
        if layouts
        else {int(row): data.answers[row] for row in split.train}
    )
    n = len(data.values)
    known = np.isin(np.arange(n), split.train)
    pool = Pool(
        ids=np.arange(1, n + 1),
        X=described.X,
        y=encode(data.kind, truth, n, data.classes, units.starts if units else None),
        serving=np.where(known, Serving.NO, Serving.YES).astype(np.int8),
        resolved=known,
        u=np.arange(n, dtype=np.uint64),
        classes=data.classes,
        kind=data.kind,
        blocks=(described.block,),
        units=units,
    )
    began = time.perf_counter()
    fit = loop.fit(pool)
    seconds = time.perf_counter() - began
    opinion = loop.opine(fit.model, pool, split.test)
    verdicts: tuple[Verdict, ...] = opinion.verdicts(np.arange(len(split.test)))
    return [verdict.answer for verdict in verdicts], seconds


def _units(data: DataSet) -> tuple[Units, list[Layout]]:
    cls = unit_featurizer_of(data.tag)
    assert cls is not None
    cutter = cls(data.attributes)
    cut = [cutter.cut(cutter.parse(value)) for value in data.values]
    starts = np.concatenate([[0], np.cumsum([rows.shape[0] for rows, _ in cut])])
    layouts = [
        Layout(tuple(spans), value if isinstance(value, str) else "")
        for (_, spans), value in zip(cut, data.values, strict=True)
    ]
    return Units(stacked([rows for rows, _ in cut]), starts.astype(np.int64)), layouts


def _names(layout: Layout, spans: Sequence[tuple[int, int, str]]) -> tuple[str | None, ...]:
    names: list[str | None] = [None] * len(layout.spans)
    for start, end, label in spans:
        for unit in layout.touching(start, end):
            names[unit] = label
    return tuple(names)


def score(kind: Kind, said: Sequence[Any], truth: Sequence[Any]) -> float:
    """Return the quality of answers: accuracy, micro F1 of sets and spans, or R²."""
    if kind is Kind.NUMBER:
        y = np.asarray(truth, dtype=float)
        error = np.square(y - np.asarray(said, dtype=float)).sum()
        return float(1 - error / np.square(y - y.mean()).sum())
    if kind is Kind.SINGLE:
        return float(np.mean([a == b for a, b in zip(said, truth, strict=True)]))
    both = sum(len(set(a) & set(b)) for a, b in zip(said, truth, strict=True))
    sizes = sum(len(set(a)) + len(set(b)) for a, b in zip(said, truth, strict=True))
    return 2 * both / max(sizes, 1)


def spans_of(layout: Layout, names: Sequence[str | None]) -> frozenset[tuple[int, int, str]]:
    """Return spans as (start, end, label), by character."""
    return frozenset(
        (int(layout.spans[first][0]), int(layout.spans[last][1]), name)
        for name, first, last in runs(names)
    )


MEASURES = {
    Kind.SINGLE: "accuracy",
    Kind.MULTIPLE: "micro F1",
    Kind.NUMBER: "R²",
    Kind.SEQUENCE: "span F1",
}


def compare(data: DataSet, table: Table) -> None:
    """Add the row of one set."""
    described = describe(data)
    found = np.array([_compare(Split(data, seed), described) for seed in range(CUTS)])
    split = Split(data)
    mine, plain, seconds = found.mean(axis=0).tolist()
    table.row(
        data.name, data.tag, f"{len(split.train)}+{len(split.test)}", MEASURES[data.kind],
        round(mine, 3), round(plain, 3), references.of(data)[1],
        round(described.per_second, 1), round(seconds, 2),
    )  # fmt: skip


def _compare(split: Split, described: Described) -> tuple[float, float, float]:
    """Return our quality and the reference's on one cut, and the seconds of our fit."""
    data, layouts = split.data, described.layouts
    reference, _ = references.of(data)
    answers, seconds = ours(split, described)
    truth = split.answers(split.test)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        plain = reference(
            split.values(split.train), split.answers(split.train), split.values(split.test), layouts
        )
    if data.kind is Kind.SEQUENCE:
        at = [layouts[row] for row in split.test]
        # Both are judged on what can be said by tokens: neighbours of one label are one span.
        truth = [spans_of(x, _names(x, spans)) for x, spans in zip(at, truth, strict=True)]
        answers = [spans_of(x, names) for x, names in zip(at, answers, strict=True)]
        plain = [spans_of(x, names) for x, names in zip(at, plain, strict=True)]
    return score(data.kind, answers, truth), score(data.kind, plain, truth), seconds


ABOUT = """# How well are kinds of data learned?

What `make bench-data` printed: models learn two thirds of a set or more, and are judged on the
rest; figures are means of three cuts.
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.data", description=__doc__)
    parser.add_argument("--only", action="append", help="a set by name; may be repeated")
    parser.add_argument("--page", type=Path, help="write the table as Markdown")
    parser.add_argument("--json", type=Path, default=Path("bench-data.json"))
    arguments = parser.parse_args()
    report = Report(console())
    table = Table(
        "Full-data quality of our default heads, and of plain references",
        ("data", "shown as", "learn+judge", "measure", "ours", "reference", "which", "values/s",
         "fit s"),
        ("values/s: featurizing on one core; fit s: our whole fit, its own estimate included",),
    )  # fmt: skip
    wanted: list[Callable[[], DataSet]] = [
        load for load in ALL if not arguments.only or load.__name__ in arguments.only
    ]
    # As in a worker: one core, and no threads that wait for each other.
    with threadpool_limits(1):
        for load in wanted:
            report.console.print(f"[dim]{load.__name__} …[/dim]")
            compare(load(), table)
    report.add("data", table)
    report.save(arguments.json, version=__version__, quick=False, seconds=0)
    if arguments.page:
        report.page(arguments.page, ABOUT)


if __name__ == "__main__":
    main()
