"""What parts share is listed image by image, with the reason; nothing is listed when nothing is shared."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.data.checks import leakage
from benchmark.data.checks.leakage import Leak, Leakage, find_leaks, leaks, related_test_images
from benchmark.data.checks.near_duplicates import BITS, hashes, is_flat, thumbnails
from benchmark.data.dataset import Dataset, Image, Part, Pixels
from benchmark.data.decoding.prepared import prepare
from benchmark.data.sources import open_dataset
from benchmark.data.sources.phantom import open_phantom
from benchmark.data.splits import Sampling, Split, make_split
from tests.support.images import in_memory, rows_of, save
from tests.support.pictures import COPIES, picture, reencoded, stack

SIDE = 96


def shown(images: Sequence[Image], of: dict[str, tuple[int, str | None]]) -> Dataset:
    """A data set of pictures: each image shows the picture of a number, or a copy of it made in a named way."""

    def read(wanted: Sequence[Image], size: int) -> Pixels:
        made = []
        for image in wanted:
            seed, copy = of[image.name]
            original = picture(seed)
            made.append((COPIES[copy](original) if copy else original).resize((size, size)))
        return stack(made)

    return Dataset("memory", "pictures", False, ("NORMAL", "PNEUMONIA"), tuple(images), 1, read)


def pictured(copies: dict[str, tuple[Part, int, str, int, str | None]]) -> tuple[Dataset, Split]:
    """40 + 20 + 20 images of a patient each, and the `copies`: their part, label, patient, picture and how it was
    copied."""
    images = [Image(*row) for part in ("train", "val", "test") for row in rows_of(part, 40 if part == "train" else 20)]
    of: dict[str, tuple[int, str | None]] = {image.name: (seed, None) for seed, image in enumerate(images)}
    for name, (part, label, patient, seed, copy) in copies.items():
        images.append(Image(name, part, label, patient, f"content of {name}"))
        of[name] = (seed, copy)
    images.sort(key=lambda image: image.name)
    parts = {part: tuple(image for image in images if image.part == part) for part in ("train", "val", "test")}
    return shown(images, of), Split(parts["train"], parts["val"], parts["test"])


def by_content(images: Sequence[Image]) -> Leakage:
    """What the parts of `images` share, apart from looks."""
    nothing = np.zeros((len(images), BITS), bool)
    return find_leaks(images, [image.part for image in images], nothing, np.ones(len(images), bool))


def leaking_test_images(leakage: Leakage) -> tuple[str, ...]:
    return tuple(sorted({leak.name for leak in leakage.leaks if leak.part == "test"}))


def test_a_clean_split_leaks_nothing(tmp_path: Path) -> None:
    found = leaks(*pictured({}), SIDE, tmp_path)
    assert found.cutoff.distance is not None
    assert (found.leaks, leaking_test_images(found), found.lines(), found.near_pairs) == ((), (), (), 0)
    for overlap in found.overlaps:
        assert (overlap.same_patient or 0, overlap.identical, overlap.near_duplicate) == (0, 0, 0)


@pytest.mark.parametrize("copy", COPIES)
def test_a_test_image_nearly_the_same_as_a_train_image_leaks(tmp_path: Path, copy: str) -> None:
    found = leaks(*pictured({"test/copy": ("test", 1, "another", 7, copy)}), SIDE, tmp_path)
    [leak] = found.leaks
    assert (leak.name, leak.part, leak.other, leak.other_part) == ("test/copy", "test", "train/007", "train")
    assert leak.reason == "near duplicate"
    assert leak.distance is not None
    assert found.cutoff.distance is not None
    assert leak.distance <= found.cutoff.distance
    assert leaking_test_images(found) == ("test/copy",)
    [line] = found.lines()
    assert "1 test image nearly identical to images of train" in line
    assert "test/copy" in line
    assert "train/007" in line


def test_a_val_image_leaks_from_train_and_a_test_image_from_val(tmp_path: Path) -> None:
    copies: dict[str, tuple[Part, int, str, int, str | None]] = {
        "val/copy": ("val", 1, "another", 3, "darker"),
        "test/copy": ("test", 0, "one more", 40, "smaller"),
    }
    found = leaks(*pictured(copies), SIDE, tmp_path)
    assert [(leak.name, leak.other, leak.other_part) for leak in found.leaks] == [
        ("test/copy", "val/000", "val"),
        ("val/copy", "train/003", "train"),
    ]
    assert leaking_test_images(found) == ("test/copy",)


def test_copies_in_a_part_are_pairs_and_no_leaks(tmp_path: Path) -> None:
    """Images of one patient in one part are not even pairs, unless they stand under both labels."""
    copies: dict[str, tuple[Part, int, str, int, str | None]] = {
        "train/stranger": ("train", 0, "another", 2, "brighter"),
        "train/again": ("train", 0, "train-patient-4", 4, "brighter"),
        "train/other": ("train", 0, "train-patient-5", 5, "brighter"),
    }
    found = leaks(*pictured(copies), SIDE, tmp_path)
    assert found.leaks == ()
    assert {(pair.first, pair.second, pair.same_patient, pair.same_class) for pair in found.closest} == {
        ("train/002", "train/stranger", False, True),
        ("train/005", "train/other", True, False),
    }
    assert (found.near_pairs, found.near_pairs_under_both_labels) == (2, 1)
    [inside] = [overlap for overlap in found.overlaps if overlap.part == overlap.other == "train"]
    assert (inside.images, inside.near_duplicate, inside.same_patient) == (43, 4, None)


def test_related_test_images_are_named_by_reason(tmp_path: Path) -> None:
    """From prepared pixels alone: a relative in train or val, or the same image before it in test."""
    dataset, split = pictured(
        {
            "test/copy": ("test", 1, "another", 7, "darker"),
            "test/known": ("test", 1, "train patient 1", 90, None),
            "test/twin-a": ("test", 1, "twin", 91, None),
            "test/twin-b": ("test", 1, "twin", 91, None),
        }
    )
    patient, digest = split.train[1].patient, next(i for i in split.test if i.name == "test/twin-a").digest
    changes = {"test/known": {"patient": patient}, "test/twin-b": {"digest": digest}}
    test = tuple(replace(image, **changes.get(image.name, {})) for image in split.test)
    folder = prepare(dataset, replace(split, test=test), SIDE, tmp_path)
    assert related_test_images(folder) == {
        "near duplicate": ("test/copy",),
        "same patient": ("test/known",),
        "repeated": ("test/twin-b",),
    }


def test_a_prepared_split_is_searched_once(tmp_path: Path) -> None:
    """A second run on the split needs no pixels; a damaged result is computed again."""
    copies: dict[str, tuple[Part, int, str, int, str | None]] = {"test/copy": ("test", 1, "another", 7, "darker")}
    folder = prepare(*pictured(copies), SIDE, tmp_path)
    first = related_test_images(folder)
    assert first == {"near duplicate": ("test/copy",)}
    [file] = tmp_path.glob("*-related.json")
    whole = file.read_text(encoding="utf-8")
    for text in (whole[: len(whole) // 2], "[]", "{}", '{"method": 1, "related": {"unknown": []}}'):
        file.write_text(text, encoding="utf-8")
        assert related_test_images(folder) == first
        assert file.read_text(encoding="utf-8") == whole
    for pixels in folder.glob("*.npy"):
        pixels.unlink()
    assert related_test_images(folder) == first
    file.unlink()
    with pytest.raises(FileNotFoundError):
        related_test_images(folder)


def test_every_image_of_a_copied_test_part_leaks(tmp_path: Path) -> None:
    copies: dict[str, tuple[Part, int, str, int, str | None]] = {
        f"test/copy{seed:02d}": ("test", seed % 2, f"another {seed}", seed, "encoded again") for seed in range(40)
    }
    found = leaks(*pictured(copies), SIDE, tmp_path)
    assert set(copies) <= set(leaking_test_images(found))
    assert len(leaking_test_images(found)) <= 41


def test_an_image_with_several_relatives_is_told_once_for_each_part_and_reason() -> None:
    images = [
        Image("train/a", "train", 0, "p", "content"),
        Image("train/b", "train", 0, "p", "other"),
        Image("val/a", "val", 0, "p", "content"),
        Image("test/a", "test", 0, "p", "content"),
    ]
    found = by_content(images)
    assert found.leaks[:4] == (
        Leak("test/a", "test", "train/a", "train", "same patient", None),
        Leak("test/a", "test", "train/a", "train", "identical", None),
        Leak("test/a", "test", "val/a", "val", "same patient", None),
        Leak("test/a", "test", "val/a", "val", "identical", None),
    )
    assert [leak.name for leak in found.leaks[4:]] == ["val/a", "val/a"]
    assert len(found.lines()) == 6
    assert found.lines()[0] == "1 test image of patients who are also in train, such as test/a and train/a"


@given(
    st.lists(
        st.tuples(st.sampled_from(["train", "val", "test"]), st.integers(0, 5), st.integers(0, 8)),
        min_size=1,
        max_size=20,
    )
)
@settings(deadline=None)
def test_patients_and_contents_are_counted_as_by_hand(rows: list[tuple[Part, int, int]]) -> None:
    """For every part and earlier part: its images whose patient, or content, is there too."""
    images = [Image(f"{i:02d}", part, i % 2, f"p{who}", f"d{what}") for i, (part, who, what) in enumerate(rows)]
    found = by_content(images)
    for overlap in found.overlaps:
        own = [image for image in images if image.part == overlap.part]
        others = [image for image in images if image.part == overlap.other]
        assert overlap.images == len(own)
        assert overlap.near_duplicate is None
        same = [image for image in own for other in others if image.digest == other.digest and image is not other]
        assert overlap.identical == len({image.name for image in same})
        if overlap.part != overlap.other:
            patients = {image.patient for image in others}
            assert overlap.same_patient == sum(image.patient in patients for image in own)
    train_and_val = [image for image in images if image.part != "test"]
    known = {image.patient for image in train_and_val} | {image.digest for image in train_and_val}
    leaking = [i.name for i in images if i.part == "test" and {i.patient, i.digest} & known]
    assert list(leaking_test_images(found)) == leaking


def test_flat_images_are_counted_and_not_compared() -> None:
    dataset = in_memory(rows_of("train", 60) + rows_of("test", 40))
    grey = thumbnails(dataset.read(dataset.images, 64))
    found = find_leaks(dataset.images, [image.part for image in dataset.images], hashes(grey), is_flat(grey))
    assert found.flat == 100
    assert found.cutoff.distance is None
    assert found.leaks == ()


def test_a_source_without_parts_has_pairs_alone() -> None:
    dataset, _ = pictured({"train/copy": ("train", 0, "another", 6, "larger")})
    images = [replace(image, part="all") for image in dataset.images]
    grey = thumbnails(dataset.read(images, 64))
    found = find_leaks(images, ["all"] * len(images), hashes(grey), is_flat(grey))
    assert [(overlap.part, overlap.other, overlap.near_duplicate) for overlap in found.overlaps] == [("all", "all", 2)]
    assert found.leaks == ()


def test_a_long_list_of_pairs_is_cut_but_all_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leakage, "MAX_LISTED", 3)
    copies: dict[str, tuple[Part, int, str, int, str | None]] = {
        f"test/copy{seed}": ("test", 0, f"another {seed}", seed, "darker") for seed in range(8)
    }
    found = leaks(*pictured(copies), SIDE, tmp_path)
    assert len(found.closest) == 3
    assert found.near_pairs >= 8
    assert len(leaking_test_images(found)) >= 8


def test_leakage_is_plain_data(tmp_path: Path) -> None:
    found = leaks(*pictured({"test/copy": ("test", 1, "another", 7, "darker")}), SIDE, tmp_path)
    again = json.loads(json.dumps(asdict(found)))
    assert [Leak(**leak) for leak in again["leaks"]] == list(found.leaks)


def test_images_are_compared_as_they_were_prepared_for_the_runs(tmp_path: Path) -> None:
    """Nothing is read a second time."""
    dataset, split = pictured({})
    leaks(dataset, split, SIDE, tmp_path)

    def unread(wanted: Sequence[Image], size: int) -> Pixels:
        raise AssertionError("read again")

    assert leaks(replace(dataset, read=unread), split, SIDE, tmp_path).leaks == ()


def test_copies_in_files_are_found(tmp_path: Path) -> None:
    """A folder with a rescaled JPEG of a train image in test, under another name."""
    for number in range(60):
        part = "train" if number < 40 else "test"
        save(picture(number), tmp_path / part / "AB"[number % 2] / f"{number:02d}.png")
    save(reencoded(picture(8).resize((70, 70))), tmp_path / "test" / "A" / "copy.jpeg")
    dataset = open_dataset(str(tmp_path))
    split = make_split(dataset, Sampling(min_val=0), 0)
    found = leaks(dataset, split, 64, tmp_path / "prepared")
    assert leaking_test_images(found) == ("test/A/copy.jpeg",)
    assert found.leaks[0].other == "train/A/08.png"


def test_the_phantom_leaks_nothing() -> None:
    dataset = open_phantom()
    split = make_split(dataset, Sampling(train=60, val=30, test=30, balanced=True), 0)
    assert leaks(dataset, split, 64).lines() == ()


@pytest.mark.real_data
def test_no_radiograph_of_a_drawn_split_leaks(real_data: Path) -> None:
    """Darker copies of train images in the place of test images are found, and they alone."""
    dataset = open_dataset(str(real_data))
    split = make_split(dataset, Sampling(train=240, val=60, test=120, balanced=True), 0)
    found = leaks(dataset, split, 96)
    assert found.lines() == ()
    assert found.cutoff.distance is not None

    def copied(wanted: Sequence[Image], size: int) -> Pixels:
        pixels = dataset.read(wanted, size)
        for index, image in enumerate(wanted):
            if image in split.test[:3]:
                original = dataset.read([split.train[split.test.index(image)]], size)[0]
                pixels[index] = np.clip(original * 0.8 + 12, 0, 255).astype(np.uint8)
        return pixels

    again = leaks(replace(dataset, read=copied, classes=("A", "B")), split, 96)
    assert set(leaking_test_images(again)) == {image.name for image in split.test[:3]}
