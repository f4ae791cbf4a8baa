"""Single pictures of a gallery as WebP: small enough for fourteen galleries in one page."""

from __future__ import annotations

import base64
import io
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]
Map = npt.NDArray[np.float32]
MIME = "image/webp"
LARGE, SMALL = 144, 80
"""Longest sides in pixels, of a tile and of one in a subgroup's row."""
COLOUR_MAP = "plasma"
"""A colour map that is even in lightness and readable with any colour vision (Smith and van der Walt 2015)."""
CONTOUR = 0.5
"""Where the line around the strongest part runs, as a share of the map's largest value."""
_QUALITY = 72
_OPAQUE = 0.6
_FIRST = 0.25  # the darkest quarter of the colours would only darken the image


def shown(pixels: Pixels) -> bytes:
    """An image uint8 (h, w, 1 or 3) as a tile."""
    return _webp(_scaled(_rgb(pixels), LARGE))


def small(pixels: Pixels) -> bytes:
    """An image uint8 (h, w, 1 or 3) as a small tile."""
    return _webp(_scaled(_rgb(pixels), SMALL))


def overlay(pixels: Pixels, found: Map) -> bytes:
    """An image under its map (h, w) in 0..1, which hides it more where it is stronger; a line runs around the
    strongest part, so that the picture does not hang on colour."""
    image = np.asarray(_scaled(_rgb(pixels), LARGE), dtype=np.float32)
    heat = np.asarray(
        Image.fromarray(found.astype(np.float32)).resize((image.shape[1], image.shape[0]), Image.Resampling.BILINEAR)
    )
    heat = np.clip(heat, 0, 1)
    alpha = _OPAQUE * heat[..., None]
    mixed = (1 - alpha) * image + alpha * _colours()[np.rint(255 * heat).astype(int)]
    edge = _edge(heat >= CONTOUR)
    mixed[_edge(heat >= CONTOUR, outside=True)] = 0
    mixed[edge] = 255
    return _webp(Image.fromarray(np.clip(np.rint(mixed), 0, 255).astype(np.uint8)))


def where_strongest(found: Map) -> str:
    """In which ninth of the picture the map's centre of mass lies, in words."""
    total = float(found.sum())
    rows, columns = (np.arange(length) + 0.5 for length in found.shape)
    down = float((found.sum(axis=1) * rows).sum() / total) / found.shape[0]
    across = float((found.sum(axis=0) * columns).sum() / total) / found.shape[1]
    words = [("upper", "", "lower")[min(2, int(3 * down))], ("left", "", "right")[min(2, int(3 * across))]]
    return " ".join(word for word in words if word) or "middle"


def data_uri(picture: bytes) -> str:
    """`picture` for the `src` of an image."""
    return f"data:{MIME};base64,{base64.b64encode(picture).decode('ascii')}"


@cache
def _colours() -> npt.NDArray[np.float32]:
    from matplotlib import colormaps

    return np.asarray(colormaps[COLOUR_MAP](np.linspace(_FIRST, 1, 256))[:, :3] * 255, dtype=np.float32)


def _edge(region: npt.NDArray[np.bool_], outside: bool = False) -> npt.NDArray[np.bool_]:
    """The outermost pixels of `region`, or those just outside of it; the picture's own border is none."""
    from scipy.ndimage import binary_dilation, binary_erosion

    if outside:
        return np.asarray(binary_dilation(region) & ~region)
    return np.asarray(region & ~binary_erosion(region, border_value=1))


def _rgb(pixels: Pixels) -> Image.Image:
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).convert("RGB")


def _scaled(image: Image.Image, side: int) -> Image.Image:
    """`image` with its longest side at `side`: small ones are enlarged, so that the line on them is fine."""
    factor = side / max(image.size)
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, Image.Resampling.LANCZOS if factor < 1 else Image.Resampling.BICUBIC)


def _webp(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "WEBP", quality=_QUALITY, method=4)
    return file.getvalue()
