"""What a benchmark is expected to cost."""

from __future__ import annotations

import pytest

from benchmark.runs.expected_cost import CARDS, Trainings, Workload, expected_cost
from benchmark.training.machine_speed import MachineSpeed, convolution_work
from tests.support.records import make_spec
from zoo.models.catalog import load_cards

SPEED = MachineSpeed(frozen=100, training=1)
WORK = Workload(train=300, scored=200, image_size=128, views=2)


def minutes(**changes: int) -> float:
    """Minutes of `WORK` with some changes."""
    return expected_cost(Workload(**{**vars(WORK), **changes}), SPEED).minutes


def test_more_of_anything_costs_more() -> None:
    base = minutes()
    for change in ({"train": 301}, {"scored": 201}, {"image_size": 160}, {"views": 3}, {"trainings": 2}):
        assert minutes(**change) > base
    assert minutes(max_epochs=4) < base


def test_views_beyond_the_epochs_cost_nothing() -> None:
    assert minutes(views=4, max_epochs=4) == minutes(views=8, max_epochs=4)


def test_without_images_only_the_starts_of_the_cards_remain() -> None:
    assert minutes(train=0, scored=0) == pytest.approx(CARDS * 12 / 60)


def test_the_space_is_that_of_two_layers_of_vgg16_in_float32() -> None:
    # 14 x 14 x 512 and 7 x 7 x 512 at 224 px (Simonyan and Zisserman 2015), 4 bytes each, one view and the image itself
    cost = expected_cost(Workload(train=100, scored=50, image_size=224, views=1), SPEED)
    assert cost.feature_gib == pytest.approx(250 * (14 * 14 + 7 * 7) * 512 * 4 / 2**30)


def test_the_runs_of_the_starter_cards_cost_what_auto_plans_for() -> None:
    names = ("constant", "pixels-logistic", "small-cnn", "vgg16-frozen", "vgg16-probe", "vgg16-finetuned")
    trainings = Trainings.of([make_spec(load_cards()[name]) for name in names])
    assert trainings == Trainings(CARDS, small=1, finetuned=1, frozen=1.0)
    assert expected_cost(WORK, SPEED, trainings) == expected_cost(WORK, SPEED)


def test_a_light_network_costs_its_share_of_vgg16_once() -> None:
    names = ("squeezenet-probe", "squeezenet-finetuned", "densenet121-finetuned", "vgg16-probe")
    trainings = Trainings.of([make_spec(load_cards()[name], seed=seed) for name in names for seed in (0, 1)])
    assert trainings == Trainings(8, small=0, finetuned=pytest.approx(2 * (0.03 + 0.28)), frozen=pytest.approx(1.31))
    light, heavy = (Trainings(0, 0, 0.0, frozen=share) for share in (0.03, 1.0))
    ratio = expected_cost(WORK, SPEED, light).minutes / expected_cost(WORK, SPEED, heavy).minutes
    assert ratio == pytest.approx(0.03)


def test_what_is_not_trained_costs_nothing() -> None:
    assert expected_cost(WORK, SPEED, Trainings(5, 0, 0, frozen=0.0)).minutes == pytest.approx(5 * 12 / 60)
    features = 300 * 3 + 200  # two views of 300 images, the images themselves, and 200 that are scored
    seconds = expected_cost(WORK, SPEED, Trainings(0, 0, 0, frozen=1.0)).minutes * 60
    assert seconds == pytest.approx(features * convolution_work(128) / 1e9 / 100)
