from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler, normalize

from active_learning.encoders import speech
from active_learning.encoders.packaged import session
from active_learning.encoders.spectrum import BANDS, RATE, log_mel
from active_learning.errors import Unreadable
from active_learning.featurizers import audio, audio_windows
from active_learning.featurizers.audio import AudioFeaturizer
from active_learning.featurizers.audio_windows import MAX_WINDOWS, WINDOW_SECONDS, AudioWindows

FEATURIZER = AudioFeaturizer()
WINDOWS = AudioWindows()


def tone(seconds=1.0, hertz=440.0, rate=RATE, level=0.3):
    return level * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)


def noise(seconds=1.0, seed=0, level=0.1):
    return np.random.default_rng(seed).normal(scale=level, size=int(seconds * RATE))


def sweep(start, end, seconds=0.6):
    hertz = np.linspace(start, end, int(seconds * RATE))
    return 0.3 * np.sin(2 * np.pi * np.cumsum(hertz) / RATE)


def encoded(sound, kind="WAV", subtype=None, rate=RATE):
    buffer = BytesIO()
    soundfile.write(buffer, sound, rate, format=kind, subtype=subtype)
    return buffer.getvalue()


def heard(*sounds):
    return [np.asarray(sound, dtype=np.float32) for sound in sounds]


def pitch(sound):
    return np.argmax(np.abs(np.fft.rfft(sound))) * RATE / len(sound)


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [
        ("WAV", "PCM_16"),
        ("WAV", "PCM_U8"),
        ("WAV", "FLOAT"),
        ("WAV", "ULAW"),
        ("FLAC", "PCM_16"),
        ("OGG", "VORBIS"),
        ("OGG", "OPUS"),
        ("MP3", "MPEG_LAYER_III"),
        ("AIFF", "PCM_16"),
    ],
)
@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
def test_every_format_and_rate_is_the_same_sound(kind, subtype, rate):
    sound = FEATURIZER.parse(encoded(tone(rate=rate), kind, subtype, rate))
    assert sound.dtype == np.float32
    assert len(sound) == pytest.approx(RATE, rel=0.15)
    assert pitch(sound) == pytest.approx(440, abs=3)
    assert sound.std() == pytest.approx(0.3 / np.sqrt(2), abs=0.03)


def test_an_odd_rate_and_many_channels():
    channels = np.stack([tone(rate=44_101)] * 3, axis=1)
    sound = FEATURIZER.parse(encoded(channels, rate=44_101))
    assert len(sound) == pytest.approx(RATE, abs=2)
    assert pitch(sound) == pytest.approx(440, abs=2)


def test_only_the_start_is_decoded():
    data = encoded(np.concatenate([tone(1), noise(5)]))
    sound = AudioFeaturizer(max_seconds=1).parse(data)
    assert len(sound) == RATE
    np.testing.assert_array_equal(sound, FEATURIZER.parse(encoded(tone(1))))


def test_hours_in_a_small_file_are_not_unpacked(monkeypatch):
    bomb = encoded(np.zeros(RATE * 900), "FLAC")
    assert len(bomb) < RATE * 900 // 100
    decoded = []
    read = soundfile.SoundFile.read

    def watched(self, *args, **kwargs):
        block = read(self, *args, **kwargs)
        decoded.append(len(block))
        return block

    monkeypatch.setattr(soundfile.SoundFile, "read", watched)
    assert len(AudioFeaturizer(max_seconds=2).parse(bomb)) == 2 * RATE
    assert sum(decoded) == 2 * RATE


def test_at_a_high_rate_less_is_decoded(monkeypatch):
    monkeypatch.setattr(audio, "MAX_SAMPLES", 48_000)
    assert len(FEATURIZER.parse(encoded(tone(2, rate=96_000), rate=96_000))) == RATE // 2
    assert len(FEATURIZER.parse(encoded(tone(2, rate=24_000), rate=24_000))) == 2 * RATE


def test_a_start_that_is_there_is_enough():
    data = encoded(tone(6))
    assert len(AudioFeaturizer(max_seconds=1).parse(data[: len(data) // 2])) == RATE


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_recording_from_a_pipe_does_not_know_its_size(size):
    data = bytearray(encoded(tone()))
    data[4:8] = data[40:44] = size.to_bytes(4, "little")
    if size:
        assert len(FEATURIZER.parse(bytes(data))) == RATE
    else:
        with pytest.raises(Unreadable, match="no sound"):
            FEATURIZER.parse(bytes(data))


def test_numbers_that_are_none_are_silence():
    sound = tone()
    sound[100:200], sound[300:400] = np.nan, np.inf
    parsed = FEATURIZER.parse(encoded(sound, subtype="FLOAT"))
    assert np.isfinite(parsed).all()
    assert not parsed[100:200].any()


def cut(data, share):
    return data[: int(len(data) * share)]


BROKEN = {
    "nothing": (b"", "empty"),
    "none": (None, "not the bytes"),
    "text": ("https://example.com/a.wav", "not the bytes"),
    "noise": (bytes(range(256)) * 8, "kind that is read"),
    "web page": (b"<!DOCTYPE html><html>", "kind that is read"),
    "other format": (encoded(tone(), "AU"), "kind that is read"),
    "no samples": (encoded(np.empty(0)), "no sound"),
    "three samples": (encoded(tone()[:3]), "no sound"),
    "half a wav": (cut(encoded(tone()), 0.5), "cut off: 0.5 of 1.0 seconds"),
    "half an aiff": (cut(encoded(tone(), "AIFF"), 0.5), "cut off: 0.5 of 1.0 seconds"),
    "half a flac": (cut(encoded(noise(), "FLAC"), 0.5), "cut off"),
    "half an ogg": (cut(encoded(noise(), "OGG"), 0.5), "cut off|no sound"),
    "half an mp3": (cut(encoded(noise(3), "MP3"), 0.5), "cut off"),
    "slow": (encoded(tone(), rate=10), "10 samples a second"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_say_why(name):
    value, reason = BROKEN[name]
    with pytest.raises(Unreadable, match=reason):
        FEATURIZER.parse(value)


SOUND_FILES = [encoded(noise(0.3), kind) for kind in ("WAV", "FLAC", "OGG", "MP3", "AIFF")]


@given(
    st.sampled_from(SOUND_FILES),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8),
    st.floats(0.05, 1),
)
def test_damage_is_unreadable_or_a_sound(data, changes, kept):
    damaged = bytearray(data[: max(int(len(data) * kept), 1)])
    for place, value in changes:
        # The header is what a decoder trusts.
        damaged[int(place**4 * (len(damaged) - 1))] = value
    try:
        sound = AudioFeaturizer(max_seconds=2).parse(bytes(damaged))
    except Unreadable:
        return
    assert sound.ndim == 1
    assert len(sound) <= 2 * RATE + 1
    assert np.isfinite(sound).all()


@given(
    st.floats(0.01, 3),
    st.sampled_from([0.0, 1e-7, 1e-3, 1.0, 1e4]),
    st.integers(0, 2**32 - 1),
)
def test_any_sound_has_a_finite_row_of_its_own(seconds, level, seed):
    sounds = heard(noise(seconds, seed, level), tone(seconds, level=level))
    rows = FEATURIZER.transform(sounds)
    assert rows.shape == (2, FEATURIZER.n_features)
    assert rows.dtype == np.float32
    assert np.isfinite(rows).all()
    assert rows.any(axis=1).all()
    for sound, row in zip(sounds, rows, strict=True):
        np.testing.assert_array_equal(AudioFeaturizer().transform([sound])[0], row)


def test_no_sounds():
    assert FEATURIZER.transform([]).shape == (0, FEATURIZER.n_features)


def test_a_louder_sound_differs_in_loudness_alone():
    quiet, loud = FEATURIZER.transform(heard(noise(level=0.02), noise(level=0.2)))
    differs = np.abs(quiet - loud) > 0.02
    assert differs.sum() == 1


def test_a_sound_keeps_its_features():
    """Raise `version` when this fails on purpose: stored features would no longer compare."""
    row = FEATURIZER.transform(heard(tone() + sweep(200, 3000, 1.0)))[0].astype(np.float64)
    np.testing.assert_allclose(row[[0, 300, 500, -1]], [-18.959, -11.066, 0.659, 5.487], atol=0.02)
    np.testing.assert_allclose([row.mean(), row.std()], [-1.79724, 12.10911], rtol=1e-3)


def test_a_tone_lights_the_band_that_holds_it():
    mels = 2595 * np.log10(1 + np.array([20, RATE / 2]) / 700)
    for hertz in (200, 1000, 3000, 6000):
        found = log_mel(np.asarray(tone(hertz=hertz), dtype=np.float32)).mean(axis=0).argmax()
        share = (2595 * np.log10(1 + hertz / 700) - mels[0]) / (mels[1] - mels[0])
        assert found == pytest.approx(share * (BANDS + 1) - 1, abs=1)


def test_sliding_over_a_whole_sound_gives_what_each_window_alone_gives():
    sound = np.asarray(sweep(100, 4000, 2.5) + noise(2.5, level=0.01), dtype=np.float32)
    mel = session(speech.SPECTROGRAM.read()).run(None, {"input": sound[None]})[0].reshape(-1, 32)
    starts = range(0, len(mel) - speech.FIELD + 1, speech.STRIDE)
    windows = np.stack([mel[start : start + speech.FIELD] / 10 + 2 for start in starts])
    original = session(speech.EMBEDDING.read())
    expected = original.run(None, {"input_1": windows[..., None]})[0].reshape(-1, speech.WIDTH)
    np.testing.assert_allclose(speech.embed(sound), expected, atol=1e-3)


def test_parts_of_a_long_sound_join_without_a_seam(monkeypatch):
    sound = np.asarray(noise(4), dtype=np.float32)
    whole = speech.embed(sound)
    monkeypatch.setattr(speech, "AT_ONCE", 7)
    np.testing.assert_allclose(speech.embed(sound), whole, atol=1e-2)


def accuracy(X, y, labelled):
    X = normalize(StandardScaler().fit_transform(X))
    head = LogisticRegression(C=10, max_iter=1000).fit(X[:labelled], y[:labelled])
    return head.score(X[labelled:], y[labelled:])


def padded(rng, sound):
    """What is heard starts anywhere, at any loudness, above some hiss."""
    before, after = (np.zeros(rng.integers(0, RATE // 2)) for _ in range(2))
    whole = np.concatenate([before, rng.uniform(0.2, 1) * sound, after])
    return whole + rng.normal(scale=0.002, size=len(whole))


def test_the_order_of_things_is_learned_from_few_labels():
    """Rising or falling: the same frequencies, for the same time, as loud."""
    rng = np.random.default_rng(0)
    y = np.arange(80) % 2
    ends = [(rng.uniform(200, 500), rng.uniform(1500, 4000)) for _ in y]
    sweeps = [
        sweep(high, low) if down else sweep(low, high)
        for (low, high), down in zip(ends, y, strict=True)
    ]
    sounds = heard(*(padded(rng, sound) for sound in sweeps))
    assert accuracy(FEATURIZER.transform(sounds), y, 16) > 0.9
    averages = np.array([log_mel(sound).mean(axis=0) for sound in sounds])
    assert accuracy(averages, y, 16) < 0.75


@settings(max_examples=15)
@given(st.floats(0.01, 20), st.integers(0, 2**32 - 1))
def test_windows_tile_the_recording(seconds, seed):
    sound = np.asarray(noise(seconds, seed), dtype=np.float32)
    rows, spans = WINDOWS.cut(sound)
    assert rows.shape == (len(spans), WINDOWS.n_features)
    assert rows.dtype == np.float32
    assert np.isfinite(rows).all()
    assert spans[0][0] == 0
    assert spans[-1][1] == len(sound) / RATE
    assert all(one[1] == other[0] for one, other in pairwise(spans))
    lengths = np.diff([*(start for start, _ in spans), spans[-1][1]])
    assert lengths == pytest.approx(lengths[0])
    if seconds > 1:
        assert lengths[0] == pytest.approx(WINDOW_SECONDS, rel=0.15)
    np.testing.assert_array_equal(AudioWindows().cut(sound)[0], rows)


def test_a_long_recording_has_wider_windows_not_more(monkeypatch):
    monkeypatch.setattr(audio_windows, "MAX_WINDOWS", 20)
    rows, spans = WINDOWS.cut(np.asarray(noise(10), dtype=np.float32))
    assert len(rows) == len(spans) == 20 < MAX_WINDOWS
    assert spans[1] == pytest.approx((0.5, 1.0))


def test_silence_has_windows():
    rows, spans = WINDOWS.cut(np.zeros(RATE, dtype=np.float32))
    assert len(spans) == 4
    assert np.isfinite(rows).all()


def test_windows_are_parsed_like_sounds():
    data = encoded(tone())
    np.testing.assert_array_equal(WINDOWS.parse(data), FEATURIZER.parse(data))
    with pytest.raises(Unreadable, match="empty"):
        WINDOWS.parse(b"")


def test_what_is_heard_when_is_learned_from_one_recording():
    rng = np.random.default_rng(0)
    kinds = [
        lambda: tone(rng.uniform(0.7, 2), rng.uniform(300, 1500)),
        lambda: noise(rng.uniform(0.7, 2), rng.integers(1000)),
        lambda: np.zeros(int(rng.uniform(0.7, 2) * RATE)),
    ]

    def recording():
        chosen = rng.integers(3, size=20)
        sounds = [kinds[kind]() for kind in chosen]
        labels = np.concatenate(
            [np.full(len(sound), kind) for kind, sound in zip(chosen, sounds, strict=True)]
        )
        whole = np.concatenate(sounds) + rng.normal(scale=0.001, size=len(labels))
        rows, spans = WINDOWS.cut(whole.astype(np.float32))
        middles = [int((start + end) / 2 * RATE) for start, end in spans]
        return rows, labels[middles]

    (X, y), (X_other, y_other) = recording(), recording()
    assert accuracy(np.vstack([X, X_other]), np.concatenate([y, y_other]), len(y)) > 0.9
