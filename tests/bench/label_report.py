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
from tests.bench.report import Report, Table

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
        cls, sets: Sequence[LabelSet], variant: str, names: Sequence[str], seeds: int
    ) -> Results:
        """Read what was kept."""
        cells = {}
        for data in sets:
            for name in (FULL, *names):
                paths = [label_cells.path_of(data, variant, name, seed) for seed in range(seeds)]
                found = [label_cells.load(path) for path in paths]
                cells[data.name, name] = [cell for cell in found if cell is not None]
        return cls(sets, variant, tuple(names), cells)

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
    seeds = len(results.full(results.sets[0]))
    table = Table(
        f"{WORDS[results.variant]}: means over {len(results.sets)}, {seeds} seeds each",
        ("asks", "area", "labels to 95 %", "better", "worse", "CPU ms a query"),
        (
            (
                "ratios to random with 95 % intervals: geometric means over sets, seeds resampled "
                "in pairs; area: under the learning curve, higher is better; labels to 95 % of the "
                "quality with all labels, lower is better, at most the budget"
            ),
            "better, worse: sets on which the interval of the area lies above, below 1",
        ),
    )
    for name in sorted(results.names, key=lambda each: -results.mean_area(each).value):
        ratios = [results.area_ratio(data, name) for data in results.sets]
        better, worse = sum(r.low > 1 for r in ratios), sum(r.high < 1 for r in ratios)
        table.row(
            name, shown(results.mean_area(name)), shown(results.mean_labels(name)), better, worse,
            round(results.query(name), 1),
        )  # fmt: skip
    return table


WORDS = {
    "plain": "Real data sets",
    "copies": "Every task of the pool five times, with small changes",
    "flips": "A tenth of the labels wrong",
}


def areas(results: Results) -> Table:
    """Return one row an arm: its area beside random's on each set."""
    return _of_sets(results, "area, higher is better", results.area_ratio)


def arrivals(results: Results) -> Table:
    """Return one row an arm: the labels it needs beside random's on each set."""
    return _of_sets(results, "labels to 95 %, lower is better", results.label_ratio)


def _of_sets(results: Results, what: str, of: Callable[[LabelSet, str], Interval]) -> Table:
    table = Table(
        f"{WORDS[results.variant]}, beside random: {what}",
        ("asks", *(data.name for data in results.sets)),
    )
    for name in results.names:
        if name != RANDOM:
            table.row(name, *(shown(of(data, name), 2) for data in results.sets))
    return table


def needed(results: Results) -> Table:
    """Return one row a set: labels to 95 %, the median over seeds, and how many never got there."""
    names = [name for name in (*DRAWN, AUDITED) if name in results.names]
    best = results.best([name for name, arm in label_cells.arms().items()
                         if arm.library and name in results.names])  # fmt: skip
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


def markdown(table: Table) -> str:
    """Return a table as Markdown."""
    lines = [f"**{table.title}**", "", "| " + " | ".join(table.columns) + " |"]
    lines.append("|" + "---|" * len(table.columns))
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in table.rows]
    return "\n".join([*lines, "", *(f"{note}." for note in table.notes), ""])


def picture(results: Results, path: Path) -> None:
    """Draw the mean curves of ours, random and the best of the other libraries."""
    peers = [name for name, arm in label_cells.arms().items() if arm.library]
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
