"""``python -m tests.bench.stopping``: when the advice says "nearly" and "enough", and what is had.

Each of the sets of ``tests.bench.labels`` is cut in two: seven tenths are the pool that is labelled
as the loop asks by default, a tenth of it audit tasks; 600 tasks of the rest judge. A version is
fitted each time that the labels grew by ten, or by a tenth. Beside the labels at which a verdict
first comes stands the share of the quality that all labels of the pool bring.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from active_learning import history, loop, stopping
from active_learning.held_out import quality
from active_learning.history import Sample, Snapshot
from active_learning.outcomes import Fit
from active_learning.registry import learner_of
from active_learning.simulation import answered, part_of
from active_learning.stopping import Advice, Stage
from active_learning.types import Ints, Pool, Reason
from ls_active import __version__
from tests.bench.__main__ import console
from tests.bench.label_sets import REPORTED, TEST, LabelSet, truth_of
from tests.bench.report import Report, Table

LEAST, GROWTH = 10, 0.1
"""Labels between two versions: so many, and such a share of all so far."""

AUDIT = 0.1
POOL = 0.7
MOST = 1_500
SAID = (Stage.NEARLY, Stage.ENOUGH)


ABOUT = """# When is it enough?

What `make bench-stopping` printed: the labels at which the advice first says "nearly enough" and
"enough", and the share of the quality with all labels that was had by then, on the sets of
[how many labels it takes](labels.md). A tenth of the tasks are audit tasks, as by default.
"""


class Step(NamedTuple):
    """A version: its labels, what is advised, and the quality on tasks that were kept aside."""

    labels: int
    advice: Advice
    quality: float


class Course:
    """A set that is labelled in our order."""

    def __init__(self, data: LabelSet) -> None:
        whole, self._macro = truth_of(data), data.macro
        learn, test = train_test_split(
            np.arange(len(whole.ids)), train_size=POOL, stratify=whole.y, random_state=0
        )
        self._full, self._judged = part_of(whole, np.sort(learn)), part_of(whole, test[:TEST])
        self.size = len(learn)

    def full(self) -> float:
        """Return the quality that all labels bring."""
        everything = answered(self._full, np.arange(self.size))
        return self._quality(everything, loop.fit(everything))

    def steps(self) -> Iterator[Step]:
        """Label, fit and ask for advice, until all is labelled."""
        known: Ints = np.array([], dtype=np.int64)
        audited, fit, past = 0, None, _Past([], [])
        while len(known) < self.size:
            pool = answered(self._full, known)
            queue = loop.rank(
                [pool], [fit.model if fit else None], strategy="auto",
                k=max(LEAST, round(GROWTH * len(known))), audit_share=AUDIT, seed=0,
                n_resolved=len(known), audit_resolved=audited,
            )  # fmt: skip
            audited += sum(reason is Reason.AUDIT for reason in queue.reasons)
            known = np.concatenate([known, queue.rows])
            pool = answered(self._full, known)
            if learner_of(pool.kind).lacks(pool):
                continue
            fit = loop.fit(pool, previous=fit.model if fit else None)
            yield Step(len(known), past.add(pool, fit), self._quality(pool, fit))

    def _quality(self, pool: Pool, fit: Fit) -> float:
        return quality(fit.model, pool, self._judged, macro=self._macro)


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


def measure(data: LabelSet, report: Table) -> str:
    """Add the row of one set; return the last sentence."""
    course = Course(data)
    full = course.full()
    said, last = first_said(course.steps())
    cells: list[float | None] = []
    for found in map(said.get, SAID):
        cells += [found.labels, round(found.quality / full, 3)] if found else [None, None]
    had = round(last.quality / full, 3)
    report.row(data.name, course.size, round(full, 3), *cells, last.labels, had)
    return f"{data.name}, {last.labels} labels: {last.advice.sentence}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.stopping", description=__doc__)
    parser.add_argument("--sets", nargs="+", choices=[data.name for data in REPORTED])
    parser.add_argument("--page", type=Path, help="write the table as Markdown")
    parser.add_argument("--json", type=Path, default=Path("bench-stopping.json"))
    arguments = parser.parse_args()
    report, began = Report(console()), time.monotonic()
    found = Table(
        "When the advice comes, and the share of full-data quality had by then",
        (
            "data",
            "pool",
            "full",
            "nearly at",
            "share",
            "enough at",
            "share ",
            "labelled",
            "share  ",
        ),
        ("full: accuracy, of reuters mean F1, with all labels of the pool; -: not said; one seed",),
    )
    with threadpool_limits(1):
        for data in REPORTED:
            if arguments.sets is None or data.name in arguments.sets:
                report.console.print(measure(data, found), style="dim")
                report.console.print(*found.rows[-1], style="dim")
    report.add("stopping", found)
    if arguments.page:
        report.page(arguments.page, ABOUT)
    seconds = round(time.monotonic() - began)
    report.save(arguments.json, version=__version__, quick=False, seconds=seconds)


if __name__ == "__main__":
    main()
