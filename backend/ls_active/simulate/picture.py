"""Learning curves as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from scipy.stats import t as student

Curves: TypeAlias = tuple[Sequence[int], Sequence[Sequence[float]]]
"""Labels at each point, and the scores there, one row a seed."""

COLOURS = ("#0a6cc4", "#8a8a8a", "#d9822b", "#2e8b57", "#a83279", "#6b5b95")
"""Of strategies, in their order. The second is what the others are measured by: grey."""

COLUMNS = 4


@dataclass(frozen=True)
class Panel:
    """The curves of one data set.

    Attributes
    ----------
    title, measure : str
    curves : mapping
        By the name of a strategy; the same names in every panel.
    target : float
        Drawn as a line across.
    """

    title: str
    measure: str
    curves: Mapping[str, Curves]
    target: float


def draw(panels: Sequence[Panel], path: Path) -> None:
    """Write panels side by side as a PNG: means over seeds, with 95 % intervals of the means."""
    # Half a second, which no other command needs to wait for.
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    columns = min(len(panels), COLUMNS)
    rows = -(-len(panels) // columns)
    size = (max(3.2 * columns, 6.4), max(2.8 * rows, 3.0) + 0.4)
    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel, place in zip(panels, axes, strict=False):
        _panel(place, panel)
    for place in axes[len(panels) :]:
        place.set_axis_off()
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    figure.savefig(path, dpi=130)


def _panel(place: Any, panel: Panel) -> None:
    for index, (name, (labels, scores)) in enumerate(panel.curves.items()):
        colour = COLOURS[index % len(COLOURS)]
        rows = np.asarray(scores, dtype=np.float64)
        mean = rows.mean(axis=0)
        place.plot(labels, mean, color=colour, label=name, linewidth=1.8)
        if len(rows) > 1:
            quantile = student.ppf(0.975, len(rows) - 1)
            half = quantile * rows.std(axis=0, ddof=1) / np.sqrt(len(rows))
            place.fill_between(labels, mean - half, mean + half, color=colour, alpha=0.15, lw=0)
    place.axhline(panel.target, color="#444444", linewidth=0.8, linestyle=(0, (4, 3)))
    place.set_title(panel.title, fontsize=10, loc="left")
    place.set_xlabel("labels", fontsize=8)
    place.set_ylabel(panel.measure, fontsize=8)
    place.tick_params(labelsize=8)
    place.grid(color="#e6e6e6", linewidth=0.6)
    place.set_axisbelow(True)
    place.spines[["top", "right"]].set_visible(False)
