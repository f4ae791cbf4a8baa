"""A source string is opened by the first source that matches it; a foreign source is used like a built-in one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmark.data.dataset import Dataset
from benchmark.data.sources import open_dataset, register_source, registry, source_descriptions
from tests.support.guests import install, zoo
from tests.support.images import image_folder, in_memory, refusal, rows_of
from tests.support.tiny import write_protocol
from zoo.config import plugins

FOLDERS = {"train/NORMAL": 3, "train/PNEUMONIA": 3, "test/NORMAL": 2, "test/PNEUMONIA": 2}


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
    assert "not a data source; give phantom" in message


GUEST = """
import hashlib
import numpy as np
from benchmark.data.dataset import Dataset, Image
from zoo import register_source


def draw(image, size):
    generator = np.random.default_rng(list(image.name.encode()))
    return (generator.integers(40, 160, (size, size, 1)) + 60 * image.label).astype(np.uint8)


@register_source("guest", description="guest:COUNT", matches=lambda source: source.startswith("guest:"))
def guest(source):
    count = int(source.removeprefix("guest:"))
    images = []
    for part in ("test", "train", "val"):
        for number in range(count):
            name = f"{part}/{number:03d}"
            images.append(Image(name, part, number % 2, name, hashlib.sha256(name.encode()).hexdigest()))
    read = lambda wanted, size: np.stack([draw(image, size) for image in wanted])
    return Dataset(source, "grey squares", True, ("dark", "light"), tuple(images), 1, read)
"""


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is forgotten after it."""
    monkeypatch.setattr(registry, "_SOURCES", dict(registry._SOURCES))


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder with the installed distribution `guest`."""
    return install(tmp_path / "packages", "guest", {plugins.SOURCES: "guest"}, guest=GUEST)


def test_a_foreign_source_is_described_like_a_built_in_one(packages: Path, tmp_path: Path) -> None:
    done = zoo(packages, tmp_path / "cache", "data", "guest:20", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "grey squares (SYNTHETIC" in done.stdout
    assert "positive class: light" in done.stdout
    done = zoo(packages, tmp_path / "cache", "data", "guest:20", "--json", cwd=tmp_path)
    document = json.loads(done.stdout)
    assert (document["source"], document["synthetic"], document["classes"]) == ("guest:20", True, ["dark", "light"])
    assert sum(cell["images"] for cell in document["cells"]) == 60


@pytest.mark.slow
def test_a_card_is_benched_on_a_foreign_source(packages: Path, tmp_path: Path) -> None:
    words = ("--data", "guest:60", "--protocol", str(write_protocol(tmp_path / "tiny.yaml")), "--store", "runs")
    done = zoo(packages, tmp_path / "cache", "bench", "attempt-1-no-augmentation", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = zoo(packages, tmp_path / "cache", "runs", "--store", "runs", "--json", cwd=tmp_path)
    [run] = json.loads(done.stdout)
    facts = run["spec"]["dataset"]
    assert (run["status"], facts["source"], facts["synthetic"]) == ("ok", "guest:60", True)


def test_an_unknown_source_is_answered_with_the_foreign_ones_too(packages: Path, tmp_path: Path) -> None:
    done = zoo(packages, tmp_path / "cache", "data", "gest:20", cwd=tmp_path)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("zoo: gest:20: no such source; give phantom, ")
    assert line.endswith(", a .npz file, or guest:COUNT")


def test_a_pattern_of_patients_is_refused_where_the_source_takes_none(packages: Path, tmp_path: Path) -> None:
    done = zoo(packages, tmp_path / "cache", "data", "guest:20", "--patients", "(?P<a>.)", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "zoo: --patients: guest:20 already defines its patients; the pattern is for file names\n"


def test_a_broken_plug_in_is_named_where_its_source_may_be_the_one_asked_for(tmp_path: Path) -> None:
    text = GUEST.replace('"guest"', '"phantom"')
    packages = install(tmp_path / "packages", "taken", {plugins.SOURCES: "taken"}, taken=text)
    done = zoo(packages, tmp_path / "cache", "data", "guest:20", cwd=tmp_path)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert "the source plug-in 'taken' (taken) cannot be loaded: the source 'phantom' is already registered" in line


def opener(source: str) -> Dataset:
    return in_memory(rows_of("all", 4), source)


def with_pattern(source: str, patient_pattern: str | None = None) -> Dataset:
    return in_memory(rows_of("all", 4), f"{source} {patient_pattern}")


def no_source() -> None: ...


def other_option(source: str, colour: str) -> None: ...


@pytest.mark.usefixtures("registered")
def test_a_registered_source_opens_what_it_matches_and_what_is_built_in_stays() -> None:
    register_source("mine", description="mine", matches=lambda source: source in ("mine", "phantom"))(opener)
    assert open_dataset("mine").source == "mine"
    assert open_dataset("phantom").title != open_dataset("mine").title
    assert source_descriptions().endswith(", a .npz file, or mine")
    assert refusal(lambda: open_dataset("mime")).endswith("Did you mean mine?")


@pytest.mark.usefixtures("registered")
def test_a_pattern_of_patients_reaches_a_source_that_takes_one() -> None:
    register_source("mine", description="mine", matches=lambda source: source == "mine")(with_pattern)
    dataset = open_dataset("mine", patient_pattern="p")
    assert (dataset.source, dataset.patient_pattern) == ("mine p", "p")
    assert open_dataset("mine").source == "mine None"


@pytest.mark.usefixtures("registered")
def test_what_is_no_data_set_is_refused() -> None:
    register_source("mine", description="mine", matches=lambda source: source == "mine")(lambda source: None)  # type: ignore[arg-type,return-value]
    assert refusal(lambda: open_dataset("mine")) == "mine: the source 'mine' returned None; a Dataset is needed"


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize(
    ("changes", "function", "problem"),
    [
        ({"name": "npz"}, opener, "the source 'npz' is already registered by benchmark.data.sources.built_in"),
        ({"description": " "}, opener, "the source 'mine' needs a description in one line"),
        ({"description": "two\nlines"}, opener, "the source 'mine' needs a description in one line"),
        ({"matches": "mine"}, opener, "the source 'mine' needs a function `matches`"),
        ({}, no_source, "the source 'mine' needs a function of (source) or (source, patient_pattern=None)"),
        ({}, other_option, "the source 'mine' needs a function of (source) or (source, patient_pattern=None)"),
    ],
)
def test_an_incomplete_or_second_registration_is_refused(
    changes: dict[str, object], function: Callable[..., Dataset], problem: str
) -> None:
    registration = {"name": "mine", "description": "mine", "matches": bool} | changes
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}"):
        register_source(registration.pop("name"), **registration)(function)  # type: ignore[arg-type]
    assert "mine" not in registry._SOURCES


@pytest.mark.usefixtures("registered")
def test_a_source_that_is_imported_again_replaces_itself() -> None:
    for _ in range(2):
        register_source("mine", description="mine", matches=lambda source: source == "mine")(opener)
    assert open_dataset("mine").source == "mine"
