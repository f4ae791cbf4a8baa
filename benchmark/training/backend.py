"""The one place that names a Keras backend: determinism, threads, versions."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
_WIDE = 256  # channels on the narrower side; with fewer no clear difference was measured


def prepare_process(seed: int, threads: int) -> None:
    """Make this process compute the same figures each time: seeds, deterministic kernels, a fixed number of threads.

    Call it before the first operation of the backend; later, as in a notebook, the process keeps its threads. `seed`
    may be 0; `threads` >= 1.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")
        tf.config.experimental.enable_op_determinism()
        with suppress(RuntimeError):
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.utils.set_random_seed(seed)


def threads() -> int:
    """How many threads compute here: as many as `prepare_process` was told, or one a processor."""
    given = 0
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        given = tf.config.threading.get_intra_op_parallelism_threads()
    return given or os.cpu_count() or 1


def accelerator_has_bfloat16() -> bool:
    """Whether an accelerator computes that says that it multiplies bfloat16."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        for device in tf.config.list_physical_devices("GPU"):
            capability = tf.config.experimental.get_device_details(device).get("compute_capability", (0, 0))
            return bool(capability >= (8, 0))
    return False


def versions() -> dict[str, str]:
    """The backend's name and the versions that decide a result."""
    found = {"keras": keras.__version__, "backend": keras.backend.backend()}
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        found["tensorflow"] = tf.__version__
    return found


@contextmanager
def faster_gradients(model: keras.Model) -> Iterator[None]:
    """While it lasts, wide convolutions of `model` get the gradient of their input from a convolution with the kernel
    turned around: the same sums in another order.

    TensorFlow's own operation for it reaches half the speed on a processor (512 channels at 9 x 9: 60 against 140
    GFLOP/s); with few channels, and elsewhere, nothing is gained and nothing changed.
    """
    wide = [layer for layer in model.layers if _is_wide(layer)] if tensorflow_on_cpu() else []
    for layer in wide:
        layer.convolution_op = _with_turned_kernel
    try:
        yield
    finally:
        for layer in wide:
            del layer.convolution_op


def _is_wide(layer: keras.layers.Layer) -> bool:
    if not isinstance(layer, keras.layers.Conv2D) or layer.kernel is None:
        return False
    plain = layer.padding == "same" and layer.data_format == "channels_last" and layer.groups == 1
    single_steps = set(layer.strides) | set(layer.dilation_rate) == {1}
    height, width, incoming, outgoing = layer.kernel.shape
    return bool(plain and single_steps and height % 2 and width % 2 and min(incoming, outgoing) >= _WIDE)


def tensorflow_on_cpu() -> bool:
    """Whether the backend is TensorFlow and a processor, not an accelerator, computes."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.config.list_physical_devices("GPU")


def _with_turned_kernel(inputs: Any, kernel: Any) -> Any:
    import tensorflow as tf

    @tf.custom_gradient  # type: ignore[untyped-decorator, unused-ignore]
    def convolve(x: Any, weights: Any) -> Any:
        def back(slope: Any) -> tuple[Any, Any]:
            turned = tf.transpose(tf.reverse(weights, [0, 1]), [0, 1, 3, 2])
            of_weights = tf.raw_ops.Conv2DBackpropFilter(
                input=x, filter_sizes=tf.shape(weights), out_backprop=slope, strides=[1, 1, 1, 1], padding="SAME"
            )
            return tf.nn.conv2d(slope, turned, 1, "SAME"), of_weights

        return tf.nn.conv2d(x, weights, 1, "SAME"), back

    return convolve(tf.convert_to_tensor(inputs), tf.convert_to_tensor(kernel))


def gradients(function: Callable[[Any], Any], x: Floats) -> tuple[Floats, Floats]:
    """`function` of the array `x`, and the derivative of the sum of its values by `x`, which has the shape of `x`.

    `function` takes and returns a tensor of the backend. Raises NotImplementedError for a backend without gradients.
    """
    name = keras.backend.backend()
    at = keras.ops.convert_to_tensor(x)
    if name == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(at)
            value = function(at)
        slope = tape.gradient(value, at)
    elif name == "jax":
        import jax  # type: ignore[import-not-found, unused-ignore]

        value, back = jax.vjp(function, at)
        (slope,) = back(keras.ops.ones_like(value))
    elif name == "torch":
        at = at.detach().requires_grad_(True)
        value = function(at)
        value.sum().backward()
        slope = at.grad
    else:
        raise NotImplementedError(f"the Keras backend '{name}' computes no gradients; tensorflow, jax and torch do")
    return tuple(keras.ops.convert_to_numpy(keras.ops.cast(each, "float32")) for each in (value, slope))
