"""A folder that was read is not decoded again, and what changed in it is."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from PIL import Image as Pillow

import benchmark.data.sources.scan as scanning
from benchmark.data.levels import Stored
from tests.support.images import image_folder, noise, opened, refusal, save


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own."""
    place = tmp_path / "cache"
    monkeypatch.setenv("ZOO_CACHE_DIR", str(place))
    return place


def never(content: bytes) -> Stored:
    raise AssertionError("a known file was decoded again")


def test_the_scan_cache_is_where_the_environment_says(tmp_path: Path, cache: Path) -> None:
    opened(image_folder(tmp_path / "data", {"A": 2, "B": 2}))
    assert any(path.is_file() for path in cache.rglob("*"))


def test_a_second_look_at_a_folder_gives_the_same_without_decoding(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = image_folder(tmp_path / "data", {"A": 20, "B": 20})
    (root / "A" / "bad.png").write_bytes(b"bad")
    first = opened(root)
    monkeypatch.setattr(scanning, "look", never)
    second = opened(root)
    assert second.images == first.images
    assert second.problems == first.problems
    assert second.channels == first.channels
    assert second.fingerprint == first.fingerprint


@pytest.mark.parametrize("workers", [1, 3])
def test_scans_are_those_of_their_files_in_order(
    workers: int, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "_workers", lambda: workers)
    root = image_folder(tmp_path / "data", {"A": 20, "B": 23})
    (root / "A" / "image_007.png").write_bytes(b"bad")
    (root / "B" / "image_022.png").unlink()
    files = [*sorted(root.rglob("*.png")), root / "B" / "image_022.png"]
    scans = scanning.scan(root, files)
    digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files[:-1]]
    assert [scanned.digest for scanned in scans] == [*digests, ""]
    unreadable = {file.name for file, scanned in zip(files, scans, strict=True) if scanned.stored is None}
    assert unreadable == {"image_007.png", "image_022.png"}
    assert scanning.scan(root, files[::-1]) == scans[::-1]


def test_a_changed_file_is_noticed(tmp_path: Path, cache: Path) -> None:
    root = image_folder(tmp_path / "data", {"A": 2, "B": 2})
    before = {image.name: image.digest for image in opened(root).images}
    save(Pillow.new("RGB", (30, 30), (1, 2, 3)), root / "A" / "image_001.png")
    dataset = opened(root)
    after = {image.name: image.digest for image in dataset.images}
    assert {name for name in after if after[name] != before[name]} == {"A/image_001.png"}
    assert dataset.channels == 3


def test_a_changed_file_of_the_same_length_is_noticed(tmp_path: Path, cache: Path) -> None:
    root = tmp_path / "data"
    file = save(Pillow.new("L", (8, 8), 10), root / "A" / "a.bmp")
    save(Pillow.new("L", (8, 8), 20), root / "B" / "b.bmp")
    before, facts = opened(root).fingerprint, file.stat()
    save(Pillow.new("L", (8, 8), 30), file)
    assert file.stat().st_size == facts.st_size
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1_000_000))
    assert opened(root).fingerprint != before


def test_a_file_of_another_length_and_the_same_date_is_noticed(tmp_path: Path, cache: Path) -> None:
    root = image_folder(tmp_path / "data", {"A": 2, "B": 2})
    file = root / "A" / "image_000.png"
    before, facts = opened(root).fingerprint, file.stat()
    save(noise(0, 40), file)
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert opened(root).fingerprint != before


def same_times(file: Path, content: bytes) -> None:
    """`content` in `file`, with the size and time stamp that it had."""
    facts = file.stat()
    assert len(content) == facts.st_size
    file.write_bytes(content)
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def two_levels(tmp_path: Path) -> tuple[Path, bytes]:
    """A folder of BMP files, and another content for A/a.bmp."""
    root = tmp_path / "data"
    for index, name in enumerate(("A/a", "A/c", "B/b", "B/d")):
        save(Pillow.new("L", (8, 8), 10 + index), root / f"{name}.bmp")
    return root, save(Pillow.new("L", (8, 8), 200), tmp_path / "other.bmp").read_bytes()


def test_a_changed_file_of_the_same_length_and_date_is_noticed(tmp_path: Path, cache: Path) -> None:
    root, other = two_levels(tmp_path)
    before = opened(root).fingerprint
    same_times(root / "A" / "a.bmp", other)
    assert opened(root).fingerprint != before


def test_a_file_that_changes_after_the_look_is_refused_once(tmp_path: Path, cache: Path) -> None:
    root, other = two_levels(tmp_path)
    dataset = opened(root)
    same_times(root / "A" / "a.bmp", other)
    assert refusal(lambda: dataset.read(dataset.images, 8)) == (
        f"{root / 'A' / 'a.bmp'}: has changed since it was scanned; run again"
    )
    again = opened(root)
    assert again.fingerprint != dataset.fingerprint
    assert (again.read(again.images, 8)[0] == 200).all()


def test_a_wrong_digest_in_the_cache_is_found_when_pixels_are_read(tmp_path: Path, cache: Path) -> None:
    root, _ = two_levels(tmp_path)
    right = opened(root).fingerprint
    (file,) = [path for path in cache.rglob("*.json") if path.is_file()]
    stored = json.loads(file.read_text())
    for stamp in stored["files"]:
        if stamp.startswith("A/a.bmp:"):
            stored["files"][stamp]["digest"] = "0" * 64
    file.write_text(json.dumps(stored))
    wrong = opened(root)
    assert wrong.fingerprint != right
    assert "has changed since it was scanned" in refusal(lambda: wrong.read(wrong.images, 8))
    assert opened(root).fingerprint == right


def test_a_changed_file_is_decoded_once(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = image_folder(tmp_path / "data", {"A": 2, "B": 2})
    opened(root)
    save(noise(99, 40), root / "A" / "image_000.png")
    changed = opened(root)
    monkeypatch.setattr(scanning, "look", never)
    assert opened(root).fingerprint == changed.fingerprint


def test_a_cache_of_another_version_is_not_believed(tmp_path: Path, cache: Path) -> None:
    root = image_folder(tmp_path / "data", {"A": 2, "B": 2})
    before = opened(root)
    (file,) = [path for path in cache.rglob("*.json") if path.is_file()]
    stored = json.loads(file.read_text())
    stored["version"] += 1
    for facts in stored["files"].values():
        facts["digest"] = "of another kind"
    file.write_text(json.dumps(stored))
    assert opened(root).images == before.images


def test_a_repaired_file_is_taken_in_again(tmp_path: Path, cache: Path) -> None:
    root = image_folder(tmp_path / "data", {"A": 20, "B": 20})
    (root / "A" / "bad.png").write_bytes(b"")
    assert len(opened(root).problems) == 1
    save(noise(500), root / "A" / "bad.png")
    assert opened(root).problems == ()
    assert len(opened(root).images) == 41


def test_a_file_that_went_away_is_no_longer_an_image(tmp_path: Path, cache: Path) -> None:
    root = image_folder(tmp_path / "data", {"A": 3, "B": 3})
    opened(root)
    (root / "A" / "image_002.png").unlink()
    assert len(opened(root).images) == 5


def test_two_folders_of_the_same_shape_are_kept_apart(tmp_path: Path, cache: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for index, root in enumerate((one, other)):
        for name in ("A", "B"):
            file = save(noise(10 * index + ord(name)), root / name / "image.bmp")
            os.utime(file, (1_000_000, 1_000_000))
    first = opened(one)
    assert opened(other).fingerprint != first.fingerprint
    assert opened(one).fingerprint == first.fingerprint


@pytest.mark.parametrize("damage", ["", "{", "[1, 2]", '{"version": 1}', '{"version": -1, "files": {}}'])
def test_a_damaged_cache_is_made_anew(tmp_path: Path, cache: Path, damage: str) -> None:
    root = image_folder(tmp_path / "data", {"A": 2, "B": 2})
    before = opened(root).fingerprint
    for file in [path for path in cache.rglob("*") if path.is_file()]:
        file.write_text(damage)
    assert opened(root).fingerprint == before


@pytest.mark.parametrize("damage", [None, 7, {}, {"stored": {}}, {"high": "white"}, {"low": None}, {"width": "wide"}])
def test_a_damaged_look_is_made_anew(tmp_path: Path, cache: Path, damage: object) -> None:
    root, _ = two_levels(tmp_path)
    right = opened(root)
    (file,) = [path for path in cache.rglob("*.json") if path.is_file()]
    kept = json.loads(file.read_text())
    for stamp, record in kept["files"].items():
        inside = isinstance(damage, dict) and "stored" not in damage and damage
        kept["files"][stamp] = record | {"stored": record["stored"] | damage} if inside else damage
    file.write_text(json.dumps(kept))
    again = opened(root)
    assert again.images == right.images
    assert again.stored == right.stored


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = image_folder(tmp_path / "data", {"A": 2, "B": 2})
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path / "file"))
    assert len(opened(root).images) == 4
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_file_that_the_decoder_refuses_after_its_scan_is_named_and_scanned_again(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, _ = two_levels(tmp_path)
    dataset = opened(root)

    def refuse(*_: object) -> None:
        raise ValueError("truncated")

    with monkeypatch.context() as patch:
        patch.setattr("benchmark.data.sources.scan.decode", refuse)
        assert refusal(lambda: dataset.read(dataset.images, 8)).endswith("can no longer be read: truncated; run again")
    (file,) = [path for path in cache.rglob("*.json") if path.is_file()]
    assert len(json.loads(file.read_text())["files"]) < len(dataset.images)
