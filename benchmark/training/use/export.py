"""Export a trained model as ONNX, and check its scores against Keras."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from benchmark.training.model_graph import wrong_sums
from benchmark.training.network import run_batched
from benchmark.training.quiet import NATIVE_LOG_LEVEL
from benchmark.training.use.model_file import custom_classes, with_features
from zoo.config.errors import ConfigError, first_line

OPSET = 17
"""The ONNX operator set: old enough for runtimes of 2022 and later."""

TOLERANCE = 1e-4
"""The largest allowed difference of a score between ONNX and Keras, both in float32."""

INPUT, OUTPUT, FEATURES = "pixels", "score", "features"
_CHECKED = 16


@dataclass(frozen=True)
class OnnxFacts:
    """The properties of an exported model.

    Attributes:
        opset: The version of the ONNX operator set.
        input: The name of the input: float32 grey levels 0..255, shape (n, size, size, channels).
        output: The name of the output: float32 scores in [0, 1], shape (n, 1) for two classes, (n, k) for k classes.
        size: Width and height of the images in pixels.
        channels: 1 or 3.
        difference: The largest difference of a score from Keras in float32.
        checked: The number of random images that were compared.
        lowered: Whether the benchmark computed some layers in bfloat16. The file computes them in float32, so its
            scores differ slightly from the stored ones.
        features: The name of the second output: float32 features, shape (n, d), which distinguish images unlike the
            training images.
        features_difference: The largest difference of a feature from Keras in float32, as a share of the largest
            feature; None if a feature is not finite.
        lowered_difference: The largest difference of a score from the benchmark's precision; None unless `lowered`.
    """

    opset: int
    input: str
    output: str
    size: int
    channels: int
    difference: float
    checked: int
    lowered: bool
    features: str
    features_difference: float | None
    lowered_difference: float | None


def check_installed() -> None:
    """Check that the packages for exporting are installed.

    Raises:
        ConfigError: A package is missing; the message names the extra to install.
    """
    missing = [name for name in ("tf2onnx", "onnx", "onnxruntime") if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(f"zoo export needs {' and '.join(missing)}; pip install 'zoo-bench[export]'")


def write_onnx(model: keras.Model, path: Path) -> OnnxFacts:
    """Export a model as ONNX in float32 and inference mode, with features as a second output, and check its scores.

    Args:
        model: As returned by `load_model`.
        path: The file to write.

    Returns:
        The properties of the file.

    Raises:
        ConfigError: A package is missing, a layer has no ONNX form, the scores are no probabilities, or those of the
            file, or its features as a share of the largest one, differ from Keras by more than `TOLERANCE`.
    """
    check_installed()
    import onnx
    import onnxruntime

    plain, lowered = in_float32(model)
    images = _random_images(plain.input_shape[1:])
    described = with_features(plain)
    # Exporting needs a model that was called once.
    expected, features = (
        keras.ops.convert_to_numpy(output) for output in described.predict_on_batch(images.astype(np.float32))
    )
    as_trained = run_batched(model, images) if lowered else expected
    if not all(_are_probabilities(scores) for scores in (expected, as_trained)):
        raise ConfigError("the model gives scores that are no probabilities, so it cannot be exported")
    try:
        with _quietly():
            described.export(path, format="onnx", verbose=False, opset_version=OPSET)
    except Exception as error:  # the converter raises many kinds for a layer that it does not know
        reason = first_line(error)
        raise ConfigError(f"the model {model.name} cannot be written as ONNX: {reason}") from error
    written = onnx.load(path)
    _rename(written, (INPUT,), (OUTPUT, FEATURES))
    onnx.checker.check_model(written)
    onnx.save(written, path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    scores, of_file = session.run([OUTPUT, FEATURES], {INPUT: images.astype(np.float32)})
    if scores.shape != expected.shape:
        raise ConfigError(f"the ONNX file gives scores of shape {scores.shape}, Keras {expected.shape}")
    difference = float(np.abs(scores - expected).max())
    if not difference <= TOLERANCE:  # also when it is not a number
        raise ConfigError(f"the ONNX file's scores differ from Keras' by {difference:.2g}, more than {TOLERANCE:g}")
    apart = _relative_difference(of_file, features)
    if apart is not None and not apart <= TOLERANCE:
        raise ConfigError(f"the ONNX file's features differ from Keras' by {apart:.2g} of the largest one")
    _, size, _, channels = plain.input_shape
    return OnnxFacts(
        opset=max(each.version for each in written.opset_import if each.domain in ("", "ai.onnx")),
        input=INPUT,
        output=OUTPUT,
        size=size,
        channels=channels,
        difference=difference,
        checked=len(images),
        lowered=lowered,
        features=FEATURES,
        features_difference=apart,
        lowered_difference=float(np.abs(as_trained - expected).max()) if lowered else None,
    )


def _are_probabilities(scores: npt.NDArray[Any]) -> bool:
    """Whether scores (n, 1) are within [0, 1], or scores (n, k) are shares of 1; False also for NaN."""
    inside = bool(((scores >= 0) & (scores <= 1)).all())
    return inside and (scores.shape[1] == 1 or not wrong_sums(scores).size)


def in_float32(model: keras.Model) -> tuple[keras.Model, bool]:
    """Copy a model so that every layer computes in float32.

    Args:
        model: The model.

    Returns:
        The copy, and whether any layer of `model` computes in less.
    """
    config, lowered = _raised(model.get_config())
    with keras.saving.custom_object_scope(custom_classes(model)):
        copy = type(model).from_config(config)
    copy.set_weights(model.get_weights())
    return copy, lowered


def _raised(config: Any) -> tuple[Any, bool]:
    """Return `config` with every lower precision replaced by float32, and whether it had any."""
    if isinstance(config, str):
        return ("float32", True) if config in ("mixed_bfloat16", "bfloat16") else (config, False)
    if isinstance(config, dict):
        parts = {key: _raised(value) for key, value in config.items()}
        return {key: value for key, (value, _) in parts.items()}, any(lower for _, lower in parts.values())
    if isinstance(config, (list, tuple)):
        items = [_raised(value) for value in config]
        return type(config)(value for value, _ in items), any(lower for _, lower in items)
    return config, False


def _random_images(shape: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    """Draw smooth fields of several scales and contrasts, 0..255, to compare two computations."""
    generator = np.random.default_rng(0)
    images = []
    for number in range(_CHECKED):
        coarse = generator.uniform(0, 255, (2 ** (1 + number % 5),) * 2 + shape[-1:])
        rows, columns = (np.arange(side) * len(coarse) // side for side in shape[:2])
        images.append(coarse[rows][:, columns])
    return np.stack(images).astype(np.uint8)


def _relative_difference(features: npt.NDArray[Any], expected: npt.NDArray[Any]) -> float | None:
    """The largest difference as a share of the largest feature; None if a feature is not finite."""
    if not np.isfinite(expected).all():
        return None
    scale = max(float(np.abs(expected).max()), 1e-6)
    return float(np.abs(features.reshape(expected.shape) - expected).max()) / scale


def _rename(model: Any, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Rename the inputs and outputs of an ONNX graph, and name their first axis `n`."""
    graph = model.graph
    ends = [*zip(graph.input, inputs, strict=True), *zip(graph.output, outputs, strict=True)]
    new = {end.name: name for end, name in ends}
    for node in graph.node:
        for values in (node.input, node.output):
            for index, name in enumerate(values):
                values[index] = new.get(name, name)
    for end, name in ends:
        end.name = name
        if end.type.tensor_type.shape.dim:
            end.type.tensor_type.shape.dim[0].dim_param = "n"


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Within the context, suppress stdout, warnings and log messages below errors of the converter.

    The converter sets TensorFlow's level of native messages for this process and all that it starts. It is restored.
    """
    native = os.environ.get(NATIVE_LOG_LEVEL)
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
        if native is None:
            os.environ.pop(NATIVE_LOG_LEVEL, None)
        else:
            os.environ[NATIVE_LOG_LEVEL] = native
