"""Finds and loads cards, and resolves `extends`."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from os import PathLike
from pathlib import Path
from typing import Any

from zoo.config import plugins
from zoo.config.arguments import PATH, several
from zoo.config.errors import ConfigError
from zoo.config.strict_yaml import near, read_yaml, suggest, unknown, validate
from zoo.models.card import NAME_PATTERN, ModelCard, ModelSpec, with_ensemble
from zoo.models.probe_card import probe_card_problems
from zoo.models.recipe import ProbeRecipe, Recipe, is_average, is_probe
from zoo.models.registry import builder_names, complete_params, get_builder

REPORT_COLLECTION = "pneumonia-report"
"""The built-in cards of the report that the benchmark rebuilds."""

STARTER_COLLECTION = "starter"
"""The built-in cards for images of one's own."""

_NOT_INHERITED = ("name", "extends", "baseline", "published", "source", "assumptions", "probe_card")


class _UnknownParent(ConfigError):
    """A card extends one that does not exist."""


class _NeedsBrokenPlugin(ConfigError):
    """A card may need a plug-in that could not be loaded."""


@dataclass(frozen=True)
class Catalog:
    """All known cards and their collections.

    The collection of a card is the name of the folder that contains its file. It does not belong to the card: runs and
    their ids do not depend on it.

    Attributes:
        cards: The cards by name, sorted.
        collections: The collection of each card, by the name of the card.
        built_in: The names of the built-in collections.
    """

    cards: dict[str, ModelCard]
    collections: dict[str, str]
    built_in: tuple[str, ...]

    def names(self) -> tuple[str, ...]:
        """The names of the collections: the built-in ones, then the others, each sorted."""
        return tuple(sorted(set(self.collections.values()), key=lambda name: (name not in self.built_in, name)))

    def of(self, collection: str) -> dict[str, ModelCard]:
        """The cards of a collection by name. Raises a ConfigError with the nearest name if there is none."""
        if collection not in self.names():
            raise unknown("collection", collection, self.names())
        return {name: card for name, card in self.cards.items() if self.collections[name] == collection}

    def of_default(self, collection: str) -> dict[str, ModelCard]:
        """The cards of a built-in collection, and all that are not built in."""
        chosen = {name for name, of in self.collections.items() if of == collection or of not in self.built_in}
        return {name: card for name, card in self.cards.items() if name in chosen}


def _warn(problem: str) -> None:
    warnings.warn(problem, RuntimeWarning, stacklevel=3)


def load_cards(
    directories: str | PathLike[str] | Iterable[str | PathLike[str]] = (),
    on_problem: Callable[[str], None] = _warn,
    files: Iterable[Path] = (),
) -> dict[str, ModelCard]:
    """Load the built-in cards, those of installed packages (entry-point group `zoo.cards`), and further ones.

    Args:
        directories: Folders with more cards (*.yaml), also in subfolders; one or several.
        on_problem: Called with a line per plug-in that cannot be loaded, and per card that needs it and is left out.
            The default gives RuntimeWarnings.
        files: YAML files of single cards.

    Returns:
        Validated cards by name, sorted, with inherited values and the defaults of their builders.

    Raises:
        ConfigError: Cards are invalid, with every error of every file; or a folder does not exist or contains no cards.
    """
    return load_catalog(directories, on_problem, files).cards


def load_catalog(
    directories: str | PathLike[str] | Iterable[str | PathLike[str]] = (),
    on_problem: Callable[[str], None] = _warn,
    files: Iterable[Path] = (),
) -> Catalog:
    """Load the cards of `load_cards` with their collections.

    Args:
        directories: As in `load_cards`.
        on_problem: As in `load_cards`.
        files: As in `load_cards`.

    Returns:
        The cards and their collections.

    Raises:
        ConfigError: As `load_cards`.
    """
    further = several("directories", directories, PATH, "a folder or a list of folders")
    builder_names()
    raw: dict[str, tuple[Path, dict[str, Any]]] = {}
    errors: list[str] = []
    names: set[str] = set()
    packages, broken = _packages()
    for line in (*plugins.load(plugins.BUILDERS).broken, *plugins.load(plugins.METRICS).broken, *broken):
        on_problem(line)
    folders = _folders(packages, map(Path, further))
    for line in _joining_built_in(folders):
        on_problem(line)
    collections: dict[str, str] = {}
    for path, collection in _card_files(folders, files):
        names.add(path.stem)
        collections.setdefault(path.stem, collection)
        try:
            data = read_yaml(path, ModelCard)
            name = data.get("name", path.stem)
            if name != path.stem:
                raise ConfigError(f"{path}: name: is '{name}'; must equal the file's name, '{path.stem}'")
            if name in raw:
                raise ConfigError(f"{path}: name: '{name}' is already taken by {raw[name][0]}; rename the file")
            raw[name] = (path, _with_ensemble({**data, "name": name}, path))
        except ConfigError as error:
            errors += error.lines
    cards: dict[str, ModelCard] = {}
    failed = names - set(raw)
    for name in sorted(raw, key=lambda name: _generations(name, raw)):
        parent = raw[name][1].get("extends")
        if isinstance(parent, str) and parent in failed:
            failed.add(name)  # the error of its parent is enough
            continue
        try:
            cards[name] = _resolve(name, raw[name][0], raw, bool(broken))
        except _NeedsBrokenPlugin as error:
            failed.add(name)
            on_problem(f"the card {name} is left out: {' '.join(error.lines)}")
        except ConfigError as error:
            failed.add(name)
            errors += error.lines
    for name, card in cards.items():
        errors += member_problems(card, {**dict.fromkeys(failed), **cards}, str(raw[name][0]))
        if card.probe_card is not None and not (broken and card.probe_card not in cards):
            errors += probe_card_problems(card, cards, failed, str(raw[name][0]))
    if errors:
        raise ConfigError(*dict.fromkeys(errors))
    return Catalog(
        dict(sorted(cards.items())),
        {name: collections[name] for name in sorted(cards)},
        tuple(sorted(path.name for path in _subfolders(folders[0]))),
    )


def select(cards: Mapping[str, ModelCard], names: Iterable[str]) -> list[ModelCard]:
    """The cards called `names`, in that order, each once. Raises ConfigError for an unknown name."""
    chosen = []
    for name in dict.fromkeys(names):
        if name not in cards:
            raise unknown("card", name, cards)
        chosen.append(cards[name])
    return chosen


def member_problems(card: ModelCard, cards: Mapping[str, ModelCard | None], where: str) -> Iterator[str]:
    """Yield a line for each member of an ensemble that cannot be one.

    Args:
        card: A card; one with a network has no members.
        cards: All known cards by name; None for those with errors of their own.
        where: The file, for messages.

    Yields:
        Lines that say what would be right.
    """
    for name in card.members:
        member = cards.get(name)
        if name not in cards:
            yield f"{where}: ensemble: unknown card '{name}'. {suggest(name, cards)}"
        elif name == card.name:
            yield f"{where}: ensemble: {name} is this card itself; name other cards"
        elif member is not None and member.members:
            yield f"{where}: ensemble: {name} is an ensemble; give its members: {', '.join(member.members)}"
    for name in sorted({name for name in card.members if card.members.count(name) > 1}):
        yield f"{where}: ensemble: {name} is named twice; `choose` lets a member count more than once"


def contains_cards(folder: Path) -> bool:
    """Whether a folder exists and contains YAML files, or has a subfolder with some."""
    return folder.is_dir() and bool(_yaml_files(folder) or _subfolders(folder))


def check_new_name(name: str, cards: Mapping[str, ModelCard], folder: Path) -> None:
    """Check the name of a card that is to be written.

    Args:
        name: The name.
        cards: All known cards by name.
        folder: The folder of the new card; a card of that name in it may be replaced.

    Raises:
        ConfigError: Cards cannot have this name, or a card elsewhere has it.
    """
    if not re.fullmatch(NAME_PATTERN, name):
        raise ConfigError(
            f"--name {name}: a card's name is 1 to 64 of a-z, 0-9, '.', '_', '-' and must start with a letter or digit"
        )
    if name in cards and not (folder / f"{name}.yaml").is_file():
        raise ConfigError(f"--name {name}: a card of that name already exists; give another")


def check_phases(card: ModelCard, where: str) -> None:
    """Raise ConfigError, beginning with `where`, if `card` unfreezes layers and has no phase that trains them."""
    builder = get_builder(card.model.builder)
    if builder.unfreeze is None or not builder.unfrozen(card.model.params):
        return
    parameter = f"{where}: model.{builder.unfreeze.parameter}"
    if isinstance(card.recipe, ProbeRecipe):
        raise ConfigError(f"{parameter} must be 0: a probe fits the last layer alone")
    if isinstance(card.recipe, Recipe) and card.recipe.finetune is None:
        raise ConfigError(f"{parameter} needs recipe.finetune, the phase that trains them; add it")


def check_preprocessing(card: ModelCard, where: str) -> None:
    """Raise ConfigError, beginning with `where`, if both recipe and builder convert grey levels, or neither."""
    builder, stated = card.model.builder, card.recipe.preprocessing
    if stated == "members":
        return
    if get_builder(builder).converts_levels and stated != "builder":
        raise ConfigError(f"{where}: recipe.preprocessing must be builder: {builder} converts grey levels itself")
    if stated == "builder" and not get_builder(builder).converts_levels:
        raise ConfigError(
            f"{where}: recipe.preprocessing: {builder} does not convert grey levels itself; give rescale or caffe"
        )


def merge(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of `base` updated by `change`: mappings are merged key by key, other values are replaced."""
    merged = dict(base)
    for key, value in change.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def _packages() -> tuple[list[Path], list[str]]:
    """Folders of the card packages, and a line for each that cannot be used."""
    packages = plugins.load(plugins.CARDS)
    folders, broken = [], list(packages.broken)
    for entry, package in packages.loaded:
        try:
            folder = Path(str(resources.files(package)))
        except Exception as error:  # a plug-in may be anything
            broken.append(plugins.broken_line(entry, f"it is no package: {' '.join(str(error).split())}"))
            continue
        if folder.is_dir():
            folders.append(folder)
        else:
            broken.append(plugins.broken_line(entry, "it needs an __init__.py"))
    return folders, broken


def _joining_built_in(folders: Sequence[Path]) -> Iterator[str]:
    """A line for each folder whose cards join a built-in collection, because it has the name of one."""
    built_in = {path.name for path in _subfolders(folders[0])}
    for folder in folders[1:]:
        for each in (folder.resolve(), *_subfolders(folder)):
            if each.name in built_in and _yaml_files(each):
                yield (
                    f"--cards {folder}: the cards in {each} join the built-in collection {each.name}; rename the "
                    "folder for a collection of its own"
                )


def _card_files(folders: Iterable[Path], files: Iterable[Path]) -> list[tuple[Path, str]]:
    """The YAML files of `folders` and of their subfolders, then `files`, each once, with its collection."""
    paths = [path for folder in folders for parent in (folder, *_subfolders(folder)) for path in _yaml_files(parent)]
    resolved = {path.resolve(): path for path in (*paths, *files)}
    return [(path, real.parent.name) for real, path in resolved.items()]


def _subfolders(folder: Path) -> list[Path]:
    """The collections in `folder`: subfolders with YAML files, but hidden ones."""
    inner = [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    return [path for path in inner if _yaml_files(path)]


def _yaml_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.y*ml") if path.suffix in (".yaml", ".yml"))


def _folders(packages: Iterable[Path], directories: Iterable[Path]) -> list[Path]:
    folders = [Path(str(resources.files("zoo.models.cards"))), *packages]
    for folder in directories:
        if not folder.is_dir():
            raise ConfigError(f"--cards {folder}: not a folder; give a folder with card files (*.yaml)")
        if not contains_cards(folder):
            raise ConfigError(f"--cards {folder}: contains no cards (*.yaml); give a folder with card files")
        folders.append(folder)
    return list({folder.resolve(): folder for folder in folders}.values())


def _generations(name: str, raw: Mapping[str, tuple[Path, dict[str, Any]]]) -> int:
    """The number of ancestors of the card `name`, itself included; a cycle ends the count."""
    line: list[str] = []
    parent: Any = name
    while isinstance(parent, str) and parent in raw and parent not in line:
        line.append(parent)
        parent = raw[parent][1].get("extends")
    return len(line)


def _resolve(name: str, path: Path, raw: Mapping[str, tuple[Path, dict[str, Any]]], cards_missing: bool) -> ModelCard:
    """The card `name`; `cards_missing` says whether a package of cards could not be loaded."""
    try:
        data = _inherit(name, raw, ())
    except _UnknownParent as error:
        if cards_missing:
            raise _NeedsBrokenPlugin(*error.lines) from error
        raise
    errors: list[str] = []
    try:
        card = validate(ModelCard, data, str(path))
    except ConfigError as error:
        errors += error.lines
    params: dict[str, Any] = {}
    model = data.get("model")
    if isinstance(model, Mapping) and isinstance(model.get("builder"), str):
        stated = {key: value for key, value in model.items() if key != "builder"}
        try:
            get_builder(model["builder"])
        except ConfigError as error:
            lines = [f"{path}: model.builder: {line}" for line in error.lines]
            if plugins.load(plugins.BUILDERS).broken:
                raise _NeedsBrokenPlugin(*lines) from error
            errors += lines
        else:
            try:
                params = complete_params(model["builder"], stated, f"{path}: model")
            except ConfigError as error:
                errors += error.lines
    if errors:
        raise ConfigError(*errors)
    card = card.model_copy(update={"model": ModelSpec(builder=card.model.builder, **params)})
    check_phases(card, str(path))
    check_preprocessing(card, str(path))
    return card


def _with_ensemble(data: dict[str, Any], path: Path) -> dict[str, Any]:
    if not {"model", "extends", "ensemble"} & set(data):
        for key in data:  # the schema would ask for the model that an ensemble does not have
            if near(key, ModelCard.model_fields)[:1] == ("ensemble",):
                raise ConfigError(f"{path}: {key}: unknown key. Did you mean ensemble?")
    try:
        return with_ensemble(data)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error


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
    model = data.get("model")
    inherited = base.get("model")
    if (
        isinstance(model, Mapping)
        and isinstance(inherited, Mapping)
        and model.get("builder", inherited.get("builder")) != inherited.get("builder")
    ):
        del base["model"]  # the parameters of another builder do not apply
    inherited = base.pop("recipe", None)
    if (
        inherited is not None
        and (rest := _inherited_recipe(inherited, data.get("recipe"), "model" in base)) is not None
    ):
        base["recipe"] = rest
    return merge(base, data)


def _inherited_recipe(inherited: Any, stated: Any, of_model: bool) -> Any:
    """What a card inherits of a recipe.

    Args:
        inherited: The recipe of its parent.
        stated: The recipe that the card states; None if it states none.
        of_model: Whether the card has the builder of its parent.

    Returns:
        The recipe without keys that the card's kind of recipe lacks; None if none is left.
    """
    if not isinstance(inherited, Mapping):
        return inherited
    stated = stated if isinstance(stated, Mapping) else {}
    begins_ensemble = is_average(stated) and not is_average(inherited)
    ends_ensemble = is_average(inherited) and not of_model
    if begins_ensemble or ends_ensemble:
        return None
    if is_probe(stated) and not is_probe(inherited):
        return {key: value for key, value in inherited.items() if key in ProbeRecipe.model_fields}
    return inherited
