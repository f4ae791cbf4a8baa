"""Runs of tiny cards on the phantom whose models are kept, computed in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from benchmark.data.dataset import Dataset, Pixels
from benchmark.data.decoding.prepared import LabelledImages, load, prepare
from benchmark.data.splits import make_split
from benchmark.runs.protocol import Protocol
from benchmark.runs.run import DatasetFacts, Job, Run, RunSpec, SplitFacts
from benchmark.runs.storage.store import Store
from zoo.models.card import ModelCard


@contextmanager
def in_this_process(cache: Path) -> Iterator[None]:
    """Let the command compute here: threads and kernels of a backend can be set once in a process, before its first
    operation, and other tests have had that."""
    import benchmark.training.backend as backend

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backend, "prepare_process", lambda seed, threads: None)
        patch.setenv("ZOO_CACHE_DIR", str(cache))
        yield


def compute(
    card: ModelCard,
    protocol: Protocol,
    dataset: Dataset,
    store: Store,
    cache: Path,
    *,
    members: tuple[str, ...] = (),
    weights_seed: int = 0,
) -> Run:
    """The run of `card` with seed 0, kept in `store` as a worker keeps it; `members` are the runs of an ensemble.
    Another `weights_seed` gives other weights under the same run id, as another processor might."""
    import keras

    from benchmark.runs.execution.worker import run_job

    keras.utils.set_random_seed(weights_seed)
    spec = RunSpec(card=card, protocol=protocol, dataset=DatasetFacts.of(dataset), seed=0, members=members)
    folder, facts = _prepared(protocol, dataset, cache)
    with in_this_process(cache):
        run = run_job(Job(spec, folder, facts), store, 2)
    assert run.status == "ok", run.error
    stored = store.get(run)
    assert stored is not None
    return stored


def images_of(protocol: Protocol, dataset: Dataset, cache: Path, split: str) -> LabelledImages:
    """The prepared images of one split."""
    return load(_prepared(protocol, dataset, cache)[0], split)  # type: ignore[arg-type]


def write_images(folder: Path, names: tuple[str, ...], pixels: Pixels) -> dict[str, Path]:
    """Grey images as PNG files, by name; the files' names have no folders."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: folder / name.replace("/", "_") for name in names}
    for name, image in zip(names, pixels, strict=True):
        Pillow.fromarray(image[..., 0]).save(files[name])
    return files


def write_strange(folder: Path, like: Pixels) -> list[Path]:
    """Images unlike `like`: upside down in brightness, on their side, blank ones, noise, and a photograph in colour."""
    folder.mkdir(parents=True, exist_ok=True)
    side = like.shape[1]
    generator = np.random.default_rng(0)
    sky = np.linspace([90, 140, 220], [240, 200, 120], side).astype(np.uint8)
    pictures = {f"inverted-{number}": 255 - image[..., 0] for number, image in enumerate(like)}
    pictures |= {f"rotated-{number}": np.rot90(image[..., 0]) for number, image in enumerate(like[:3])}
    pictures |= {f"blank-{level}": np.full((side, side), level, np.uint8) for level in (0, 128, 255)}
    pictures["noise"] = generator.integers(0, 256, (side, side), dtype=np.uint8)
    pictures["photo"] = np.broadcast_to(sky[:, None], (side, side, 3)).copy()
    for name, array in pictures.items():
        Pillow.fromarray(np.ascontiguousarray(array)).save(folder / f"{name}.png")
    return sorted(folder.iterdir())


def _prepared(protocol: Protocol, dataset: Dataset, cache: Path) -> tuple[Path, SplitFacts]:
    split = make_split(dataset, protocol.sampling, protocol.split_seed)
    return prepare(dataset, split, protocol.image_size, cache / "prepared"), SplitFacts.of(split)
