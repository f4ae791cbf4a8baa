"""Augmented views of images in batches: a view number and an image always give the same picture.

The random changes follow Keras' legacy ImageDataGenerator (keras.src.legacy.preprocessing.image): one affine map
(rotation, shift, shear, zoom, in that order, about the centre, bilinear), then channel shift, flips and brightness. One
name differs: here `width_shift` moves columns, whereas the generator draws the column shift from `height_shift_range`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import keras
import numpy as np
import numpy.typing as npt

from zoo.models.recipe import Augmentation

Floats = npt.NDArray[np.float64]
Fill = Literal["nearest", "reflect", "constant"]

# One stream of random numbers per parameter: a card that omits a parameter changes no other.
_STREAMS = (
    "theta",
    "shift_x",
    "shift_y",
    "shear",
    "zoom_x",
    "zoom_y",
    "channel_shift",
    "brightness",
    "flip_horizontal",
    "flip_vertical",
)


@dataclass(frozen=True)
class ViewParameters:
    """The random changes of n images; every field has shape (n,).

    Attributes:
        theta: Rotation in degrees.
        shift_x: Shift of columns as a share of the width.
        shift_y: Shift of rows as a share of the height.
        shear: Shear in degrees.
        zoom_x: Zoom factor of columns; above 1 zooms out.
        zoom_y: Zoom factor of rows; above 1 zooms out.
        channel_shift: Grey levels to add.
        brightness: Factor of the grey levels.
        flip_horizontal: Whether columns are mirrored.
        flip_vertical: Whether rows are mirrored.
    """

    theta: Floats
    shift_x: Floats
    shift_y: Floats
    shear: Floats
    zoom_x: Floats
    zoom_y: Floats
    channel_shift: Floats
    brightness: Floats
    flip_horizontal: npt.NDArray[np.bool_]
    flip_vertical: npt.NDArray[np.bool_]


def augmented_view(
    images: npt.NDArray[np.uint8],
    keys: Sequence[str],
    augmentation: Augmentation | None,
    view: int,
    view_seed: int,
) -> npt.NDArray[np.float32]:
    """Return one augmented view of images.

    Args:
        images: uint8, shape (n, h, w, c).
        keys: The content digest of each image, in hexadecimal.
        augmentation: The ranges of the random changes; None for none.
        view: The number of the view, from 0.
        view_seed: Decides all views.

    Returns:
        Grey levels 0..255, float32, the shape of `images`.
    """
    if augmentation is None:
        return images.astype(np.float32)
    return render(images, draw_parameters(augmentation, keys, view, view_seed), augmentation.fill)


def draw_parameters(augmentation: Augmentation, keys: Sequence[str], view: int, view_seed: int) -> ViewParameters:
    """Draw the parameters of one view.

    They depend on key, view and view seed only, not on the batch, the process or the other parameters.

    Args:
        augmentation: The ranges of the random changes.
        keys: The content digest of each image, in hexadecimal.
        view: The number of the view, from 0.
        view_seed: Decides all views.

    Returns:
        The parameters of len(keys) images.
    """
    unit = {name: _uniform(keys, view, view_seed, stream) for stream, name in enumerate(_STREAMS)}

    def within(name: str, low: float, high: float) -> Floats:
        return low + unit[name] * (high - low)

    a = augmentation
    return ViewParameters(
        theta=within("theta", -a.rotation_degrees, a.rotation_degrees),
        shift_x=within("shift_x", -a.width_shift, a.width_shift),
        shift_y=within("shift_y", -a.height_shift, a.height_shift),
        shear=within("shear", -a.shear_degrees, a.shear_degrees),
        zoom_x=within("zoom_x", *a.zoom),
        zoom_y=within("zoom_y", *a.zoom),
        channel_shift=within("channel_shift", -a.channel_shift, a.channel_shift),
        brightness=within("brightness", *(a.brightness or (1.0, 1.0))),
        flip_horizontal=(unit["flip_horizontal"] < 0.5) & a.horizontal_flip,
        flip_vertical=(unit["flip_vertical"] < 0.5) & a.vertical_flip,
    )


def render(
    images: npt.NDArray[np.uint8], parameters: ViewParameters, fill: Fill = "nearest"
) -> npt.NDArray[np.float32]:
    """Apply random changes to images.

    Args:
        images: uint8, shape (n, h, w, c).
        parameters: The changes of each image.
        fill: The values outside of the image.

    Returns:
        Grey levels 0..255, float32, the shape of `images`.
    """
    pixels = images.astype(np.float32)
    matrices = _matrices(parameters, images.shape[1], images.shape[2])
    if not np.array_equal(matrices, np.broadcast_to(np.eye(3), matrices.shape)):
        mapped = keras.ops.image.affine_transform(
            pixels,
            matrices.reshape(-1, 9)[:, :8].astype(np.float32),
            interpolation="bilinear",
            fill_mode=fill,
            data_format="channels_last",
        )
        pixels = np.array(keras.ops.convert_to_numpy(mapped), dtype=np.float32)
    return _photometric(pixels, parameters)


def _photometric(pixels: npt.NDArray[np.float32], p: ViewParameters) -> npt.NDArray[np.float32]:
    if np.any(p.channel_shift):
        low = pixels.min(axis=(1, 2, 3), keepdims=True)
        high = pixels.max(axis=(1, 2, 3), keepdims=True)
        pixels = np.clip(pixels + p.channel_shift.astype(np.float32)[:, None, None, None], low, high)
    pixels[p.flip_horizontal] = pixels[p.flip_horizontal, :, ::-1]
    pixels[p.flip_vertical] = pixels[p.flip_vertical, ::-1]
    if np.any(p.brightness != 1.0):
        # The generator converts to 8-bit PIL images before and after it applies the factor.
        factor = p.brightness.astype(np.float32)[:, None, None, None]
        pixels = np.floor(np.clip(np.floor(pixels) * factor, 0.0, 255.0))
    return pixels


def _matrices(p: ViewParameters, height: int, width: int) -> Floats:
    """Return (n, 3, 3) maps from output (x, y, 1) to input coordinates, about the centre of the pixel grid."""
    one, zero = np.ones_like(p.theta), np.zeros_like(p.theta)
    theta, shear = np.deg2rad(p.theta), np.deg2rad(p.shear)

    def stack(*rows: tuple[Floats, Floats, Floats]) -> Floats:
        return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)

    last = (zero, zero, one)
    rotation = stack((np.cos(theta), -np.sin(theta), zero), (np.sin(theta), np.cos(theta), zero), last)
    shift = stack((one, zero, p.shift_x * width), (zero, one, p.shift_y * height), last)
    shearing = stack((one, -np.sin(shear), zero), (zero, np.cos(shear), zero), last)
    zoom = stack((p.zoom_x, zero, zero), (zero, p.zoom_y, zero), last)
    to_centre = np.array([[1, 0, width / 2 - 0.5], [0, 1, height / 2 - 0.5], [0, 0, 1]])
    product: Floats = to_centre @ (rotation @ shift @ shearing @ zoom) @ np.linalg.inv(to_centre)
    return product


def _uniform(keys: Sequence[str], view: int, view_seed: int, stream: int) -> Floats:
    """Draw one uniform number in [0, 1) per key.

    The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) mixes key, seed, view and stream.
    """
    state = np.array([int(key[:16], 16) for key in keys], dtype=np.uint64)
    with np.errstate(over="ignore"):
        for value in (view_seed, view, stream):
            state = _mix(state + np.uint64(0x9E3779B97F4A7C15) * np.uint64(value + 1))
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(state: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
