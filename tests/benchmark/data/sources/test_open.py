"""A data set is opened by one word: phantom, a folder, an archive, or a handle of Kaggle."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from benchmark.data import open_dataset
from benchmark.data.sources.layout import image_root
from tests.support.images import image_folder, refusal

FOLDERS = {"train/NORMAL": 3, "train/PNEUMONIA": 3, "test/NORMAL": 2, "test/PNEUMONIA": 2}
Download = Callable[[str], str]


@pytest.fixture
def kagglehub(monkeypatch: pytest.MonkeyPatch) -> Callable[[Download], None]:
    """Puts a package in kagglehub's place whose dataset_download is the function given."""

    def install(download: Download) -> None:
        module = ModuleType("kagglehub")
        module.dataset_download = download  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "kagglehub", module)

    return install


def test_phantom_is_embedded() -> None:
    dataset = open_dataset("phantom")
    assert dataset.synthetic
    assert dataset.source == "phantom"


def test_a_folder_is_opened_by_its_path(tmp_path: Path) -> None:
    dataset = open_dataset(str(image_folder(tmp_path, FOLDERS)))
    assert dataset.source == str(tmp_path)
    assert not dataset.synthetic
    assert len(dataset.images) == 10


def test_an_archive_is_opened_by_its_path(tmp_path: Path) -> None:
    content = {f"{part}_images": np.zeros((2, 4, 4), np.uint8) for part in ("train", "val", "test")}
    labels = {f"{part}_labels": np.array([0, 1]) for part in ("train", "val", "test")}
    np.savez(tmp_path / "small.npz", **content, **labels)
    dataset = open_dataset(str(tmp_path / "small.npz"))
    assert dataset.source == str(tmp_path / "small.npz")
    assert len(dataset.images) == 6


def test_a_folder_named_like_an_archive_is_a_folder(tmp_path: Path) -> None:
    root = image_folder(tmp_path / "images.npz", {"A": 1, "B": 1})
    assert len(open_dataset(str(root)).images) == 2


def test_the_home_folder_may_be_written_as_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image_folder(tmp_path / "images", {"A": 1, "B": 1})
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(open_dataset("~/images").images) == 2


@pytest.mark.parametrize("source", ["phantm", "Phantom", "fantom"])
def test_a_slip_of_the_pen_is_answered_with_phantom(source: str) -> None:
    message = refusal(lambda: open_dataset(source))
    assert message.startswith(f"{source}: no such source")
    assert "Did you mean phantom?" in message


@pytest.mark.parametrize("source", ["no/such/folder", "archive.npz", "chest_xray"])
def test_an_unknown_source_is_answered_with_what_there_is(source: str) -> None:
    message = refusal(lambda: open_dataset(source))
    assert message.startswith(f"{source}: no such source")
    assert "Did you mean" not in message
    assert all(kind in message for kind in ("phantom", "train/val/test/CLASS", ".npz", "kaggle:OWNER/NAME"))


def test_a_file_that_is_no_archive_is_not_a_source(tmp_path: Path) -> None:
    (tmp_path / "images.zip").write_bytes(b"PK")
    message = refusal(lambda: open_dataset(str(tmp_path / "images.zip")))
    assert message.startswith(str(tmp_path / "images.zip"))
    assert "neither a folder nor a .npz file" in message


def test_a_handle_is_downloaded_and_opened(tmp_path: Path, kagglehub: Callable[[Download], None]) -> None:
    asked: list[str] = []

    def download(handle: str) -> str:
        asked.append(handle)
        return str(image_folder(tmp_path, FOLDERS))

    kagglehub(download)
    dataset = open_dataset("kaggle:owner/name")
    assert asked == ["owner/name"]
    assert dataset.source == "kaggle:owner/name"
    assert not dataset.synthetic
    assert len(dataset.images) == 10


def test_a_handle_takes_a_patient_pattern(tmp_path: Path, kagglehub: Callable[[Download], None]) -> None:
    kagglehub(lambda _: str(image_folder(tmp_path, FOLDERS)))
    dataset = open_dataset("kaggle:owner/name", patient_pattern=r"image_(?P<patient>\d+)")
    assert len({image.patient for image in dataset.images}) == 3


@pytest.mark.parametrize("handle", ["", "name", "owner/", "/name", "/", "owner/name/versions/1"])
def test_a_handle_is_an_owner_and_a_name(handle: str, kagglehub: Callable[[Download], None]) -> None:
    def never(handle: str) -> str:
        raise AssertionError(f"{handle} was asked for")

    kagglehub(never)
    assert refusal(lambda: open_dataset(f"kaggle:{handle}")) == f"kaggle:{handle}: must be kaggle:OWNER/NAME"


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    message = refusal(lambda: open_dataset("kaggle:owner/name"))
    assert message == "kaggle:owner/name: needs kagglehub; pip install 'zoo-bench[kaggle]'"


@pytest.mark.parametrize(
    ("error", "reason"),
    [(OSError("no route to host\nand more\nlines"), "no route to host"), (ValueError(), "ValueError")],
)
def test_a_failed_download_is_one_line(kagglehub: Callable[[Download], None], error: Exception, reason: str) -> None:
    def download(handle: str) -> str:
        raise error

    kagglehub(download)
    message = refusal(lambda: open_dataset("kaggle:owner/name"))
    assert message == f"kaggle:owner/name: cannot be downloaded: {reason}"


def test_an_interrupted_download_is_not_an_error_of_the_data(kagglehub: Callable[[Download], None]) -> None:
    def download(handle: str) -> str:
        raise KeyboardInterrupt

    kagglehub(download)
    with pytest.raises(KeyboardInterrupt):
        open_dataset("kaggle:owner/name")


def test_a_download_without_images_is_refused(tmp_path: Path, kagglehub: Callable[[Download], None]) -> None:
    (tmp_path / "table.csv").write_text("a,b")
    kagglehub(lambda _: str(tmp_path))
    assert refusal(lambda: open_dataset("kaggle:owner/name")).startswith(f"{tmp_path}: ")


@pytest.mark.parametrize("nested", ["", "chest_xray", "chest_xray/chest_xray", "a/b/c"])
@pytest.mark.parametrize("counts", [FOLDERS, {"cat": 2, "dog": 2}])
def test_folders_nested_in_a_download_are_found(
    tmp_path: Path, kagglehub: Callable[[Download], None], nested: str, counts: dict[str, int]
) -> None:
    image_folder(tmp_path / nested, counts)
    kagglehub(lambda _: str(tmp_path))
    assert len(open_dataset("kaggle:owner/name").images) == sum(counts.values())


def test_the_outermost_of_two_copies_is_taken(tmp_path: Path) -> None:
    image_folder(tmp_path / "chest_xray", FOLDERS)
    image_folder(tmp_path / "chest_xray" / "chest_xray", FOLDERS)
    assert image_root(tmp_path) == tmp_path / "chest_xray"


def test_a_download_that_is_the_data_set_is_its_own_root(tmp_path: Path) -> None:
    assert image_root(image_folder(tmp_path, FOLDERS)) == tmp_path
