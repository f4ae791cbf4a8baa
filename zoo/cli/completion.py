"""Shell completion of cards, runs, protocols, search spaces and claims.

Names come from file names, so that the tab key loads no library.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from glob import escape, glob
from pathlib import Path

import typer

from benchmark.runs.storage.remote.mirror import is_uri, mirror_folder

_SUFFIXES = (".yaml", ".yml")


def card_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Cards that are built in, installed or in the folders of `--cards`, without those already on the line."""
    named = ctx.params.get("names") or ()
    stems = (name for folder in _card_folders(ctx) for name in _stems(folder))
    return _matching(incomplete, (name for name in stems if name not in named))


def collection_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """The folders that contain cards."""
    return _matching(incomplete, (folder.resolve().name for folder in _card_folders(ctx) if _stems(folder)))


def _card_folders(ctx: typer.Context) -> list[Path]:
    """The folders with cards: built in, installed and of `--cards`, each with its subfolders."""
    from importlib.metadata import entry_points  # here and below: for the tab key alone, not for --help
    from importlib.util import find_spec

    folders: list[Path] = [_package("zoo.models.cards"), *map(Path, ctx.params.get("cards") or ())]
    for entry in entry_points(group="zoo.cards"):
        with suppress(ImportError, ValueError):  # the command reports a broken plug-in
            outermost, *inner = entry.value.split(".")
            spec = find_spec(outermost)  # for an inner package it would import the outer ones
            folders += [Path(location, *inner) for location in (spec and spec.submodule_search_locations) or ()]
    below = [path for folder in folders if folder.is_dir() for path in sorted(folder.iterdir()) if path.is_dir()]
    return [*folders, *(path for path in below if not path.name.startswith("."))]


def run_names(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """The cards and the ids of the runs in the store of `--store`, each with a description."""
    store = str(ctx.params.get("store") or "runs")
    runs = list(_runs(mirror_folder(store) if is_uri(store) else Path(store)))
    counts = Counter(card for _, card, _ in runs)
    descriptions = {card: "1 run" if count == 1 else f"{count} runs" for card, count in counts.items()}
    descriptions |= {run_id: f"{card} seed {seed}" for run_id, card, seed in runs}
    return [(name, text) for name, text in sorted(descriptions.items()) if name.startswith(incomplete)]


def protocol_names(incomplete: str) -> list[str]:
    """Built-in protocols and YAML files."""
    return _names_and_files("benchmark.runs.protocols", incomplete)


def space_names(incomplete: str) -> list[str]:
    """Built-in search spaces and YAML files."""
    return _names_and_files("search_spaces", incomplete)


def claims_names(incomplete: str) -> list[str]:
    """Built-in claims and YAML files."""
    return _names_and_files("reports.claims.data", incomplete)


def _names_and_files(package: str, incomplete: str) -> list[str]:
    files = glob(f"{escape(incomplete)}*.y*ml")
    if "/" in incomplete:  # the beginning of a path
        files += glob(f"{escape(incomplete)}*/")
    return [*_matching(incomplete, _stems(_package(package))), *sorted(files)]


def _matching(incomplete: str, names: Iterable[str]) -> list[str]:
    return sorted({name for name in names if name.startswith(incomplete)})


def _package(name: str) -> Path:
    from importlib import resources

    return Path(str(resources.files(name)))


def _stems(folder: Path) -> list[str]:
    return [path.stem for path in folder.iterdir() if path.suffix in _SUFFIXES] if folder.is_dir() else []


def _runs(store: Path) -> Iterator[tuple[str, str, int]]:
    """Id, card and seed of every readable run of the store."""
    for path in store.glob("[!.]*/run.json"):
        try:
            if not path.is_file():  # reading a pipe would never end
                continue
            spec = json.loads(path.read_text(encoding="utf-8"))["spec"]
            yield path.parent.name, str(spec["card"]["name"]), int(spec["seed"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue
