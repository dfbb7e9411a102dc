"""What a benchmark of labels found: tables for people, a page for the README, and a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from active_learning.curves import Arrival, Interval, area, labels_to, mean_ratio, ratio
from ls_active.simulate.picture import Panel, draw
from tests.bench import label_cells
from tests.bench.label_cells import AUDITED, FULL, RANDOM, Cell
from tests.bench.label_sets import LabelSet
from tests.bench.report import Report, Table, markdown

SHARE = 0.95
"""Of the quality with all labels: what has to be reached."""

DRAWN = ("auto", RANDOM)
"""In the picture, besides the best of the other libraries."""


@dataclass(frozen=True)
class Results:
    """All cells of one variant: by set and arm, one a seed."""

    sets: Sequence[LabelSet]
    variant: str
    names: tuple[str, ...]
    cells: Mapping[tuple[str, str], Sequence[Cell]]

    @classmethod
    def read(
        cls,
        sets: Sequence[LabelSet],
        variant: str,
        names: Sequence[str],
        seeds: int,
        since: float | None = None,
    ) -> Results:
        """Read what was kept: the seeds that all arms have finished, and the sets with any.

        Parameters
        ----------
        since : float, optional
            Read what was kept from that second on, whatever code made it.
        """
        cells: dict[tuple[str, str], list[Cell]] = {}
        for data in sets:
            every = [_of_seed(data, variant, (FULL, *names), seed, since) for seed in range(seeds)]
            for found in filter(None, every):
                for name, cell in found.items():
                    cells.setdefault((data.name, name), []).append(cell)
        kept = [data for data in sets if (data.name, FULL) in cells]
        return cls(kept, variant, tuple(names), cells)

    def full(self, data: LabelSet) -> list[float]:
        """Return how good models of all labels are."""
        return [cell.scores[0] for cell in self.cells[data.name, FULL]]

    def areas(self, data: LabelSet, name: str) -> list[float]:
        """Return the area under each curve."""
        return [area(cell.labels, cell.scores) for cell in self.cells[data.name, name]]

    def arrivals(self, data: LabelSet, name: str) -> list[Arrival]:
        """Return when each curve is as good as it has to be."""
        return [
            labels_to(cell.labels, cell.scores, SHARE * full)
            for cell, full in zip(self.cells[data.name, name], self.full(data), strict=True)
        ]

    def needed(self, data: LabelSet, name: str) -> list[float]:
        """Return the labels of each arrival, censored ones at the budget."""
        return [arrival.labels for arrival in self.arrivals(data, name)]

    def late(self, data: LabelSet, name: str) -> int:
        """Return how many never arrive."""
        return sum(arrival.censored for arrival in self.arrivals(data, name))

    def query(self, name: str) -> float:
        """Return the median milliseconds of a query, of one core."""
        every = [cell.ask for data in self.sets for cell in self.cells[data.name, name]]
        return 1000 * median(second for cell in every for second in cell)

    def area_ratio(self, data: LabelSet, name: str) -> Interval:
        """Return the area beside that of random."""
        return ratio(self.areas(data, name), self.areas(data, RANDOM))

    def label_ratio(self, data: LabelSet, name: str) -> Interval:
        """Return the labels needed beside those of random."""
        return ratio(self.needed(data, name), self.needed(data, RANDOM))

    def mean_area(self, name: str) -> Interval:
        """Return the geometric mean over sets of `area_ratio`."""
        ours = [self.areas(data, name) for data in self.sets]
        return mean_ratio(ours, [self.areas(data, RANDOM) for data in self.sets])

    def mean_labels(self, name: str) -> Interval:
        """Return the geometric mean over sets of `label_ratio`."""
        ours = [self.needed(data, name) for data in self.sets]
        return mean_ratio(ours, [self.needed(data, RANDOM) for data in self.sets])

    def best(self, names: Sequence[str]) -> str:
        """Return the arm of the largest mean area, or nothing."""
        return max(names, key=lambda name: self.mean_area(name).value, default="")


def _of_seed(
    data: LabelSet, variant: str, names: Sequence[str], seed: int, since: float | None
) -> dict[str, Cell] | None:
    cells = {}
    for name in names:
        if since is None:
            path: Path | None = label_cells.path_of(data, variant, name, seed)
        else:
            path = label_cells.newest(data, variant, name, seed, since)
        cell = None if path is None else label_cells.load(path)
        if cell is None:
            return None
        cells[name] = cell
    return cells


def write(folder: Path, plain: Results, changed: Sequence[Results], report: Report) -> None:
    """Print all tables; write them as Markdown, and the curves as a picture."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = {"means": means(plain), "needed": needed(plain)}
    for each in (plain, *changed):
        tables |= {f"{each.variant} area": areas(each), f"{each.variant} labels": arrivals(each)}
        if each is not plain:
            tables[f"{each.variant} means"] = means(each)
    for name, table in tables.items():
        report.add(name, table)
    (folder / "labels.md").write_text("\n".join(map(markdown, tables.values())), "utf-8")
    picture(plain, folder / "labels.png")


def means(results: Results) -> Table:
    """Return one row an arm: geometric means over all sets, best area first."""
    n, chance = len(results.sets), len(results.sets) * 0.025
    others = len(results.names) - 1
    table = Table(
        f"{WORDS[results.variant]}: means over {n} sets, {_seeds(results)} seeds each",
        ("asks", "area", "labels to 95 %", "late", "better", "worse", "CPU ms a query"),
        (
            (
                "ratios to random with Student's 95 % intervals: geometric means over sets, seeds "
                "in pairs; area: under the learning curve, higher is better; labels to 95 % of the "
                "quality with all labels, lower is better"
            ),
            LATE,
            "better, worse: sets on which the interval of the area lies above, below 1",
            (
                f"by chance alone an arm that is as good as random is worse on {chance:.1f} of "
                f"{n} sets, and better on as many: were all {others} so, that would be "
                f"{chance * others:.0f} times worse in this table, and as often better"
            ),
            (
                "the first batch is part of how an arm asks: ours start with a spread, random and "
                "what other libraries have that needs a model start at random, but for what is "
                '"typiclust, then" it'
            ),
        ),
    )
    for name in sorted(results.names, key=lambda each: -results.mean_area(each).value):
        ratios = [results.area_ratio(data, name) for data in results.sets]
        better, worse = sum(r.low > 1 for r in ratios), sum(r.high < 1 for r in ratios)
        late = [sum(results.late(data, each) for data in results.sets) for each in (name, RANDOM)]
        sign = bound(*late) if name != RANDOM else ""
        table.row(
            name, shown(results.mean_area(name)), sign + shown(results.mean_labels(name)),
            "/".join(map(str, late)), better, worse, round(results.query(name), 1),
        )  # fmt: skip
    return table


LATE = (
    "late, a/b: seeds of the arm, and of random, that were not there at the end of the budget and "
    "count as if they were; > the ratio is at least that, < at most, ~ it may be either, - "
    "nothing is known"
)


def bound(ours: int, theirs: int) -> str:
    """Return which way a ratio of arrivals errs that so many late ones take part in."""
    if ours and theirs:
        return "~"
    if ours:
        return ">"
    return "<" if theirs else ""


def _seeds(results: Results) -> str:
    counts = sorted({len(results.full(data)) for data in results.sets})
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


WORDS = {
    "plain": "Real data sets",
    "copies": "Every task of the pool five times, with small changes",
    "flips": "A tenth of the labels wrong",
}


def areas(results: Results) -> Table:
    """Return one row an arm: its area beside random's on each set."""

    def cell(data: LabelSet, name: str) -> str:
        return shown(results.area_ratio(data, name), 2)

    return _of_sets(results, "area, higher is better", cell)


def arrivals(results: Results) -> Table:
    """Return one row an arm: the labels it needs beside random's on each set."""

    def cell(data: LabelSet, name: str) -> str:
        late = results.late(data, name), results.late(data, RANDOM)
        counts = f" {late[0]}/{late[1]}" if any(late) else ""
        if min(late) == len(results.full(data)):
            return f"-{counts}"
        return bound(*late) + shown(results.label_ratio(data, name), 2) + counts

    return _of_sets(results, "labels to 95 %, lower is better", cell, LATE)


def _of_sets(
    results: Results, what: str, cell: Callable[[LabelSet, str], str], *notes: str
) -> Table:
    table = Table(
        f"{WORDS[results.variant]}, beside random: {what}",
        ("asks", *(data.name for data in results.sets)),
        notes,
    )
    for name in results.names:
        if name != RANDOM:
            table.row(name, *(cell(data, name) for data in results.sets))
    return table


def needed(results: Results) -> Table:
    """Return one row a set: labels to 95 %, the median over seeds, and how many never got there."""
    names = [name for name in (*DRAWN, AUDITED) if name in results.names]
    best = results.best([name for name, arm in label_cells.arms().items()
                         if arm.package and name in results.names])  # fmt: skip
    names += [best] if best else []
    table = Table(
        "Labels to 95 % of the quality with all labels, median over seeds",
        ("data", "measure", "all labels", *names),
        ("(n) seeds that were not there at the end of the budget",),
    )
    for data in results.sets:
        cells = []
        for name in names:
            late = results.late(data, name)
            count = f"{median(results.needed(data, name)):.0f}"
            cells.append(f">{count}" if late > len(results.full(data)) / 2 else count)
            cells[-1] += f" ({late})" if late else ""
        measure = "mean F1" if data.macro else "accuracy"
        table.row(data.name, measure, round(float(np.mean(results.full(data))), 3), *cells)
    return table


def shown(interval: Interval, digits: int = 3) -> str:
    """Return a figure with its interval."""
    value, low, high = (f"{each:.{digits}f}" for each in interval)
    return f"{value} ({low}-{high})" if np.isfinite(interval.high) else value


def picture(results: Results, path: Path) -> None:
    """Draw the mean curves of ours, random and the best of the other libraries."""
    peers = [name for name, arm in label_cells.arms().items() if arm.package]
    best = results.best([name for name in peers if name in results.names])
    names = [name for name in (*DRAWN, best) if name in results.names]
    panels = []
    for data in results.sets:
        cells = {name: results.cells[data.name, name] for name in names}
        panels.append(
            Panel(
                data.name,
                "mean F1 of the classes" if data.macro else "accuracy",
                {name: (each[0].labels, [cell.scores for cell in each])
                 for name, each in cells.items()},
                SHARE * float(np.mean(results.full(data))),
            )
        )  # fmt: skip
    draw(panels, path)
