"""The embedded data set is the same everywhere, tells its classes by opacities in the lungs, and is no walk-over."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image as Pillow

from benchmark.data.dataset import Dataset, Image
from benchmark.data.sources.phantom import PATIENTS, open_phantom
from benchmark.data.sources.phantom_anatomy import draw_anatomy, draw_pose, film, lungs
from benchmark.data.splits import make_split
from benchmark.runs.protocol import load_protocol

ROOT = Path(__file__).resolve().parents[4]
DIGEST = """
import hashlib
from benchmark.data.sources.phantom import open_phantom
dataset = open_phantom(3)
print(dataset.fingerprint)
print(hashlib.sha256(dataset.read(dataset.images[::100], 48).tobytes()).hexdigest())
"""


@pytest.fixture(scope="module")
def phantom() -> Dataset:
    return open_phantom()


def patients_of(dataset: Dataset) -> dict[str, list[Image]]:
    found: dict[str, list[Image]] = defaultdict(list)
    for image in dataset.images:
        found[image.patient].append(image)
    return found


def grey(dataset: Dataset, image: Image, size: int) -> npt.NDArray[np.float64]:
    return dataset.read([image], size)[0, ..., 0].astype(np.float64)


def lung_mask(dataset: Dataset, image: Image, size: int) -> npt.NDArray[np.bool_]:
    assert dataset.region is not None
    assert dataset.region.name == "lungs"
    return dataset.region.mask(image, size)


def opacity(seed: int) -> tuple[float, float]:
    """How much the opacity of a drawn patient changes grey levels inside and outside of the lungs, on average."""
    generator = np.random.default_rng(seed)
    anatomy, pose = draw_anatomy(generator, ill=True), draw_pose(generator, other_scanner=False)
    drawn = [film(each, pose, 64).astype(np.float64) for each in (anatomy, replace(anatomy, kind="none"))]
    change, inside = np.abs(drawn[0] - drawn[1]), lungs(anatomy, pose, 64) > 0.5
    return float(change[inside].mean()), float(change[~inside].mean())


def of_class(dataset: Dataset, label: int, step: int) -> list[Image]:
    return [image for image in dataset.images if image.label == label][::step]


def test_it_says_that_it_is_synthetic(phantom: Dataset) -> None:
    assert phantom.synthetic
    assert phantom.source == "phantom"
    assert "synthetic" in phantom.title
    assert phantom.classes == ("NORMAL", "PNEUMONIA")
    assert phantom.channels == 1
    assert phantom.problems == ()


def test_each_patient_has_one_to_four_images(phantom: Dataset) -> None:
    counts = Counter(len(images) for images in patients_of(phantom).values())
    assert set(counts) == {1, 2, 3, 4}


def test_a_patient_has_one_class_and_stands_in_one_part(phantom: Dataset) -> None:
    for images in patients_of(phantom).values():
        assert len({(image.part, image.label) for image in images}) == 1


def test_half_the_patients_of_each_part_are_ill(phantom: Dataset) -> None:
    found = Counter((images[0].part, images[0].label) for images in patients_of(phantom).values())
    assert found == {(part, label): count // 2 for part, count in PATIENTS.items() for label in (0, 1)}


def test_names_and_digests_are_each_image_s_own(phantom: Dataset) -> None:
    names = [image.name for image in phantom.images]
    assert names == sorted(set(names))
    assert len({image.digest for image in phantom.images}) == len(names)


def test_names_say_part_class_and_patient(phantom: Dataset) -> None:
    for image in phantom.images:
        part, label, file = image.name.split("/")
        assert part == image.part
        assert label == phantom.classes[image.label]
        assert file.startswith(f"{image.patient}_")


def test_another_process_draws_the_same_images() -> None:
    dataset = open_phantom(3)
    pixels = hashlib.sha256(dataset.read(dataset.images[::100], 48).tobytes()).hexdigest()
    done = subprocess.run([sys.executable, "-c", DIGEST], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [dataset.fingerprint, pixels]


def test_another_seed_draws_other_patients(phantom: Dataset) -> None:
    other = open_phantom(1)
    assert other.fingerprint != phantom.fingerprint
    name = min({image.name for image in other.images} & {image.name for image in phantom.images})
    one, two = (next(image for image in dataset.images if image.name == name) for dataset in (phantom, other))
    assert one.digest != two.digest
    assert not np.array_equal(phantom.read([one], 32), other.read([two], 32))
    assert not np.array_equal(lung_mask(phantom, one, 32), lung_mask(other, two, 32))


def test_an_image_does_not_depend_on_those_read_with_it(phantom: Dataset) -> None:
    some = phantom.images[5:300:40]
    together = phantom.read(some, 24)
    assert all(np.array_equal(together[i], phantom.read([image], 24)[0]) for i, image in enumerate(some))


@pytest.mark.parametrize("size", [1, 17, 64, 150])
def test_images_are_read_at_any_size(phantom: Dataset, size: int) -> None:
    pixels = phantom.read(phantom.images[:2], size)
    assert pixels.shape == (2, size, size, 1)
    assert pixels.dtype == np.uint8
    assert phantom.read((), size).shape == (0, size, size, 1)


def test_two_images_of_a_patient_are_not_the_same(phantom: Dataset) -> None:
    several = [images for images in patients_of(phantom).values() if len(images) > 1][::20]
    assert all(not np.array_equal(*phantom.read(images[:2], 32)) for images in several)


@pytest.mark.parametrize(("large", "small"), [(128, 64), (150, 50), (64, 32)])
def test_an_image_shows_the_same_at_another_size(phantom: Dataset, large: int, small: int) -> None:
    images = phantom.images[::150]
    drawn = [grey(phantom, image, small).ravel() for image in images]
    for index, image in enumerate(images):
        whole = Pillow.fromarray(phantom.read([image], large)[0, ..., 0])
        shrunk = np.asarray(whole.resize((small, small), Pillow.Resampling.BOX), np.float64).ravel()
        likeness = [np.corrcoef(shrunk, other)[0, 1] for other in drawn]
        assert likeness[index] > 0.94
        assert max(range(len(images)), key=likeness.__getitem__) == index


def test_the_test_part_is_exposed_otherwise(phantom: Dataset) -> None:
    means = {
        part: np.array([grey(phantom, image, 16).mean() for image in phantom.images[::3] if image.part == part])
        for part in ("train", "val", "test")
    }
    error = means["test"].std() / np.sqrt(len(means["test"]))
    assert abs(means["test"].mean() - means["train"].mean()) > 6 * error
    assert abs(means["test"].mean() - means["train"].mean()) > 4 * abs(means["val"].mean() - means["train"].mean())


def test_the_classes_are_exposed_alike(phantom: Dataset) -> None:
    train = [image for image in phantom.images[::3] if image.part == "train"]
    by_label = [np.array([grey(phantom, i, 16).mean() for i in train if i.label == label]) for label in (0, 1)]
    assert abs(by_label[0].mean() - by_label[1].mean()) < 0.5 * by_label[0].std()


def test_lungs_are_dark_and_a_part_of_the_image(phantom: Dataset) -> None:
    for image in of_class(phantom, 0, 40):
        mask = lung_mask(phantom, image, 64)
        chest = np.zeros_like(mask)
        chest[12:52, 8:56] = True
        pixels = grey(phantom, image, 64)
        assert 0.08 < mask.mean() < 0.5
        assert pixels[mask].mean() + 20 < pixels[chest & ~mask].mean()


def test_an_opacity_changes_the_lungs_and_little_else() -> None:
    changes = [opacity(seed) for seed in range(45)]
    visible = [(inside, outside) for inside, outside in changes if inside > 1]
    ratios = [inside / max(outside, 1e-3) for inside, outside in visible]
    assert len(visible) > 0.9 * len(changes)
    assert min(ratios) > 1.5
    assert np.median(ratios) > 3


def test_opacities_range_from_faint_to_plain() -> None:
    faint, plain = np.quantile([opacity(seed)[0] for seed in range(45)], [0.1, 0.9])
    assert plain > 3 * faint


@pytest.mark.slow
def test_a_linear_model_of_the_pixels_reads_the_test_part_poorly(phantom: Dataset) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    split = make_split(phantom, load_protocol("quick").sampling, 0)
    pixels = [phantom.read(part, 32).reshape(len(part), -1) for part in (split.train, split.test)]
    labels = [[image.label for image in part] for part in (split.train, split.test)]
    for strength in (1e-3, 1e-2):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=5000))
        scores = model.fit(pixels[0], labels[0]).decision_function(pixels[1])
        assert roc_auc_score(labels[1], scores) < 0.80
