"""Reporting checklists, with the answers that follow from a section; the rest is for the authors."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated

from jinja2 import Environment, StrictUndefined, Template, TemplateSyntaxError, meta
from pydantic import AfterValidator, Field

from reports.checklists.facts import Facts, facts
from reports.claims.statement import ONE_OR_MORE, Text
from reports.report import Section
from zoo.config.errors import ConfigError
from zoo.config.strict import Strict
from zoo.config.strict_yaml import read_yaml, unknown, validate

_FOLDER = Path(str(resources.files("reports.checklists")))
_BUILT_IN = _FOLDER / "data"
_JINJA = Environment(undefined=StrictUndefined, finalize=lambda value: "" if value is None else value)


def _check(template: str, known: Collection[str]) -> str:
    """`template` unchanged. Raises ValueError where it is not valid Jinja or uses a name that is not `known`."""
    try:
        names = meta.find_undeclared_variables(_JINJA.parse(template))
    except TemplateSyntaxError as error:
        raise ValueError(f"not a Jinja template: {error.message}") from error
    for name in sorted(names.difference(known)):
        raise unknown("fact", name, known)
    return template


@cache
def _shared() -> Mapping[str, str]:
    """The templates of answers that several items share. Each may use those above it."""
    templates = read_yaml(_FOLDER / "answers.yaml")
    known = list(Facts.__annotations__)
    for name, template in templates.items():
        _check(template, known)
        known.append(name)
    return templates


def _check_answer(template: str) -> str:
    return _check(template, (*Facts.__annotations__, *_shared()))


class Item(Strict):
    """One paraphrased item of a guideline. `answer` is a Jinja template; without one the authors must answer."""

    number: Annotated[str, Field(pattern=r"^[1-9][0-9]?[a-z]?$")]
    part: Text
    asks: Text
    answer: Annotated[str, AfterValidator(_check_answer)] | None = None


class Guideline(Strict):
    """A reporting guideline: its name, its title, its publication (`source`) and its items in order."""

    name: Text
    title: Text
    source: Text
    items: Annotated[tuple[Item, ...], ONE_OR_MORE]


@dataclass(frozen=True)
class Filled:
    """An item with its answer; None where only the authors can answer."""

    item: Item
    answer: str | None


@dataclass(frozen=True)
class Checklist:
    """A guideline with its answers for one section."""

    guideline: Guideline
    items: tuple[Filled, ...]

    @property
    def known(self) -> int:
        """The number of items with an answer."""
        return sum(filled.answer is not None for filled in self.items)


@cache
def guidelines(folder: Path = _BUILT_IN) -> tuple[Guideline, ...]:
    """The guidelines of a folder.

    Args:
        folder: A folder of YAML files; by default that of the built-in guidelines.

    Returns:
        The guidelines by file name.

    Raises:
        ConfigError: A file is invalid; the message lists all of its errors.
    """
    return tuple(_load(path) for path in sorted(folder.glob("*.yaml")))


def checklists(section: Section) -> tuple[Checklist, ...]:
    """Every built-in guideline with its answers for a section."""
    names: dict[str, object] = {**facts(section)}
    for name, template in _shared().items():
        names[name] = _rendered(template, names)
    return tuple(
        Checklist(guideline, tuple(Filled(item, _rendered(item.answer, names)) for item in guideline.items))
        for guideline in guidelines()
    )


def _rendered(template: str | None, names: Mapping[str, object]) -> str | None:
    """The answer on one line; None without a template, or if it renders to nothing."""
    return " ".join(_compiled(template or "").render(names).split()) or None


@cache
def _compiled(template: str) -> Template:
    return _JINJA.from_string(template)


def _load(path: Path) -> Guideline:
    guideline = validate(Guideline, read_yaml(path), str(path))
    numbers = [item.number for item in guideline.items]
    twice = sorted({number for number in numbers if numbers.count(number) > 1})
    if twice:
        raise ConfigError(f"{path}: items: the number {twice[0]} is duplicated; keep one")
    return guideline
