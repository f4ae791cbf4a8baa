"""Small things that several test files make: cards, protocols, records, image files, and the command in a process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmark.evidence.metrics.registry import Figure
from benchmark.evidence.thresholds.choice import Threshold
from benchmark.runs.protocol import Protocol
from benchmark.runs.run import Costs, DatasetFacts, Run, RunSpec, SplitFacts, now
from benchmark.training.quiet import NATIVE_LOG_LEVEL
from zoo.models.card import ModelCard

ROOT = Path(__file__).resolve().parents[2]
SIDE = 32
ON_ANOTHER_MACHINE = (
    "import socket, sys, time\n"
    "from contextlib import contextmanager\n"
    "from pathlib import Path\n"
    "import filelock\n"
    "filelock.FileLock.acquire = lambda self, *_, **__: None\n"
    "filelock.FileLock.release = lambda self, *_, **__: None\n"
    "from benchmark.runs.storage import claims\n"
    "socket.gethostname, claims.machine_id = lambda: sys.argv[2], lambda: sys.argv[2]\n"
    "claims.HEARTBEAT_S, claims.EXPIRY_S = 0.1, 1.5\n"
)
"""A process whose locks exclude nobody, and which takes itself to be on the machine that its second argument names."""


def card(name: str = "tiny", *, model: dict[str, Any] | None = None, **recipe: Any) -> ModelCard:
    """A scratch network that trains in a second; `model` and `recipe` change its parts."""
    return ModelCard.model_validate(
        {
            "name": name,
            "title": "A tiny network",
            "change": "tiny",
            "model": {"builder": "scratch_cnn", "filters": [4], "dense_units": 8, "dropout": 0.0, **(model or {})},
            "recipe": {"optimizer": {"name": "adam", "learning_rate": 0.01}, "epochs": 2, "batch_size": 16, **recipe},
        }
    )


def protocol(**changes: Any) -> Protocol:
    """40 + 20 + 20 images of 32 px; `changes` replaces fields."""
    sampling = {"train": 40, "val": 20, "test": 20, "balanced": True, "min_val": 0}
    fields = {"name": "tiny", "title": "Tiny", "image_size": SIDE, "views": 1, "sampling": sampling}
    return Protocol.model_validate(fields | changes)


def spec(seed: int = 0, **changes: Any) -> RunSpec:
    """A spec that was never run; `changes` replaces its card, protocol or dataset."""
    facts = DatasetFacts(
        source="here", title="images", synthetic=True, classes=("HEALTHY", "ILL"), fingerprint="f" * 64
    )
    return RunSpec(**({"card": card(), "protocol": protocol(), "dataset": facts, "seed": seed} | changes))


def finished(of: RunSpec, auc: float = 0.75, **changes: Any) -> Run:
    """The record of a run that ended well."""
    figure = Figure("auc", auc, 0.5, 1.0, "DeLong, logit", None)
    fields: dict[str, Any] = {
        "spec": of,
        "status": "ok",
        "finished": now(),
        "split": split_facts(),
        "threshold": Threshold(0.5, "youden"),
        "at_half": {"val": {"auc": figure}, "test": {"auc": figure}},
        "costs": Costs(
            seconds=1.5,
            epochs=2,
            seconds_per_epoch=0.25,
            inference_ms_per_image=0.125,
            peak_memory_mib=512.0,
            parameters=100,
            trainable_parameters=100,
        ),
    }
    return Run(**(fields | changes))


def split_facts() -> SplitFacts:
    """The facts of a split that was never drawn."""
    return SplitFacts({"train": 40, "val": 20, "test": 20}, "s" * 64, ("a note",))


def write_npz(path: Path, test_seed: int = 1) -> Path:
    """Arrays of two classes, the second one brighter in the middle; `test_seed` decides the test part alone: its
    pixels, and which of its images are of which class."""
    arrays: dict[str, Any] = {}
    for number, (part, count) in enumerate((("train", 48), ("val", 24), ("test", 24))):
        generator = np.random.default_rng(test_seed if part == "test" else [7, number])
        labels = generator.permutation(np.arange(count) % 2)
        pixels = generator.integers(40, 160, (count, SIDE, SIDE))
        pixels[labels == 1, 8:24, 8:24] += 60
        arrays |= {f"{part}_images": pixels.astype(np.uint8), f"{part}_labels": labels}
        arrays[f"{part}_patients"] = np.array([f"{part}{index // 2}" for index in range(count)])
    np.savez(path, **arrays)
    return path


def write_folder(root: Path, classes: Sequence[str], images: int = 6) -> Path:
    """Class folders with grey images, all different."""
    generator = np.random.default_rng(0)
    for name in classes:
        (root / name).mkdir(parents=True)
        for number in range(images):
            pixels = generator.integers(0, 256, (SIDE, SIDE), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    return root


def write_protocol(path: Path, **more: Any) -> Path:
    """The smallest protocol that every built-in card fits, as a file."""
    lines = [
        "title: Smallest",
        "image_size: 32",
        "sampling: {train: 40, val: 20, test: 20, balanced: true}",
        "views: 1",
        "max_epochs: 1",
        *(f"{key}: {value}" for key, value in more.items()),
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def environment(cache: Path) -> dict[str, str]:
    """What a process of the command needs: this checkout, a cache of its own, no network, a wide terminal.

    A level of native messages that another library has set in this process is left out.
    """
    own = {"ZOO_CACHE_DIR": str(cache), "ZOO_OFFLINE": "1", "PYTHONPATH": str(ROOT), "COLUMNS": "400"}
    return {name: value for name, value in os.environ.items() if name != NATIVE_LOG_LEVEL} | own


def start_zoo(*arguments: str, cwd: Path, cache: Path, **more: Any) -> subprocess.Popen[str]:
    """`python -m zoo` in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "zoo", *arguments],
        cwd=cwd,
        env=environment(cache),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **more,
    )


def run_zoo(*arguments: str, cwd: Path, cache: Path, **more: Any) -> subprocess.CompletedProcess[str]:
    """`python -m zoo`, waited for."""
    with start_zoo(*arguments, cwd=cwd, cache=cache, **more) as process:
        out, err = process.communicate()
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def run_python(code: str, *arguments: str, **more: Any) -> subprocess.Popen[str]:
    """`code` in a Python process that sees this checkout."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        **more,
    )
