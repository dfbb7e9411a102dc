"""What a comparison found: a table, a sentence for each strategy, a CSV file and a picture."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path

from rich import box
from rich.markup import escape
from rich.table import Table

from active_learning.curves import Interval
from ls_active.simulate.compare import RANDOM, SHARE, Comparison
from ls_active.simulate.picture import Panel, draw

FIELDS = ("strategy", "seed", "labels", "score", "seconds_to_ask", "seconds_to_fit", "asked_by")

ENOUGH = 5
"""Seeds from which all of them on one side are no chance: of fewer, one in 16 or more would be."""


def table(found: Comparison, measure: str) -> Table:
    """Return one row a strategy; area: the mean height of its curve."""
    shown = Table(
        title=f"Labels to {SHARE:.0%} of the {measure} with all labels, {found.full:.3f}",
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    shown.add_column("strategy", no_wrap=True)
    for name in ("labels", "beside random", "area", "beside random", "s a query"):
        shown.add_column(name, justify="right")
    for name in found.strategies:
        own = name == RANDOM
        shown.add_row(
            escape(name),
            _labels(found, name),
            "" if own else _shown(found.label_ratio(name)),
            f"{found.area(name):.3f}",
            "" if own else _shown(found.area_ratio(name)),
            f"{found.query(name):.3f}",
        )
    return shown


def _labels(found: Comparison, name: str) -> str:
    late = found.late(name)
    sign = ">" if 2 * late > found.seeds else ""
    note = f" ({late} of {found.seeds} never)" if late else ""
    return f"{sign}{found.needed(name):.0f}{note}"


def _shown(interval: Interval | None) -> str:
    if interval is None:
        return "-"
    if not math.isfinite(interval.high):
        return f"{interval.value:.2f}"
    return f"{interval.value:.2f} ({interval.low:.2f}-{interval.high:.2f})"


def verdicts(found: Comparison) -> Iterator[str]:
    """Yield what the figures mean, a sentence a strategy."""
    for name in found.strategies:
        if name != RANDOM:
            yield _verdict(found, name)
    if found.seeds < ENOUGH:
        yield f"{found.seeds} seeds are too few to tell: use --seeds {ENOUGH} or more."
    if all(found.late(name) for name in found.strategies):
        yield (
            f"No strategy always reached {SHARE:.0%} of what all labels give ({found.full:.3f}): "
            "--labels gives more."
        )


def _verdict(found: Comparison, name: str) -> str:
    labels, area = found.label_ratio(name), found.area_ratio(name)
    about = f"{name}: {_shown(labels)} of the labels that random needs"
    if labels is None:
        about, labels = f"{name}: {_shown(area)} of random's mean quality", _turned(area)
    if labels is None:
        return f"{name}: there is nothing to compare."
    if found.seeds < ENOUGH:
        return f"{about}."
    if labels.high < 1:
        return f"{about}: better than random on this data."
    if labels.low > 1:
        return f"{about}: worse than random on this data."
    return f"{about}: no difference from random is shown."


def _turned(area: Interval | None) -> Interval | None:
    """Return the interval of the inverse, for which less is better too."""
    if area is None:
        return None
    high = 1 / area.low if area.low > 0 else math.inf
    return Interval(1 / area.value, 1 / area.high, high)


def write(found: Comparison, folder: Path, title: str, measure: str) -> list[Path]:
    """Write the curves, as a CSV file and as a picture; return where."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "curves.csv", folder / "curves.png"]
    with paths[0].open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(FIELDS)
        for each in found.replays:
            for point in each.rounds:
                rows.writerow(
                    (each.strategy, each.seed, point.labels, round(point.score, 6),
                     round(point.seconds_to_ask, 6), round(point.seconds_to_fit, 6),
                     point.strategy)
                )  # fmt: skip
    # Random is grey, and second: what is drawn first is what was asked about.
    names = [name for name in found.strategies if name != RANDOM]
    names.insert(min(1, len(names)), RANDOM)
    curves = {
        name: (found.of(name)[0].labels, [each.scores for each in found.of(name)]) for name in names
    }
    draw([Panel(title, measure, curves, SHARE * found.full)], paths[1])
    return paths
