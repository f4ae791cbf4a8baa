"""The digits of scikit-learn as a source: real images, ten classes, no patients."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

from benchmark.data.sources import open_dataset
from benchmark.data.splits import Sampling, make_split


def test_there_are_1797_real_images_of_ten_classes_without_parts_and_patients() -> None:
    dataset = open_dataset("digits")
    assert dataset.classes == tuple("0123456789")
    assert len(dataset.images) == 1797
    assert not dataset.synthetic
    assert dataset.patients is not None
    assert not dataset.patients.known
    assert dataset.unit == "image"
    assert {image.part for image in dataset.images} == {"all"}


def test_labels_and_pixels_are_those_of_scikit_learn_with_16_as_white() -> None:
    dataset, archive = open_dataset("digits"), load_digits()
    assert [image.label for image in dataset.images] == archive.target.tolist()
    pixels = dataset.read(dataset.images, 8)
    assert pixels.shape == (1797, 8, 8, 1)
    assert np.abs(pixels[..., 0] * (16 / 255) - archive.images).max() < 0.04
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert dataset.original_size is not None
    assert dataset.original_size(dataset.images[0]) == (8, 8)


def test_the_same_images_are_read_at_any_size_and_have_the_same_fingerprint() -> None:
    dataset = open_dataset("digits")
    assert dataset.read(dataset.images[:2], 32).shape == (2, 32, 32, 1)
    assert dataset.read((), 32).shape == (0, 32, 32, 1)
    assert dataset.fingerprint == open_dataset("digits").fingerprint


def test_every_part_of_a_split_has_all_digits() -> None:
    split = make_split(open_dataset("digits"), Sampling(train=500, val=100, test=300, balanced=True), 0)
    assert split.by_class == {"train": (50,) * 10, "val": (10,) * 10, "test": (30,) * 10}
