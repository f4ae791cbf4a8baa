"""Decoding and resizing of single images with Pillow."""

from __future__ import annotations

import io
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

Array = npt.NDArray[np.uint8]
Channels = Literal[1, 3]
_SIXTEEN_BIT = ("I;16", "I;16L", "I;16B", "I")


def decode(content: bytes) -> Pillow.Image:
    """The image in `content`, wholly decoded, in mode L or RGB.

    16-bit grey is scaled by 1/257; float grey by its own range; transparent pixels are laid on black. Raises
    ValueError, OSError or Pillow's own errors when it is not a whole image.
    """
    if not content:
        raise ValueError("the file is empty")
    image: Pillow.Image = Pillow.open(io.BytesIO(content))
    image.load()
    if image.mode in _SIXTEEN_BIT:
        levels = np.asarray(image).astype(np.float64)
        if image.mode != "I" or levels.max() > 255:  # 32-bit files often hold 8-bit levels
            levels /= 257.0
        return Pillow.fromarray(np.clip(np.rint(levels), 0, 255).astype(np.uint8))
    if image.mode == "F":
        levels = np.nan_to_num(np.asarray(image, dtype=np.float64), posinf=0.0, neginf=0.0)
        low, high = float(levels.min()), float(levels.max())
        scaled = (levels - low) / (high - low) * 255 if high > low else np.zeros_like(levels)
        return Pillow.fromarray(np.rint(scaled).astype(np.uint8))
    if image.mode in ("1", "L") and "transparency" not in image.info:
        return image.convert("L")
    if "A" in image.mode or "transparency" in image.info:
        image = image.convert("RGBA")
        black = Pillow.new("RGBA", image.size, (0, 0, 0, 255))
        return Pillow.alpha_composite(black, image).convert("RGB")
    return image.convert("RGB")


def is_grey(image: Pillow.Image) -> bool:
    """Whether red, green and blue are the same everywhere."""
    if image.mode == "L":
        return True
    pixels = np.asarray(image)
    return bool(np.array_equal(pixels[..., 0], pixels[..., 1]) and np.array_equal(pixels[..., 0], pixels[..., 2]))


def resize(image: Pillow.Image, size: int, channels: Channels) -> Array:
    """`image` as (size, size, channels), bilinear with antialias; the aspect ratio is not kept, as in the source."""
    if channels == 1 and image.mode != "L":
        image = image.getchannel(0)  # all channels are the same
    elif channels == 3:
        image = image.convert("RGB")
    small = np.asarray(image.resize((size, size), Pillow.Resampling.BILINEAR), dtype=np.uint8)
    return small.reshape(size, size, channels)
