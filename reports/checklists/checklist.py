"""Reporting checklists filled in from a section: what the program knows, and what only the authors can say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated

from pydantic import Field

from reports.checklists.answers import ANSWERS
from reports.claims.statement import ONE_OR_MORE, Text
from reports.report import Section
from zoo.config.strict import Strict
from zoo.config.strict_yaml import ConfigError, read_yaml, unknown, validate

_BUILT_IN = Path(str(resources.files("reports.checklists.data")))


class Item(Strict):
    """One item of a guideline in own words; `answer` names the function that fills it in, None: the authors must."""

    number: Annotated[str, Field(pattern=r"^[1-9][0-9]?[a-z]?$")]
    part: Text
    asks: Text
    answer: str | None = None


class Guideline(Strict):
    """A reporting guideline: its `name` and `title`, the paper it is from, and its items in their order."""

    name: Text
    title: Text
    source: Text
    items: Annotated[tuple[Item, ...], ONE_OR_MORE]


@dataclass(frozen=True)
class Filled:
    """An item and its answer; None is not known to the program."""

    item: Item
    answer: str | None


@dataclass(frozen=True)
class Checklist:
    """A guideline with its answers from one section."""

    guideline: Guideline
    items: tuple[Filled, ...]

    @property
    def known(self) -> int:
        """How many items the program could answer."""
        return sum(filled.answer is not None for filled in self.items)


@cache
def guidelines(folder: Path = _BUILT_IN) -> tuple[Guideline, ...]:
    """The guidelines in `folder`, those that are built in when none is given, by file name. Raises ConfigError with
    every error of a file."""
    return tuple(_load(path) for path in sorted(folder.glob("*.yaml")))


def checklists(section: Section) -> tuple[Checklist, ...]:
    """Every built-in guideline, filled in from `section`."""
    answers: Mapping[str, str | None] = {name: say(section) for name, say in ANSWERS.items()}
    return tuple(
        Checklist(
            guideline,
            tuple(Filled(item, answers[item.answer] if item.answer else None) for item in guideline.items),
        )
        for guideline in guidelines()
    )


def _load(path: Path) -> Guideline:
    guideline = validate(Guideline, read_yaml(path), str(path))
    numbers = [item.number for item in guideline.items]
    twice = sorted({number for number in numbers if numbers.count(number) > 1})
    if twice:
        raise ConfigError(f"{path}: items: the number {twice[0]} stands twice; keep one")
    for place, item in enumerate(guideline.items):
        if item.answer is not None and item.answer not in ANSWERS:
            raise ConfigError(f"{path}: items.{place}.answer: {unknown('answer', item.answer, ANSWERS)}")
    return guideline
