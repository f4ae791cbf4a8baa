"""Augmented views: the legacy generator's meaning, and the same picture each time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.training.augmentation import ViewParameters, augmented_view, draw_parameters, render
from zoo.models.catalog import load_cards
from zoo.models.recipe import Augmentation

REPORT = load_cards()["attempt-1"].recipe.augmentation
KEYS = [f"{number:02x}" * 32 for number in range(64)]
NOTHING: dict[str, float | bool] = {
    "theta": 0.0,
    "shift_x": 0.0,
    "shift_y": 0.0,
    "shear": 0.0,
    "zoom_x": 1.0,
    "zoom_y": 1.0,
    "channel_shift": 0.0,
    "brightness": 1.0,
    "flip_horizontal": False,
    "flip_vertical": False,
}


def picture(channels: int = 3, side: int = 48) -> npt.NDArray[np.uint8]:
    """A smooth picture, so that a difference in interpolation stays below a grey level or two."""
    y, x = np.mgrid[0:side, 0:side] / side
    planes = [120 + 90 * np.sin(5 * x + c) * np.cos(4 * y - c) for c in range(channels)]
    return np.stack(planes, axis=-1).astype(np.uint8)


def ours(**changes: float | bool) -> npt.NDArray[np.float32]:
    values = NOTHING | changes
    return render(picture()[None], ViewParameters(**{k: np.array([v]) for k, v in values.items()}))[0]


def legacy(**changes: float | bool) -> npt.NDArray[np.float32]:
    """The same change made by ImageDataGenerator, whose `tx` moves columns and is drawn from height_shift_range."""
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    values = NOTHING | changes
    side = picture().shape[0]
    generator = ImageDataGenerator(fill_mode="nearest", data_format="channels_last")
    parameters = {
        "theta": values["theta"],
        "tx": values["shift_x"] * side,
        "ty": values["shift_y"] * side,
        "shear": values["shear"],
        "zx": values["zoom_x"],
        "zy": values["zoom_y"],
        "flip_horizontal": values["flip_horizontal"],
        "flip_vertical": values["flip_vertical"],
        "channel_shift_intensity": values["channel_shift"] or None,
        "brightness": None if values["brightness"] == 1.0 else values["brightness"],
    }
    return np.asarray(generator.apply_transform(picture().astype(np.float32), parameters))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "changes",
    [
        {"theta": 17.0},
        {"theta": -9.5},
        {"shift_x": 0.15},
        {"shift_y": -0.2},
        {"shear": 0.25},
        {"shear": 25.0},
        {"zoom_x": 0.8},
        {"zoom_y": 1.25},
        {"channel_shift": 60.0},
        {"channel_shift": -75.0},
        {"flip_horizontal": True},
        {"flip_vertical": True},
        {"brightness": 0.7},
        {"brightness": 1.3},
        {"theta": 12.0, "shift_x": 0.1, "shift_y": -0.07, "shear": 0.2, "zoom_x": 0.9, "zoom_y": 1.2},
        {"theta": -20.0, "zoom_x": 1.2, "channel_shift": 40.0, "flip_horizontal": True, "brightness": 0.8},
    ],
    ids=str,
)
def test_every_transform_means_what_the_legacy_generator_means(changes: dict[str, float | bool]) -> None:
    expected = legacy(**changes)
    assert np.abs(expected - picture()).max() > 0 or changes == {"shear": 0.25}
    # Bilinear weights are computed in other orders, and brightness cuts to whole grey levels after them.
    tolerance = 1.001 if "brightness" in changes else 0.05
    assert np.abs(ours(**changes) - expected).max() <= tolerance


def test_a_shear_of_a_quarter_degree_changes_next_to_nothing() -> None:
    assert np.abs(ours(shear=0.25) - picture()).max() < 2


def test_without_augmentation_pixels_come_back_as_they_are() -> None:
    images = picture()[None]
    assert np.array_equal(augmented_view(images, KEYS[:1], None, 0, 0), images.astype(np.float32))


def test_an_augmentation_of_defaults_changes_nothing() -> None:
    images = picture()[None]
    assert np.array_equal(augmented_view(images, KEYS[:1], Augmentation(), 3, 7), images.astype(np.float32))


def test_a_view_does_not_depend_on_the_batch_it_is_made_in() -> None:
    images = np.stack([np.roll(picture(), shift, axis=0) for shift in range(6)])
    together = augmented_view(images, KEYS[:6], REPORT, 2, 0)
    alone = np.concatenate([augmented_view(images[i : i + 1], KEYS[i : i + 1], REPORT, 2, 0) for i in range(6)])
    assert np.abs(together - alone).max() <= 1.0
    assert np.mean(together != alone) < 0.01


def test_grey_images_stay_grey_and_agree_with_their_colour_twin() -> None:
    grey = picture(channels=1)[None]
    one = augmented_view(grey, KEYS[:1], REPORT, 1, 0)
    three = augmented_view(np.repeat(grey, 3, axis=-1), KEYS[:1], REPORT, 1, 0)
    assert one.shape[-1] == 1
    assert np.array_equal(np.repeat(one, 3, axis=-1), three)


@given(view=st.integers(0, 1000), seed=st.integers(0, 2**31), order=st.permutations(range(8)))
@settings(max_examples=40, deadline=None)
def test_parameters_depend_on_image_view_and_seed_alone(view: int, seed: int, order: list[int]) -> None:
    assert REPORT is not None
    straight = draw_parameters(REPORT, KEYS[:8], view, seed)
    shuffled = draw_parameters(REPORT, [KEYS[i] for i in order], view, seed)
    assert np.array_equal(straight.theta[order], shuffled.theta)
    assert np.array_equal(straight.brightness[order], shuffled.brightness)


@given(view=st.integers(0, 1000), seed=st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_parameters_stay_within_the_declared_ranges(view: int, seed: int) -> None:
    assert REPORT is not None
    drawn = draw_parameters(REPORT, KEYS, view, seed)
    assert np.abs(drawn.theta).max() <= 20
    assert np.abs([drawn.shift_x, drawn.shift_y]).max() <= 0.2
    assert np.abs(drawn.shear).max() <= 0.25
    assert 0.75 <= min(drawn.zoom_x.min(), drawn.zoom_y.min()) <= max(drawn.zoom_x.max(), drawn.zoom_y.max()) <= 1.25
    assert np.abs(drawn.channel_shift).max() <= 75
    assert 0.7 <= drawn.brightness.min() <= drawn.brightness.max() <= 1.3
    assert not drawn.flip_horizontal.any()
    assert not drawn.flip_vertical.any()


def test_dropping_one_transform_leaves_the_others_as_they_were() -> None:
    assert REPORT is not None
    without = REPORT.model_copy(update={"rotation_degrees": 0.0})
    full, less = draw_parameters(REPORT, KEYS, 4, 0), draw_parameters(without, KEYS, 4, 0)
    assert not less.theta.any()
    assert np.array_equal(full.zoom_x, less.zoom_x)
    assert np.array_equal(full.brightness, less.brightness)


def test_views_and_seeds_differ_and_zero_counts_as_a_seed() -> None:
    assert REPORT is not None
    drawn = [draw_parameters(REPORT, KEYS, view, seed).theta for view, seed in ((0, 0), (1, 0), (0, 1), (1, 1))]
    assert len({tuple(theta) for theta in drawn}) == 4


def test_draws_are_spread_evenly_over_their_range() -> None:
    from scipy.stats import kstest

    assert REPORT is not None
    keys = [f"{number * 2654435761 % 2**64:016x}" for number in range(4000)]
    theta = draw_parameters(REPORT, keys, 0, 0).theta
    assert kstest(theta, "uniform", args=(-20, 40)).pvalue > 1e-3
    assert abs(np.corrcoef(theta, draw_parameters(REPORT, keys, 1, 0).theta)[0, 1]) < 0.06
