"""Names that the shell completes: cards, runs, protocols, search spaces, claims. They come from files, so that a press
of the tab key loads no library."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from glob import escape, glob
from importlib import resources
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

import typer

_SUFFIXES = (".yaml", ".yml")


def card_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Cards that are built in, installed, or in the folders of `--cards`, but for those on the line already."""
    folders = [_package("zoo.models.cards"), *map(Path, ctx.params.get("cards") or ())]
    for entry in entry_points(group="zoo.cards"):
        with suppress(ImportError, ValueError):  # a broken plug-in is reported by the command, not by the tab key
            outermost, *inner = entry.value.split(".")
            spec = find_spec(outermost)  # of an inner one it would import the outer ones
            folders += [Path(place, *inner) for place in (spec and spec.submodule_search_locations) or ()]
    named = ctx.params.get("names") or ()
    return _beginning(incomplete, (name for folder in folders for name in _stems(folder) if name not in named))


def run_names(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Cards with runs in the store of `--store`, and the ids of its runs, each with a description."""
    found: dict[str, str] = {}
    told = list(_runs(Path(ctx.params.get("store") or "runs")))
    for _, card, _ in told:
        found[card] = f"{sum(card == other for _, other, _ in told)} runs"
    found |= {run_id: f"{card} seed {seed}" for run_id, card, seed in told}
    return [(name, help_) for name, help_ in sorted(found.items()) if name.startswith(incomplete)]


def protocol_names(incomplete: str) -> list[str]:
    """Built-in protocols and YAML files, as `NAME_OR_FILE` is."""
    return _names_and_files("benchmark.runs.protocols", incomplete)


def space_names(incomplete: str) -> list[str]:
    """Built-in search spaces and YAML files."""
    return _names_and_files("search_spaces", incomplete)


def claims_names(incomplete: str) -> list[str]:
    """Built-in claims and YAML files."""
    return _names_and_files("reports.claims.data", incomplete)


def _names_and_files(package: str, incomplete: str) -> list[str]:
    files = glob(f"{escape(incomplete)}*.y*ml")
    if "/" in incomplete:  # a path has been begun
        files += glob(f"{escape(incomplete)}*/")
    return [*_beginning(incomplete, _stems(_package(package))), *sorted(files)]


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return sorted({name for name in names if name.startswith(incomplete)})


def _package(name: str) -> Path:
    return Path(str(resources.files(name)))


def _stems(folder: Path) -> list[str]:
    return [path.stem for path in folder.iterdir() if path.suffix in _SUFFIXES] if folder.is_dir() else []


def _runs(store: Path) -> Iterator[tuple[str, str, int]]:
    """Id, card and seed of every run of the store; what cannot be read is no name to complete."""
    for path in store.glob("[!.]*/run.json"):
        try:
            if not path.is_file():  # a pipe would wait for ever
                continue
            spec = json.loads(path.read_text(encoding="utf-8"))["spec"]
            yield path.parent.name, str(spec["card"]["name"]), int(spec["seed"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue
