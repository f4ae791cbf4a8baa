"""A data set of Kaggle is downloaded once, then opened like a folder."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from benchmark.data.sources import open_dataset
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
