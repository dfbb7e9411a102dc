"""Time series cut into short windows in a row, each with what surrounds it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from active_learning.featurizers.series import Columns, Series, read_series
from active_learning.featurizers.timeseries import MAX_SLOTS, SLOTS, standardised
from active_learning.types import Floats, Ints

MAX_WINDOWS = 500

REACHES = (1, 4, 16)
"""Windows on either side that are described with one."""


class TimeSeriesWindows:
    """Level, spread, range and slope of each window, and level and spread around it.

    Windows tile the series: one that is labelled like the next belongs to the same region.
    """

    name: ClassVar[str] = "timeseries_windows"
    version: ClassVar[int] = 1
    unit_tags: ClassVar[tuple[str, ...]] = ("TimeSeries",)
    media: ClassVar[bool] = True
    sparse: ClassVar[bool] = False

    def __init__(self, attributes: Mapping[str, str] = MappingProxyType({})) -> None:
        self._columns = Columns.of(attributes)
        self._slots = min(len(self._columns.channels) or SLOTS, MAX_SLOTS)
        self.n_features = self._slots * (6 + 4 * len(REACHES)) + 1

    def parse(self, value: Any) -> Series:
        """Return the series; see `read_series`."""
        return read_series(value, self._columns)

    def cut(self, parsed: Series) -> tuple[NDArray[np.float32], list[tuple[float, float]]]:
        """Return a row a window, and where it starts and ends, in the time of the series."""
        n = parsed.values.shape[1]
        count = min(n, MAX_WINDOWS)
        edges = np.linspace(0, n, count + 1).astype(np.int64)
        parts = [_describe(standardised(row), edges) for row in parsed.values[: self._slots]]
        parts += [np.zeros((count, 6 + 4 * len(REACHES)))] * (self._slots - len(parts))
        # A column that is never zero: a row of zeros means that nothing was read.
        rows = np.hstack([*parts, np.ones((count, 1))]).astype(np.float32)
        times = np.append(parsed.times, 2 * parsed.times[-1] - parsed.times[max(n - 2, 0)])[edges]
        return rows, list(zip(times[:-1].tolist(), times[1:].tolist(), strict=True))


def _describe(row: Floats, edges: Ints) -> Floats:
    starts, sizes = edges[:-1], np.diff(edges)
    level = np.add.reduceat(row, starts) / sizes
    power = np.add.reduceat(row**2, starts) / sizes
    spread = np.sqrt(np.maximum(power - level**2, 0))
    steps = np.abs(np.diff(row, prepend=row[0]))
    rough = np.add.reduceat(steps, starts) / sizes
    low, high = np.minimum.reduceat(row, starts), np.maximum.reduceat(row, starts)
    slope = np.gradient(level) if len(level) > 1 else np.zeros_like(level)
    around = [side for reach in REACHES for side in _around(level, spread, reach)]
    return np.stack([level, spread, rough, low, high, slope, *around], axis=1)


def _around(level: Floats, spread: Floats, reach: int) -> list[Floats]:
    """Return mean level and spread of the windows before and after each."""
    padded = [np.pad(values, reach, mode="edge") for values in (level, spread)]
    summed = [np.concatenate([[0], np.cumsum(values)]) for values in padded]
    n = len(level)

    def mean(first: int) -> list[Floats]:
        return [(total[first + reach :][:n] - total[first:][:n]) / reach for total in summed]

    return [*mean(0), *mean(reach + 1)]
