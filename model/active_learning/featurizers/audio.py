"""Sounds as what is said in them, their timbre, and how it changes."""

# ruff: noqa: PLC0415 - whoever lists the featurizers must not wait for libsndfile

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from itertools import pairwise
from math import gcd
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from active_learning.encoders import speech
from active_learning.encoders.spectrum import (
    BANDS,
    COEFFICIENTS,
    FAINTEST,
    HOP,
    RATE,
    cepstrum,
    levelled,
    log_mel,
    loudness,
    slopes,
)
from active_learning.errors import Unreadable
from active_learning.types import Block, Floats

if TYPE_CHECKING:
    from soundfile import SoundFile

MAX_SECONDS = 60.0
"""How much of a sound is decoded, from its start."""

MAX_SAMPLES = 48_000 * 900
"""Decoded of a sound, 0.2 GB: hours of silence at a high rate come in a small file."""

LEAST_SECONDS = 0.01

COMPLETE = 0.98
"""Encoders promise a little more than they wrote; a file with less than this is cut off."""

FORMATS = ("WAV", "WAVEX", "FLAC", "OGG", "MP3", "AIFF")

RATES = 1_000, 384_000
"""Sample rates that anything real has."""

NUMBERS_AT_ONCE = 4_000_000
"""Decoded at once, over all channels: 16 MB, also of a file with a thousand channels."""

PARTS = 4
"""A sound, silence around it cut off, is cut in four, so that the order of things counts."""

OVERALL = 8

SPOKEN, TIMBRE = 3 * speech.WIDTH, 6 * BANDS + 8 * COEFFICIENTS
"""Columns by origin."""


class AudioFeaturizer:
    """Pooled speech embeddings, and statistics of mel bands and cepstral coefficients.

    The embedding knows phonemes, the statistics timbre, pitch and rhythm: voices, drums and spoken
    words alike are told apart best by both together.

    References
    ----------
    Lin et al. (2020), Training keyword spotters with limited and synthesized speech data. ICASSP.
    Davis and Mermelstein (1980), Comparison of parametric representations for monosyllabic word
    recognition in continuously spoken sentences. IEEE TASSP.
    """

    name: ClassVar[str] = "audio"
    version: ClassVar[int] = 1
    object_tags: ClassVar[tuple[str, ...]] = ("Audio",)
    block: ClassVar[Block] = Block.VECTOR
    media: ClassVar[bool] = True
    n_features = SPOKEN + TIMBRE + PARTS * COEFFICIENTS + OVERALL

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

    def transform(self, parsed: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Return one row a sound, ``(len(parsed), n_features)``.

        Raises
        ------
        EncoderUnavailable
            The installation lacks the network's weights.
        """
        rows = np.empty((len(parsed), self.n_features), dtype=np.float32)
        for row, sound in zip(rows, parsed, strict=True):
            row[:] = _describe(sound)
        return rows


def read_sound(value: Any, max_seconds: float) -> NDArray[np.float32]:
    """Decode up to `max_seconds` of a file, mix its channels, and resample it to `RATE`.

    Raises
    ------
    Unreadable
        See `AudioFeaturizer.parse`.
    """
    import soundfile

    if not isinstance(value, bytes):
        raise Unreadable("not the bytes of a file")
    if not value:
        raise Unreadable("the file is empty (0 bytes)")
    try:
        file = soundfile.SoundFile(BytesIO(value))
    except soundfile.SoundFileError as error:
        raise Unreadable(_WRONG_KIND) from error
    with file:
        if file.format not in FORMATS:
            raise Unreadable(_WRONG_KIND)
        if not RATES[0] <= file.samplerate <= RATES[1]:
            raise Unreadable(f"damaged: {file.samplerate} samples a second is no sound")
        max_seconds = min(max_seconds, MAX_SAMPLES / file.samplerate)
        try:
            sound = _decode(file, int(max_seconds * file.samplerate))
        except soundfile.SoundFileError as error:
            raise Unreadable("the sound is cut off or damaged") from error
        _check_complete(sound, file, value, max_seconds)
        return _at_rate(sound, file.samplerate)


_WRONG_KIND = f"not a sound of a kind that is read ({', '.join(FORMATS)}), or cut off"


def _decode(file: SoundFile, samples: int) -> NDArray[np.float32]:
    mixed = np.empty(min(samples, file.frames), dtype=np.float32)
    at_once, done = NUMBERS_AT_ONCE // file.channels, 0
    while done < len(mixed):
        block = file.read(min(at_once, len(mixed) - done), dtype="float32", always_2d=True)
        if not len(block):
            break
        mixed[done : done + len(block)] = np.nan_to_num(block, posinf=0, neginf=0).mean(axis=1)
        done += len(block)
    return mixed[:done]


def _check_complete(
    sound: NDArray[np.float32], file: SoundFile, value: bytes, max_seconds: float
) -> None:
    seconds = len(sound) / file.samplerate
    if seconds < LEAST_SECONDS:
        raise Unreadable("there is no sound in the file")
    promised = min(file.frames / file.samplerate / _share_there(value), max_seconds)
    if seconds < COMPLETE * promised:
        raise Unreadable(f"the file is cut off: {seconds:.1f} of {promised:.1f} seconds are there")


def _share_there(value: bytes) -> float:
    """Return how much of a WAV or AIFF file is there, which the decoder does not say."""
    order: Literal["big", "little"] = "big" if value.startswith(b"FORM") else "little"
    size = int.from_bytes(value[4:8], order)
    # Who writes to a pipe cannot know the size, and leaves 0 or something enormous.
    if not value.startswith((b"RIFF", b"FORM")) or size >= 0x7FFF_0000:
        return 1.0
    return min(len(value) / (size + 8), 1.0)


def _at_rate(sound: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    if rate == RATE:
        return sound
    common = gcd(rate, RATE)
    return np.asarray(resample_poly(sound, RATE // common, rate // common), dtype=np.float32)


def _describe(sound: NDArray[np.float32]) -> Floats:
    level = levelled(sound)
    spoken = speech.embed(level)
    mel = log_mel(level)
    coefficients = cepstrum(mel)
    active = _active(mel)
    quarters = np.linspace(active.start, active.stop, PARTS + 1).astype(np.int64)
    order = [coefficients[a : max(b, a + 1)].mean(axis=0) for a, b in pairwise(quarters)]
    return np.concatenate(
        [
            *(spoken.mean(axis=0), spoken.std(axis=0), spoken.max(axis=0)),
            *_spread(mel),
            slopes(mel).std(axis=0),
            *_spread(coefficients),
            *_pace(coefficients),
            *order,
            _overall(sound, mel, active),
        ]
    )


def _spread(frames: NDArray[np.float32]) -> list[Floats]:
    return [frames.mean(axis=0), frames.std(axis=0), *np.percentile(frames, (10, 50, 90), axis=0)]


def _pace(coefficients: NDArray[np.float32]) -> list[Floats]:
    first = slopes(coefficients)
    return [first.mean(axis=0), first.std(axis=0), slopes(first).std(axis=0)]


def _active(mel: NDArray[np.float32]) -> slice:
    """Return the frames from the first to the last that stand out from silence."""
    strength = mel.mean(axis=1)
    low, high = strength.min(), strength.max()
    loud = np.flatnonzero(strength >= low + 0.3 * (high - low))
    return slice(int(loud[0]), int(loud[-1]) + 1)


def _overall(sound: NDArray[np.float32], mel: NDArray[np.float32], active: slice) -> Floats:
    """Return length, loudness, peaks, zero crossings, how much is active, and pitch, ``(8,)``."""
    level = max(loudness(sound), FAINTEST)
    energy = np.exp(mel - mel.max()).mean(axis=0, dtype=np.float64)
    share = energy / energy.sum()
    band = np.arange(BANDS)
    centre = share @ band
    return np.array(
        [
            np.log(len(sound) / RATE),
            np.log(level),
            np.log(max(float(np.abs(sound).max()), FAINTEST) / level),
            np.mean(np.diff(np.signbit(sound))) if len(sound) > 1 else 0.0,
            np.log((active.stop - active.start) * HOP / RATE),
            (active.stop - active.start) / len(mel),
            centre,
            np.sqrt(share @ np.square(band - centre)),
        ]
    )
