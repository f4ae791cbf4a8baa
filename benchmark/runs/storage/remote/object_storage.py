"""Files at a URI, through fsspec: listing, reading, writing, and creation of which only the first succeeds.

Each file system of fsspec raises errors of its own kinds. Here they become one line that says what would be right.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmark.runs.storage.files import Damaged, Unreadable, one_line
from zoo.config.errors import ConfigError

_REFUSED = {
    "file": "is a folder of this machine; give its path, without file://",
    "local": "is a folder of this machine; give its path, without local://",
    "http": "cannot be written; give a folder, or a URI such as s3://BUCKET/FOLDER",
    "https": "cannot be written; give a folder, or a URI such as s3://BUCKET/FOLDER",
}
_PACKAGES = {"gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "az": "adlfs"}
_VARIABLES = {
    "s3fs": "AWS_PROFILE, AWS_ACCESS_KEY_ID",
    "gcsfs": "GOOGLE_APPLICATION_CREDENTIALS",
    "adlfs": "AZURE_STORAGE_ACCOUNT_NAME, AZURE_STORAGE_CONNECTION_STRING",
}
"""Variables with credentials, by the package of the file system."""
_STATUS = ("status_code", "status", "code")
"""Attributes of errors that have the status of an HTTP response: Azure's, aiohttp's and gcsfs'."""


class Unreachable(Unreadable):
    """A remote store cannot be reached or refuses access; nothing is known about its files."""


class ObjectStorage:
    """The files below a URI. Names are relative to it."""

    def __init__(self, uri: str) -> None:
        """Connect to nothing yet.

        Args:
            uri: A URI of fsspec, which takes credentials and the server from the environment and its configuration.

        Raises:
            ConfigError: The URI cannot be used, or a package is missing.
        """
        scheme, _, place = uri.partition("://")
        if scheme in _REFUSED:
            raise ConfigError(f"--store {uri}: {_REFUSED[scheme]}")
        if not place.strip("/"):
            raise ConfigError(f"--store {uri}: names no bucket; give {scheme}://BUCKET/FOLDER")
        self.uri = uri
        try:
            from fsspec.core import url_to_fs

            self._files: Any
            self._files, root = url_to_fs(uri)
        except ImportError as error:
            package = f"pip install {_PACKAGES[scheme]}" if scheme in _PACKAGES else "pip install 'zoo-bench[remote]'"
            raise ConfigError(f"--store {uri}: a package is missing ({one_line(error)}): {package}") from error
        except Exception as error:  # of the file system's own kinds
            right = "give a folder, or a URI that fsspec knows, such as s3://BUCKET/FOLDER"
            raise ConfigError(f"--store {uri}: {one_line(error)}; {right}") from error
        logger = logging.getLogger(type(self._files).__module__.partition(".")[0])
        if logger.level == logging.NOTSET:  # the file system also raises the errors whose tracebacks it logs
            logger.setLevel(logging.CRITICAL)
        self._root = str(root).rstrip("/")

    def names(self, folder: str) -> list[str]:
        """List the files below a folder, however deep, with as few requests as the file system allows.

        Args:
            folder: The folder.

        Returns:
            Names relative to the folder; none if it does not exist.

        Raises:
            Unreachable: It cannot be listed.
        """
        prefix = self._path(folder)
        with self._in_words():
            self._files.invalidate_cache()
            listed = self._files.find(prefix)
        return [str(path)[len(prefix) + 1 :] for path in listed]

    def read(self, names: Iterable[str]) -> dict[str, bytes | None]:
        """Read files, several at once where the file system can.

        Args:
            names: The files.

        Returns:
            The content of each; None for a file that does not exist.

        Raises:
            Unreachable: A file cannot be read.
        """
        paths = {self._path(name): name for name in names}
        if not paths:
            return {}
        with self._in_words():
            contents = self._files.cat(list(paths), on_error="return")
            for content in contents.values():
                if isinstance(content, Exception) and not isinstance(content, FileNotFoundError):
                    raise content
        return {
            name: None if isinstance(contents.get(path, b""), Exception) else contents.get(path)
            for path, name in paths.items()
        }

    def fetch(self, name: str, target: Path) -> None:
        """Copy a file, of any size, to a path.

        Args:
            name: The file.
            target: The path.

        Raises:
            Damaged: The file does not exist.
            Unreachable: It cannot be read.
            OSError: The path cannot be written.
        """
        with self._in_words([target]):
            try:
                self._files.get_file(self._path(name), str(target))
            except FileNotFoundError as error:
                if _is_about(error, [target]):
                    raise
                raise Damaged(f"{self.uri}/{name}: is missing") from error

    def write(self, files: Mapping[str, Path]) -> None:
        """Copy local files, several at once where the file system can; files of these names are replaced.

        Args:
            files: The local path of each name.

        Raises:
            Unreachable: A file cannot be written.
            OSError: A local file cannot be read.
        """
        with self._in_words(files.values()):
            self._files.put([str(path) for path in files.values()], [self._path(name) for name in files])

    def create(self, name: str, content: bytes) -> bool:
        """Create a file, whole or not at all, if none has its name.

        Of several processes that create it at once, one succeeds where the file system can exclude the others, as
        S3 and Google Cloud Storage can. Elsewhere the check comes just before.

        Args:
            name: The file.
            content: Its content.

        Returns:
            Whether it was created; False if one of that name exists.

        Raises:
            Unreachable: It cannot be written.
        """
        path = self._path(name)
        with self._in_words():
            try:
                self._files.pipe_file(path, content, mode="create")
            except FileExistsError:
                return False
            except OSError as error:
                if error.errno not in (errno.ENOSYS, errno.ENOTSUP):
                    raise
                if self._files.exists(path):
                    return False
                self._files.pipe_file(path, content)
        return True

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    @contextmanager
    def _in_words(self, local: Collection[Path] = ()) -> Iterator[None]:
        """Turn every error into one line, except an OSError about one of the `local` files."""
        try:
            yield
        except ConfigError:
            raise
        except Exception as error:  # each file system of fsspec raises errors of its own kinds
            if _is_about(error, local):
                raise
            raise Unreachable(f"--store {self.uri}: {self._reason(error)}") from error

    def _reason(self, error: Exception) -> str:
        """What an error of the file system means, and what would be right."""
        if isinstance(error, FileNotFoundError):
            return f"not found: {one_line(error)}; create the bucket first, or correct the URI"
        if not _is_refusal(error):
            return f"cannot be reached: {one_line(error)}"
        package = type(self._files).__module__.partition(".")[0]
        where = f"the environment ({_VARIABLES[package]})" if package in _VARIABLES else "the environment"
        return f"access is refused ({one_line(error)}); the credentials are those of {where} or ~/.config/fsspec"


def _is_about(error: Exception, local: Collection[Path]) -> bool:
    """Whether an error is one of the system about one of these files."""
    return isinstance(error, OSError) and str(error.filename) in map(str, local)


def _is_refusal(error: Exception) -> bool:
    """Whether the server refused access. File systems of fsspec say so in several ways."""
    status = next((value for name in _STATUS if (value := getattr(error, name, None)) is not None), None)
    return isinstance(error, PermissionError) or status in (401, 403) or str(error).startswith("Forbidden")
