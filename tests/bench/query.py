"""``python -m tests.bench.query [--rows N]``: time and memory of every strategy on a large pool.

A pool of one million tasks, once with 256 dense numbers a task and once with some twelve words of a
quarter of a million, a hundred of them labelled in ten classes, and a head of a hundred wanted. A
query is the choice alone: probabilities and scaled features are at hand, for ours and for
scikit-activeml's; a whole rank of ours makes them too, and puts the head in order. Theirs are
asked among ever more tasks, until one query takes too long or too much. Each query runs in a
process of its own, forked from one that holds the pool and a fitted model. Seconds are of one core,
whatever else runs on the machine.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from active_learning import loop
from active_learning.features import is_sparse
from active_learning.outcomes import Model
from active_learning.registry import strategies
from active_learning.scaling import scaling_of
from active_learning.simulation import part_of
from active_learning.types import UNLABELED, Candidates, Features, Floats, Ints, Pool, Serving
from ls_active import __version__
from tests.bench.__main__ import console
from tests.bench.label_peers import Query, Question, activeml, activeml_committee, activeml_with
from tests.bench.report import Cell, Report, Table

COLUMNS, WORDS, VOCABULARY = 256, 12, 2**18
CLASSES, LABELS, WANTED = 10, 100, 100
SECONDS = 30
"""After which a query is given up."""

GIB = 2**30
LIMIT = 8
"""GiB of memory, for one query."""

SMALLER = (100, 10)
"""Parts of the pool that theirs are asked about first: one task in so many."""

PEERS: Mapping[str, tuple[Query, bool]] = {
    "random": (activeml("RandomSampling"), False),
    "least_confidence": (activeml_with("UncertaintySampling", method="least_confident"), False),
    "margin": (activeml_with("UncertaintySampling", method="margin_sampling"), False),
    "entropy": (activeml_with("UncertaintySampling", method="entropy"), False),
    "bald": (activeml_committee, False),
    "coreset": (activeml("CoreSet"), True),
    "badge": (activeml_with("Badge", clf_embedding_flag_name="with_rows"), True),
    "typiclust": (activeml("TypiClust"), True),
}
"""The same strategies in scikit-activeml, and whether they look at features: dense ones only."""

Measured: TypeAlias = tuple[Cell, int | None]
"""Seconds, or what went wrong, and MiB."""


class Keep:
    """A strategy that keeps what it is shown."""

    name = "keep"

    def score(self, candidates: Candidates) -> Floats:
        """Score nothing."""
        self.candidates = candidates
        return np.zeros(len(candidates.proba))


class Known(Question):
    """A question whose probabilities are at hand."""

    def __init__(self, pool: Pool, model: Model, Z: Floats) -> None:
        super().__init__(pool, model, WANTED, np.random.default_rng(0), Z)
        self._said = super().proba()

    def proba(self, model: Model | None = None) -> Floats:
        """Return them; those of a member of a committee are made."""
        return self._said if model is None else super().proba(model)


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
    """Return a pool with the first tasks labelled: their order is random as it is."""
    n = len(z)
    known = np.arange(n) < LABELS
    return Pool(
        ids=np.arange(1, n + 1),
        X=X,
        y=np.where(known, z, UNLABELED),
        serving=np.where(known, Serving.NO, Serving.YES).astype(np.int8),
        resolved=known,
        u=np.arange(n, dtype=np.uint64),
        classes=tuple(map(str, range(CLASSES))),
    )


def rank(pool: Pool, model: Model, strategy: Any) -> None:
    """Rank the pool as the loop does."""
    loop.rank(
        [pool], [model], strategy=strategy, k=WANTED, audit_share=0.1, seed=0, n_resolved=LABELS,
        audit_resolved=0,
    )  # fmt: skip


def measured(work: Callable[[], Any]) -> Measured:
    """Return the seconds that a child process takes, and the MiB that it needs more than we hold.

    In the place of seconds, what went wrong.
    """
    context = multiprocessing.get_context("fork")
    ours, its = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(work, its), daemon=True)
    child.start()
    its.close()
    try:
        found: Measured = ours.recv()
    except EOFError:
        child.join()
        late = child.exitcode == -signal.SIGXCPU
        found = (f"over {SECONDS} s" if late else f"ended by {child.exitcode}", None)
    child.join()
    return found


def _child(work: Callable[[], Any], pipe: Connection) -> None:
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    allowed = pages * resource.getpagesize() + LIMIT * GIB
    resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
    began = time.process_time()
    try:
        work()
    # Whatever another library cannot do is what its cell should say.
    except Exception as error:  # noqa: BLE001
        words = f"over {LIMIT} GiB" if isinstance(error, MemoryError) else type(error).__name__
        pipe.send((words, None))
        return
    seconds = round(time.process_time() - began, 2)
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held
    pipe.send((seconds, more // 1024))


class Bench:
    """A pool and a model of it, and what is asked of them."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.model = loop.fit(pool).model
        self.sizes = [len(pool.ids) // part for part in (*SMALLER, 1)]
        keep = Keep()
        rank(pool, self.model, keep)
        self._given = keep.candidates

    def ours(self, name: str) -> tuple[Cell, ...]:
        """Return what a query of ours takes, and what a whole rank."""
        strategy = strategies()[name]
        alone = measured(lambda: strategy.score(self._given))
        return (*alone, *measured(lambda: rank(self.pool, self.model, strategy)))

    def theirs(self, name: str) -> tuple[Cell, ...]:
        """Return the seconds of theirs among ever more tasks, and the MiB of the last that ran."""
        query, needs_dense = PEERS.get(name, (None, False))
        if query is None or (needs_dense and is_sparse(self.pool.X)):
            return (*["-" if query is None else "dense only"] * len(self.sizes), None)
        seconds: list[Cell] = []
        memory = None
        for size in self.sizes:
            question = self._question(size, needs_dense)
            found, more = measured(lambda asked=question: query(asked))  # type: ignore[misc]
            seconds.append(found)
            if more is None:
                break
            memory = more
        return (*seconds, *["-"] * (len(self.sizes) - len(seconds)), memory)

    @cache  # noqa: B019 - it lives as long as the pool
    def _question(self, size: int, needs_dense: bool) -> Known:
        part = self.pool if size == len(self.pool.ids) else part_of(self.pool, np.arange(size))
        Z = scaling_of(part).apply(part.X) if needs_dense else np.zeros((size, 1))
        return Known(part, self.model, Z)


def measure(bench: Bench, table: Table, only: list[str] | None) -> Iterator[str]:
    """Fill the table; yield each row."""
    for name in strategies():
        if not only or name in only:
            table.row(name, *bench.ours(name), *bench.theirs(name))
            yield " | ".join(map(str, table.rows[-1]))


def table_of(name: str, sizes: list[int]) -> Table:
    """Return the table of one kind of features, empty."""
    return Table(
        f"One query of {WANTED} among {sizes[-1]:,} tasks, {name}; scikit-activeml's beside it",
        ("strategy", "query s", "MiB", "whole rank s", "MiB ",
         *(f"theirs, {size:,}" for size in sizes), "MiB  "),
        NOTES,
    )  # fmt: skip


ABOUT = """# What does a query cost?

What `make bench-query` printed: the time and memory of every strategy on a large pool of 256 dense
numbers a task, and of some twelve words of a quarter of a million; 100 tasks of ten classes are
labelled, and the next 100 wanted.
"""

NOTES = (
    (
        "query: the choice alone, probabilities and scaled features at hand, for theirs too; whole "
        "rank: with scaling, prediction and the order of the head"
    ),
    "s: of one core; MiB: beyond pool and model, at the peak; of theirs, where the last one ended",
    f"theirs are given up after {SECONDS} s, or at {LIMIT} GiB",
    "bald stands beside their committee; of both, members are fitted and asked within the query",
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.query", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--only", action="append", help="a strategy; may be repeated")
    parser.add_argument("--page", type=Path, help="write the tables as Markdown")
    parser.add_argument("--json", type=Path, default=Path("bench-query.json"))
    arguments = parser.parse_args()
    report, began = Report(console()), time.monotonic()
    # As in a worker: one core.
    with threadpool_limits(1):
        for name, make in (("dense", dense), ("sparse", sparse)):
            bench = Bench(pool_of(*make(arguments.rows)))
            table = table_of(name, bench.sizes)
            for row in measure(bench, table, arguments.only):
                report.console.print(f"{name}: {row}", style="dim")
            report.add(name, table)
    if arguments.page:
        report.page(arguments.page, ABOUT)
    seconds = round(time.monotonic() - began)
    report.save(arguments.json, version=__version__, quick=False, seconds=seconds)


if __name__ == "__main__":
    main()
