"""``python -m tests.bench.stopping``: when the advice says "nearly" and "enough", and what is had.

Each set is cut in two by a fixed seed: seven tenths are the pool that is labelled in our order,
with a tenth of audit tasks as by default; three judge. A version is fitted each time that the
labels grew by a twentieth. Beside the labels at which a verdict first comes stands the share of
the quality that all labels of the pool bring.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from active_learning import history, loop, stopping
from active_learning.history import Sample, Snapshot
from active_learning.outcomes import Fit
from active_learning.stopping import Advice, Stage
from active_learning.types import Ints, Pool, Reason
from ls_active import __version__
from tests.bench.__main__ import console
from tests.bench.data import Split, score
from tests.bench.data_sets import DataSet, digits, fashion, news, table, tweets
from tests.bench.pools import labelled_pool, with_labels
from tests.bench.report import Report, Table

FIRST = 20
GROWTH = 0.05
SHARE = 0.1
MOST = 1_500
PICTURES = 1_500
SAID = (Stage.NEARLY, Stage.ENOUGH)


class Step(NamedTuple):
    """A version: its labels, what is advised, and the quality on tasks that were kept aside."""

    labels: int
    advice: Advice
    quality: float


class Course:
    """A set that is labelled in our order."""

    def __init__(self, data: DataSet) -> None:
        split = Split(data)
        everything, _ = labelled_pool(data)
        self.kind, self._data = data.kind, data
        self._aside, self._aside_rows = everything, split.test
        rows = split.train
        self._full = replace(
            everything,
            ids=everything.ids[rows],
            X=everything.X[rows],
            y=everything.y[rows],
            serving=everything.serving[rows],
            resolved=everything.resolved[rows],
            u=everything.u[rows],
        )
        self.size = len(rows)

    def full(self) -> float:
        """Return the quality that all labels bring."""
        return self.quality(loop.fit(self._full))

    def quality(self, fit: Fit) -> float:
        """Return the quality of a version on what was kept aside."""
        rows = self._aside_rows
        verdicts = loop.opine(fit.model, self._aside, rows).verdicts(np.arange(len(rows)))
        truth = [self._data.answers[row] for row in rows]
        return score(self.kind, [verdict.answer for verdict in verdicts], truth)

    def steps(self) -> Iterator[Step]:
        """Label, fit and ask for advice, until all is labelled."""
        known = np.random.default_rng(0).permutation(self.size)[:FIRST].astype(np.int64)
        asked_as_audit: set[int] = set()
        fit, past = None, _Past([], [])
        while True:
            pool = with_labels(self._full, known)
            fit = loop.fit(pool, previous=fit.model if fit else None)
            advice = past.add(pool, fit)
            yield Step(len(known), advice, self.quality(fit))
            more = min(max(5, round(GROWTH * len(known))), self.size - len(known))
            if not more:
                return
            queue = loop.rank(
                [pool], [fit.model], strategy="margin", k=more, epsilon=SHARE, seed=0,
                n_resolved=len(known) - FIRST, audit_resolved=len(asked_as_audit),
            )  # fmt: skip
            reasons = zip(queue.rows.tolist(), queue.reasons, strict=True)
            asked_as_audit |= {row for row, reason in reasons if reason is Reason.AUDIT}
            known = np.concatenate([known, queue.rows])


class _Past(NamedTuple):
    snapshots: list[Snapshot]
    samples: list[Sample]

    def add(self, pool: Pool, fit: Fit) -> Advice:
        """Record a version; return what is advised then."""
        rows: Ints = history.sample_rows(pool)
        sample = history.take_sample(pool, rows, loop.opine(fit.model, pool, rows))
        labels = [each.labels for each in self.snapshots]
        place = history.earlier_place(labels, len(pool.labeled), len(pool.classes))
        before = None if place is None else (labels[place], self.samples[place])
        audit = loop.estimate_audit(pool, model=fit.model)
        self.samples.append(sample)
        recall = fit.chosen.recall if fit.chosen else {}
        self.snapshots.append(history.snapshot(pool, sample, audit, before, recall))
        return stopping.advice(self.snapshots)


def pictures() -> DataSet:
    """A part of Fashion-MNIST."""
    data = fashion()
    return replace(data, values=data.values[:PICTURES], answers=data.answers[:PICTURES])


def first_said(steps: Iterable[Step]) -> tuple[dict[Stage, Step], Step]:
    """Return where "nearly" and "enough" first come, if they do, and the last step taken."""
    said: dict[Stage, Step] = {}
    for step in steps:
        if step.advice.verdict in SAID:
            said.setdefault(step.advice.verdict, step)
        if step.advice.verdict is Stage.ENOUGH or step.labels > MOST:
            break
    # What is enough was nearly enough before, also where that was never said.
    if Stage.ENOUGH in said:
        said.setdefault(Stage.NEARLY, said[Stage.ENOUGH])
    return said, step


def measure(data: DataSet, report: Table) -> str:
    """Add the row of one set; return the last sentence."""
    course = Course(data)
    full = course.full()
    said, last = first_said(course.steps())
    cells: list[float | None] = []
    for found in map(said.get, SAID):
        cells += [found.labels, round(found.quality / full, 3)] if found else [None, None]
    report.row(data.name, course.size, round(full, 3), *cells, last.labels)
    return f"{data.name}, {last.labels} labels: {last.advice.sentence}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.stopping", description=__doc__)
    parser.add_argument("--json", type=Path, default=Path("bench-stopping.json"))
    arguments = parser.parse_args()
    report, began = Report(console()), time.monotonic()
    found = Table(
        "When the advice comes, and the share of full-data quality had by then",
        ("data", "pool", "full", "nearly at", "share", "enough at", "share ", "labelled"),
        ("full: accuracy, of tweets R²; -: not said by then; one seed",),
    )
    with threadpool_limits(1):
        for load in (news, tweets, digits, table("breast_cancer"), pictures):
            report.console.print(f"[dim]{measure(load(), found)}[/dim]")
    report.add("stopping", found)
    seconds = round(time.monotonic() - began)
    report.save(arguments.json, version=__version__, quick=False, seconds=seconds)


if __name__ == "__main__":
    main()
