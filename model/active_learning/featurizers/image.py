"""Images as what a small network sees in them."""

# ruff: noqa: PLC0415 - whoever lists the featurizers must not wait for Pillow

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from active_learning.encoders import efficientnet
from active_learning.encoders.efficientnet import SIDE
from active_learning.errors import Unreadable
from active_learning.types import Block

if TYPE_CHECKING:
    from PIL.Image import Image, Transpose

FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
"""What browsers show, and TIFF. Never a format that runs another program, as EPS does."""

MAX_PIXELS = 50_000_000
"""Larger images are refused by their header: decoded, this many take 0.2 GB."""

ORIENTATION = 0x0112
"""The EXIF tag that says how the camera was held."""


class ImageFeaturizer:
    """Mean and deviation of what each later channel of EfficientNet-Lite0 answers.

    References
    ----------
    Tan and Le (2019), EfficientNet: rethinking model scaling for convolutional neural networks.
    Evci et al. (2022), Head2Toe: utilizing intermediate representations for better transfer
    learning. ICML.
    """

    name: ClassVar[str] = "image"
    version: ClassVar[int] = 1
    object_tags: ClassVar[tuple[str, ...]] = ("Image",)
    block: ClassVar[Block] = Block.VECTOR
    media: ClassVar[bool] = True
    n_features = efficientnet.WIDTH

    def __init__(
        self,
        attributes: Mapping[str, str] | None = None,  # noqa: ARG002 - how it is shown
        *,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self._max_pixels = max_pixels

    def parse(self, value: Any) -> NDArray[np.uint8]:
        """Decode a file into a ``(SIDE, SIDE, 3)`` picture as a browser would show it.

        The first frame, upright, on white, stretched to a square.

        Raises
        ------
        Unreadable
            Not an image of a known format, larger than `max_pixels`, truncated or damaged.
        """
        _check_kind(value)
        image = _open(value, self._max_pixels)
        try:
            return _upright_square(image)
        except Exception as error:  # decoders of foreign bytes raise whatever they like
            raise Unreadable("the image is truncated or damaged") from error

    def transform(self, parsed: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return one row a picture, ``(len(parsed), n_features)``.

        Raises
        ------
        EncoderUnavailable
            The installation lacks the network's weights.
        """
        return efficientnet.embed(parsed)


def _check_kind(value: Any) -> None:
    if not isinstance(value, bytes):
        raise Unreadable("not the bytes of a file")
    if not value:
        raise Unreadable("the file is empty (0 bytes)")
    head = value[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<svg", b"<?xml", b"<!doctype svg")):
        raise Unreadable("SVG drawings are not read; convert it to PNG")
    if head.startswith((b"<!doctype html", b"<html")):
        raise Unreadable("a web page, not an image; does the address need a login?")


def _open(value: bytes, max_pixels: int) -> Image:
    """Read the header, and refuse there what would take too much memory to decode."""
    import PIL.Image

    too_large = PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning
    try:
        image = PIL.Image.open(BytesIO(value), formats=FORMATS)
    except too_large as error:
        raise Unreadable(_too_many_pixels(max_pixels)) from error
    except PIL.UnidentifiedImageError as error:
        kinds = ", ".join(FORMATS)
        raise Unreadable(f"not an image of a kind that is read ({kinds})") from error
    except Exception as error:  # decoders of foreign bytes raise whatever they like
        raise Unreadable("the image is damaged at its very start") from error
    if image.width * image.height > max_pixels:
        raise Unreadable(f"{image.width} x {image.height}: {_too_many_pixels(max_pixels)}")
    return image


def _too_many_pixels(limit: int) -> str:
    return f"more than {limit / 1e6:g} megapixels; make the image smaller"


def _upright_square(image: Image) -> NDArray[np.uint8]:
    import PIL.Image

    # A JPEG decodes at a half, a quarter or an eighth of its size in as much less time.
    image.draft(None, (2 * SIDE, 2 * SIDE))
    image.load()
    turn = _turn(image)
    # A gap of 2 shrinks a large picture in two steps, of which the first is cheap.
    square = _continuous(image).resize((SIDE, SIDE), PIL.Image.Resampling.BICUBIC, reducing_gap=2.0)
    upright = square if turn is None else square.transpose(turn)
    return np.asarray(_on_white(upright), dtype=np.uint8)


def _turn(image: Image) -> Transpose | None:
    """Return what puts the picture upright, as browsers do."""
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    try:
        return turns.get(image.getexif().get(ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - broken EXIF is common and hides nothing of the picture
        return None


def _continuous(image: Image) -> Image:
    """Bring an image into a mode whose values can be averaged."""
    import PIL.Image

    if image.mode.startswith(("I", "F")):
        return PIL.Image.fromarray(_stretched(np.array(image, dtype=np.float32)))
    if image.mode == "1":
        return image.convert("L")
    if "transparency" in image.info or image.mode in ("P", "PA", "LA", "La", "RGBa"):
        return image.convert("RGBA")
    return image


def _stretched(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Spread what a picture holds over 8 bits: scanners fill 12 of 16, and floats have no range."""
    np.nan_to_num(values, copy=False, posinf=0, neginf=0)
    np.clip(values, -1e30, 1e30, out=values)
    values -= values.min()
    values *= 255 / max(float(values.max()), 1e-12)
    return values.astype(np.uint8)


def _on_white(image: Image) -> Image:
    import PIL.Image

    if image.mode != "RGBA":
        return image.convert("RGB")
    white = PIL.Image.new("RGBA", image.size, "white")
    return PIL.Image.alpha_composite(white, image).convert("RGB")
