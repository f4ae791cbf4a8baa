"""Where images come from."""

from __future__ import annotations

import difflib
from dataclasses import replace
from pathlib import Path

from benchmark.data.dataset import DataError, Dataset, Image, Part, Problem
from benchmark.data.positive_class import with_positive

__all__ = ["DataError", "Dataset", "Image", "Part", "Problem", "open_dataset"]

_KINDS = "phantom, a folder (train/val/test/CLASS/* or CLASS/*), a .npz file, or kaggle:OWNER/NAME"


def open_dataset(source: str, *, patient_pattern: str | None = None, positive: str | None = None) -> Dataset:
    """The data set that `source` names: phantom, a folder, a .npz file, or kaggle:OWNER/NAME.

    `patient_pattern` is a regular expression whose named groups make the patient's key of a file name, or of the path
    below the folder where it holds a slash. `positive` names the class that is the finding; left out, it is the one
    that the source has last. Raises DataError when the source is unknown or cannot be used.
    """
    dataset = _open(source, patient_pattern)
    return dataset if positive is None else with_positive(dataset, positive)


def _open(source: str, patient_pattern: str | None) -> Dataset:
    if patient_pattern is not None and (source == "phantom" or source.endswith(".npz")):
        raise DataError(f"--patients: {source} says itself who its patients are; the pattern is for names of files")
    if source == "phantom":
        from benchmark.data.sources.phantom import open_phantom

        return open_phantom()
    if source.startswith("kaggle:"):
        from benchmark.data.sources.kaggle import open_kaggle

        found = open_kaggle(source.removeprefix("kaggle:"), patient_pattern)
        return replace(found, patient_pattern=patient_pattern)
    try:
        path = Path(source).expanduser()
        known = bool(source.strip()) and path.exists()
    except (OSError, RuntimeError, ValueError) as error:  # a name too long, a user unknown
        raise DataError(f"{source[:80]}: cannot be looked up: {error}; give {_KINDS}") from error
    if known and path.suffix == ".npz" and path.is_file():
        from benchmark.data.sources.npz import open_npz

        return open_npz(path)
    if known and path.is_dir():
        from benchmark.data.sources.folder import open_folder

        return replace(open_folder(path, patient_pattern, source), patient_pattern=patient_pattern)
    near = difflib.get_close_matches(source, ["phantom"], n=1, cutoff=0.6)
    hint = f". Did you mean {near[0]}?" if near else ""
    if known:
        raise DataError(f"{source}: is neither a folder nor a .npz file; give {_KINDS}{hint}")
    raise DataError(f"{source if source.strip() else repr(source)}: no such source; give {_KINDS}{hint}")
