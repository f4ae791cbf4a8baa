"""How files store their images is told, and what in it misleads is warned of by name."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from benchmark.data.checks.describe import describe
from benchmark.data.decoding.formats import formats
from tests.support.images import image_folder, in_memory, noise, opened, refusal, rows_of, save


def deep(seed: int, top: int, side: int = 12) -> Pillow.Image:
    """A 16-bit picture with levels up to `top`."""
    levels = np.random.default_rng(seed).integers(0, top + 1, (side, side), dtype=np.uint16)
    levels[0, 0] = top
    return Pillow.fromarray(levels)


def deep_folder(root: Path, count: int, top: int) -> Path:
    for number in range(2 * count):
        save(deep(number, top), root / "AB"[number % 2] / f"{number:03d}.png")
    return root


def told(root: Path) -> tuple[str, ...]:
    found = formats(opened(root))
    assert found is not None
    return (*found.lines(), *found.warnings)


def test_files_alike_are_told_in_one_line(tmp_path: Path) -> None:
    for name in ("A/a", "A/b", "B/a", "B/b"):
        levels = np.full((12, 10), len(name), np.uint8)
        levels[0, 0] = 210
        save(Pillow.fromarray(levels), tmp_path / f"{name}.png")
    assert told(tmp_path) == ("files: PNG; 8-bit, mode L; grey; levels 3..210; 10 x 12 px",)


def test_twelve_bits_in_sixteen_are_read_as_their_upper_eight(tmp_path: Path) -> None:
    twelve, eight = tmp_path / "twelve", tmp_path / "eight"
    for number in range(12):
        levels = np.random.default_rng(number).integers(0, 1701, (20, 20), dtype=np.uint16)
        name = f"{'AB'[number % 2]}/{number:02d}.png"
        save(Pillow.fromarray(levels), twelve / name)
        save(Pillow.fromarray((levels >> 4).astype(np.uint8)), eight / name)
    one, other = opened(twelve), opened(eight)
    assert one.levels == {"16-bit": (0, 4095)}
    apart = one.read(one.images, 20).astype(int) - other.read(other.images, 20)
    assert np.abs(apart).max() <= 1
    assert "grey levels: 16-bit levels 0..4095 are read as 0..255, one scale for all files of a depth" in told(twelve)


def test_a_dark_file_of_a_deep_source_stays_dark(tmp_path: Path) -> None:
    root = deep_folder(tmp_path, 10, 4095)
    save(Pillow.fromarray(np.full((12, 12), 400, np.uint16)), root / "A" / "dark.png")
    dataset = opened(root)
    (dark,) = (image for image in dataset.images if image.name == "A/dark.png")
    assert (dataset.read([dark], 12) == round(400 / 4095 * 255)).all()


def test_files_of_another_depth_are_named_and_read_by_their_own_scale(tmp_path: Path) -> None:
    root = image_folder(tmp_path, {"A": 20, "B": 20})
    save(Pillow.fromarray(np.full((12, 12), 2048, np.uint16)), root / "B" / "deep.png")
    dataset = opened(root)
    (odd,) = (image for image in dataset.images if image.name == "B/deep.png")
    assert (dataset.read([odd], 12) == 128).all()
    assert "stored as 16-bit, others as 8-bit: 1 of 41 files: B/deep.png" in told(root)


def test_few_files_that_set_the_scale_for_all_are_named(tmp_path: Path) -> None:
    root = deep_folder(tmp_path, 20, 4095)
    save(deep(99, 60_000), root / "B" / "hot.png")
    (line,) = [line for line in told(root) if "set the scale" in line]
    assert "0..65535" in line
    assert line.endswith("1 of 41 files: B/hot.png")


def test_files_that_the_scale_makes_black_are_named(tmp_path: Path) -> None:
    root = deep_folder(tmp_path, 20, 4095)
    save(deep(99, 255), root / "A" / "small.png")
    (line,) = [line for line in told(root) if "nearly black" in line]
    assert line.endswith("1 of 41 files: A/small.png")


def test_classes_that_differ_in_depth_and_format_are_warned_of(tmp_path: Path) -> None:
    for number in range(10):
        save(deep(number, 4095), tmp_path / "NORMAL" / f"{number}.png")
        save(noise(number), tmp_path / "PNEUMONIA" / f"{number}.jpg")
    (line,) = [line for line in describe(opened(tmp_path)).warnings if "between the classes" in line]
    assert line == (
        "depth and format differ between the classes (NORMAL 16-bit, PNG; PNEUMONIA 8-bit, JPEG): a network may "
        "separate them by that alone"
    )


def test_lossless_formats_that_differ_are_not_said_to_show_in_pixels(tmp_path: Path) -> None:
    for number in range(10):
        save(noise(number), tmp_path / "A" / f"{number}.png")
        save(noise(number), tmp_path / "B" / f"{number}.bmp")
    (line,) = [line for line in describe(opened(tmp_path)).warnings if "between the classes" in line]
    assert line == (
        "format differs between the classes (A PNG; B BMP): these formats are lossless, so decoded pixels do not carry "
        "it; the classes may have other sources"
    )


def test_classes_stored_alike_are_not_warned_of(tmp_path: Path) -> None:
    for number in range(20):
        save(noise(number), tmp_path / "AB"[number % 2] / f"{number}.{'png' if number % 4 < 2 else 'jpg'}")
    assert not [line for line in told(tmp_path) if "between the classes" in line]


def test_what_makes_three_channels_is_named_where_few_do(tmp_path: Path) -> None:
    root = image_folder(tmp_path, {"A": 10, "B": 10})
    save(Pillow.new("RGB", (12, 12), (1, 2, 3)), root / "A" / "photo.png")
    assert "channels: 3 because of colour in 1 of 21 files: A/photo.png" in told(root)
    for number in range(10):
        save(Pillow.new("RGB", (12, 12), (1, 2, number)), root / "A" / f"colour{number}.png")
    assert not [line for line in told(root) if line.startswith("channels")]


def test_orientation_and_frames_are_counted_and_named(tmp_path: Path) -> None:
    root = image_folder(tmp_path, {"A": 4, "B": 4})
    exif = Pillow.Exif()
    exif[0x0112] = 6
    (root / "A").mkdir(exist_ok=True)
    Pillow.new("L", (30, 20), 50).save(root / "A" / "turned.jpg", exif=exif)
    noise(50).save(root / "B" / "pages.tif", save_all=True, append_images=[noise(51)])
    dataset = opened(root)
    lines = told(root)
    assert "an EXIF orientation, which is applied, in 1 of 10 files: A/turned.jpg" in lines
    assert "several frames or pages, of which the first is read, in 1 of 10 files: B/pages.tif" in lines
    assert dataset.original_size is not None
    assert [dataset.original_size(image) for image in dataset.images if "turned" in image.name] == [(20, 30)]
    assert any("12-20 x 12-30 px" in line for line in lines)


def test_the_fingerprint_follows_how_pixels_are_read(tmp_path: Path) -> None:
    dataset = opened(image_folder(tmp_path, {"A": 3, "B": 3}))
    scaled = replace(dataset, levels={"16-bit": (0.0, 4095.0)})
    turned = replace(dataset, stored={name: replace(s, reoriented=True) for name, s in dataset.stored.items()})
    assert len({each.fingerprint for each in (dataset, scaled, turned, replace(dataset, stored={}))}) == 3


def test_a_source_without_files_has_no_formats() -> None:
    assert formats(in_memory(rows_of("all", 4))) is None
    assert describe(in_memory(rows_of("all", 4))).formats is None


def test_the_summary_is_plain_data(tmp_path: Path) -> None:
    document = json.loads(json.dumps(asdict(describe(opened(deep_folder(tmp_path, 2, 1700))))))
    cell = document["formats"]["cells"][0]
    assert cell["depths"] == {"16-bit": 2}
    assert cell["levels"]["16-bit"][1] == 1700
    assert document["formats"]["levels"] == {"16-bit": [0, 4095]}


def test_what_is_no_regular_file_is_listed_and_not_opened(tmp_path: Path) -> None:
    root = image_folder(tmp_path, {"A": 30, "B": 30})
    os.mkfifo(root / "A" / "pipe.png")
    (root / "B" / "zero.png").symlink_to("/dev/zero")
    dataset = opened(root)
    assert [(problem.name, problem.reason) for problem in dataset.problems] == [
        ("A/pipe.png", "not a regular file"),
        ("B/zero.png", "not a regular file"),
    ]
    assert len(dataset.images) == 60


@pytest.mark.parametrize("name", ["IM000.dcm", "IM000"])
def test_a_folder_of_dicom_says_what_to_do(tmp_path: Path, name: str) -> None:
    for label in "AB":
        (tmp_path / label).mkdir()
        (tmp_path / label / name).write_bytes(bytes(128) + b"DICM" + bytes(20))
    message = refusal(lambda: opened(tmp_path))
    assert message == (
        f"{tmp_path}: 2 of 2 files are DICOM, such as A/{name}. DICOM files are not read; convert them to PNG or TIFF"
    )


def test_a_name_that_is_not_utf_8_is_an_image_like_others(tmp_path: Path) -> None:
    root = image_folder(tmp_path, {"A": 3, "B": 3})
    plain = opened(root)
    before = plain.read(plain.images[1:2], 12)
    old = os.fsencode(root / "A" / "image_001.png")
    try:
        os.rename(old, old.replace(b"image_001", b"ni\xf1o"))
    except OSError:
        pytest.skip("this file system takes no such name")
    dataset = opened(root)
    (odd,) = (image for image in dataset.images if image.name == "A/ni\\xf1o.png")
    assert odd.digest == plain.images[1].digest
    assert np.array_equal(dataset.read([odd], 12), before)
    assert dataset.problems == ()
    json.dumps(asdict(describe(dataset)), ensure_ascii=False).encode()
    assert opened(root).fingerprint == dataset.fingerprint


def test_a_class_that_is_not_utf_8_has_a_printable_name(tmp_path: Path) -> None:
    root = image_folder(tmp_path / "data", {"A": 3, "B": 3})
    odd = os.path.join(os.fsencode(tmp_path), b"d\xe9j\xe0")
    try:
        os.rename(root / "B", os.path.join(os.fsencode(root), b"ni\xf1o"))
        os.rename(root, odd)
    except OSError:
        pytest.skip("this file system takes no such name")
    dataset = opened(Path(os.fsdecode(odd)))
    assert dataset.classes == ("A", "ni\\xf1o")
    assert dataset.title == "images in d\\xe9j\\xe0"
    assert dataset.read(dataset.images, 4).any()
    json.dumps(asdict(describe(dataset)), ensure_ascii=False).encode()
