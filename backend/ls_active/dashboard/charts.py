"""Tables as pictures: SVG by matplotlib, in light and dark, wide and narrow."""

# ruff: noqa: PLC0415 - matplotlib takes a second to import, and health checks must not wait for it

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ls_active.dashboard.views import Cell, Chart


@dataclass(frozen=True)
class Theme:
    """Colours that can be told apart by everybody, on their ground (Okabe & Ito 2008)."""

    ink: str
    quiet: str
    grid: str
    first: str
    second: str


THEMES: Mapping[str, Theme] = {
    "light": Theme("#1f2430", "#5b6270", "#dfe3ea", "#0b62b8", "#b65500"),
    "dark": Theme("#e8eaf0", "#a7aebb", "#343a46", "#6cb6ff", "#f0a35e"),
}

SIZES: Mapping[str, tuple[float, float]] = {"wide": (5.4, 2.6), "narrow": (3.9, 2.9)}
"""Inches."""

DOTS = 96
"""An inch, on the page."""

BARS = 15
"""Bars that are drawn; the table has them all."""

LONGEST = 22
"""Characters of a class that are drawn; the table has it whole."""

_one_at_a_time = threading.Lock()


def size_of(chart: Chart, size: str) -> tuple[int, int]:
    """Return width and height of a picture in dots, so that a page can leave room for it."""
    wide, high = _fitting(chart, SIZES[size])
    return round(wide * DOTS), round(high * DOTS)


@lru_cache(maxsize=128)
def draw(chart: Chart, theme: str, size: str) -> bytes:
    """Return a chart as SVG.

    Raises
    ------
    KeyError
        If there is no such theme or size.
    """
    colours, inches = THEMES[theme], SIZES[size]
    # matplotlib's settings are the process's own.
    with _one_at_a_time, warnings.catch_warnings():
        # A class may be named in a script that its own font has no glyph for; browsers have one.
        warnings.simplefilter("ignore", UserWarning)
        return _svg(chart, colours, inches)


def _svg(chart: Chart, theme: Theme, inches: tuple[float, float]) -> bytes:
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context(_settings(theme)):
        figure = Figure(figsize=_fitting(chart, inches), dpi=DOTS, layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        axes.spines[["top", "right"]].set_visible(False)
        _KINDS[chart.kind](axes, chart, theme)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return buffer.getvalue()


def _fitting(chart: Chart, inches: tuple[float, float]) -> tuple[float, float]:
    """Return a size that grows and shrinks with the number of bars."""
    wide, high = inches
    return (wide, 0.9 + 0.3 * len(_bars_of(chart))) if chart.kind == "bars" else (wide, high)


def _bars_of(chart: Chart) -> list[tuple[Cell, ...]]:
    return [row for row in chart.rows if row[-1] is not None][:BARS]


def _settings(theme: Theme) -> Any:
    return {
        "svg.fonttype": "none",
        "text.parse_math": False,
        "font.family": ["sans-serif"],
        "font.size": 10,
        "text.color": theme.ink,
        "axes.edgecolor": theme.grid,
        "axes.labelcolor": theme.quiet,
        "xtick.color": theme.quiet,
        "ytick.color": theme.quiet,
        "grid.color": theme.grid,
        "legend.frameon": False,
    }


def _curve(axes: Any, chart: Chart, theme: Theme) -> None:
    """Draw labels against a figure with its band, and another without one."""
    x = _column(chart, 0)
    value, low, high, other = (_column(chart, place) for place in range(1, 5))
    audited = [i for i, v in enumerate(value) if v is not None]
    if audited:
        at = [x[i] for i in audited]
        axes.fill_between(
            at, [low[i] for i in audited], [high[i] for i in audited],
            color=theme.first, alpha=0.2, linewidth=0,
        )  # fmt: skip
        # One version alone has no band.
        axes.vlines(at, [low[i] for i in audited], [high[i] for i in audited], theme.first, lw=0.8)
        axes.plot(
            at, [value[i] for i in audited],
            color=theme.first, marker="o", markersize=4, label=_plain(chart.columns[1], 60),
        )  # fmt: skip
    there = [i for i, v in enumerate(other) if v is not None]
    axes.plot(
        [x[i] for i in there], [other[i] for i in there],
        color=theme.second, linestyle="--", linewidth=1.2, marker="s", markersize=3,
        label=_plain(chart.columns[4], 60),
    )  # fmt: skip
    axes.set_xlabel(chart.columns[0])
    # R² has no lower end, and a bad first version must not flatten all the others.
    lowest = min((v for v in (*value, *other) if v is not None), default=0.0)
    axes.set_ylim(max(min(0.0, lowest - 0.05), -1.0), 1.02)
    _in_per_cent(axes.yaxis)
    axes.grid(axis="y")
    axes.legend(loc="lower right", fontsize=9)


def _reliability(axes: Any, chart: Chart, theme: Theme) -> None:
    """Draw the share of right answers against confidence, beside the line where they are equal."""
    told, right, low, high = (_column(chart, place) for place in range(4))
    axes.plot(
        [0, 1], [0, 1], color=theme.quiet, linestyle=":", linewidth=1, label="as sure as right"
    )
    axes.vlines(told, low, high, theme.first, lw=1)
    label = f"{_plain(chart.columns[1], 60)}, with its 95 % interval"
    axes.plot(told, right, color=theme.first, marker="o", markersize=4, label=label)
    axes.set_xlabel(chart.columns[0])
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    for axis in (axes.xaxis, axes.yaxis):
        _in_per_cent(axis)
    axes.grid(axis="y")
    axes.legend(loc="lower right", fontsize=9)


def _in_per_cent(axis: Any) -> None:
    axis.set_major_formatter(lambda share, _: f"{100 * share:.0f} %")


def _bars(axes: Any, chart: Chart, theme: Theme) -> None:
    """Draw the last column against the first, the first row on top."""
    rows = _bars_of(chart)
    names, values = [_plain(row[0]) for row in rows], [float(row[-1] or 0) for row in rows]
    places = range(len(rows))
    axes.barh(places, values, color=theme.first, height=0.65)
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    left_out = len(chart.rows) - len(rows)
    axes.set_xlabel(chart.columns[-1] + (f" ({left_out} more in the table)" if left_out else ""))
    if "recall" in chart.columns[-1]:
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
        _in_per_cent(axes.xaxis)
    axes.grid(axis="x")
    axes.set_axisbelow(True)


def _lines(axes: Any, chart: Chart, theme: Theme) -> None:
    """Draw two figures between 0 and 1 against the first column."""
    x = _column(chart, 0)
    for place, colour, style in ((1, theme.first, "-"), (2, theme.second, "--")):
        pairs = [(a, b) for a, b in zip(x, _column(chart, place), strict=True) if b is not None]
        if pairs:
            label = _plain(chart.columns[place], 60)
            axes.plot(*zip(*pairs, strict=True), style, color=colour, marker=".", label=label)
    axes.set_xlabel(chart.columns[0])
    axes.set_ylim(0, 1.02)
    axes.grid(axis="y")
    axes.legend(loc="best", fontsize=9)


def _column(chart: Chart, place: int) -> Sequence[Any]:
    return [row[place] for row in chart.rows]


def _plain(text: Cell, longest: int = LONGEST) -> str:
    """Return what an SVG can hold: control characters would make it unreadable."""
    shown = "".join(c if c.isprintable() else " " for c in str(text))
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


_KINDS: Mapping[str, Callable[[Any, Chart, Theme], None]] = {
    "curve": _curve,
    "bars": _bars,
    "line": _lines,
    "reliability": _reliability,
}

DRAWN = frozenset(_KINDS)
"""Kinds that have a picture; the others are tables alone."""
