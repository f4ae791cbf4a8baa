"""Data sets of Kaggle through the package kagglehub."""

from __future__ import annotations

from pathlib import Path

from benchmark.data.dataset import DataError, Dataset
from benchmark.data.sources.folder import open_folder
from zoo.config.errors import first_line


def open_kaggle(handle: str, patient_pattern: str | None = None) -> Dataset:
    """Open a data set of Kaggle, downloaded once into the cache of kagglehub.

    Args:
        handle: OWNER/NAME.
        patient_pattern: A regular expression for file names whose named groups form the patient's key.

    Returns:
        The data set.

    Raises:
        DataError: kagglehub is not installed, or the data set cannot be downloaded or used.
    """
    if handle.count("/") != 1 or not all(handle.split("/")):
        raise DataError(f"kaggle:{handle}: must be kaggle:OWNER/NAME")
    try:
        import kagglehub
    except ImportError:
        raise DataError(f"kaggle:{handle}: needs kagglehub; pip install 'zoo-bench[kaggle]'") from None
    try:
        root = Path(kagglehub.dataset_download(handle))
    except Exception as error:
        reason = first_line(error)
        raise DataError(f"kaggle:{handle}: cannot be downloaded: {reason}") from error
    return open_folder(root, patient_pattern, source=f"kaggle:{handle}")
