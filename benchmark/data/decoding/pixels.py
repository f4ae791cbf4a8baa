"""Reading, decoding and resizing of single images with Pillow."""

from __future__ import annotations

import contextlib
import io
import logging
import stat
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from PIL import ImageOps, TiffImagePlugin, WebPImagePlugin  # noqa: F401 (Pillow loads the others itself)

from benchmark.data.levels import DEEP, Depth, Levels, Stored, check_finite, range_of, scaled

Array = npt.NDArray[np.uint8]
Channels = Literal[1, 3]

FORMATS = ("PNG", "JPEG", "BMP", "DIB", "TIFF", "WEBP", "GIF", "PPM")
"""The formats that are read, by Pillow's names. Others, such as EPS, would start programs."""

MOST_BYTES = 512 * 2**20
"""The largest file that is read, in bytes."""

MOST_PIXELS = 120_000_000
"""The largest image that is decoded, in pixels."""

DICOM = "DICOM files are not read; convert them to PNG or TIFF"

_OF_ANOTHER_DEPTH = 0.05
"""With a larger share of pixels outside the levels of the training images, a file has another bit depth. A smaller
share may be a burned-in mark, or a few saturated pixels."""
_LARGE = 20_000_000
_one_large_image = threading.Lock()  # several large images at once would fill the memory
_ORIENTATION = 0x0112
_PLANAR = 0x011C

Pillow.MAX_IMAGE_PIXELS = None  # MOST_PIXELS is smaller and has its own message
warnings.filterwarnings("ignore", module=r"PIL\.")  # about odd metadata, which do not affect the pixels
logging.getLogger("PIL").setLevel(logging.CRITICAL)  # errors are raised as well, and reported with the file's name


class PreparedImage(NamedTuple):
    """An image as a model takes it.

    Attributes:
        pixels: Grey levels, uint8 (size, size, channels).
        colour: Whether the image of the file is in colour.
        note: How its stored depth differs from that of the training images; None if it does not.
    """

    pixels: Array
    colour: bool
    note: str | None


class _Whole(NamedTuple):
    image: Pillow.Image
    format: str
    depth: Depth
    reoriented: bool
    more: bool


def read_content(path: Path) -> bytes:
    """Read an image file. Anything but a regular file is never opened, since reading it may never end.

    Args:
        path: The file.

    Returns:
        Its bytes.

    Raises:
        OSError: It cannot be read.
        ValueError: It is not a regular file, is empty, or is larger than MOST_BYTES.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("not a regular file")
    if not status.st_size:  # also files of /proc, which may block
        raise ValueError("the file is empty")
    if status.st_size > MOST_BYTES:
        raise ValueError(f"{status.st_size / 2**20:,.0f} MiB; files of at most {MOST_BYTES // 2**20} MiB are read")
    return path.read_bytes()


def look(content: bytes) -> Stored:
    """Describe how the bytes of a file store its image. The image is decoded completely; raises as `decode` does."""
    with _whole(content) as (image, kind, depth, reoriented, more):
        if depth in DEEP:
            levels, colour = _levels(image), False
        else:
            levels = np.asarray(_eight_bits(image))
            colour = not _equal_channels(levels)
        low, high = float(levels.min()), float(levels.max())
        sides = image.width, image.height
        return Stored(kind, image.mode, depth, low, high, *sides, reoriented, more, colour, len(content))


def decode(content: bytes, levels: Levels | None = None) -> Pillow.Image:
    """Decode an image completely, upright by its EXIF orientation, with transparent pixels on black.

    Args:
        content: The bytes of the file.
        levels: The scale of deeper levels; levels outside it are clipped. An image that is stored with another depth is
            scaled by its own range.

    Returns:
        The image in mode L or RGB.

    Raises:
        ValueError: It has more than MOST_PIXELS, levels that are not finite, or is empty.
        OSError: It is damaged, or not of FORMATS. Pillow's decoders raise errors of other kinds, too.
    """
    return decode_other(content, levels or {}, may_differ=False)[0]


def prepare_content(
    content: bytes, levels: Levels, size: int, channels: Channels, most_pixels: int = MOST_PIXELS
) -> PreparedImage:
    """Decode and resize the bytes of an image file for a model.

    Args:
        content: The bytes of the file.
        levels: The scale by which the training images were read.
        size: Side of the images of the model in pixels.
        channels: Their channels; an image in colour becomes grey for 1.
        most_pixels: The largest image that is decoded, in pixels.

    Returns:
        The image.

    Raises:
        ValueError: As in `decode`.
        OSError: As in `decode`.
    """
    image, note = decode_other(content, levels, most_pixels)
    colour = not is_grey(image)
    if colour and channels == 1:
        image = image.convert("L")
    return PreparedImage(resize(image, size, channels), colour, note)


def decode_other(
    content: bytes, levels: Levels, most_pixels: int = MOST_PIXELS, may_differ: bool = True
) -> tuple[Pillow.Image, str | None]:
    """Decode as `decode` does, with a note if the depth of the file is none of `levels`.

    A file counts as one of another bit depth, and is scaled by its own, if more than 5% of its pixels are outside
    `levels`. A smaller share is clipped.

    Args:
        content: The bytes of the file.
        levels: The scale of deeper levels.
        most_pixels: The largest image that is decoded, in pixels.
        may_differ: Whether the file may have another bit depth than those that set the scale.

    Returns:
        The image in mode L or RGB, and the note; None if all its levels are in `levels`.
    """
    with _whole(content, most_pixels) as (image, _, depth, _, _):
        same = depth in levels if levels else depth not in DEEP
        trained = " and ".join(_depth_in_words(each, ends) for each, ends in levels.items()) or "8-bit"
        if depth not in DEEP:
            return _eight_bits(image), None if same else f"{depth}, trained on {trained} images"
        deep = _levels(image)
        low, high = levels.get(depth) or range_of(depth, float(deep.min()), float(deep.max()))
        note = None if same else f"{depth}, trained on {trained} images; {low:g}..{high:g} is read as 0..255"
        outside = float(np.mean((deep < low) | (deep > high))) if same else 0.0
        if outside:
            note = (
                f"levels {deep.min():g}..{deep.max():g} exceed those of the training images, {low:g}..{high:g}: "
                f"{outside:.1%} of the pixels are clipped"
            )
        if may_differ and outside > _OF_ANOTHER_DEPTH:
            low, high = range_of(depth, float(deep.min()), float(deep.max()))
            note = (
                f"levels {deep.min():g}..{deep.max():g} are those of another bit depth than {trained} of the training "
                f"images; {low:g}..{high:g} is read as 0..255"
            )
        return Pillow.fromarray(scaled(deep, low, high)), note


def _depth_in_words(depth: str, ends: tuple[float, float]) -> str:
    """A depth with the levels in use: `16-bit (levels 0..4095)`, as 12-bit data in 16-bit files have."""
    return f"{depth} (levels {ends[0]:g}..{ends[1]:g})" if depth in DEEP else depth


@contextlib.contextmanager
def _whole(content: bytes, most_pixels: int = MOST_PIXELS) -> Iterator[_Whole]:
    if not content:
        raise ValueError("the file is empty")
    if content[128:132] == b"DICM":
        raise ValueError(DICOM)
    image: Pillow.Image = Pillow.open(io.BytesIO(content), formats=FORMATS)
    kind, pixels = image.format or "", image.width * image.height
    if pixels > most_pixels:
        raise ValueError(
            f"{image.width} x {image.height} pixels; images of at most {most_pixels / 10**6:g} million pixels are read"
        )
    with _one_large_image if pixels > _LARGE else contextlib.nullcontext():
        depth = _depth(image)
        more = kind != "MPO" and bool(getattr(image, "is_animated", False))  # cameras append a small copy
        if kind == "TIFF":
            _check_complete(image)
        reoriented = kind == "TIFF" and _orientation(image) > 1  # Pillow itself turns a TIFF as it loads
        image.load()
        if _orientation(image) > 1:
            reoriented = True
            ImageOps.exif_transpose(image, in_place=True)
        yield _Whole(image, kind, depth, reoriented, more)


def _check_complete(image: Pillow.Image) -> None:
    """Raise ValueError if strips or tiles of a TIFF file are missing. Pillow would leave their pixels black."""
    tiles: Any = getattr(image, "tile", ())
    tags: Any = getattr(image, "tag_v2", {})
    apart = tags.get(_PLANAR) == 2 and all(tile[0] == "raw" for tile in tiles)  # libtiff: one tile for all channels
    channels = len(image.getbands()) if apart else 1
    present = sum((right - left) * (bottom - top) for left, top, right, bottom in (tile[1] for tile in tiles))
    expected = image.width * image.height * channels
    if present < expected:
        what = f"pixels in {channels} channels" if apart else "pixels"
        raise ValueError(f"truncated: the file has {present:,} of {expected:,} {what}")


def _orientation(image: Pillow.Image) -> int:
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged metadata raise many kinds of errors; the pixels may be intact
        return 1
    return value if isinstance(value, int) and 1 < value < 9 else 1


def _depth(image: Pillow.Image) -> Depth:
    if image.mode.startswith("I;16"):
        return "16-bit"
    if image.mode == "I":
        return "32-bit"
    if image.mode == "F":
        return "float"
    tiles: Any = getattr(image, "tile", ())
    return "16-bit colour" if any(";16" in str(tile[3]) for tile in tiles) else "8-bit"


def _levels(image: Pillow.Image) -> npt.NDArray[Any]:
    levels = np.asarray(image)
    check_finite(levels)
    return levels


def _eight_bits(image: Pillow.Image) -> Pillow.Image:
    if image.mode in ("1", "L") and "transparency" not in image.info:
        return image if image.mode == "L" else image.convert("L")
    if "A" in image.mode or "transparency" in image.info:
        image = image.convert("RGBA")
        black = Pillow.new("RGBA", image.size, (0, 0, 0, 255))
        return Pillow.alpha_composite(black, image).convert("RGB")
    return image.convert("RGB")


def is_grey(image: Pillow.Image) -> bool:
    """Whether red, green and blue are equal everywhere."""
    return image.mode == "L" or _equal_channels(np.asarray(image))


def _equal_channels(pixels: Array) -> bool:
    if pixels.ndim == 2:
        return True
    return bool(np.array_equal(pixels[..., 0], pixels[..., 1]) and np.array_equal(pixels[..., 0], pixels[..., 2]))


def resize(image: Pillow.Image, size: int, channels: Channels) -> Array:
    """Resize an image, bilinear with antialiasing, without preserving its aspect ratio.

    Args:
        image: The image; for 1 channel, grey.
        size: Side of the result in pixels.
        channels: Channels of the result.

    Returns:
        uint8 (size, size, channels).
    """
    if channels == 1 and image.mode != "L":
        image = image.getchannel(0)  # all channels are equal
    elif channels == 3:
        image = image.convert("RGB")
    small = np.asarray(image.resize((size, size), Pillow.Resampling.BILINEAR), dtype=np.uint8)
    return small.reshape(size, size, channels)
