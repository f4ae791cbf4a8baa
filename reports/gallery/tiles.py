"""Tiles of a gallery as WebP images, small enough for many galleries in one page."""

from __future__ import annotations

import base64
import io
from functools import cache

import numpy as np
import numpy.typing as npt
import scipy
from PIL import Image

Pixels = npt.NDArray[np.uint8]
Map = npt.NDArray[np.float32]
MIME = "image/webp"
LARGE, SMALL = 144, 80
"""Longest sides in pixels: of a tile, and of a tile in a table of subgroups."""
COLOUR_MAP = "plasma"
"""A perceptually uniform colour map, readable with any colour vision (Smith and van der Walt 2015)."""
CONTOUR = 0.5
"""The level of the contour around the strongest part, as a share of the largest value."""
_QUALITY = 72
_OPAQUE = 0.6
_FIRST = 0.25  # the darkest quarter of the colours would only darken the image


def large_tile(pixels: Pixels) -> bytes:
    """Encode an image uint8 (h, w, 1 or 3) as a tile."""
    return _webp(_scaled(_rgb(pixels), LARGE))


def small_tile(pixels: Pixels) -> bytes:
    """Encode an image uint8 (h, w, 1 or 3) as a small tile."""
    return _webp(_scaled(_rgb(pixels), SMALL))


def overlay(pixels: Pixels, heatmap: Map) -> bytes:
    """Lay a map over an image, with a contour around its strongest part that is visible without colour.

    Args:
        pixels: The image, uint8 (h, w, 1 or 3).
        heatmap: The map (h', w') in [0, 1], of any size; larger values are more opaque.

    Returns:
        The tile as WebP.
    """
    image = np.asarray(_scaled(_rgb(pixels), LARGE), dtype=np.float32)
    heat = np.asarray(
        Image.fromarray(heatmap.astype(np.float32)).resize((image.shape[1], image.shape[0]), Image.Resampling.BILINEAR)
    )
    heat = np.clip(heat, 0, 1)
    alpha = _OPAQUE * heat[..., None]
    mixed = (1 - alpha) * image + alpha * _colours()[np.rint(255 * heat).astype(int)]
    edge = _edge(heat >= CONTOUR)
    mixed[_edge(heat >= CONTOUR, outside=True)] = 0
    mixed[edge] = 255
    return _webp(Image.fromarray(np.clip(np.rint(mixed), 0, 255).astype(np.uint8)))


def where_strongest(heatmap: Map) -> str:
    """The ninth of the image that contains the centre of mass of the map (h, w), in words."""
    total = float(heatmap.sum())
    rows, columns = (np.arange(length) + 0.5 for length in heatmap.shape)
    down = float((heatmap.sum(axis=1) * rows).sum() / total) / heatmap.shape[0]
    across = float((heatmap.sum(axis=0) * columns).sum() / total) / heatmap.shape[1]
    words = [("upper", "", "lower")[min(2, int(3 * down))], ("left", "", "right")[min(2, int(3 * across))]]
    return " ".join(word for word in words if word) or "middle"


def is_even(heatmap: Map) -> bool:
    """Whether a map is at least half of its largest value, 1, everywhere, so that it highlights nothing."""
    return bool(heatmap.min() >= CONTOUR)


def map_alt(name: str, of_class: str, heatmap: Map) -> str:
    """Describe a map in words.

    Args:
        name: The name of the image.
        of_class: The class that the map explains.
        heatmap: The map (h, w) in [0, 1].

    Returns:
        The alternative text of the map.
    """
    even = is_even(heatmap)
    where = "nearly even over the image" if even else f"strongest in the {where_strongest(heatmap)} of the image"
    return f"Grad-CAM of {name}: evidence for {of_class} is {where}."


def empty_map(layer: str, of_class: str) -> str:
    """Why an image has no map."""
    return f"empty map: nothing in {layer} supports {of_class}"


def data_uri(picture: bytes) -> str:
    """`picture`, a WebP file, as a data URI."""
    return f"data:{MIME};base64,{base64.b64encode(picture).decode('ascii')}"


@cache
def _colours() -> npt.NDArray[np.float32]:
    from matplotlib import colormaps

    return np.asarray(colormaps[COLOUR_MAP](np.linspace(_FIRST, 1, 256))[:, :3] * 255, dtype=np.float32)


def _edge(region: npt.NDArray[np.bool_], outside: bool = False) -> npt.NDArray[np.bool_]:
    """The outermost pixels of `region`, or those just outside it; the border of the image is no edge."""
    if outside:
        return np.asarray(scipy.ndimage.binary_dilation(region) & ~region)
    return np.asarray(region & ~scipy.ndimage.binary_erosion(region, border_value=1))


def _rgb(pixels: Pixels) -> Image.Image:
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).convert("RGB")


def _scaled(image: Image.Image, side: int) -> Image.Image:
    """`image` with its longest side at `side`; small images are enlarged, so that the contour is thin."""
    factor = side / max(image.size)
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, Image.Resampling.LANCZOS if factor < 1 else Image.Resampling.BICUBIC)


def _webp(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "WEBP", quality=_QUALITY, method=4)
    return file.getvalue()
