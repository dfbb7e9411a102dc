"""``python -m tests.bench.labels``: how many labels each way of asking needs, on real data.

Same features, heads and cuts for all; ten seeds, compared in pairs. The first batch is part of how
an arm asks: ours start with a spread over the pool, `random` and what other libraries have that
needs a model start at random. Every run is kept under ``~/.cache/ls-active/bench/labels``: a second
call goes on where the first stopped, and starts anew once the core or the sets have changed. Some
45 minutes on one core. With ``--since`` nothing is run: what was kept from then on is reported,
whatever code made it, as far as all arms of a seed are there.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from threadpoolctl import threadpool_limits

from ls_active import __version__
from tests.bench import label_cells, label_peers
from tests.bench.__main__ import console
from tests.bench.label_cells import RANDOM, Arm, arms
from tests.bench.label_report import Results, write
from tests.bench.label_sets import REPORTED, VARIANTS, LabelSet, truth_of
from tests.bench.report import Report

SEEDS = 10

ROBUST = ("auto", "margin", RANDOM)
"""What is tried on changed data besides the best of the other libraries."""

HOW = (
    "{} is not installed; modAL 0.4.2.1 and small-text 1.4.1 do with what is there: "
    "`pip install --no-deps modAL-python small-text`"
)

Job = tuple[str, str, int]
"""The name of a set, since a loader cannot be sent to another process; a variant; a seed."""


class Run:
    """One benchmark: which sets, seeds and arms, and in how many processes."""

    def __init__(
        self, sets: Sequence[LabelSet], seeds: int, chosen: Sequence[Arm], jobs: int
    ) -> None:
        self._sets, self._seeds, self._jobs = sets, seeds, jobs
        self._names = tuple(arm.name for arm in chosen)

    def results(self, variant: str, names: Sequence[str], progress: Progress) -> Results:
        """Make what is missing of one variant, and read all of it."""
        jobs = [(data.name, variant, seed) for seed in range(self._seeds) for data in self._sets]
        bar = progress.add_task(variant, total=len(jobs) * (len(names) + 1))
        for done in self._cells(jobs, tuple(names)):
            progress.update(bar, advance=1, description=f"{variant}: {done}")
            if done.endswith(names[-1]) and not progress.console.is_terminal:
                progress.console.print(f"{datetime.now(UTC):%H:%M:%S} {variant}: {done}")
        return Results.read(self._sets, variant, names, self._seeds)

    def _cells(self, jobs: Sequence[Job], names: tuple[str, ...]) -> Iterator[str]:
        if self._jobs == 1:
            for job in jobs:
                yield from _made(names, job)
            return
        with ProcessPoolExecutor(self._jobs, mp_context=get_context("spawn")) as pool:
            for found in as_completed([pool.submit(_run, names, job) for job in jobs]):
                yield from found.result()


def _made(names: tuple[str, ...], job: Job) -> Iterator[str]:
    name_of_set, variant, seed = job
    data = next(each for each in REPORTED if each.name == name_of_set)
    # As in a worker: one core, and no threads that wait for each other.
    with threadpool_limits(1):
        for name in label_cells.run(data, variant, seed, names):
            yield f"{data.name}, seed {seed}, {name}"


def _run(names: tuple[str, ...], job: Job) -> list[str]:
    return list(_made(names, job))


def chosen_arms(wanted: Sequence[str], report: Report) -> list[Arm]:
    """Return the arms of some names, or all; say which cannot run."""
    known = arms()
    unknown = set(wanted) - set(known)
    if unknown:
        raise SystemExit(f"no such arm: {', '.join(sorted(unknown))}; known: {', '.join(known)}")
    found = []
    for name, arm in known.items():
        package = label_peers.missing(name) if arm.package else ""
        if package and (not wanted or name in wanted):
            report.console.print(f"{name} is left out: {HOW.format(package)}", style="yellow")
        elif not wanted or name in wanted or name == RANDOM:
            found.append(arm)
    return found


def found_since(
    since: datetime, sets: Sequence[LabelSet], names: Sequence[str], variants: Sequence[str],
    seeds: int,
) -> list[Results]:  # fmt: skip
    """Return what was kept since a moment: the plain sets, and each variant with any."""
    moment = since.timestamp()
    plain = Results.read(sets, "plain", names, seeds, moment)
    if not plain.sets:
        raise SystemExit(f"no seed of any set has all of {', '.join(names)} since {since}")
    robust = [*ROBUST, plain.best([name for name in names if arms()[name].package])]
    tried = [name for name in robust if name in names]
    changed = [Results.read(sets, each, tried, seeds, moment) for each in VARIANTS[1:]
               if each in variants]  # fmt: skip
    return [plain, *(each for each in changed if each.sets)]


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.labels", description=__doc__)
    names = [data.name for data in REPORTED]
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--sets", nargs="+", choices=names, default=names)
    parser.add_argument("--strategies", nargs="+", default=[], metavar="ARM", help="default: all")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--out", type=Path, default=Path("bench-labels"), help="a folder")
    parser.add_argument(
        "--since", type=datetime.fromisoformat, help="report what was kept since, run nothing"
    )
    arguments = parser.parse_args()
    report, began = Report(console()), time.monotonic()
    sets = [data for data in REPORTED if data.name in arguments.sets]
    chosen = chosen_arms(arguments.strategies, report)
    if arguments.since:
        names = [arm.name for arm in chosen]
        kept = found_since(arguments.since, sets, names, arguments.variants, arguments.seeds)
        write(arguments.out, kept[0], kept[1:], report)
        report.save(arguments.out / "labels.json", version=__version__, seconds=0)
        return
    for data in sets:
        truth_of(data)
    run = Run(sets, arguments.seeds, chosen, arguments.jobs)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=report.console) as progress:
        plain = run.results("plain", [arm.name for arm in chosen], progress)
        best = plain.best([arm.name for arm in chosen if arm.package])
        robust = [name for name in (*ROBUST, best) if name in plain.names]
        changed = [
            run.results(variant, robust, progress)
            for variant in VARIANTS[1:]
            if variant in arguments.variants
        ]
    write(arguments.out, plain, changed, report)
    seconds = round(time.monotonic() - began)
    report.save(arguments.out / "labels.json", version=__version__, seconds=seconds)


if __name__ == "__main__":
    main()
