"""Data sets of Kaggle through the package kagglehub."""

from __future__ import annotations

from pathlib import Path

from benchmark.data.dataset import DataError, Dataset
from benchmark.data.folder import PARTS, is_hidden, open_folder


def open_kaggle(handle: str, patient_pattern: str | None = None) -> Dataset:
    """The data set OWNER/NAME, downloaded once into kagglehub's own cache. Raises DataError."""
    if handle.count("/") != 1 or not all(handle.split("/")):
        raise DataError(f"kaggle:{handle}: must be kaggle:OWNER/NAME")
    try:
        import kagglehub
    except ImportError:
        raise DataError(f"kaggle:{handle}: needs kagglehub; pip install 'zoo-bench[kaggle]'") from None
    try:
        root = Path(kagglehub.dataset_download(handle))
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"kaggle:{handle}: cannot be downloaded: {reason}") from error
    return open_folder(image_root(root), patient_pattern, source=f"kaggle:{handle}")


def image_root(root: Path) -> Path:
    """The folder at or below `root` that holds train/..., or class folders with files; the shallowest one."""
    level = [root]
    for _ in range(4):
        for folder in level:
            inside = _folders(folder)
            with_parts = {entry.name for entry in inside} & set(PARTS)
            with_files = [entry for entry in inside if any(_is_image(child) for child in entry.iterdir())]
            if "train" in with_parts or len(with_files) >= 2:
                return folder
        level = [entry for folder in level for entry in _folders(folder)]
    return root


def _folders(folder: Path) -> list[Path]:
    return [entry for entry in sorted(folder.iterdir()) if entry.is_dir() and not is_hidden(entry.name)]


def _is_image(entry: Path) -> bool:
    return entry.is_file() and not is_hidden(entry.name)
