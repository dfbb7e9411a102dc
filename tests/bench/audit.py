"""``python -m tests.bench.audit``: how often the interval of the audit estimate holds the truth.

A run is a project: 800 BBC News articles drawn anew, two annotators who each hold a task while the
other answers, one task in sixteen skipped. After **every** answer the queue is ranked and published
again, with the audit's debt as the loop keeps it. At 100, 200 and 400 labels a version is fitted
and its audit estimate read, beside the truth: the share of the pool that the version answers
rightly, tasks that it learned from being judged by models that did not see them.

To make 200 runs affordable, articles are described by ten numbers, a model is fitted at every
twentieth label (and where the estimate is read) and not at every one, and 35 % of the queue is
audit: with the default of 10 % there are no 30 audit labels, and no estimate, before 300 labels.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer
from threadpoolctl import threadpool_limits

from active_learning import loop
from active_learning.audit import uniform_order
from active_learning.outcomes import Fit, Queue
from active_learning.types import UNLABELED, Block, Pool, Reason, Serving
from ls_active import __version__
from tests.bench.__main__ import console
from tests.bench.data_sets import news
from tests.bench.pools import labelled_pool
from tests.bench.report import Report, Table

TASKS, WIDTH = 800, 10
READ_AT = (100, 200, 400)
REFIT_EVERY = 20
HEAD = 10
SKIPPED = 1 / 16
ANNOTATORS = 2


class Project:
    """One simulated project.

    Parameters
    ----------
    everything : Pool
        A large pool with all its labels.
    seed : int
    share : float
        Of audit tasks.
    """

    def __init__(self, everything: Pool, seed: int, share: float) -> None:
        self._rng = np.random.default_rng(seed)
        rows = np.sort(self._rng.permutation(len(everything.ids))[:TASKS])
        ids = np.arange(1, TASKS + 1)
        self._truth = everything.y[rows]
        self._skips = self._rng.random(TASKS) < SKIPPED
        self._seed, self._share = seed, share
        self._audits: set[int] = set()
        self._hands: list[int] = []
        self.fitted: Fit | None = None
        self.pool = replace(
            everything,
            ids=ids,
            X=everything.X[rows],
            y=np.full(TASKS, UNLABELED),
            serving=np.full(TASKS, Serving.YES, dtype=np.int8),
            resolved=np.zeros(TASKS, dtype=np.bool_),
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
        self.fitted = loop.fit(self.pool, previous=self.fitted and self.fitted.model)
        return self.fitted

    def accuracy(self, fit: Fit) -> float:
        """Return the share of the pool that a version answers rightly, unseen."""
        said = loop.opine(fit.model, self.pool, np.arange(TASKS)).questions
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
        if len(np.unique(y)) > 2 and (labels % REFIT_EVERY == 0 or self.fitted is None):
            self.fit()

    def _publish(self) -> Queue:
        resolved = self.pool.resolved
        queue = loop.rank(
            [self.pool],
            [self.fitted.model if self.fitted else None],
            strategy="margin",
            k=HEAD,
            epsilon=self._share,
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

    def add(self, low: float, value: float, high: float, truth: float, tasks: int) -> None:
        """Count one estimate."""
        self.held.append(low <= truth <= high)
        self.off.append(value - truth)
        self.tasks.append(tasks)

    @property
    def cells(self) -> tuple[float | None, float | None, float | None]:
        """Coverage, bias, and tasks, on average."""
        if not self.held:
            return None, None, None
        found = (np.mean(self.held), np.mean(self.off), np.mean(self.tasks))
        return tuple(float(np.round(each, 3)) for each in found)  # type: ignore[return-value]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.audit", description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--share", type=float, default=0.35, help="share of audit tasks")
    parser.add_argument("--json", type=Path, default=Path("bench-audit.json"))
    arguments = parser.parse_args()
    report, began, pool = Report(console()), time.monotonic(), everything()
    tallies = {(labels, basis): Tally() for labels in READ_AT for basis in ("audit", "chosen")}
    truths: dict[int, list[float]] = {labels: [] for labels in READ_AT}
    with threadpool_limits(1):
        for seed in range(arguments.runs):
            project = Project(pool, seed, arguments.share)
            for labels in project.run():
                if labels in READ_AT:
                    fit = project.fit()
                    truths[labels].append(truth := project.accuracy(fit))
                    honest = loop.estimate_audit(project.pool, model=fit.model).figures
                    for found in filter(None, (honest, fit.chosen)):
                        tally = tallies[labels, found.basis]
                        tally.add(found.low, found.value, found.high, truth, found.n)
                if labels == READ_AT[-1]:
                    break
    table = Table(
        f"How often a 95 % interval holds the true accuracy; {arguments.runs} runs",
        ("labels", "true", "audit tasks", "audit holds", "audit off by", "estimates",
         "naive holds", "naive off by"),
        ("naive: out-of-fold over all labels; estimates: runs with 30 audit labels by then",),
    )  # fmt: skip
    for labels in READ_AT:
        audit, naive = (tallies[labels, basis] for basis in ("audit", "chosen"))
        held, off, tasks = audit.cells
        true = float(np.mean(truths[labels]).round(3))
        table.row(labels, true, tasks, held, off, len(audit.held), *naive.cells[:2])
    report.add("audit", table)
    seconds = round(time.monotonic() - began)
    report.save(arguments.json, version=__version__, quick=False, seconds=seconds)


if __name__ == "__main__":
    main()
