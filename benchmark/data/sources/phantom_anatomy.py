"""The phantom's chest, drawn as the attenuation of an X-ray beam over the image plane.

Body coordinates are (u, v): u to the right of the image, v down, the chest about within [-1, 1] on both. Every field
is a float32 array (size, size). Noise is made on fixed grids and interpolated, so that an image has the same content
at every size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt
import scipy

Field = npt.NDArray[np.floating]
Kind = Literal["none", "focal", "diffuse"]
_GRID = 96


@dataclass(frozen=True)
class Anatomy:
    """The properties of a patient, the same in all images. Lengths are in units of half the image side."""

    width: float
    lung_top: float
    lung_base: float
    lung_width: float
    heart: float
    rib_spacing: float
    rib_strength: float
    rib_slope: float
    breast: float
    vessels: float
    aeration: float
    tilt: float
    kind: Kind
    severity: float
    foci: tuple[tuple[float, float, float], ...]
    texture_seed: int


@dataclass(frozen=True)
class Pose:
    """The properties of one exposure: position of the chest, breath, and response of the film."""

    shift_u: float
    shift_v: float
    rotation: float
    scale: float
    breath: float
    turn: float
    mean: float
    spread: float
    gamma: float
    noise: float
    scatter: float
    collimation: float
    marker: bool
    noise_seed: int


_NEUTRAL = Pose(
    shift_u=0.0,
    shift_v=0.0,
    rotation=0.0,
    scale=1.0,
    breath=0.0,
    turn=0.0,
    mean=118.0,
    spread=58.0,
    gamma=1.0,
    noise=0.0,
    scatter=0.0,
    collimation=1.1,
    marker=False,
    noise_seed=0,
)
_GRID_OF_DISC = np.meshgrid(np.linspace(-1, 1, 9), np.linspace(-1, 1, 9))
_DISC = np.stack(_GRID_OF_DISC)[:, np.hypot(*_GRID_OF_DISC) <= 1]


def draw_anatomy(generator: np.random.Generator, ill: bool) -> Anatomy:
    """Draw a patient. Ill patients have a focal or diffuse opacity, from barely visible to plain."""
    r = generator
    kind: Kind = "none" if not ill else ("focal" if r.random() < 0.6 else "diffuse")
    count = int(r.integers(1, 4))
    anatomy = Anatomy(
        width=r.uniform(0.78, 0.92),
        lung_top=r.uniform(-0.76, -0.66),
        lung_base=r.uniform(0.38, 0.54),
        lung_width=r.uniform(0.50, 0.60),
        heart=r.uniform(0.26, 0.40),
        rib_spacing=r.uniform(0.15, 0.19),
        rib_strength=r.uniform(0.06, 0.15),
        rib_slope=r.uniform(0.15, 0.40),
        breast=r.uniform(0.0, 0.16),
        vessels=r.uniform(0.15, 0.45),
        aeration=r.uniform(0.45, 0.95),
        tilt=r.normal(0, 0.12),
        kind=kind,
        severity=float(0.30 + 0.70 * r.beta(1.3, 1.3)),
        foci=(),
        texture_seed=int(r.integers(2**31)),
    )
    return replace(anatomy, foci=tuple(_draw_focus(r, anatomy) for _ in range(count)))


def _draw_focus(r: np.random.Generator, anatomy: Anatomy) -> tuple[float, float, float]:
    """Draw centre and radius of a focus, at least half of it inside the lungs, so that the heart hides none."""
    while True:
        side = -1 if r.random() < 0.5 else 1
        u, v, radius = side * r.uniform(0.22, 0.56), r.uniform(-0.50, 0.36), r.uniform(0.10, 0.22)
        disc_u, disc_v = u + radius * _DISC[0], v + 1.25 * radius * _DISC[1]
        if float(_lungs(anatomy, _NEUTRAL, disc_u, disc_v).mean()) >= 0.5:
            return float(u), float(v), float(radius)


def draw_pose(generator: np.random.Generator, other_scanner: bool) -> Pose:
    """Draw an exposure. Images of the other scanner are larger, brighter, noisier, and of another contrast."""
    r = generator
    shift = 1.0 if other_scanner else 0.0
    return Pose(
        shift_u=r.normal(0, 0.05),
        shift_v=r.normal(0, 0.05),
        rotation=r.normal(0, 0.05),
        scale=r.normal(1.0 + 0.04 * shift, 0.05),
        breath=r.normal(-0.02 * shift, 0.05),
        turn=r.normal(0, 0.04),
        mean=r.normal(118 + 14 * shift, 10),
        spread=r.normal(58 - 6 * shift, 5),
        gamma=float(np.exp(r.normal(0.10 * shift, 0.10))),
        noise=r.uniform(0.008, 0.022) * (1 + 0.4 * shift),
        scatter=r.uniform(0.1, 0.3),
        collimation=float(r.uniform(0.90, 1.1)),
        marker=bool(r.random() < 0.5),
        noise_seed=int(r.integers(2**31)),
    )


def lungs(a: Anatomy, p: Pose, size: int) -> Field:
    """Draw the lungs.

    Args:
        a: The patient.
        p: The exposure.
        size: Side of the image in pixels.

    Returns:
        Float (size, size) from 0 outside to 1 inside, with a soft border.
    """
    u, v = _plane(p, size)
    return _lungs(a, p, u, v)


def film(a: Anatomy, p: Pose, size: int) -> npt.NDArray[np.uint8]:
    """Draw an image: the beam through the chest, its scatter and noise, and the response of the film.

    Args:
        a: The patient.
        p: The exposure.
        size: Side of the image in pixels.

    Returns:
        Grey levels, uint8 (size, size).
    """
    u, v = _plane(p, size)
    lung = _lungs(a, p, u, v)
    shape = np.clip(1 - (u / (a.width * (1 + 0.10 * v))) ** 2, 0, None)
    body = np.sqrt(shape) * _step((shape - 0.02) / 0.05)
    path = 1.15 * body - (a.aeration + a.tilt * u) * lung * np.sqrt(np.clip(shape, 0, 1))
    path += _bones(a, u, v) + _soft_parts(a, u, v)
    path += a.vessels * _vessels(a, u, v, size) * lung
    if a.kind != "none":
        path += 1.05 * a.severity * opacity(a, size, u, v) * lung
    blurred = scipy.ndimage.gaussian_filter(path, 0.06 * size, mode="nearest", truncate=2.0)
    path = (1 - p.scatter) * path + p.scatter * blurred
    path += p.noise * _noise(p.noise_seed, size, 0.0) * np.exp(0.25 * path)
    grey = np.sign(path) * np.abs(path) ** p.gamma
    grey = p.mean + p.spread * (grey - grey.mean()) / max(float(grey.std()), 1e-6)
    edge = np.maximum(np.abs(_axis(size))[None, :], np.abs(_axis(size))[:, None])
    grey = np.where(edge > p.collimation, 12.0, grey)
    if p.marker:
        x, y = _axis(size)[None, :], _axis(size)[:, None]
        grey = np.where((np.abs(x + 0.82) < 0.05) & (np.abs(y + 0.80) < 0.06), 235.0, grey)
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)


def opacity(a: Anatomy, size: int, u: Field, v: Field) -> Field:
    """Draw the density of the opacity, not yet confined to the lungs; it is mottled, since air remains in it.

    Args:
        a: An ill patient.
        size: Side of the image in pixels.
        u: Body coordinate to the right of each pixel, (size, size).
        v: Body coordinate down of each pixel, (size, size).

    Returns:
        Density, about -0.5 to 1.5, (size, size).
    """
    mottled = _textured(a.texture_seed + 1, size, 2.2, u, v)
    patches = _textured(a.texture_seed, size, 6.0, u, v)
    if a.kind == "diffuse":
        cloud: Field = 0.12 + 0.70 * mottled * np.clip(0.8 + 0.5 * patches, 0, 1.6)
        return cloud
    total: Field = np.zeros_like(u)
    for centre_u, centre_v, radius in a.foci:
        away = np.hypot((u - centre_u) / radius, (v - centre_v) / (1.25 * radius)) + 0.30 * patches
        total = np.maximum(total, _step((1.0 - away) / 0.22))
    return total * (1.0 + 0.55 * mottled)


def _lungs(a: Anatomy, p: Pose, u: Field, v: Field) -> Field:
    base = a.lung_base + p.breath
    t = np.clip((v - a.lung_top) / (base - a.lung_top), 1e-3, 1.0)
    outer = 0.10 + a.lung_width * np.sin(np.pi * (0.06 + 0.60 * t)) ** 0.8 + 0.08 * t
    total: Field = np.zeros_like(u)
    for side in (-1, 1):
        s = side * u + side * p.turn
        heart = a.heart if side == 1 else 0.45 * a.heart
        inner = 0.13 + (heart - 0.08) * np.exp(-(((v - 0.22) / 0.26) ** 2))
        dome = base - 0.16 * (1 - ((s - 0.42) / 0.40) ** 2) - (0.05 if side == -1 else 0.0) + 0.10
        inside = np.minimum(np.minimum(s - inner, outer - s), np.minimum((v - a.lung_top) * 0.9, dome - v))
        total += _step(inside / 0.035)
    return np.clip(total, 0, 1)


def _bones(a: Anatomy, u: Field, v: Field) -> Field:
    spine = 0.22 * np.exp(-((u / 0.075) ** 2)) * (1 + 0.25 * np.cos(2 * np.pi * v / 0.16))
    across = np.clip(np.abs(u) - 0.10, 0, None)
    cage = (np.abs(u) < a.width) & (v > -0.85) & (v < 0.75)
    behind = (v - a.rib_slope * across - 0.10 * np.sin(3 * across)) / a.rib_spacing
    front = (v + 0.9 * a.rib_slope * across) / (1.15 * a.rib_spacing)
    ribs = np.exp(-((_sawtooth(behind) / 0.16) ** 2)) + 0.45 * np.exp(-((_sawtooth(front) / 0.18) ** 2))
    clavicle = np.exp(-(((v + 0.70 - 0.10 * np.cos(3.2 * u)) / 0.035) ** 2)) * (np.abs(u) > 0.08) * (np.abs(u) < 0.75)
    bones: Field = spine + a.rib_strength * ribs * cage + 0.14 * clavicle
    return bones


def _soft_parts(a: Anatomy, u: Field, v: Field) -> Field:
    heart = 0.30 * _step((1 - np.hypot((u - 0.10) / a.heart, (v - 0.22) / 0.30)) / 0.15)
    belly = 0.22 * _step((v - 0.62) / 0.10)
    chest = a.breast * sum(np.exp(-(((u - s * 0.40) / 0.22) ** 2) - ((v - 0.28) / 0.20) ** 2) for s in (-1, 1))
    parts: Field = heart + belly + chest
    return parts


def _vessels(a: Anatomy, u: Field, v: Field, size: int) -> Field:
    hilum = np.exp(-np.hypot((np.abs(u) - 0.20) / 0.30, (v - 0.0) / 0.38))
    branches: Field = np.clip(_textured(a.texture_seed + 2, size, 1.3, u, v), 0, 2) * hilum
    return branches


def _plane(p: Pose, size: int) -> tuple[Field, Field]:
    x, y = _axis(size)[None, :], _axis(size)[:, None]
    cos, sin = np.cos(p.rotation) / p.scale, np.sin(p.rotation) / p.scale
    x, y = x - p.shift_u, y - p.shift_v
    return (cos * x + sin * y).astype(np.float32), (cos * y - sin * x).astype(np.float32)


@cache
def _axis(size: int) -> Field:
    return ((np.arange(size, dtype=np.float32) + 0.5) * (2 / size) - 1).astype(np.float32)


def _step(x: Field) -> Field:
    """A soft step from 0 to 1 around 0."""
    y: Field = 0.5 + 0.5 * np.tanh(np.clip(2 * x, -9, 9))
    return y


def _sawtooth(x: Field) -> Field:
    return x - np.round(x)


def _textured(seed: int, size: int, smooth: float, u: Field, v: Field) -> Field:
    """Band-limited noise with standard deviation 1 that moves with the body."""
    field = _field(seed, smooth)
    row = np.clip((v + 1.2) * (_GRID / 2.4) - 0.5, 0, _GRID - 1.001)
    column = np.clip((u + 1.2) * (_GRID / 2.4) - 0.5, 0, _GRID - 1.001)
    return _bilinear(field, row, column)


def _noise(seed: int, size: int, smooth: float) -> Field:
    """Noise of the detector, on a fixed grid in image coordinates."""
    at = np.clip((_axis(size) + 1) * (_GRID / 2) - 0.5, 0, _GRID - 1.001)
    rows, columns = np.meshgrid(at, at, indexing="ij")
    return _bilinear(_field(seed, smooth), rows, columns)


def _field(seed: int, smooth: float) -> Field:
    noise = np.random.default_rng(seed).standard_normal((_GRID, _GRID), dtype=np.float32)
    if smooth:
        noise = scipy.ndimage.gaussian_filter(noise, smooth, mode="wrap", truncate=3.0)
        noise /= max(float(noise.std()), 1e-6)
    return noise


def _bilinear(field: Field, row: Field, column: Field) -> Field:
    r, c = row.astype(np.int32), column.astype(np.int32)
    fr, fc = (row - r).astype(np.float32), (column - c).astype(np.float32)
    flat = field.ravel()
    at = r * _GRID + c
    top = flat[at] * (1 - fc) + flat[at + 1] * fc
    low = flat[at + _GRID] * (1 - fc) + flat[at + _GRID + 1] * fc
    mixed: Field = top * (1 - fr) + low * fr
    return mixed
