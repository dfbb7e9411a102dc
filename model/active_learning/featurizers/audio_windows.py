"""Recordings as short windows in a row, each with what surrounds it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from active_learning.encoders import speech
from active_learning.encoders.spectrum import (
    BANDS,
    COEFFICIENTS,
    HOP,
    RATE,
    cepstrum,
    levelled,
    log_mel,
    slopes,
)
from active_learning.featurizers.audio import read_sound
from active_learning.types import Floats, Ints

MAX_SECONDS = 900.0
"""How much of a recording is decoded, from its start: at 48 kHz that takes 0.2 GB."""

WINDOW_SECONDS = 0.25
"""About as fine as people place the ends of a region."""

MAX_WINDOWS = 2000
"""Beyond 500 s the windows grow instead: up to 0.45 s."""

SURROUNDINGS = 0.5
"""Seconds before and after a window that are described with it."""


class AudioWindows:
    """Mel bands, cepstral coefficients and speech embedding of each window and its surroundings.

    Windows tile the recording: one that is labelled like the next belongs to the same region. A
    quarter of a second says little alone, so half a second on either side is described as well,
    each for itself: where a sound starts, the two differ.

    References
    ----------
    Lin et al. (2020), Training keyword spotters with limited and synthesized speech data. ICASSP.
    Davis and Mermelstein (1980), Comparison of parametric representations for monosyllabic word
    recognition in continuously spoken sentences. IEEE TASSP.
    """

    name: ClassVar[str] = "audio_windows"
    version: ClassVar[int] = 1
    unit_tags: ClassVar[tuple[str, ...]] = ("Audio",)
    media: ClassVar[bool] = True
    sparse: ClassVar[bool] = False
    n_features = 2 * BANDS + 4 * COEFFICIENTS + speech.WIDTH

    def __init__(
        self,
        attributes: Mapping[str, str] | None = None,  # noqa: ARG002 - how it is shown
        *,
        max_seconds: float = MAX_SECONDS,
    ) -> None:
        self._max_seconds = max_seconds

    def parse(self, value: Any) -> NDArray[np.float32]:
        """Decode the start of a file into 16 kHz mono sound.

        Raises
        ------
        Unreadable
            Not a sound of a known format, empty, cut off or damaged.
        """
        return read_sound(value, self._max_seconds)

    def cut(
        self, parsed: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], list[tuple[float, float]]]:
        """Return a row a window, ``(w, n_features)``, and where each starts and ends, in seconds.

        Raises
        ------
        EncoderUnavailable
            The installation lacks the network's weights.
        """
        seconds = len(parsed) / RATE
        windows = int(np.clip(round(seconds / WINDOW_SECONDS), 1, MAX_WINDOWS))
        edges = np.linspace(0, seconds, windows + 1)
        spans = list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
        return _describe(levelled(parsed), edges).astype(np.float32), spans


def _describe(sound: NDArray[np.float32], edges: Floats) -> Floats:
    mel = log_mel(sound)
    coefficients = cepstrum(mel)
    starts, stops = edges[:-1], edges[1:]
    frames = RATE / HOP
    inside = _ranges(starts, stops, frames, len(mel))
    before = _ranges(starts - SURROUNDINGS, starts, frames, len(mel))
    after = _ranges(stops, stops + SURROUNDINGS, frames, len(mel))
    return np.hstack(
        [
            _means(mel, *inside),
            _deviations(mel, *inside),
            _deviations(coefficients, before[0], after[1]),
            _means(np.abs(slopes(coefficients)), *inside),
            _means(coefficients, *before),
            _means(coefficients, *after),
            _spoken(sound, edges),
        ]
    )


def _spoken(sound: NDArray[np.float32], edges: Floats) -> Floats:
    """Return the mean of the embeddings that are centred in each window, or next to it."""
    steps = RATE / (speech.STRIDE * HOP)
    first_centre = (speech.FIELD * HOP + speech.WINDOW) / 2 / RATE
    shifted = edges - first_centre
    embedded = speech.embed(sound)
    return _means(embedded, *_ranges(shifted[:-1], shifted[1:], steps, len(embedded)))


def _ranges(starts: Floats, stops: Floats, rate: float, length: int) -> tuple[Ints, Ints]:
    """Turn seconds into positions of which there are `length`; no range is empty."""
    first = np.clip(np.rint(starts * rate), 0, length - 1).astype(np.int64)
    last = np.clip(np.rint(stops * rate), 0, length).astype(np.int64)
    return first, np.maximum(last, first + 1)


def _means(frames: NDArray[np.float32], starts: Ints, stops: Ints) -> Floats:
    sums = np.cumsum(frames, axis=0, dtype=np.float64)
    sums = np.concatenate([np.zeros((1, frames.shape[1])), sums])
    return (sums[stops] - sums[starts]) / (stops - starts)[:, None]


def _deviations(frames: NDArray[np.float32], starts: Ints, stops: Ints) -> Floats:
    centred = frames - frames.mean(axis=0)
    mean, square = _means(centred, starts, stops), _means(np.square(centred), starts, stops)
    return np.asarray(np.sqrt(np.maximum(square - np.square(mean), 0)))
