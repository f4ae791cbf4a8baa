"""Parts of another brightness are told apart, by patients left out of the fit; parts alike are not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import roc_auc_score

from benchmark.data.checks.batch_effect import (
    FEATURES,
    BatchEffect,
    batch_effects,
    effects_of_split,
    intensities,
    prepared_effects,
)
from benchmark.data.checks.near_duplicates import thumbnails
from benchmark.data.dataset import Dataset, Image, Part
from benchmark.data.decoding.prepared import prepare
from benchmark.data.sources.phantom import open_phantom
from benchmark.data.splits import Sampling, Split, make_split

Levels = npt.NDArray[np.float64]
Drawn = Callable[[np.random.Generator, Part, int], Levels]
SIDE = 16


def plain(generator: np.random.Generator, part: Part, label: int) -> Levels:
    return generator.normal(120, 30, (SIDE, SIDE)) + generator.normal(0, 10)


def brighter_test(generator: np.random.Generator, part: Part, label: int) -> Levels:
    return plain(generator, part, label) + (12 if part == "test" else 0)


def brighter_ill(generator: np.random.Generator, part: Part, label: int) -> Levels:
    return plain(generator, part, label) + 40 * label


def uneven_test(generator: np.random.Generator, part: Part, label: int) -> Levels:
    """As bright as train on average, but now darker, now brighter than any of it."""
    shift = generator.choice([-30, 30]) if part == "test" else 0
    return plain(generator, part, label) + shift


def dark_border(generator: np.random.Generator, part: Part, label: int) -> Levels:
    levels = plain(generator, part, label)
    if part == "test":
        levels[:2] -= 25
        levels[2:-2] += 25 * 2 / (SIDE - 4)
    return levels


def look(
    drawn: Drawn, seed: int = 0, *, ill: tuple[float, float] = (0.5, 0.5), patients: int = 40, each: int = 1
) -> tuple[list[Image], Levels]:
    """Images of train and test, `patients` in each part with `each` images, the share `ill` of them ill; and their
    intensities. A patient's images differ little."""
    generator = np.random.default_rng(seed)
    images, pixels = [], []
    parts: tuple[Part, Part] = ("train", "test")
    for part, share in zip(parts, ill, strict=True):
        for number in range(patients):
            label = int(number < share * patients)
            levels = drawn(generator, part, label)
            for shot in range(each):
                name = f"{part}/{number}-{shot}"
                images.append(Image(name, part, label, f"{part}-{number}", name))
                noise = generator.normal(0, 1, levels.shape)
                pixels.append(np.clip(np.rint(levels + noise), 0, 255).astype(np.uint8))
    return images, intensities(np.stack(pixels))


def effect(drawn: Drawn, seed: int = 0, **how: object) -> BatchEffect:
    [found] = batch_effects(*look(drawn, seed, **how))  # type: ignore[arg-type]
    return found


def test_a_brighter_test_part_is_told() -> None:
    found = effect(brighter_test)
    assert found.significant
    assert (found.part, found.other, found.reason) == ("test", "train", None)
    assert found.auc is not None
    assert found.chance is not None
    assert found.auc > 0.7 > found.chance
    assert found.strongest_auc is not None
    assert found.strongest_auc > 0.5
    assert f"distinguishes test from train: AUC {found.auc:.2f}" in found.line()
    assert f"most by a higher {found.strongest} in test" in found.line()


def test_parts_of_one_kind_are_not_told() -> None:
    found = effect(plain)
    assert not found.significant
    assert "does not distinguish test from train" in found.line()


def test_chance_is_kept_at_its_level() -> None:
    """At the 1% level none or one of 20 sets without a batch effect is told, and p is spread over its range."""
    found = [effect(plain, seed, patients=24) for seed in range(20)]
    assert sum(each.significant for each in found) <= 1
    p = [each.p for each in found if each.p is not None]
    assert len(p) == 20
    assert 0.25 < np.mean(p) < 0.75


def test_several_images_of_few_patients_do_not_make_an_effect() -> None:
    """10 patients with 20 images each say little, however alike the images of one patient are."""
    found = [effect(plain, seed, patients=10, each=20) for seed in range(10)]
    assert sum(each.significant for each in found) <= 1


def test_a_part_is_not_told_by_its_share_of_ill_patients() -> None:
    """The ill are brighter, and most of test is ill; among images of one class nothing differs."""
    found = effect(brighter_ill, ill=(0.25, 0.75))
    assert not found.significant
    assert found.strongest_auc == pytest.approx(0.5, abs=0.2)


def test_levels_that_spread_more_around_the_same_mean_are_told() -> None:
    assert effect(uneven_test).significant


def test_a_dark_border_is_told_and_named() -> None:
    found = effect(dark_border)
    assert found.significant
    assert found.strongest == "border against centre"
    assert found.strongest_auc is not None
    assert found.strongest_auc < 0.5
    assert "lower border against centre in test" in found.line()


def test_the_auc_of_the_strongest_feature_is_that_of_scikit_learn() -> None:
    """Within each class, weighted by the number of pairs; no other feature is further from one half."""
    images, features = look(brighter_test, ill=(0.3, 0.6))
    [found] = batch_effects(images, features)
    test = np.array([image.part == "test" for image in images])
    labels = np.array([image.label for image in images])
    alone = []
    for column in features.T:
        parts = [
            (roc_auc_score(test[labels == label], column[labels == label]), test[labels == label]) for label in (0, 1)
        ]
        weights = [inside.sum() * (~inside).sum() for _, inside in parts]
        alone.append(np.average([auc for auc, _ in parts], weights=weights))
    best = int(np.argmax(np.abs(np.array(alone) - 0.5)))
    assert found.strongest == FEATURES[best]
    assert found.strongest_auc == pytest.approx(alone[best])


def test_the_same_seed_gives_the_same_answer() -> None:
    images, features = look(plain)
    assert batch_effects(images, features, seed=3) == batch_effects(images, features, seed=3)


def test_images_that_do_not_differ_are_not_told() -> None:
    images, _ = look(plain)
    [found] = batch_effects(images, np.full((len(images), len(FEATURES)), 7.0))
    assert not found.significant
    assert found.strongest_auc == 0.5


def test_few_patients_give_a_reason_and_no_figure() -> None:
    found = effect(plain, patients=8)
    assert (found.auc, found.chance, found.p, found.strongest, found.significant) == (None, None, None, None, False)
    assert found.reason == "test has 4 patients of a class; 5 are needed"
    assert found.reason in found.line()


def test_val_and_test_are_compared_with_train_where_they_are_there() -> None:
    images, features = look(plain, patients=12)
    as_val = [Image(i.name, "val" if i.part == "test" else "train", i.label, i.patient, i.digest) for i in images]
    as_all = [Image(i.name, "all", i.label, i.patient, i.digest) for i in images]
    assert [each.part for each in batch_effects(as_val, features)] == ["val"]
    assert batch_effects(as_all, features) == ()


def test_intensities_are_what_numpy_says() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (3, 16, 16), dtype=np.uint8)
    found = dict(zip(FEATURES, intensities(grey).T, strict=True))
    assert found["mean"] == pytest.approx([image.mean() for image in grey])
    assert found["standard deviation"] == pytest.approx([image.std() for image in grey])
    assert found["25% quantile"] == pytest.approx([np.quantile(image, 0.25) for image in grey])
    assert found["share of black"] == pytest.approx([(image <= 15).mean() for image in grey])
    assert found["share of white"] == pytest.approx([(image >= 241).mean() for image in grey])


def test_the_border_is_an_eighth_on_each_side() -> None:
    grey = np.full((1, 16, 16), 100, np.uint8)
    grey[:, 2:-2, 2:-2] = 150
    assert dict(zip(FEATURES, intensities(grey).T, strict=True))["border against centre"] == -50


def test_the_phantom_s_other_scanner_is_told() -> None:
    dataset = open_phantom()
    images = [image for part in ("train", "test") for image in dataset.images if image.part == part][::4]
    [found] = batch_effects(images, intensities(thumbnails(dataset.read(images, 32))))
    assert found.significant


@pytest.fixture(scope="module")
def drawn_split() -> tuple[Dataset, Split]:
    dataset = open_phantom()
    return dataset, make_split(dataset, Sampling(train=40, val=20, test=20, balanced=True), 0)


def test_a_prepared_split_is_compared_once(drawn_split: tuple[Dataset, Split], tmp_path: Path) -> None:
    """A second run on the split needs no pixels, and gets every bit of the first result, as does the bench itself."""
    first = effects_of_split(*drawn_split, SIDE, tmp_path)
    folder = prepare(*drawn_split, SIDE, tmp_path)
    unprepared = tmp_path / "other"
    assert prepared_effects(prepare(*drawn_split, SIDE, unprepared)) == first
    for pixels in folder.glob("*.npy"):
        pixels.unlink()
    assert prepared_effects(folder) == first
    with pytest.raises(FileNotFoundError):  # nothing is stored of another unit
        prepared_effects(folder, "images")


def test_a_damaged_result_is_computed_again(drawn_split: tuple[Dataset, Split], tmp_path: Path) -> None:
    first = effects_of_split(*drawn_split, SIDE, tmp_path)
    folder = prepare(*drawn_split, SIDE, tmp_path)
    [file] = tmp_path.glob("*.json")
    whole = file.read_text(encoding="utf-8")
    record = json.loads(whole)
    damaged = [
        whole[: len(whole) // 2],
        "[]",
        "{}",
        json.dumps(record | {"method": 0}),
        json.dumps(record | {"effects": record["effects"][:1]}),
        json.dumps(record | {"effects": [effect | {"auc": "high"} for effect in record["effects"]]}),
        json.dumps(record | {"effects": [{"part": "val"}, {"part": "test"}]}),
    ]
    for text in damaged:
        file.write_text(text, encoding="utf-8")
        assert prepared_effects(folder) == first
        assert file.read_text(encoding="utf-8") == whole
    file.unlink()
    assert prepared_effects(folder) == first
