"""Read a state that torch wrote in its format before 1.6, without torch.

Such a file is a sequence of pickles, followed by the numbers of each storage. A tensor is a view of a storage: an
offset, a size and strides. The unpickler makes descriptions of tensors and nothing else.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from zoo.config.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_HEADERS = 3  # a magic number, the version of the protocol, sizes of types
_TYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}


@dataclass(frozen=True)
class _View:
    key: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Type(str):
    """The type of the numbers of a storage, as NumPy names it."""


def read_state(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read the tensors of a file. Its digest must have been compared before.

    Args:
        path: The file.

    Returns:
        The tensors by name.

    Raises:
        ConfigError: The file is not such a file, or contains something else than tensors.
    """
    import numpy as np

    try:
        with path.open("rb") as file:
            for _ in range(_HEADERS):
                _Tensors(file).load()
            tensors = _Tensors(file)
            views: dict[str, _View] = dict(tensors.load())
            storages = {key: _numbers(file, tensors.types[key]) for key in _Tensors(file).load()}
            return {
                name: np.ascontiguousarray(
                    np.lib.stride_tricks.as_strided(
                        _within(storages[view.key][view.offset :], view),
                        view.shape,
                        [stride * storages[view.key].itemsize for stride in view.strides],
                    )
                )
                for name, view in views.items()
            }
    except Exception as error:  # a damaged pickle raises many kinds
        raise ConfigError(f"{path}: not a readable file of torch weights: {error}") from error


class _Tensors(pickle.Unpickler):
    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self.types: dict[str, str] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Return what describes a tensor. Raises UnpicklingError for every other name."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda key, offset, shape, strides, *_: _View(key, offset, shape, strides)
        if module == "torch" and name in _TYPES:
            return _Type(_TYPES[name])
        raise pickle.UnpicklingError(f"it contains {module}.{name}, not only tensors")

    def persistent_load(self, pid: Any) -> str:
        """Return the key of a storage, and remember the type of its numbers."""
        _, kind, key, *_ = pid
        self.types[key] = str(kind)
        return str(key)


def _numbers(file: IO[bytes], kind: str) -> npt.NDArray[Any]:
    import numpy as np

    size = int.from_bytes(file.read(8), "little") * np.dtype(kind).itemsize
    content = file.read(size)
    if len(content) != size:
        raise ValueError("the file is cut off")
    return np.frombuffer(content, kind)


def _within(numbers: npt.NDArray[np.generic], view: _View) -> npt.NDArray[np.generic]:
    """Return `numbers` if `view` is inside them. Raises ValueError: strides must not lead out of a storage."""
    last = sum((length - 1) * stride for length, stride in zip(view.shape, view.strides, strict=True))
    if view.offset < 0 or min(view.strides, default=0) < 0 or min(view.shape, default=1) < 1 or last >= len(numbers):
        raise ValueError("a tensor exceeds its storage")
    return numbers
