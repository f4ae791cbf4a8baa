"""SqueezeNet 1.1 (Iandola et al. 2016, arXiv:1602.07360), which Keras does not have, and the file of its weights.

The package ndf contains the ImageNet weights as a pickle of NumPy arrays, in the layout of Keras. They expect BGR minus
means, as those of Caffe do. The file is opened only after its digest was compared, by an unpickler that makes arrays
and nothing else.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from zoo.config.errors import ConfigError

if TYPE_CHECKING:
    import keras
    import numpy as np
    import numpy.typing as npt

FIRES = ((2, 16, 64), (3, 16, 64), (4, 32, 128), (5, 32, 128), (6, 48, 192), (7, 48, 192), (8, 64, 256), (9, 64, 256))
"""Fire modules: number, filters of the squeezing convolution, filters of each of the two expanding ones."""

_POOLED_BEFORE = (2, 4, 6)


def squeezenet(input_shape: tuple[int, int, int], pooling: Literal["avg", "max"]) -> keras.Model:
    """Build SqueezeNet 1.1 without its top, with random weights.

    Args:
        input_shape: Height, width and channels of an image.
        pooling: How the feature maps are pooled over all positions.

    Returns:
        A model that maps BGR minus ImageNet's means (n, height, width, 3) to features (n, 512).
    """
    import keras
    from keras import layers

    def convolution(filters: int, size: int, name: str) -> keras.layers.Layer:
        return layers.Conv2D(filters, size, padding="same", activation="relu", name=name)

    inputs = keras.Input(input_shape, name="bgr")
    x = layers.Conv2D(64, 3, strides=2, activation="relu", name="conv1")(inputs)
    for number, squeezed, expanded in FIRES:
        name = f"fire{number}"
        if number in _POOLED_BEFORE:
            x = layers.MaxPooling2D(3, 2, name=f"{name}_pool")(x)
        x = convolution(squeezed, 1, f"{name}_squeeze1x1")(x)
        sides = [convolution(expanded, size, f"{name}_expand{size}x{size}")(x) for size in (1, 3)]
        x = layers.Concatenate(name=f"{name}_concat")(sides)
    pool = {"avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D}[pooling]
    return keras.Model(inputs, pool(name="pool")(x), name="squeezenet")


def set_pickled_weights(base: keras.Model, path: Path) -> None:
    """Read the file of the package ndf into a network. Its digest must have been compared before.

    Args:
        base: A model that `squeezenet` returned.
        path: The file.

    Raises:
        ConfigError: The file is not such a pickle.
    """
    tensors = read_arrays(path)
    for layer in base.layers:
        if layer.weights:
            layer.set_weights(tensors[layer.name.replace("_", "/")])


def read_arrays(path: Path) -> dict[str, list[npt.NDArray[np.float32]]]:
    """Unpickle lists of arrays by name.

    Args:
        path: The file.

    Returns:
        The arrays.

    Raises:
        ConfigError: The file is no pickle, or contains something else than arrays.
    """
    try:
        with path.open("rb") as file:
            return dict(_ArraysOnly(file).load())
    except Exception as error:  # a damaged pickle raises many kinds
        raise ConfigError(f"{path}: not a readable file of SqueezeNet weights: {error}") from error


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Return what makes an array. Raises UnpicklingError for every other name."""
        import numpy as np

        makers = {"_reconstruct": np.empty(0).__reduce__()[0], "ndarray": np.ndarray, "dtype": np.dtype}
        if module not in ("numpy", "numpy.core.multiarray") or name not in makers:
            raise pickle.UnpicklingError(f"it contains {module}.{name}, not only arrays")
        return makers[name]
