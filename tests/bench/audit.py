"""``python -m tests.bench.audit``: how often the interval of the audit estimate holds the truth.

A run is a project: BBC News articles drawn anew, two annotators who each hold a task while the
other answers, one task in sixteen skipped. After **every** answer the queue is ranked and published
again, with the audit's debt as the loop keeps it. At some counts of labels a version is fitted and
its audit estimate read, beside the truth: the share of the pool that the version answers rightly,
tasks that it learned from being judged by models that did not see them.

To make 200 runs affordable, articles are described by ten numbers, and a model is fitted when there
are twenty labels more, or a tenth (and where the estimate is read), and not at every one. With the
default of 10 % audit there are no 30 audit labels, and no estimate, before 300 labels: so 35 % of
the queue is audit where the first hundreds are looked at, in pools of 800, and 10 % in pools of
2,000 later on.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer
from threadpoolctl import threadpool_limits

from active_learning import loop
from active_learning.audit import uniform_order
from active_learning.evaluation import wilson
from active_learning.outcomes import Figures, Fit, Queue
from active_learning.types import UNLABELED, Block, Pool, Reason, Serving
from ls_active import __version__
from tests.bench.__main__ import console
from tests.bench.data_sets import news
from tests.bench.pools import labelled_pool
from tests.bench.report import Cell, Report, Table

WIDTH = 10
REFIT_AFTER = 20
HEAD = 10
SKIPPED = 1 / 16
ANNOTATORS = 2
SHOWN_EVERY = 20
BASES = ("audit", "chosen")


ABOUT = """# Does the estimate hold?

What `make bench-audit` printed: how often the 95 % interval of the accuracy on random tasks holds
the true accuracy on all tasks, in simulated projects on BBC News. After every answer the queue is
published again, there are two annotators, and one task in sixteen is skipped. The naive estimate
is that over all labels, on the tasks we chose.
"""


class Kept(NamedTuple):
    """How projects are kept: tasks, the share of audit tasks, and when the estimate is read."""

    tasks: int
    share: float
    read_at: tuple[int, ...]


PROJECTS = (Kept(800, 0.35, (100, 200, 400)), Kept(2_000, 0.1, (400, 800)))


class Project:
    """One simulated project.

    Parameters
    ----------
    everything : Pool
        A large pool with all its labels.
    seed : int
    kept : Kept
    """

    def __init__(self, everything: Pool, seed: int, kept: Kept) -> None:
        self._rng = np.random.default_rng(seed)
        rows = np.sort(self._rng.permutation(len(everything.ids))[: kept.tasks])
        ids = np.arange(1, kept.tasks + 1)
        self._truth = everything.y[rows]
        self._skips = self._rng.random(kept.tasks) < SKIPPED
        self._seed, self._share = seed, kept.share
        self._audits: set[int] = set()
        self._hands: list[int] = []
        self.fitted: Fit | None = None
        self._fitted_at = 0
        self.pool = replace(
            everything,
            ids=ids,
            X=everything.X[rows],
            y=np.full(kept.tasks, UNLABELED),
            serving=np.full(kept.tasks, Serving.YES, dtype=np.int8),
            resolved=np.zeros(kept.tasks, dtype=np.bool_),
            u=uniform_order(f"{seed}.1", 0, ids),
        )

    def run(self) -> Iterator[int]:
        """Label on and on; yield how many labels there are, after each."""
        queue = self._publish()
        while True:
            while len(self._hands) < ANNOTATORS:
                self._hands.append(next(r for r in queue.rows.tolist() if r not in self._hands))
            row = self._hands.pop(int(self._rng.integers(ANNOTATORS)))
            self._answer(row)
            if not self._skips[row]:
                yield len(self.pool.labeled)
            queue = self._publish()

    def fit(self) -> Fit:
        """Fit a version on all labels."""
        self._fitted_at = len(self.pool.labeled)
        self.fitted = loop.fit(self.pool, previous=self.fitted and self.fitted.model)
        return self.fitted

    def accuracy(self, fit: Fit) -> float:
        """Return the share of the pool that a version answers rightly, unseen."""
        said = loop.opine(fit.model, self.pool, np.arange(len(self._truth))).questions
        assert said is not None
        assert fit.out_of_fold is not None
        said[self.pool.labeled] = fit.out_of_fold
        return float(np.mean(said.argmax(axis=1) == self._truth))

    def _answer(self, row: int) -> None:
        y, serving, resolved = (
            getattr(self.pool, name).copy() for name in ("y", "serving", "resolved")
        )
        serving[row], resolved[row] = Serving.NO, True
        if not self._skips[row]:
            y[row] = self._truth[row]
        self.pool = replace(self.pool, y=y, serving=serving, resolved=resolved)
        labels = len(self.pool.labeled)
        due = labels - self._fitted_at >= max(REFIT_AFTER, labels // 10)
        if len(np.unique(y)) > 2 and (due or self.fitted is None):
            self.fit()

    def _publish(self) -> Queue:
        resolved = self.pool.resolved
        queue = loop.rank(
            [self.pool],
            [self.fitted.model if self.fitted else None],
            strategy="margin",
            k=HEAD,
            audit_share=self._share,
            seed=self._seed,
            n_resolved=int(resolved.sum()),
            audit_resolved=sum(bool(resolved[row]) for row in self._audits),
        )
        for row, reason in zip(queue.rows.tolist(), queue.reasons, strict=True):
            (self._audits.add if reason is Reason.AUDIT else self._audits.discard)(row)
        return queue


def everything() -> Pool:
    """BBC News in a few columns."""
    pool, _ = labelled_pool(news())
    assert isinstance(pool.X, csr_matrix)
    X = TruncatedSVD(WIDTH, random_state=0).fit_transform(TfidfTransformer().fit_transform(pool.X))
    return replace(pool, X=X.astype(np.float32), blocks=((Block.VECTOR, WIDTH),))


class Tally:
    """How often estimates held the truth, and by how much they were off."""

    def __init__(self) -> None:
        self.held: list[bool] = []
        self.off: list[float] = []
        self.tasks: list[int] = []

    def add(self, found: Figures, truth: float) -> None:
        """Count one estimate."""
        self.held.append(found.low <= truth <= found.high)
        self.off.append(found.value - truth)
        self.tasks.append(found.n)

    @property
    def cells(self) -> tuple[Cell, Cell, Cell]:
        """Tasks and bias, on average, and coverage with its own interval."""
        if not self.held:
            return None, None, "-"
        low, high = wilson(sum(self.held), len(self.held))
        holds = f"{np.mean(self.held):.3f} ({low:.3f}-{high:.3f})"
        return round(float(np.mean(self.tasks))), round(float(np.mean(self.off)), 3), holds


class Course:
    """All runs of projects that are kept in one way."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._tallies = {(n, basis): Tally() for n in kept.read_at for basis in BASES}
        self._truths: dict[int, list[float]] = {labels: [] for labels in kept.read_at}

    def run(self, everything: Pool, seed: int) -> None:
        """Run one project to its last reading."""
        project = Project(everything, seed, self._kept)
        for labels in project.run():
            if labels in self._kept.read_at:
                self._read(project, labels)
            if labels == self._kept.read_at[-1]:
                return

    def _read(self, project: Project, labels: int) -> None:
        fit = project.fit()
        self._truths[labels].append(truth := project.accuracy(fit))
        honest = loop.estimate_audit(project.pool, model=fit.model).figures
        for found in filter(None, (honest, fit.chosen)):
            self._tallies[labels, found.basis].add(found, truth)

    def rows(self) -> Iterator[tuple[Cell, ...]]:
        """Yield one row a reading."""
        for labels in self._kept.read_at:
            audit, naive = (self._tallies[labels, basis] for basis in BASES)
            truth = round(float(np.mean(self._truths[labels])), 3)
            yield (
                self._kept.tasks, self._kept.share, labels, truth, *audit.cells, len(audit.held),
                *naive.cells[1:],
            )  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.audit", description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--page", type=Path, help="write the table as Markdown")
    parser.add_argument("--json", type=Path, default=Path("bench-audit.json"))
    arguments = parser.parse_args()
    report, began, pool = Report(console()), time.monotonic(), everything()
    table = Table(
        f"How often a 95 % interval holds the true accuracy; {arguments.runs} runs",
        ("pool", "audit share", "labels", "true", "audit tasks", "audit off by", "audit holds",
         "estimates", "naive off by", "naive holds"),
        ("naive: out-of-fold over all labels; estimates: runs with 30 audit labels by then",
         "holds: share of runs, with its own 95 % interval (Wilson)"),
    )  # fmt: skip
    with threadpool_limits(1):
        for kept in PROJECTS:
            course = Course(kept)
            for seed in range(arguments.runs):
                course.run(pool, seed)
                if not (seed + 1) % SHOWN_EVERY:
                    minutes = (time.monotonic() - began) / 60
                    report.console.print(f"{seed + 1} runs in {minutes:.0f} min", style="dim")
                    report.console.print(*course.rows(), sep="\n", style="dim")
            for row in course.rows():
                table.row(*row)
    report.add("audit", table)
    if arguments.page:
        report.page(arguments.page, ABOUT)
    seconds = round(time.monotonic() - began)
    report.save(arguments.json, version=__version__, quick=False, seconds=seconds)


if __name__ == "__main__":
    main()
