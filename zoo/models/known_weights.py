"""The registry of pretrained weights: `weights.yaml`, one entry per network. It loads no Keras."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from pydantic import Field

from zoo.config.strict import Strict
from zoo.config.strict_yaml import read_yaml, validate

_FILE = Path(__file__).parent / "weights.yaml"
_STORAGE = "https://storage.googleapis.com/tensorflow/keras-applications/"

Digest = Annotated[str, Field(pattern=r"^([0-9a-f]{32}|[0-9a-f]{64})$")]


class FileInPackage(Strict):
    """A file in an installed package: the name under which the package is imported, and the path inside it."""

    package: str
    file: str


class KnownWeights(Strict):
    """Pretrained weights of a network.

    Attributes:
        file: Path of the file in Keras' storage, or in `package`.
        digest: MD5 or SHA-256 of the file; None if Keras states none.
        tensors: SHA-256 of the tensors, where several files contain the same; else None.
        same_tensors_in: Another file with the same tensors.
        package: The package that contains the file; None for Keras' storage.
        cached_as: Name of the file in Keras' cache; None for that in `file`.
        licence: Licence and authors, as Keras' documentation or the package states them; None if it states none.
        pretrained_on: The images on which the weights were trained, in words.
    """

    file: str
    digest: Digest | None
    tensors: Digest | None = None
    same_tensors_in: FileInPackage | None = None
    package: str | None = None
    cached_as: str | None = None
    licence: str | None
    pretrained_on: str

    @property
    def url(self) -> str:
        """The address of the file in Keras' storage."""
        return _STORAGE + self.file

    @property
    def file_name(self) -> str:
        """The name of the file in Keras' cache and in ZOO_WEIGHTS_DIR."""
        return self.cached_as or self.file.rpartition("/")[2]

    @property
    def origin(self) -> str:
        """Where the file comes from, in words."""
        return self.url if self.package is None else f"package {self.package.replace('_', '-')}, file {self.file}"


class _Registry(Strict):
    data_sets: dict[str, str]
    weights: dict[str, KnownWeights]


@cache
def known_weights() -> Mapping[str, KnownWeights]:
    """Return the weights that `imagenet` means, by the name of the network. Raises ConfigError for a damaged file."""
    registry = validate(_Registry, read_yaml(_FILE), str(_FILE))
    words = registry.data_sets
    return MappingProxyType(
        {
            name: each.model_copy(update={"pretrained_on": words[each.pretrained_on]})
            for name, each in registry.weights.items()
        }
    )
