"""The built-in data sources, in the order in which they are tried. What reads images is imported when one is opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.data.sources.registry import register_source

if TYPE_CHECKING:
    from benchmark.data.dataset import Dataset

_KAGGLE = "kaggle:"


@register_source("phantom", description="phantom", matches=lambda source: source == "phantom")
def phantom(source: str) -> Dataset:
    """Synthetic chest radiographs, drawn by the program."""
    from benchmark.data.sources.phantom import open_phantom

    return open_phantom()


@register_source("digits", description="digits", matches=lambda source: source == "digits")
def digits(source: str) -> Dataset:
    """Handwritten digits, ten classes of real images that scikit-learn contains."""
    from benchmark.data.sources.digits import open_digits

    return open_digits()


@register_source("kaggle", description="kaggle:OWNER/NAME", matches=lambda source: source.startswith(_KAGGLE))
def kaggle(source: str, patient_pattern: str | None = None) -> Dataset:
    """A data set of Kaggle, downloaded once."""
    from benchmark.data.sources.kaggle import open_kaggle

    return open_kaggle(source.removeprefix(_KAGGLE), patient_pattern)


@register_source(
    "folder",
    description="a folder (train/val/test/CLASS/* or CLASS/*)",
    matches=lambda source: bool(source.strip()) and Path(source).expanduser().is_dir(),
)
def folder(source: str, patient_pattern: str | None = None) -> Dataset:
    """Image files in class folders."""
    from benchmark.data.sources.folder import open_folder

    return open_folder(Path(source).expanduser(), patient_pattern, source)


@register_source(
    "manifest",
    description="a table of images (.csv or .parquet)",
    matches=lambda source: source.lower().endswith((".csv", ".parquet")) and Path(source).expanduser().is_file(),
)
def manifest(source: str, patient_pattern: str | None = None) -> Dataset:
    """Image files that a table lists with their labels."""
    from benchmark.data.sources.manifest import open_manifest

    return open_manifest(Path(source).expanduser(), patient_pattern, source)


@register_source(
    "npz",
    description="a .npz file",
    matches=lambda source: source.endswith(".npz") and Path(source).expanduser().is_file(),
)
def npz(source: str) -> Dataset:
    """Arrays in one archive, in the layout of MedMNIST."""
    from benchmark.data.sources.npz import open_npz

    return open_npz(Path(source).expanduser())
