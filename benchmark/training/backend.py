"""The only module that names a Keras backend: determinism, threads, versions, products, gradients."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from zoo.config.cgroups import usable_cores

if keras.backend.backend() != "tensorflow":
    with suppress(ImportError):  # Keras imports it later, when `load_keras` no longer discards what it writes to stderr
        import tensorflow  # noqa: F401

Floats = npt.NDArray[np.float32]
_JAX_THREADS = "NPROC"
"""The variable that decides the number of threads of XLA on a processor."""


def prepare_process(seed: int, threads: int) -> None:
    """Make this process compute reproducible results: seeds, names, deterministic kernels, a fixed number of threads.

    Call it before the first operation of the backend. Later calls, as in a notebook, do not change the number of
    threads.

    Args:
        seed: Any integer from 0.
        threads: Number of threads, 1 or more.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")
        tf.config.experimental.enable_op_determinism()
        with suppress(RuntimeError):
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(1)
    elif keras.backend.backend() == "jax":
        os.environ[_JAX_THREADS] = str(threads)  # read when the first operation starts the threads
    elif keras.backend.backend() == "torch":
        import torch  # type: ignore[import-not-found, unused-ignore]

        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(True)
    # Layers without a name are numbered per process. Cards name them, and digests of operations contain them.
    policy = keras.config.dtype_policy()  # of a user's module; all else in the session is names and seeds
    keras.utils.clear_session(free_memory=False)
    keras.config.set_dtype_policy(policy)
    keras.utils.set_random_seed(seed)


def name() -> str:
    """Return the name of the backend."""
    backend: str = keras.backend.backend()
    return backend


def compiles_training() -> bool:
    """Whether steps of training are compiled as a whole: with JAX, which else computes one operation at a time."""
    # TensorFlow has graphs of its own; XLA would give other bits.
    return name() == "jax"


def training_step(
    model: keras.Model, tracing: Callable[[], AbstractContextManager[None]] = nullcontext
) -> Callable[[Any, Any, Any], dict[str, npt.NDArray[Any]]]:
    """Return a function that trains `model` on a batch, as its `train_on_batch`, and is traced once for all sizes.

    With TensorFlow, Keras' own is traced for the size of the first batch and again for a smaller last one, each time
    for up to a second.

    Args:
        model: A compiled model. Its optimiser is built, so that no variable is new to the first step.
        tracing: Makes the context in which calls of the model are traced. Other backends than TensorFlow may trace, or
            compute directly, in every step, so they enter it each time.

    Returns:
        A function of inputs (n, ...), targets (n, k) and weights (n,) or None, which returns the loss and the metrics
        of the batch.
    """
    traced: Any = None

    def step(x: Any, y: Any, weights: Any) -> dict[str, npt.NDArray[Any]]:
        nonlocal traced
        if name() != "tensorflow":
            model.reset_metrics()  # `train_on_batch` of some versions of Keras does not
            with tracing():
                logs = model.train_on_batch(x, y, sample_weight=weights, return_dict=True)
            return {metric: np.asarray(value) for metric, value in logs.items()}
        import tensorflow as tf

        batch = [tf.convert_to_tensor(each) for each in (x, y, weights) if each is not None]
        if traced is None:
            signature = [tf.TensorSpec((None, *each.shape[1:]), each.dtype) for each in batch]
            model.reset_metrics()
            with tracing():
                traced = tf.function(train, input_signature=signature, autograph=False).get_concrete_function()
        return {metric: value.numpy() for metric, value in traced(*batch).items()}

    def train(*batch: Any) -> dict[str, Any]:
        logs = {metric: keras.ops.convert_to_tensor(value) for metric, value in model.train_step(batch).items()}
        # Within the traced step, since eager operations take a millisecond. Behind it, since it creates the metrics.
        model.reset_metrics()
        return logs

    return step


def threads() -> int:
    """Return the number of threads that compute: as set by `prepare_process`, or one per processor."""
    configured = 0
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        configured = tf.config.threading.get_intra_op_parallelism_threads()
    elif keras.backend.backend() == "jax":
        configured = int(os.environ.get(_JAX_THREADS, "0"))
    elif keras.backend.backend() == "torch":
        import torch

        configured = torch.get_num_threads()
    return configured or usable_cores()


def accelerator_has_bfloat16() -> bool:
    """Whether the run uses an accelerator that multiplies bfloat16 natively."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        for device in tf.config.list_physical_devices("GPU"):
            capability = tf.config.experimental.get_device_details(device).get("compute_capability", (0, 0))
            return bool(capability >= (8, 0))
    return False


def versions() -> dict[str, str]:
    """Return the name of the backend and the versions that affect results."""
    versions = {"keras": keras.__version__, "backend": keras.backend.backend()}
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        versions["tensorflow"] = tf.__version__
    else:
        versions[name()] = importlib.metadata.version(name())
    return versions


def tensorflow_on_cpu() -> bool:
    """Whether the backend is TensorFlow and runs on a processor, not an accelerator."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.config.list_physical_devices("GPU")


def convolve_with_flipped_kernel(inputs: Any, kernel: Any) -> Any:
    """Convolve images; the gradient by inputs is a convolution with the flipped kernel.

    Args:
        inputs: A tensor of TensorFlow, shape (n, h, w, c).
        kernel: The kernel, of odd height and width.

    Returns:
        The outputs, shape (n, h, w, k).
    """
    import tensorflow as tf

    @tf.custom_gradient  # type: ignore[untyped-decorator, unused-ignore]
    def convolve(x: Any, weights: Any) -> Any:
        def backward(gradient: Any) -> tuple[Any, Any]:
            flipped = tf.transpose(tf.reverse(weights, [0, 1]), [0, 1, 3, 2])
            weight_gradient = tf.raw_ops.Conv2DBackpropFilter(
                input=x, filter_sizes=tf.shape(weights), out_backprop=gradient, strides=[1, 1, 1, 1], padding="SAME"
            )
            return tf.nn.conv2d(gradient, flipped, 1, "SAME"), weight_gradient

        return tf.nn.conv2d(x, weights, 1, "SAME"), backward

    return convolve(tf.convert_to_tensor(inputs), tf.convert_to_tensor(kernel))


def matrix_product(first: Any, second: Any, *, transpose_first: bool = False, transpose_second: bool = False) -> Any:
    """Multiply matrices, or each of several, without copying those that are transposed.

    Args:
        first: Shape (..., n, k), or (..., k, n) if `transpose_first`.
        second: Shape (..., k, m), or (..., m, k) if `transpose_second`.
        transpose_first: Whether to transpose `first`.
        transpose_second: Whether to transpose `second`.

    Returns:
        The products, shape (..., n, m).
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.matmul(first, second, transpose_a=transpose_first, transpose_b=transpose_second)
    first, second = (
        keras.ops.swapaxes(matrix, -1, -2) if transposed else matrix
        for matrix, transposed in ((first, transpose_first), (second, transpose_second))
    )
    return keras.ops.matmul(first, second)


def gradients(function: Callable[[Any], Any], x: Floats) -> tuple[Floats, Floats]:
    """Evaluate `function` and the gradient of the sum of its values.

    Args:
        function: Takes and returns a tensor of the backend.
        x: The point to evaluate at, any shape.

    Returns:
        The value of `function`, and the gradient, which has the shape of `x`.

    Raises:
        NotImplementedError: The backend computes no gradients.
    """
    backend = name()
    point = keras.ops.convert_to_tensor(x)
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(point)
            value = function(point)
        gradient = tape.gradient(value, point)
    elif backend == "jax":
        import jax  # type: ignore[import-not-found, unused-ignore]

        value, backward = jax.vjp(function, point)
        (gradient,) = backward(keras.ops.ones_like(value))
    elif backend == "torch":
        point = point.detach().requires_grad_(True)
        value = function(point)
        value.sum().backward()
        gradient = point.grad
    else:
        raise NotImplementedError(f"the Keras backend '{backend}' computes no gradients; tensorflow, jax and torch do")
    return tuple(keras.ops.convert_to_numpy(keras.ops.cast(each, "float32")) for each in (value, gradient))
