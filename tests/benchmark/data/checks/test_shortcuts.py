"""Facts that distinguish the classes without content are found, at the level of chance that shuffled patients give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score

from benchmark.data.checks.fact_groups import FACTS, FactGroup, FactName, PixelFacts, fact_groups
from benchmark.data.checks.near_duplicates import thumbnails
from benchmark.data.checks.shortcuts import Shortcut, judge, scores_on
from benchmark.data.dataset import Image
from benchmark.data.levels import Stored
from tests.support.pictures import picture, stack

PLAIN = Stored("PNG", "L", "8-bit", 0, 255, 300, 200, False, False, False, 5000)
Change = Callable[[Stored, int, np.random.Generator], Stored]


def unchanged(file: Stored, label: int, generator: np.random.Generator) -> Stored:
    return replace(file, file_bytes=int(generator.integers(4000, 6000)))


def deeper(file: Stored, label: int, generator: np.random.Generator) -> Stored:
    return replace(file, depth="16-bit", mode="I;16", high=float((1000, 4000)[label > 0]))


def larger(file: Stored, label: int, generator: np.random.Generator) -> Stored:
    side = int(generator.normal(300 + 60 * label, 20))
    return replace(file, width=3 * side, height=2 * side)


def wider(file: Stored, label: int, generator: np.random.Generator) -> Stored:
    return replace(file, width=int(generator.normal(300 + 60 * label, 20)))


def heavier(file: Stored, label: int, generator: np.random.Generator) -> Stored:
    return replace(file, file_bytes=int(generator.normal(5000 + 2000 * label, 200)))


def in_colour(file: Stored, label: int, generator: np.random.Generator) -> Stored:
    return replace(file, mode="RGB", colour=label == 1)


def judged(
    change: Change, *, classes: Sequence[str] = ("A", "B"), patients: int = 60, each: int = 1, seed: int = 0
) -> dict[FactName, Shortcut]:
    """The facts of `patients` patients with `each` images, the classes in turn; all images of a patient are alike."""
    generator = np.random.default_rng(seed)
    images, stored = [], {}
    for patient in range(patients):
        label = patient % len(classes)
        file = change(PLAIN, label, generator)
        for number in range(each):
            name = f"{patient:03d}-{number}.png"
            images.append(Image(name, "train", label, str(patient), name))
            stored[name] = file
    results = judge(images, fact_groups(images, stored, None), classes)
    return {result.shortcut.facts: result.shortcut for result in results}


def found(shortcuts: dict[FactName, Shortcut]) -> set[FactName]:
    """The facts with an AUC clearly above chance; intervals belong to another layer."""
    return {name for name, each in shortcuts.items() if each.p is not None and each.p <= 0.01}


@pytest.mark.parametrize(
    ("formats", "in_pixels"),
    [(("PNG", "BMP"), False), (("PNG", "PNG"), False), (("PNG", "JPEG"), True), (("PNG", "TIFF"), True)],
)
def test_a_format_that_decoded_pixels_cannot_carry_is_not_called_a_way_for_models(
    formats: tuple[str, str], in_pixels: bool
) -> None:
    images = [
        Image(f"{place:03d}.{'ab'[place % 2]}", "train", place % 2, str(place), str(place)) for place in range(60)
    ]
    stored = {image.name: replace(PLAIN, format=formats[image.label]) for image in images}
    results = judge(images, fact_groups(images, stored, None), ("A", "B"))
    (of_format,) = [each.shortcut for each in results if each.shortcut.facts == "file format"]
    assert (of_format.auc, of_format.in_pixels) == (1.0, in_pixels)
    assert ("decoded pixels do not carry it" in of_format.line()) == (not in_pixels)
    assert ("a model can reach that" in of_format.line()) == in_pixels


@pytest.mark.parametrize(
    ("change", "facts"),
    [
        (deeper, {"bit depth"}),
        (larger, {"image size", "file size"}),
        (wider, {"image size", "aspect ratio", "file size"}),
        (heavier, {"file size"}),
        (in_colour, {"colour channels"}),
    ],
)
def test_the_facts_that_differ_are_named(change: Change, facts: set[FactName]) -> None:
    shortcuts = judged(change)
    assert found(shortcuts) == facts
    assert all((shortcuts[name].auc or 0) > 0.8 for name in facts)


def test_two_classes_that_differ_only_in_bit_depth_have_an_auc_of_one() -> None:
    depth = judged(deeper)["bit depth"]
    assert depth.auc == 1.0
    assert depth.detail is not None
    assert "100% of A, 0% of B" in depth.detail or "100% of B, 0% of A" in depth.detail
    known = replace(depth, low=0.95, high=1.0)
    assert known.notable
    assert known.line().startswith("bit depth alone distinguishes the classes: AUC 1.00 [0.95, 1.00], shuffled")
    assert known.line().endswith("a model can reach that without looking at the content")
    assert known.verdict() == "yes"
    assert replace(depth, low=0.69).verdict() == "no (lower end below 0.70)"
    assert replace(depth, facts="grey levels", low=0.887).verdict() == "no (lower end below 0.90)"
    assert replace(depth, low=0.95, p=0.02).verdict() == "no (shuffled classes reach it)"


def test_a_size_of_one_class_of_three_is_found() -> None:
    shortcuts = judged(larger, classes=("A", "B", "C"), patients=60)
    assert found(shortcuts) == {"image size", "file size"}
    assert "in C" in (shortcuts["image size"].detail or "")


def test_chance_is_at_its_level_even_with_many_images_of_few_patients() -> None:
    """10 patients with 20 equal images each say little; at the 1% level at most one of 20 such sets is above chance."""
    results = [judged(unchanged, patients=20, each=10, seed=seed)["file size"] for seed in range(20)]
    assert sum(result.p is not None and result.p <= 0.01 for result in results) <= 1
    assert 0.25 < np.mean([result.p for result in results if result.p is not None]) < 0.75


def test_facts_that_are_equal_or_unknown_have_a_reason_instead_of_figures() -> None:
    shortcuts = judged(unchanged)
    assert shortcuts["image size"].auc is None
    assert shortcuts["image size"].reason == "the same for all images"
    images = [Image(str(n), "train", n % 2, str(n), str(n)) for n in range(20)]
    unknown = judge(images, fact_groups(images, {}, None), ("A", "B"))
    assert {each.shortcut.reason for each in unknown} == {"the source has no files"}
    few = judge(images[:7], fact_groups(images[:7], dict.fromkeys("0123456", PLAIN), None), ("A", "B"))
    assert few[0].shortcut.reason == "4 patients of A; 5 are needed"


def test_grey_levels_and_borders_are_judged_apart() -> None:
    """A bright frame is a fact about borders; a bright image is one about both."""
    generator = np.random.default_rng(0)
    images = [Image(f"{n}", "train", n % 2, str(n), str(n)) for n in range(80)]
    pixels = stack([picture(n) for n in range(80)]).astype(np.int64)
    pixels[:, 10:-10, 10:-10] += generator.integers(-30, 30, (80, 1, 1, 1))
    framed = pixels.copy()
    framed[1::2, :3] = 250
    facts = [PixelFacts.of(thumbnails(each.clip(0, 255).astype(np.uint8))) for each in (pixels, framed)]
    plain, frame = (
        {result.shortcut.facts: result.shortcut for result in judge(images, fact_groups(images, {}, each), "AB")}
        for each in facts
    )
    assert not found(plain)
    assert (frame["borders"].auc or 0) == 1.0
    assert tuple(plain) == FACTS


def test_the_auc_is_that_of_scikit_learn_on_the_scores_behind_it() -> None:
    images = [Image(f"{n}", "train", n % 3, str(n), str(n)) for n in range(90)]
    values = np.random.default_rng(1).normal(size=(90, 2)) + 0.5 * np.arange(90)[:, None] % 3
    [result] = judge(images, [FactGroup("image size", values, ("width", "height"))], ("A", "B", "C"))
    assert result.scores.sum(axis=1) == pytest.approx(np.ones(90))
    expected = roc_auc_score(result.labels, result.scores, multi_class="ovr")
    assert result.shortcut.auc == pytest.approx(expected)


def test_a_classifier_of_facts_is_fitted_to_the_fitted_images_alone() -> None:
    generator = np.random.default_rng(2)
    values = generator.normal(size=(40, 1))
    labels = np.arange(40) % 2
    fitted, scored = np.arange(30), np.arange(30, 40)
    group = FactGroup("aspect ratio", values, ("width by height",))
    scores = scores_on(group, labels, fitted, scored, 2)
    other = labels.copy()
    other[30:] = 1 - other[30:]
    assert np.array_equal(scores, scores_on(group, other, fitted, scored, 2))
    standard = (values - values[:30].mean()) / values[:30].std()
    square = (standard**2 - (standard[:30] ** 2).mean()) / (standard[:30] ** 2).std()
    inputs = np.hstack([standard, square])
    expected = Ridge().fit(inputs[:30], labels[:30]).predict(inputs[30:])
    assert np.argsort(scores[:, 1]).tolist() == np.argsort(expected).tolist()
