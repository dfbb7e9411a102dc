"""Sounds as spectra: mel bands and cepstral coefficients, a hundred times a second."""

from __future__ import annotations

from functools import cache
from math import log10

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct, rfft

RATE = 16_000
"""Samples a second of every sound here."""

FRAMES_AT_ONCE = 6_000
"""Frames transformed at once: a minute, in 30 MB."""

LEVEL, FAINTEST = 0.05, 1e-4
"""Every sound is brought to the same loudness (RMS), but silence is not blown up to noise."""

WINDOW, HOP, TRANSFORM = 400, 160, 512
"""Samples under a frame of the spectrogram, between frames, and in its Fourier transform."""

LOWEST = 20.0
"""Hertz where the first mel band starts; the last ends at half the rate."""

BANDS, COEFFICIENTS = 40, 20
"""Mel bands of a frame, and the cepstral coefficients that are kept of them."""


def loudness(sound: NDArray[np.float32]) -> float:
    """Return the root of the mean square."""
    return float(np.sqrt(np.mean(np.square(sound, dtype=np.float64))))


def levelled(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring a sound to the common loudness."""
    return sound * np.float32(LEVEL / max(loudness(sound), FAINTEST))


def log_mel(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logarithmic mel spectrogram, ``(frames, BANDS)``, a frame each 0.01 s."""
    sound = np.pad(sound, (0, max(WINDOW - len(sound), 0)))
    frames = np.lib.stride_tricks.sliding_window_view(sound, WINDOW)[::HOP]
    shape = np.hanning(WINDOW).astype(np.float32)
    parts = [
        np.square(np.abs(rfft(frames[start : start + FRAMES_AT_ONCE] * shape, TRANSFORM)))
        @ _filters()
        for start in range(0, len(frames), FRAMES_AT_ONCE)
    ]
    return np.asarray(np.log(np.concatenate(parts) + np.float32(1e-6)))


def cepstrum(mel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the first cepstral coefficients of each frame, ``(frames, COEFFICIENTS)``."""
    return np.asarray(dct(mel, norm="ortho", axis=1)[:, :COEFFICIENTS])


def slopes(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how fast each column changes, over five frames, ``frames.shape``."""
    ends = np.pad(frames, ((2, 2), (0, 0)), mode="edge")
    return np.asarray((2 * (ends[4:] - ends[:-4]) + ends[3:-1] - ends[1:-3]) / 10)


@cache
def _filters() -> NDArray[np.float32]:
    """Return the mel filters, triangles of area one, ``(TRANSFORM / 2 + 1, BANDS)``."""
    edges = 700 * (10 ** (np.linspace(_mel(LOWEST), _mel(RATE / 2), BANDS + 2) / 2595) - 1)
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    frequencies = np.fft.rfftfreq(TRANSFORM, 1 / RATE)[:, None]
    rising, falling = (frequencies - low) / (middle - low), (high - frequencies) / (high - middle)
    weights = np.maximum(np.minimum(rising, falling), 0)
    return np.asarray(weights / weights.sum(axis=0), dtype=np.float32)


def _mel(hertz: float) -> float:
    return 2595 * log10(1 + hertz / 700)
