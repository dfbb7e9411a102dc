"""``python -m tests.bench.query [--rows N]``: time and memory of every strategy on a large pool.

A pool of one million tasks, once with 256 dense numbers a task and once with some twelve words of a
quarter of a million, a hundred of them labelled in ten classes, and a head of a hundred wanted.
Each strategy runs in a process of its own, forked from one that holds the pool and a fitted model.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from skactiveml.classifier import SklearnClassifier
from skactiveml.pool import Badge, CoreSet, RandomSampling, TypiClust, UncertaintySampling
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from active_learning import loop
from active_learning.outcomes import Model
from active_learning.registry import strategies
from active_learning.types import UNLABELED, Candidates, Features, Floats, Ints, Pool, Serving
from ls_active import __version__
from tests.bench.__main__ import console
from tests.bench.report import Cell, Report, Table

COLUMNS, WORDS, VOCABULARY = 256, 12, 2**18
CLASSES, LABELS, WANTED = 10, 100, 100
SECONDS = 60.0
"""After which a query is given up."""

GIB = 2**30
LIMIT = 12 * GIB
"""Of memory, for one query."""

PEERS: dict[str, Callable[[], Any]] = {
    "random": lambda: RandomSampling(random_state=0),
    "least_confidence": lambda: UncertaintySampling("least_confident", random_state=0),
    "margin": lambda: UncertaintySampling("margin_sampling", random_state=0),
    "entropy": lambda: UncertaintySampling("entropy", random_state=0),
    "coreset": lambda: CoreSet(random_state=0),
    "badge": lambda: Badge(random_state=0),
    "typiclust": lambda: TypiClust(random_state=0),
}
"""The same strategies in scikit-activeml."""

UNFITTED = {"random", "coreset", "typiclust"}
"""Those of them that ask no classifier."""


class Keep:
    """A strategy that keeps what it is shown."""

    name = "keep"

    def score(self, candidates: Candidates) -> Floats:
        """Score nothing."""
        self.candidates = candidates
        return np.zeros(len(candidates.proba))


def dense(rows: int) -> tuple[Features, Ints]:
    """Return rows around ten centres, and the centre of each."""
    rng = np.random.default_rng(0)
    z = rng.integers(CLASSES, size=rows)
    centres = rng.normal(size=(CLASSES, COLUMNS)).astype(np.float32)
    X = rng.standard_normal((rows, COLUMNS), dtype=np.float32)
    X *= 3
    X += centres[z]
    return X, z


def sparse(rows: int) -> tuple[Features, Ints]:
    """Return rows of words, few of them frequent, some of them of one class."""
    rng = np.random.default_rng(0)
    z = rng.integers(CLASSES, size=rows)
    words = (VOCABULARY * rng.random((rows, WORDS)) ** 4).astype(np.int32)
    words[:, :3] = 1_000 + 200 * z[:, None] + rng.integers(200, size=(rows, 3))
    starts = np.arange(0, rows * WORDS + 1, WORDS)
    X = csr_matrix((np.ones(rows * WORDS, np.float32), words.ravel(), starts), (rows, VOCABULARY))
    X.sum_duplicates()
    return X, z


def pool_of(X: Features, z: Ints) -> Pool:
    """Return a pool with the first tasks of a random order labelled."""
    n = len(z)
    rows = np.random.default_rng(1).permutation(n)[:LABELS]
    y = np.full(n, UNLABELED)
    y[rows] = z[rows]
    known = y != UNLABELED
    return Pool(
        ids=np.arange(1, n + 1),
        X=X,
        y=y,
        serving=np.where(known, Serving.NO, Serving.YES).astype(np.int8),
        resolved=known,
        u=np.arange(n, dtype=np.uint64),
        classes=tuple(map(str, range(CLASSES))),
    )


def rank(pool: Pool, model: Model, strategy: Any) -> None:
    """Rank the pool as the loop does."""
    loop.rank(
        [pool], [model], strategy=strategy, k=WANTED, epsilon=0.1, seed=0, n_resolved=LABELS,
        audit_resolved=0,
    )  # fmt: skip


def theirs(name: str, candidates: Candidates) -> None:
    """Ask scikit-activeml for a head of the same pool."""
    X = np.vstack([candidates.X_labeled, candidates.X])
    y = np.full(len(X), np.nan)
    y[: len(candidates.X_labeled)] = candidates.y
    fitted: dict[str, Any] = {}
    if name not in UNFITTED:
        head = SklearnClassifier(LogisticRegression(C=30, fit_intercept=False), classes=range(10))
        fitted = {"clf": head.fit(X, y), "fit_clf": False}
    PEERS[name]().query(X=X, y=y, batch_size=WANTED, **fitted)


def measured(work: Callable[[], None]) -> tuple[Cell, Cell]:
    """Return the seconds that a child process takes, and the MiB that it needs more than we hold.

    In the place of seconds, what went wrong.
    """
    context = multiprocessing.get_context("fork")
    ours, its = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(work, its), daemon=True)
    child.start()
    its.close()
    try:
        found = ours.recv() if ours.poll(SECONDS) else (f"over {SECONDS:.0f} s", None)
    except EOFError:
        found = ("ended by the system", None)
    child.kill()
    child.join()
    return found


def _child(work: Callable[[], None], pipe: Connection) -> None:
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    allowed = pages * resource.getpagesize() + LIMIT
    resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))
    began = time.perf_counter()
    try:
        work()
    # Whatever another library cannot do is what its cell should say.
    except Exception as error:  # noqa: BLE001
        words = "out of memory" if isinstance(error, MemoryError) else type(error).__name__
        pipe.send((words, None))
        return
    seconds = round(time.perf_counter() - began, 2)
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held
    pipe.send((seconds, more // 1024))


def measure(pool: Pool, table: Table, only: list[str] | None) -> Iterator[str]:
    """Fill the table; yield what is done next."""
    yield "fit and predict"
    model, keep = loop.fit(pool).model, Keep()
    rank(pool, model, keep)
    given = keep.candidates
    for name, strategy in strategies().items():
        if only and name not in only:
            continue
        yield name
        alone = measured(lambda scorer=strategy: scorer.score(given))  # type: ignore[misc]
        whole = measured(lambda scorer=strategy: rank(pool, model, scorer))  # type: ignore[misc]
        peer: tuple[Cell, Cell] = (None, None)
        if name in PEERS and isinstance(given.X, np.ndarray):
            peer = measured(lambda name=name: theirs(name, given))  # type: ignore[misc]
        elif name in PEERS:
            peer = ("dense only", None)
        table.row(name, *alone, *whole, *peer)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.query", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--only", action="append", help="a strategy; may be repeated")
    parser.add_argument("--json", type=Path, default=Path("bench-query.json"))
    arguments = parser.parse_args()
    report, began = Report(console()), time.monotonic()
    # As in a worker: one core.
    with threadpool_limits(1):
        for name, make in (("dense", dense), ("sparse", sparse)):
            table = Table(
                f"One query of {WANTED} among {arguments.rows:,} tasks, {name}",
                ("strategy", "score s", "MiB more", "whole rank s", "MiB more ",
                 "scikit-activeml s", "MiB more  "),
                ("score: the strategy alone; whole rank: with scaling, prediction and the head",
                 "MiB more: beyond the pool itself, at its peak"),
            )  # fmt: skip
            pool = pool_of(*make(arguments.rows))
            for step in measure(pool, table, arguments.only):
                report.console.print(f"[dim]{name}: {step} …[/dim]")
            report.add(name, table)
    seconds = round(time.monotonic() - began)
    report.save(arguments.json, version=__version__, quick=False, seconds=seconds)


if __name__ == "__main__":
    main()
