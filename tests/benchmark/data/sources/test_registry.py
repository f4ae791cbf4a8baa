"""A source string is opened by the first source that matches it; a foreign source is used like a built-in one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.data.dataset import Dataset, Image, Region
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
    assert refusal(lambda: open_dataset("mine")) == (
        f"mine: the source plug-in 'mine' ({__name__}) returned None; a Dataset is needed"
    )


WHERE = f"mine: the source plug-in 'mine' ({__name__})"


def register_mine(**changes: object) -> None:
    """Register the source "mine", a small data set with some fields changed."""

    def mine(source: str) -> Dataset:
        return replace(in_memory(rows_of("all", 4), source), **changes)  # type: ignore[arg-type]

    registry._SOURCES.pop("mine", None)
    register_source("mine", description="mine", matches=lambda source: source == "mine")(mine)


def image(**changes: object) -> Image:
    return replace(Image("b", "all", 0, "p", "d"), **changes)  # type: ignore[arg-type]


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"classes": ("a",)}, "classes is ('a',); it must be two or more different names"),
        (
            {"classes": ("Ill", "ill")},
            "the classes 'Ill' and 'ill' differ only in case: give them one name",
        ),
        (
            {"classes": tuple("abc"), "images": (image(label=3),)},
            "image 'b': label is 3; it must be an int from 0 to 2",
        ),
        ({"ordered": 1}, "ordered is 1; it must be True or False"),
        ({"classes": ("a", "a")}, "classes is ('a', 'a'); it must be two or more different names"),
        ({"classes": "ab"}, "classes is 'ab'; it must be two or more different names"),
        ({"channels": 4}, "channels is 4; it must be 1 or 3"),
        ({"read": None}, "read is None; it must be a function of (images, size)"),
        ({"images": ()}, "images is (); it must be a tuple of at least one Image"),
        ({"images": ("a",)}, "images contains 'a'; each entry must be an Image"),
        ({"images": (image(), image())}, "two images have the name 'b'; each name must be unique"),
        ({"images": (image(), image(name="a"))}, "'a' comes after 'b'; images must be sorted by name"),
        ({"images": (image(name=1),)}, "image 1: name is 1; it must be a text"),
        ({"images": (image(patient=7),)}, "image 'b': patient is 7; it must be a text"),
        ({"images": (image(label=2),)}, "image 'b': label is 2; it must be the int 0 or 1"),
        ({"images": (image(label=np.True_),)}, "image 'b': label is np.True_; it must be the int 0 or 1"),
        ({"images": (image(part="valid"),)}, "image 'b': part is 'valid'; it must be one of train, val, test, all"),
    ],
)
def test_a_data_set_that_is_not_as_documented_is_refused(changes: dict[str, object], problem: str) -> None:
    register_mine(**changes)
    assert refusal(lambda: open_dataset("mine")) == f"{WHERE}: {problem}"


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize(
    ("pixels", "wrong"),
    [
        (np.zeros((4, 8, 8, 1)), "float64 (4, 8, 8, 1)"),
        (np.zeros((4, 8, 8, 3), np.uint8), "uint8 (4, 8, 8, 3)"),
        (np.zeros((4, 8, 8), np.uint8), "uint8 (4, 8, 8)"),
        (np.zeros((3, 8, 8, 1), np.uint8), "uint8 (3, 8, 8, 1)"),
        ([0], "list"),
    ],
)
def test_pixels_of_a_wrong_type_or_shape_are_refused(pixels: object, wrong: str) -> None:
    register_mine(read=lambda images, size: pixels)
    dataset = open_dataset("mine")
    problem = f"{WHERE}: read returned {wrong}; pixels must be uint8 (4, 8, 8, 1)"
    assert refusal(lambda: dataset.read(dataset.images, 8)) == problem


def failing(error: BaseException) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> Any:
        raise error

    return fail


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize(
    ("error", "problem"),
    [(KeyError("x"), "KeyError: 'x'"), (SystemExit(3), "SystemExit: 3"), (OSError("two\nlines"), "OSError: two lines")],
)
def test_a_failure_of_a_foreign_source_is_one_line(error: BaseException, problem: str) -> None:
    def mine(source: str) -> Dataset:
        raise error

    register_source("mine", description="mine", matches=lambda source: source == "mine")(mine)
    assert refusal(lambda: open_dataset("mine")) == f"{WHERE} fails: {problem}; fix its package"
    register_mine(read=failing(error), original_size=failing(error), region=Region("discs", failing(error)))
    dataset = open_dataset("mine")
    assert dataset.original_size is not None
    assert dataset.region is not None
    for call in (dataset.read, dataset.region.mask):
        assert refusal(lambda call=call: call(dataset.images, 8)) == f"{WHERE} fails: {problem}; fix its package"
    assert refusal(lambda: dataset.original_size(dataset.images[0])) == f"{WHERE} fails: {problem}; fix its package"


@pytest.mark.usefixtures("registered")
def test_a_failing_match_is_one_line_and_an_interruption_passes() -> None:
    register_source("mine", description="mine", matches=failing(KeyError("x")))(opener)
    assert refusal(lambda: open_dataset("mine")) == f"{WHERE} fails: KeyError: 'x'; fix its package"
    register_mine(read=failing(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        open_dataset("mine").read((), 8)


@pytest.mark.usefixtures("registered")
def test_a_pattern_that_a_foreign_source_cannot_compile_is_named() -> None:
    def mine(source: str, patient_pattern: str = "") -> Dataset:
        return in_memory(rows_of("all", 4), f"{source} {re.compile(patient_pattern)}")

    register_source("mine", description="mine", matches=lambda source: source == "mine")(mine)
    message = refusal(lambda: open_dataset("mine", patient_pattern="("))
    assert message.startswith("--patients '(': not a regular expression: missing )")


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
