"""A store with untrained models of two seeds, and images from elsewhere on which they are evaluated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from benchmark.data.sources import open_dataset
from benchmark.runs.storage.store import Store
from tests.support.tiny import SIDE, write_folder
from tests.zoo.api.output.test_galleries import keep


def keep_models(root: Path) -> Store:
    """The card `tiny` with the seeds 0 and 1, and the seed 2 without its model."""
    for part in ("train", "test"):
        write_folder(root / "own" / part, ["HEALTHY", "ILL"], images=4 if part == "train" else 12)
    dataset, store = open_dataset(str(root / "own")), Store(root / "runs")
    for seed in range(3):
        keep(store, dataset, seed, with_model=seed < 2)
    return store


def write_elsewhere(root: Path, classes: tuple[str, str] = ("HEALTHY", "ILL")) -> Path:
    """24 images with these class names."""
    pixels = np.random.default_rng(9).integers(0, 200, (24, SIDE, SIDE), dtype=np.uint8)
    for place, image in enumerate(pixels):
        folder = root / classes[place % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{place:02d}.png")
    return root
