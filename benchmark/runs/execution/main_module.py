"""Builders of the caller's script in the processes of its runs.

Python's `multiprocessing` imports the main module in every new process, where a script without
`if __name__ == "__main__"` would start its benchmark again. Here the main module is not imported. A process that does
not know the builder of its run imports the module that registered it.
"""

from __future__ import annotations

import importlib
import runpy
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from zoo.config.errors import ConfigError
from zoo.models.registry import get_builder

_NAME = "__mp_main__"  # multiprocessing's name for the main module in another process
_importing = False


class _Stop(BaseException):
    """Ends the import of a script where it would start a benchmark."""


@dataclass(frozen=True)
class Registration:
    """Where a builder is registered.

    Attributes:
        builder: Name of the builder.
        module: The importable module that registers it, if any.
        file: The script that registers it, if no module does.
    """

    builder: str
    module: str | None = None
    file: str | None = None

    def ensure(self) -> None:
        """Import the module or script unless the builder is known; a script only up to its call of a benchmark."""
        global _importing
        try:
            get_builder(self.builder)
            return
        except ConfigError:
            _importing = True
        try:
            if self.file is not None:
                runpy.run_path(self.file, run_name=_NAME)
            elif self.module is not None:
                importlib.import_module(self.module)
        except _Stop:
            pass
        finally:
            _importing = False


def registration_of(builder: str) -> Registration:
    """Find out where another process can import a builder.

    Args:
        builder: Its name.

    Returns:
        The module or script that registers it.

    Raises:
        ConfigError: The builder is unknown, or registered in an interactive session, which no other process can import.
    """
    module = get_builder(builder).function.__module__
    if module != "__main__":
        return Registration(builder, module)
    main = sys.modules["__main__"]
    if (spec := getattr(main, "__spec__", None)) is not None:
        return Registration(builder, spec.name)
    if (file := getattr(main, "__file__", None)) is None:
        raise ConfigError(
            f"builder {builder}: is registered in an interactive session, which the processes of runs cannot import; "
            "move it to a .py file and import that file"
        )
    return Registration(builder, file=file)


@contextmanager
def without_main_module() -> Iterator[None]:
    """Prevent processes that are started in this context from importing the main module."""
    main = vars(sys.modules["__main__"])
    hidden: dict[str, Any] = {name: main[name] for name in ("__spec__", "__file__") if name in main}
    main.update(dict.fromkeys(hidden))
    try:
        yield
    finally:
        main.update(hidden)


def stop_in_worker() -> None:
    """End the import of a script by the process of a run, where it would start a benchmark."""
    if _importing:
        raise _Stop
