"""Time series as their values, their rhythms and the patterns in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from active_learning.featurizers.series import Columns, Series, read_series
from active_learning.types import Block, Floats

SLOTS = 8
"""Channels that are described one by one where the config names none."""

MAX_SLOTS = 32
"""Channels that are described one by one; the patterns are looked for in all."""

QUANTILES = (0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1)

STATISTICS = len(QUANTILES) + 12
"""Of a channel, and of either half of it."""

PARTS = 32
"""Equal parts of a series whose means are features."""

BANDS = 24
"""Of frequency, each about a third wider than the one below."""

DILATIONS = 8
"""From neighbouring samples to patterns as long as the series."""

BIASES = (0.001, 1.0, 3.0)
"""How strongly a pattern must show to be counted. The first is not zero: where a series is flat, a
rounding error would decide."""

TAPS = 9

KERNELS = 14
"""A sixth of the 84 of MiniRocket for each dilation. On eight sets, all of them and 2 000 columns
gave the same accuracy, and less where statistics of many short channels say all there is."""

SHORTEST = 32
"""Shorter series are stretched before patterns are looked for."""

POSITIONS = 2048
"""Places where patterns are looked for: in longer series a fixed sample of them."""

PER_CHANNEL = 3 * STATISTICS + 1 + PARTS + BANDS

SHARED = 3 + DILATIONS * KERNELS * len(BIASES)


class TimeSeriesFeaturizer:
    """Statistics, means of parts and a spectrum of each channel; how often which pattern occurs.

    The patterns are those of MiniRocket: kernels of nine taps, two values and the sum zero, spread
    over eight widths. A feature is the share of places where one shows more strongly than a bias.
    Several channels are mixed, a fixed random few for each kernel. MiniRocket takes its biases
    from the training data; on series of deviation one, fixed ones serve, and a series keeps its
    features in every pool.

    Parameters
    ----------
    attributes : mapping
        Of the ``TimeSeries`` tag, and ``channels``: the columns of its ``Channel`` tags, joined by
        commas.

    References
    ----------
    Dempster et al. (2020), ROCKET: exceptionally fast and accurate time series classification
    using random convolutional kernels. Data Mining and Knowledge Discovery.
    Dempster et al. (2021), MiniRocket: a very fast (almost) deterministic transform for time
    series classification. KDD.
    """

    name: ClassVar[str] = "timeseries"
    version: ClassVar[int] = 2
    object_tags: ClassVar[tuple[str, ...]] = ("TimeSeries",)
    block: ClassVar[Block] = Block.VECTOR
    media: ClassVar[bool] = True

    def __init__(self, attributes: Mapping[str, str] = MappingProxyType({})) -> None:
        self._columns = Columns.of(attributes)
        self._slots = min(len(self._columns.channels) or SLOTS, MAX_SLOTS)
        self.n_features = SHARED + self._slots * PER_CHANNEL

    def parse(self, value: Any) -> NDArray[np.float32]:
        """Return the features of a series: next to each other, long series would not fit.

        Parameters
        ----------
        value : mapping, str or bytes
            An object of columns, JSON of one, or CSV.

        Raises
        ------
        Unreadable
            It is none of these, or none of the channels holds a number.
        """
        series = read_series(value, self._columns)
        values = _evenly(series)
        row = np.zeros(self.n_features)
        row[:SHARED] = np.concatenate([_extent(series), _patterns(standardised(values))])
        described = [
            _describe(channel, there)
            for channel, there in zip(values[: self._slots], series.known, strict=False)
        ]
        row[SHARED : SHARED + len(described) * PER_CHANNEL] = np.concatenate(described)
        return row.astype(np.float32)

    def transform(self, parsed: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Return one row a series, ``(len(parsed), n_features)``."""
        return np.array(parsed, dtype=np.float32).reshape(len(parsed), self.n_features)


def _evenly(series: Series) -> Floats:
    """Return the values at even steps of time."""
    times, n = series.times, series.values.shape[1]
    span = times[-1] - times[0]
    if not span:
        return series.values
    places = (times - times[0]) / span * (n - 1)
    even = np.arange(n)
    if np.abs(places - even).max() <= 0.5:
        return series.values
    return np.array([np.interp(even, places, channel) for channel in series.values])


def _extent(series: Series) -> Floats:
    return np.array([1, np.log(len(series.times)), np.arcsinh(np.ptp(series.times))])


def _describe(x: Floats, known: NDArray[np.bool_]) -> Floats:
    middle = (len(x) + 1) // 2
    halves = x[:middle], x[len(x) - middle :]
    statistics = [_statistics(part) for part in (x, *halves)]
    return np.concatenate([*statistics, [1 - known.mean()], _parts(x), _spectrum(x)])


def _statistics(x: Floats) -> Floats:
    steps = np.abs(np.diff(x)) if len(x) > 1 else np.zeros(1)
    places = np.arange(len(x)) - (len(x) - 1) / 2
    deviation = x.std()
    slope = float(places @ x) / max(float(places @ places), 1.0)
    others = [x.mean(), deviation, slope, x[0], x[-1], np.abs(x).mean()]
    others += [steps.mean(), steps.std(), steps.max()]
    others += [np.ptp(x), np.sqrt(np.square(x).mean()), np.log(deviation + 1e-12)]
    return np.concatenate([np.quantile(x, QUANTILES), others])


def _parts(x: Floats) -> Floats:
    if len(x) < PARTS:
        return _stretched(x, PARTS)
    edges = np.linspace(0, len(x), PARTS + 1).astype(np.int64)
    return np.asarray(np.add.reduceat(x, edges[:-1]) / np.diff(edges))


def _spectrum(x: Floats) -> Floats:
    """Return the logarithm of the mean power in each band; zeros where frequencies are too few.

    Bands between the same few frequencies say one thing many times: without them ten samples of
    twelve coefficients of speech came to .660 for .646, and nothing of 8 to 45 samples to less.
    """
    if len(x) // 2 + 1 < BANDS:
        return np.zeros(BANDS)
    power = np.square(np.abs(np.fft.rfft(standardised(x) * np.hanning(len(x))))) / len(x)
    sums = np.concatenate([[0], np.cumsum(power)])
    edges = np.concatenate([[0], np.geomspace(1, len(power), BANDS)])
    within = np.diff(np.interp(edges, np.arange(len(sums)), sums))
    widths = np.diff(edges)
    return np.asarray(np.log(within / np.where(widths > 0, widths, 1) + 1e-4))


def _stretched(x: Floats, length: int) -> Floats:
    places = np.linspace(0, len(x) - 1, length)
    return np.asarray(np.interp(places, np.arange(len(x)), x))


def standardised(values: Floats) -> Floats:
    """Return rows of mean zero and deviation one, or zero where nothing varies."""
    centred = values - values.mean(axis=-1, keepdims=True)
    deviation = centred.std(axis=-1, keepdims=True)
    flat = deviation <= 1e-8 * np.abs(values).max(axis=-1, keepdims=True)
    return np.where(flat, 0, centred / np.where(flat, 1, deviation))


def _patterns(values: Floats) -> Floats:
    """Return the share of places that show each pattern, ``(DILATIONS * KERNELS * biases,)``."""
    if values.shape[1] < SHORTEST:
        values = np.array([_stretched(channel, SHORTEST) for channel in values])
    values = values.astype(np.float32)
    n = values.shape[1]
    places = sample(n, POSITIONS)
    shares = []
    for number, dilation in enumerate(np.geomspace(1, (n - 1) / (TAPS - 1), DILATIONS)):
        found = responses(values, places, round(dilation), number)
        shares += [(found > bias).mean(axis=1) for bias in BIASES]
    return np.concatenate(shares)


def responses(
    values: NDArray[np.float32], places: NDArray[np.int64], dilation: int, number: int
) -> NDArray[np.float32]:
    """Return how strongly kernels respond at some places, ``(KERNELS, len(places))``.

    Parameters
    ----------
    values : (c, n)
        Standardised channels; beyond their ends they are zero.
    dilation : int
        From one tap to the next.
    number : int
        Which set of kernels.
    """
    n = values.shape[1]
    at = places + (np.arange(TAPS) - TAPS // 2)[:, None] * max(dilation, 1)
    seen = np.where((at >= 0) & (at < n), values[:, np.clip(at, 0, n - 1)], np.float32(0))
    return np.asarray(_kernels(len(values), number) @ seen.reshape(-1, len(places)))


def sample(n: int, size: int) -> NDArray[np.int64]:
    """Return at most so many places among n, ascending: one in each of as many equal parts."""
    if n <= size:
        return np.arange(n)
    # Not at even steps: a rhythm of the series could fall in with them.
    steps = np.arange(size) + np.random.default_rng(0).random(size)
    return (steps * n / size).astype(np.int64)


@lru_cache(maxsize=128)
def _kernels(n_channels: int, number: int) -> NDArray[np.float32]:
    """Return kernels over channels and taps, ``(KERNELS, n_channels * TAPS)``."""
    triples = np.array(list(combinations(range(TAPS), 3)))[number % 6 :: 6]
    taps = np.full((KERNELS, TAPS), -1.0)
    np.put_along_axis(taps, triples, 2.0, axis=1)
    mixes = _mixes(n_channels, np.random.default_rng([n_channels, number]))
    kernels = mixes[:, :, None] * taps[:, None, :]
    return np.asarray(kernels.reshape(KERNELS, -1), dtype=np.float32)


def _mixes(n_channels: int, rng: np.random.Generator) -> Floats:
    """Draw one to nine channels a kernel, with signs, so that their sum keeps its deviation."""
    sizes = 2 ** rng.uniform(0, np.log2(min(n_channels, TAPS) + 1), KERNELS)
    ranks = rng.random((KERNELS, n_channels)).argsort(axis=1)
    chosen = ranks < np.clip(sizes.round(), 1, n_channels)[:, None]
    signs = rng.choice([-1.0, 1.0], (KERNELS, n_channels)) if n_channels > 1 else 1.0
    return np.asarray(signs * chosen / np.sqrt(chosen.sum(axis=1, keepdims=True)))
