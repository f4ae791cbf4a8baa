"""The order of classes that a user declares in a small YAML file beside the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from pydantic import Field

from benchmark.data.classes import listed
from benchmark.data.dataset import DataError, Dataset
from zoo.config.errors import ConfigError
from zoo.config.strict import Strict
from zoo.config.strict_yaml import read_yaml, suggest, validate

FOLDER_FILE = "classes.yaml"
"""The file in a folder of images; beside another file it is STEM.classes.yaml."""


class ClassOrder(Strict):
    """The classes of a data set in order."""

    classes: Annotated[
        tuple[str, ...],
        Field(
            min_length=2, max_length=1000, description="the names of all classes; of two, the last is the positive one"
        ),
    ]
    ordered: bool = Field(default=False, description="whether the order is a scale, as with grades of a disease")


@dataclass(frozen=True)
class Declared:
    """What a file declares.

    Attributes:
        path: The file.
        order: Its content.
    """

    path: Path
    order: ClassOrder

    def check(self, names: Sequence[str]) -> None:
        """Refuse declared classes that are not those of the data, `names`. Raises DataError."""
        declared = self.order.classes
        for name in names:
            if name not in declared:
                raise DataError(
                    f"{self.path}: the class '{name}' of the data is missing; add it. {suggest(name, declared)}"
                )
        for name in declared:
            if name not in names:
                raise DataError(f"{self.path}: the data have no images of the class '{name}'. {suggest(name, names)}")

    def apply(self, dataset: Dataset) -> Dataset:
        """Put the classes of a data set in the declared order. Raises DataError."""
        self.check(dataset.classes)
        names = self.order.classes
        label = [names.index(name) for name in dataset.classes]
        images = tuple(replace(image, label=label[image.label]) for image in dataset.images)
        positive = names[-1] if len(names) == 2 else None
        return replace(dataset, classes=names, images=images, ordered=self.order.ordered, positive=positive)


def beside(path: Path) -> Path:
    """Where the file of `path` is: in it, if it is a folder, else beside it."""
    return path / FOLDER_FILE if path.is_dir() else path.with_name(f"{path.stem}.{FOLDER_FILE}")


def read_declared(*paths: Path) -> Declared | None:
    """Read what the first of `paths` that exists declares.

    Args:
        paths: Where the file can be.

    Returns:
        The declaration; None if there is no file.

    Raises:
        DataError: The file is not as documented.
    """
    for path in paths:
        if path.exists():
            return Declared(path, _read(path))
    return None


def declared_order(dataset: Dataset, *paths: Path) -> Dataset:
    """Put the classes of `dataset` in the order that the first file of `paths` declares, if there is one.

    Args:
        dataset: The data set.
        paths: Where the file can be.

    Returns:
        The data set with the declared order.

    Raises:
        DataError: The file is not as documented, or lists other classes than those of the data.
    """
    declared = read_declared(*paths)
    return dataset if declared is None else declared.apply(dataset)


def _read(path: Path) -> ClassOrder:
    try:
        data = read_yaml(path)
        names = data.get("classes")
        if isinstance(names, list):
            for name in names:
                if isinstance(name, bool) or name is None:
                    raise DataError(f"{path}: classes: YAML reads a name as {name}; put it into quotes, such as 'no'")
            data = {**data, "classes": [str(name) if type(name) is int else name for name in names]}
        order = validate(ClassOrder, data, str(path))
    except ConfigError as error:
        lines = str(error).splitlines()
        raise DataError(next((line for line in lines if "unknown key" in line), lines[0])) from error
    repeated = next((name for index, name in enumerate(order.classes) if name in order.classes[:index]), None)
    if repeated is not None:
        raise DataError(f"{path}: classes: lists '{repeated}' twice ({listed(order.classes)}); name each class once")
    return order
