"""Where cards are found and how `extends` is resolved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module, resources
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from zoo.card import ModelCard, ModelSpec
from zoo.registry import complete_params
from zoo.strict_yaml import ConfigError, read_yaml, suggest, unknown, validate

ENTRY_POINT_GROUP = "zoo.cards"
_NOT_INHERITED = ("name", "extends", "published", "source", "left_open")


def load_cards(directories: Iterable[Path] = ()) -> dict[str, ModelCard]:
    """All cards by name, resolved and validated: the built-in ones, those of installed packages (entry-point group
    "zoo.cards", a package that holds YAML files) and those in `directories`.

    Raises ConfigError with every error of every file.
    """
    raw: dict[str, tuple[Path, dict[str, Any]]] = {}
    errors: list[str] = []
    for folder in _folders(directories):
        for path in sorted(folder.glob("*.yaml")):
            try:
                data = read_yaml(path)
                name = data.get("name", path.stem)
                if name != path.stem:
                    raise ConfigError(f"{path}: name: is '{name}'; must equal the file's name, '{path.stem}'")
                if name in raw:
                    raise ConfigError(f"{path}: name: '{name}' is already taken by {raw[name][0]}; rename the file")
                raw[name] = (path, {**data, "name": name})
            except ConfigError as error:
                errors += error.lines
    cards: dict[str, ModelCard] = {}
    for name, (path, _) in raw.items():
        try:
            cards[name] = _resolve(name, path, raw)
        except ConfigError as error:
            errors += error.lines
    if errors:
        raise ConfigError(*errors)
    return dict(sorted(cards.items()))


def select(cards: Mapping[str, ModelCard], names: Iterable[str]) -> list[ModelCard]:
    """The cards called `names`, in that order, each once. Raises ConfigError for an unknown name."""
    chosen = []
    for name in dict.fromkeys(names):
        if name not in cards:
            raise unknown("card", name, cards)
        chosen.append(cards[name])
    return chosen


def merge(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `change` laid over it: mappings are merged key by key, everything else is replaced."""
    merged = dict(base)
    for key, value in change.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def _folders(directories: Iterable[Path]) -> list[Path]:
    folders = [Path(str(resources.files("zoo.cards")))]
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        try:
            folders.append(Path(str(resources.files(import_module(entry.value)))))
        except Exception as error:
            raise ConfigError(
                f"the card package '{entry.name}' ({entry.value}) cannot be loaded: {error}; mend or uninstall it"
            ) from error
    for folder in directories:
        if not folder.is_dir():
            raise ConfigError(f"--cards {folder}: not a folder; give a folder that holds card files (*.yaml)")
        folders.append(folder)
    return folders


def _resolve(name: str, path: Path, raw: Mapping[str, tuple[Path, dict[str, Any]]]) -> ModelCard:
    data = _inherit(name, raw, ())
    card = validate(ModelCard, data, str(path))
    params = complete_params(card.model.builder, card.model.params, f"{path}: model")
    return card.model_copy(update={"model": ModelSpec(builder=card.model.builder, **params)})


def _inherit(name: str, raw: Mapping[str, tuple[Path, dict[str, Any]]], children: tuple[str, ...]) -> dict[str, Any]:
    path, data = raw[name]
    parent = data.get("extends")
    if parent is None:
        return data
    if parent in (*children, name):
        cycle = " -> ".join([*children, name, str(parent)])
        raise ConfigError(f"{path}: extends: goes in a circle: {cycle}; one of them must extend nothing")
    if not isinstance(parent, str) or parent not in raw:
        raise ConfigError(f"{path}: extends: unknown card '{parent}'. {suggest(str(parent), raw)}")
    base = {k: v for k, v in _inherit(parent, raw, (*children, name)).items() if k not in _NOT_INHERITED}
    own_model = data.get("model")
    if isinstance(own_model, Mapping) and "builder" in own_model:
        base.pop("model", None)  # another builder's parameters mean nothing here
    return merge(base, data)
