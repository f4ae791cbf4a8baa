"""The loaders that are fuzzed, each with valid files to begin with, and with what it may raise."""

from __future__ import annotations

import io
import json
import random
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmark.data.dataset import DataError
from benchmark.data.decoding.pixels import decode, prepare_content, resize
from benchmark.data.sources.manifest import open_manifest
from benchmark.data.sources.npz import open_npz
from benchmark.data.sources.scan import scan
from benchmark.runs.protocol import load_protocol
from benchmark.runs.storage.store import Store
from reports.claims.model import load_claims
from search_spaces.space import load_space
from tests.faults.fuzz import mutations
from tests.support.records import cards, on_test, on_val, planted
from tests.support.stored import keep
from tests.support.tiny import ROOT
from tests.zoo.config.test_yaml_bounds import FILES, load_card
from zoo.config.errors import ConfigError
from zoo.config.strict_yaml import read_yaml

USER_ERRORS = (ConfigError, DataError)
"""What a loader may raise, in lines that a person can print."""


@dataclass(frozen=True)
class Target:
    """A loader.

    Attributes:
        seeds: Valid inputs: bytes, or plain data for a YAML or JSON file.
        suffix: Of its files.
        load: Reads the file at a path in a folder of its own.
        mutate: Makes the bytes of a file of a seed.
    """

    seeds: Callable[[], list[Any]]
    suffix: str
    load: Callable[[Path], object]
    mutate: Callable[[Any, random.Random, list[Any]], bytes]


def _tree_or_text(seed: Any, chance: random.Random, seeds: list[Any]) -> bytes:
    """A mutated tree, every fifth time mutated bytes of its text."""
    if chance.random() < 0.2:
        texts = [mutations.as_text(each).encode() for each in seeds]
        return mutations.mutate_bytes(mutations.as_text(seed).encode(), chance, texts)
    return mutations.as_text(mutations.mutate_tree(seed, chance)).encode("utf-8", "surrogatepass")


def _image(seed: bytes, chance: random.Random, seeds: list[bytes]) -> bytes:
    as_png = seed.startswith(b"\x89PNG") and chance.random() < 0.6
    return (mutations.mutate_png if as_png else mutations.mutate_bytes)(seed, chance, seeds)


def _archive(seed: bytes, chance: random.Random, seeds: list[bytes]) -> bytes:
    return (mutations.mutate_archive if chance.random() < 0.7 else mutations.mutate_bytes)(seed, chance, seeds)


def _read_image(path: Path) -> None:
    """Read an image as a source does, and as a model in use does."""
    (scanned,) = scan(path.parent, [path])
    content = path.read_bytes()
    if scanned.stored is None:
        if not scanned.reason or len(scanned.reason.splitlines()) != 1:
            raise AssertionError(f"not one line: {scanned.reason!r}")
        return
    levels = {scanned.stored.depth: (scanned.stored.low, scanned.stored.high)}
    resize(decode(content, levels), 16, 3)
    prepare_content(content, {}, 16, 1)


def _image_seeds() -> list[bytes]:
    grey = np.random.default_rng(0).integers(0, 256, (12, 10), dtype=np.uint8)
    deep = Image.fromarray(grey.astype(np.uint16) * 200)
    forms = (("PNG", "L"), ("PNG", "RGB"), ("PNG", "P"), ("PNG", "LA"), ("JPEG", "L"), ("JPEG", "RGB"), ("BMP", "RGB"))
    forms += (("TIFF", "L"), ("TIFF", "RGB"), ("WEBP", "RGB"), ("GIF", "P"), ("PPM", "L"), ("TIFF", "F"))
    seeds = [_saved(Image.fromarray(grey).convert(mode), kind) for kind, mode in forms]
    return [*seeds, _saved(deep, "PNG"), _saved(deep, "TIFF"), bytes(128) + b"DICM" + bytes(64)]


def _saved(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(buffer, kind, **({"exif": exif} if kind in ("JPEG", "PNG", "WEBP") else {}))
    return buffer.getvalue()


def _npz_seeds() -> list[bytes]:
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {}
    for part, count in (("train", 4), ("val", 2), ("test", 2)):
        arrays[f"{part}_images"] = np.full((count, 4, 4), 7, np.uint8)
        arrays[f"{part}_labels"] = np.arange(count) % 2
        arrays[f"{part}_patients"] = np.array([f"p{number}" for number in range(count)])
    np.savez(buffer, **arrays, classes=np.array(["no", "yes"]), ordered=np.array(True))
    deep = {key: value.astype(np.uint16) if "images" in key else value for key, value in arrays.items()}
    more = io.BytesIO()
    np.savez_compressed(more, **deep)
    return [buffer.getvalue(), more.getvalue()]


def _read_npz(path: Path) -> None:
    dataset = open_npz(path)
    dataset.read(dataset.images[:3], 8)


MANIFEST = (
    "path,label,patient,split,site\n"
    + "".join(f"{number}.png,{'ab'[number % 2]},p{number // 2},,X\n" for number in range(8))
).encode()


def _read_manifest(path: Path) -> None:
    for number in range(8):
        picture = path.parent / f"{number}.png"
        if not picture.exists():
            Image.fromarray(np.full((4, 4), 20 * number, np.uint8)).save(picture)
    dataset = open_manifest(path)
    dataset.read(dataset.images[:3], 8)


@cache
def _store(folder: Path) -> Path:
    """A store with one run that is mutated, and one that must stay whole."""
    for name in ("attempt-1", "attempt-2"):
        keep(Store(folder / "runs"), name, on_test(*planted(6, 6, seed=2)), on_val(*planted(6, 6, seed=1)))
    return folder / "runs"


def _first_run(root: Path) -> Path:
    run = next(run for run in Store(root).runs()[0] if run.spec.card.name == "attempt-1")
    return root / run.run_id


def _files_of_run(name: str) -> list[Any]:
    """The content of a file of a run: plain data for JSON, else bytes."""
    with tempfile.TemporaryDirectory() as folder:
        content = (_first_run(_store.__wrapped__(Path(folder))) / name).read_bytes()
    return [json.loads(content)] if name.endswith(".json") else [content]


def _read_run(name: str) -> Callable[[Path], None]:
    """Read a store in which a file of one run is replaced, with and without its digest in the record."""

    def read(path: Path) -> None:
        base = _store(path.parent / "store")
        root = path.parent / "changed"
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(base, root)
        folder = _first_run(base).name
        shutil.copyfile(path, root / folder / name)
        if name != "run.json":  # else no byte of it is parsed, since its digest differs
            record = json.loads((root / folder / "run.json").read_text(encoding="utf-8"))
            del record["files"]
            (root / folder / "run.json").write_text(json.dumps(record | {"version": 2}), encoding="utf-8")
        store = Store(root)
        runs, problems = store.runs()
        if not any(run.spec.card.name == "attempt-2" for run in runs):
            raise AssertionError("a damaged run hides another one")
        for line in problems:
            _one_line(line)
        for run in runs:
            for split in ("val", "test"):
                store.scores(run, split)  # type: ignore[arg-type]
                store.images(run, split)  # type: ignore[arg-type]
            store.history(run)
            store.model_is_whole(run)

    return read


def _one_line(line: str) -> None:
    if len(line.splitlines()) != 1 or not line.isprintable():
        raise AssertionError(f"not one printable line: {line!r}")


def _yaml(load: Callable[[Path], object], kind: str) -> Target:
    return Target(lambda: [FILES[kind], *_built_in(kind)], ".yaml", load, _tree_or_text)


def _built_in(kind: str) -> list[Any]:
    folders = {"card": "zoo/models/cards", "protocol": "benchmark/runs/protocols", "space": "search_spaces"}
    files = sorted((ROOT / folders.get(kind, "reports/claims/data")).rglob("*.yaml"))
    return [read_yaml(path) for path in files if path.name != "auto.yaml"][:6]


TARGETS: dict[str, Target] = {
    "card": _yaml(load_card, "card"),
    "protocol": _yaml(lambda path: load_protocol(str(path)), "protocol"),
    "space": _yaml(lambda path: load_space(str(path)), "space"),
    "claims": _yaml(lambda path: load_claims(str(path), cards()), "claims"),
    "image": Target(_image_seeds, ".png", _read_image, _image),
    "npz": Target(_npz_seeds, ".npz", _read_npz, _archive),
    "table": Target(lambda: [MANIFEST], ".csv", _read_manifest, mutations.mutate_bytes),
    "record": Target(lambda: _files_of_run("run.json"), ".json", _read_run("run.json"), _tree_or_text),
    "scores": Target(
        lambda: _files_of_run("predictions.parquet"),
        ".parquet",
        _read_run("predictions.parquet"),
        mutations.mutate_bytes,
    ),
    "history": Target(lambda: _files_of_run("history.csv"), ".csv", _read_run("history.csv"), mutations.mutate_bytes),
}
"""The loaders by name."""
