"""Prepared pixels are whole or not there, hold what the data set gives, and are read once."""

from __future__ import annotations

import errno
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.data.dataset import Dataset, Image, Pixels
from benchmark.data.decoding.prepared import SPLITS, SplitName, load, prepare
from benchmark.data.sources.phantom import open_phantom
from benchmark.data.splits import Sampling, Split, make_split
from tests.support.images import in_memory, rows_of

ROOT = Path(__file__).resolve().parents[4]
PREPARE = """
import sys
from pathlib import Path
from benchmark.data.sources.phantom import open_phantom
from benchmark.data.decoding.prepared import prepare
from benchmark.data.splits import Sampling, make_split
dataset = open_phantom()
split = make_split(dataset, Sampling(train=40, val=10, test=10), 0)
sys.stdin.readline()
print(prepare(dataset, split, 32, Path(sys.argv[1])).name)
"""


@pytest.fixture(scope="module")
def phantom() -> Dataset:
    return open_phantom()


@pytest.fixture(scope="module")
def split(phantom: Dataset) -> Split:
    return make_split(phantom, Sampling(train=8, val=6, test=4), 0)


def reading(dataset: Dataset, before: Callable[[int], Any]) -> Dataset:
    """`dataset`, calling `before` with the number of the read, from 1 on, ahead of each."""
    calls: list[int] = []

    def read(wanted: Sequence[Image], size: int) -> Pixels:
        calls.append(len(calls) + 1)
        before(calls[-1])
        return dataset.read(wanted, size)

    return replace(dataset, read=read)


def fail(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("name", SPLITS)
def test_images_and_labels_are_those_of_the_split(
    tmp_path: Path, phantom: Dataset, split: Split, name: SplitName
) -> None:
    images: tuple[Image, ...] = getattr(split, name)
    loaded = load(prepare(phantom, split, 16, tmp_path), name)
    assert loaded.split == name
    assert loaded.names == tuple(image.name for image in images)
    assert loaded.labels.tolist() == [image.label for image in images]
    assert loaded.patients == tuple(image.patient for image in images)
    assert loaded.digests == tuple(image.digest for image in images)
    assert len(loaded) == len(images)
    assert np.array_equal(loaded.pixels, phantom.read(images, 16))
    assert loaded.pixels.dtype == np.uint8


def test_pixels_cannot_be_written_to(tmp_path: Path, phantom: Dataset, split: Split) -> None:
    loaded = load(prepare(phantom, split, 8, tmp_path), "train")
    with pytest.raises(ValueError, match="read-only"):
        loaded.pixels[0, 0, 0, 0] = 1


def test_the_folder_is_in_the_user_s_cache_unless_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, phantom: Dataset, split: Split
) -> None:
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path / "cache"))
    assert prepare(phantom, split, 8).is_relative_to(tmp_path / "cache")
    assert prepare(phantom, split, 8, tmp_path / "own").parent == tmp_path / "own"


def test_a_second_call_reads_nothing(tmp_path: Path, phantom: Dataset, split: Split) -> None:
    calls: list[int] = []
    counted = reading(phantom, calls.append)
    first = prepare(counted, split, 8, tmp_path)
    assert len(calls) == 3
    assert prepare(counted, split, 8, tmp_path) == first
    assert len(calls) == 3


def test_another_size_split_or_data_set_is_another_folder(tmp_path: Path, phantom: Dataset, split: Split) -> None:
    folders = {
        prepare(phantom, split, 8, tmp_path),
        prepare(phantom, split, 9, tmp_path),
        prepare(phantom, make_split(phantom, Sampling(train=8, val=6, test=4), 1), 8, tmp_path),
        prepare(replace(phantom, classes=("A", "B")), split, 8, tmp_path),
    }
    assert len(folders) == 4


def test_notes_of_a_split_do_not_make_another_folder(tmp_path: Path, phantom: Dataset, split: Split) -> None:
    noted = replace(split, notes=("a note",))
    assert prepare(phantom, split, 8, tmp_path) == prepare(phantom, noted, 8, tmp_path)


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError(), RuntimeError("broken"), SystemExit(1)])
def test_an_interrupted_preparation_leaves_nothing(
    tmp_path: Path, phantom: Dataset, split: Split, number: int, error: BaseException
) -> None:
    interrupted = reading(phantom, lambda call: fail(error) if call == number else None)
    with pytest.raises(type(error)):
        prepare(interrupted, split, 8, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert len(load(prepare(phantom, split, 8, tmp_path), "test")) == 4


def test_a_full_disk_leaves_nothing(
    tmp_path: Path, phantom: Dataset, split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "save", full)
        with pytest.raises(OSError, match="No space left on device") as caught:
            prepare(phantom, split, 8, tmp_path)
    assert caught.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []


def test_two_threads_at_once_end_with_one_folder(tmp_path: Path, phantom: Dataset, split: Split) -> None:
    both = threading.Barrier(2)

    def meet(call: int) -> None:
        if call == 1:
            try:
                both.wait(timeout=10)
            except threading.BrokenBarrierError:
                return

    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(prepare, reading(phantom, meet), split, 8, tmp_path) for _ in range(2)]
        folders = [future.result() for future in waiting]
    assert folders[0] == folders[1]
    assert list(tmp_path.iterdir()) == [folders[0]]
    assert len(load(folders[0], "train")) == 8


def test_processes_at_once_end_with_one_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PREPARE, str(tmp_path)]
    workers = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    printed = {worker.communicate(timeout=120)[0].strip() for worker in workers}
    assert [worker.returncode for worker in workers] == [0, 0, 0]
    assert printed == {path.name for path in tmp_path.iterdir()}
    assert len(printed) == 1


def test_three_channels_stay_three(tmp_path: Path) -> None:
    grey = in_memory(rows_of("train", 20) + rows_of("test", 10))
    colour = replace(grey, channels=3, read=lambda wanted, size: np.full((len(wanted), size, size, 3), 7, np.uint8))
    loaded = load(prepare(colour, make_split(colour, Sampling(), 0), 8, tmp_path), "test")
    assert loaded.pixels.shape == (10, 8, 8, 3)
