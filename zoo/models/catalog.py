"""Where cards are found and how `extends` is resolved."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from zoo.config import plugins
from zoo.config.strict_yaml import ConfigError, read_yaml, suggest, unknown, validate
from zoo.models.card import NAME_PATTERN, ModelCard, ModelSpec
from zoo.models.registry import builder_names, complete_params, get_builder

_NOT_INHERITED = ("name", "extends", "published", "source", "assumptions")


class _UnknownParent(ConfigError):
    """A card that extends one which there is not."""


class _OfAMissingPlugin(ConfigError):
    """A card that names what a plug-in may hold that could not be loaded."""


def _warn(problem: str) -> None:
    warnings.warn(problem, RuntimeWarning, stacklevel=3)


def load_cards(
    directories: Iterable[Path] = (), on_problem: Callable[[str], None] = _warn, files: Iterable[Path] = ()
) -> dict[str, ModelCard]:
    """All cards by name, resolved and validated: the built-in ones, those of installed packages (entry-point group
    "zoo.cards", a package that holds YAML files), those in `directories` and those in single `files`.

    `on_problem` hears a line for every plug-in that cannot be loaded and for every card that is left out with it, a
    RuntimeWarning unless said. Raises ConfigError with every error of every file.
    """
    builder_names()
    raw: dict[str, tuple[Path, dict[str, Any]]] = {}
    errors: list[str] = []
    names: set[str] = set()
    packages, broken = _packages()
    for line in (*plugins.load(plugins.BUILDERS).broken, *plugins.load(plugins.METRICS).broken, *broken):
        on_problem(line)
    for path in _card_files(_folders(packages, directories), files):
        names.add(path.stem)
        try:
            data = read_yaml(path, ModelCard)
            name = data.get("name", path.stem)
            if name != path.stem:
                raise ConfigError(f"{path}: name: is '{name}'; must equal the file's name, '{path.stem}'")
            if name in raw:
                raise ConfigError(f"{path}: name: '{name}' is already taken by {raw[name][0]}; rename the file")
            raw[name] = (path, {**data, "name": name})
        except ConfigError as error:
            errors += error.lines
    cards: dict[str, ModelCard] = {}
    failed = names - set(raw)
    for name in sorted(raw, key=lambda name: _generations(name, raw)):
        parent = raw[name][1].get("extends")
        if isinstance(parent, str) and parent in failed:
            failed.add(name)  # its parent's error says what to fix
            continue
        try:
            cards[name] = _resolve(name, raw[name][0], raw, bool(broken))
        except _OfAMissingPlugin as error:
            failed.add(name)
            on_problem(f"the card {name} is left out: {' '.join(error.lines)}")
        except ConfigError as error:
            failed.add(name)
            errors += error.lines
    if errors:
        raise ConfigError(*dict.fromkeys(errors))
    return dict(sorted(cards.items()))


def select(cards: Mapping[str, ModelCard], names: Iterable[str]) -> list[ModelCard]:
    """The cards called `names`, in that order, each once. Raises ConfigError for an unknown name."""
    chosen = []
    for name in dict.fromkeys(names):
        if name not in cards:
            raise unknown("card", name, cards)
        chosen.append(cards[name])
    return chosen


def check_new_name(name: str, cards: Mapping[str, ModelCard], folder: Path) -> None:
    """Raise ConfigError unless a card called `name` may be written into `folder`: a name that cards may have, and not
    that of a card elsewhere."""
    if not re.fullmatch(NAME_PATTERN, name):
        raise ConfigError(
            f"--name {name}: a card's name is 1 to 64 of a-z, 0-9, '.', '_', '-' and must start with a letter or digit"
        )
    if name in cards and not (folder / f"{name}.yaml").is_file():
        raise ConfigError(f"--name {name}: a card of that name already exists; give another")


def check_phases(card: ModelCard, where: str) -> None:
    """Raise ConfigError, named by `where`, if `card` unfreezes layers and has no phase that trains them."""
    builder = get_builder(card.model.builder)
    if builder.unfreeze is not None and builder.unfrozen(card.model.params) and card.recipe.finetune is None:
        raise ConfigError(
            f"{where}: model.{builder.unfreeze.parameter} needs recipe.finetune, the phase that trains them; add it"
        )


def merge(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `change` laid over it: mappings are merged key by key, everything else is replaced."""
    merged = dict(base)
    for key, value in change.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def _packages() -> tuple[list[Path], list[str]]:
    """Folders of the card packages, and a line for each that cannot be used."""
    found = plugins.load(plugins.CARDS)
    folders, broken = [], list(found.broken)
    for entry, package in found.loaded:
        try:
            folder = Path(str(resources.files(package)))
        except Exception as error:  # a plug-in may be anything
            broken.append(plugins.told(entry, f"it is no package: {' '.join(str(error).split())}"))
            continue
        if folder.is_dir():
            folders.append(folder)
        else:
            broken.append(plugins.told(entry, "it needs an __init__.py"))
    return folders, broken


def _card_files(folders: Iterable[Path], files: Iterable[Path]) -> list[Path]:
    """The YAML files of `folders`, then `files`, each once."""
    paths = [path for folder in folders for path in sorted(folder.iterdir()) if path.suffix in (".yaml", ".yml")]
    return list({path.resolve(): path for path in (*paths, *files)}.values())


def _folders(packages: Iterable[Path], directories: Iterable[Path]) -> list[Path]:
    folders = [Path(str(resources.files("zoo.models.cards"))), *packages]
    for folder in directories:
        if not folder.is_dir():
            raise ConfigError(f"--cards {folder}: not a folder; give a folder that holds card files (*.yaml)")
        folders.append(folder)
    return list({folder.resolve(): folder for folder in folders}.values())


def _generations(name: str, raw: Mapping[str, tuple[Path, dict[str, Any]]]) -> int:
    """How many cards `name` extends, one through the other; a circle ends the count."""
    seen: list[str] = []
    parent: Any = name
    while isinstance(parent, str) and parent in raw and parent not in seen:
        seen.append(parent)
        parent = raw[parent][1].get("extends")
    return len(seen)


def _resolve(name: str, path: Path, raw: Mapping[str, tuple[Path, dict[str, Any]]], cards_missing: bool) -> ModelCard:
    """The card `name`; `cards_missing` says that a package of cards could not be loaded."""
    try:
        data = _inherit(name, raw, ())
    except _UnknownParent as error:
        if cards_missing:
            raise _OfAMissingPlugin(*error.lines) from error
        raise
    errors: list[str] = []
    try:
        card = validate(ModelCard, data, str(path))
    except ConfigError as error:
        errors += error.lines
    params: dict[str, Any] = {}
    model = data.get("model")
    if isinstance(model, Mapping) and isinstance(model.get("builder"), str):
        given = {key: value for key, value in model.items() if key != "builder"}
        try:
            get_builder(model["builder"])
        except ConfigError as error:
            lines = [f"{path}: model.builder: {line}" for line in error.lines]
            if plugins.load(plugins.BUILDERS).broken:
                raise _OfAMissingPlugin(*lines) from error
            errors += lines
        else:
            try:
                params = complete_params(model["builder"], given, f"{path}: model")
            except ConfigError as error:
                errors += error.lines
    if errors:
        raise ConfigError(*errors)
    card = card.model_copy(update={"model": ModelSpec(builder=card.model.builder, **params)})
    check_phases(card, str(path))
    return card


def _inherit(name: str, raw: Mapping[str, tuple[Path, dict[str, Any]]], children: tuple[str, ...]) -> dict[str, Any]:
    path, data = raw[name]
    parent = data.get("extends")
    if parent is None:
        return data
    if parent in (*children, name):
        cycle = " -> ".join([*children, name, str(parent)])
        raise ConfigError(f"{path}: extends: forms a cycle: {cycle}; one of them must extend nothing")
    if not isinstance(parent, str) or parent not in raw:
        raise _UnknownParent(f"{path}: extends: unknown card '{parent}'. {suggest(str(parent), raw)}")
    base = {k: v for k, v in _inherit(parent, raw, (*children, name)).items() if k not in _NOT_INHERITED}
    own_model = data.get("model")
    inherited = base.get("model")
    if (
        isinstance(own_model, Mapping)
        and isinstance(inherited, Mapping)
        and own_model.get("builder", inherited.get("builder")) != inherited.get("builder")
    ):
        del base["model"]  # another builder's parameters mean nothing here
    return merge(base, data)
