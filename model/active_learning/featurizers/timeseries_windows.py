"""Time series as short windows in a row, each with what surrounds it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from active_learning.featurizers.series import Columns, Series, read_series
from active_learning.featurizers.timeseries import (
    BIASES,
    KERNELS,
    MAX_SLOTS,
    SLOTS,
    responses,
    sample,
    standardised,
)
from active_learning.types import Floats, Ints

MAX_WINDOWS = 500
"""Of a series, whatever its length: a region is placed to a fifth of a percent of it."""

REACHES = (0, 2, 8)
"""Windows on either side that are described together with one."""

LAGS = (1, 2, 4, 8, 16)
"""Steps, in samples, whose size is described: an alternating signal and a slow one differ here."""

DILATIONS = 6

PATTERN_REACH = 8
"""Windows on either side in which patterns are counted."""

POSITIONS = 16_384
"""Places where patterns are looked for: in longer series some thirty a window."""

PER_CHANNEL = 1 + len(REACHES) * (4 + len(LAGS))

SHARED = 1 + DILATIONS * KERNELS * len(BIASES)


class TimeSeriesWindows:
    """Level, spread, range and size of steps in and around each window; how often which pattern.

    Windows tile the series: one that is labelled like the next belongs to the same region. The
    patterns are those of `TimeSeriesFeaturizer`, up to a width of 8 % of the series.

    Parameters
    ----------
    attributes : mapping
        As for `TimeSeriesFeaturizer`.

    References
    ----------
    Dempster et al. (2021), MiniRocket: a very fast (almost) deterministic transform for time
    series classification. KDD.
    """

    name: ClassVar[str] = "timeseries_windows"
    version: ClassVar[int] = 1
    unit_tags: ClassVar[tuple[str, ...]] = ("TimeSeries",)
    media: ClassVar[bool] = True
    sparse: ClassVar[bool] = False

    def __init__(self, attributes: Mapping[str, str] = MappingProxyType({})) -> None:
        self._columns = Columns.of(attributes)
        self._slots = min(len(self._columns.channels) or SLOTS, MAX_SLOTS)
        self.n_features = SHARED + self._slots * PER_CHANNEL

    def parse(self, value: Any) -> Series:
        """Return the series.

        Raises
        ------
        Unreadable
            See `read_series`.
        """
        return read_series(value, self._columns)

    def cut(self, parsed: Series) -> tuple[NDArray[np.float32], list[tuple[float, float]]]:
        """Return a row a window, ``(w, n_features)``, and where each starts and ends.

        Spans are in the unit of `Series.times`; each starts where the one before ends, the first
        with the first sample and the last with the last. A series that takes no time has none.
        """
        edges = _edges(parsed.times)
        times = parsed.times[edges].tolist()
        rows = np.zeros((len(edges) - 1, self.n_features), dtype=np.float32)
        if not len(rows):
            return rows, []
        # A column that is never zero: a row of zeros means that nothing was read.
        rows[:, 0] = 1
        rows[:, 1:SHARED] = _patterns(standardised(parsed.values), edges[:-1])
        for slot, channel in enumerate(parsed.values[: self._slots]):
            start = SHARED + slot * PER_CHANNEL
            described = np.stack(list(_describe(channel, edges[:-1])), axis=1)
            rows[:, start : start + PER_CHANNEL] = described
        return rows, list(itertools.pairwise(times))


def _edges(times: Floats) -> Ints:
    """Return the samples at which windows begin, and at which the last one ends."""
    last = len(times) - 1
    edges = np.linspace(0, last, min(last, MAX_WINDOWS) + 1).astype(np.int64)
    return edges[np.diff(times[edges], prepend=-np.inf) > 0]


def _describe(channel: Floats, starts: Ints) -> Iterator[Floats]:
    """Yield ``PER_CHANNEL`` features, each ``(w,)``, of the windows that begin at `starts`."""
    counts = np.diff(starts, append=len(channel))
    yield np.add.reduceat(channel, starts) / counts
    x = standardised(channel)
    steps = [np.abs(x[np.minimum(np.arange(len(x)) + lag, len(x) - 1)] - x) for lag in LAGS]
    sums = np.add.reduceat(np.stack([x, np.square(x), *steps]), starts, axis=1)
    low, high = np.minimum.reduceat(x, starts), np.maximum.reduceat(x, starts)
    for reach in REACHES:
        level, power, *sizes = _around(sums, reach) / _around(counts[None], reach)
        yield level
        yield np.log(np.maximum(power - np.square(level), 0) + 1e-4)
        yield from np.log(np.array(sizes) + 1e-3)
        yield -_highest(-low, reach)
        yield _highest(high, reach)


def _patterns(values: Floats, starts: Ints) -> Floats:
    """Return the share of places around each window that show each pattern."""
    n = values.shape[1]
    places = sample(n, POSITIONS)
    firsts = np.searchsorted(places, starts)
    counts = _around(np.diff(firsts, append=len(places))[None], PATTERN_REACH)
    shares = []
    for number, dilation in enumerate(np.geomspace(1, max(n / 100, 1), DILATIONS)):
        found = responses(values.astype(np.float32), places, round(dilation), number)
        for bias in BIASES:
            sums = np.add.reduceat((found > bias).astype(np.float64), firsts, axis=1)
            shares.append(_around(sums, PATTERN_REACH) / counts)
    return np.concatenate(shares).T


def _around(sums: NDArray[Any], reach: int) -> Floats:
    """Add up each column and so many on either side, as far as there are."""
    width = sums.shape[1]
    total = np.zeros((len(sums), width + 1))
    np.cumsum(sums, axis=1, out=total[:, 1:])
    place = np.arange(width)
    return np.asarray(
        total[:, np.minimum(place + reach + 1, width)] - total[:, np.maximum(place - reach, 0)]
    )


def _highest(values: Floats, reach: int) -> Floats:
    """Return the highest of each value and so many on either side."""
    padded = np.pad(values, reach, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    return np.asarray(windows.max(axis=1))
