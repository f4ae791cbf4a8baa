"""The images that a stored model was trained, chosen and tested on, by the digest of their files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from benchmark.data.decoding.pixels import MOST_BYTES
from benchmark.runs.run import Run
from benchmark.runs.storage.files import read_bytes
from benchmark.runs.storage.lookup import scoring_runs
from benchmark.runs.storage.store import Store
from zoo.config.errors import ConfigError
from zoo.config.plain_file import read_plain

IMAGES = "images.json"
"""The file beside a stored model with the digests of its images by split."""

_MOST_LIST = 1024**3
_DIGITS = 32  # of a SHA-256: 128 bits, which no two images share by chance
_CONTENT = TypeAdapter(dict[str, list[str]])


def write_known(path: Path, parts: Mapping[str, Sequence[str]]) -> None:
    """Write the digests of images.

    Args:
        path: The file.
        parts: SHA-256 of the content of each image in hexadecimal, by split: `train`, `val`, `test`.

    Raises:
        OSError: The file cannot be written.
    """
    cut = {part: sorted(digest[:_DIGITS] for digest in digests) for part, digests in parts.items()}
    path.write_text(json.dumps(cut), encoding="ascii")


@dataclass(frozen=True)
class KnownImages:
    """The images that a stored model was trained, chosen and tested on.

    Attributes:
        split_of: The split of each image, by the beginning of its digest.
        recorded: Whether the model was stored with the digests of its images; without, none is recognised.
    """

    split_of: Mapping[str, str]
    recorded: bool

    @classmethod
    def of(cls, run: Run, store: Store) -> KnownImages:
        """Read the digests beside the model of `run`, or of the first member of an ensemble, which has its images."""
        split_of = _beside(run, store)
        return cls(split_of, bool(split_of))

    def part_of_digest(self, digest: str) -> str | None:
        """The split of the image with this SHA-256 of its content, in hexadecimal; None for an unknown one."""
        return self.split_of.get(digest[:_DIGITS])


def known_parts(run: Run, store: Store, files: Iterable[Path]) -> tuple[str | None, ...]:
    """Find files among the images of a model.

    Args:
        run: The run of the model.
        store: The store that contains it.
        files: Image files.

    Returns:
        The split of each file whose content is that of an image of the model; None for other files, for files that
        cannot be read, and for models that were stored without digests.
    """
    split_of = _beside(run, store)
    return tuple(_part(file, split_of) if split_of else None for file in files)


def _part(file: Path, split_of: Mapping[str, str]) -> str | None:
    try:
        content = read_plain(file, MOST_BYTES)
    except OSError:  # the prediction reports it
        return None
    return split_of.get(hashlib.sha256(content).hexdigest()[:_DIGITS])


def _beside(run: Run, store: Store) -> dict[str, str]:
    of_model = scoring_runs(run, store)[0].run
    return {} if of_model is None else _read(store.model_file(of_model).with_name(IMAGES))


def _read(path: Path) -> dict[str, str]:
    """The split of each digest; empty if the file is missing. The store has checked that it is the one it saved."""
    try:
        parts = _CONTENT.validate_json(read_bytes(path, _MOST_LIST))
    except (FileNotFoundError, ValidationError, ConfigError):
        return {}
    return {digest: part for part, digests in parts.items() for digest in digests}
