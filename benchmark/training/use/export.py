"""A kept model as ONNX, checked against Keras before anybody uses it."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from benchmark.training.network import run_batched
from benchmark.training.use.model_file import own_classes
from zoo.config.errors import first_line
from zoo.config.strict_yaml import ConfigError

OPSET = 17
"""Of the ONNX file: old enough for runtimes of 2022 and later."""

TOLERANCE = 1e-4
"""How far a score of the ONNX file may be from Keras', both in float32."""

INPUT, OUTPUT = "pixels", "score"
_CHECKED = 16


@dataclass(frozen=True)
class OnnxFacts:
    """What was written: `input` takes float32 grey levels 0..255 of shape (n, size, size, channels), `output` gives
    float32 scores (n, 1) in [0, 1].

    `difference` is the largest one from Keras in float32 over `checked` drawn images. `lowered` says that the bench
    computed some layers in bfloat16, which the file computes in float32: its scores differ a little from the stored
    ones, by `lowered_difference` at most on the same images; None where nothing was lowered.
    """

    opset: int
    input: str
    output: str
    size: int
    channels: int
    difference: float
    checked: int
    lowered: bool
    lowered_difference: float | None


def check_installed() -> None:
    """Raises ConfigError, with the extra to install, when a package that exporting needs is missing."""
    missing = [name for name in ("tf2onnx", "onnx", "onnxruntime") if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(f"zoo export needs {' and '.join(missing)}; pip install 'zoo-bench[export]'")


def write_onnx(model: keras.Model, path: Path) -> OnnxFacts:
    """Write `model`, as `load_model` gives it, to `path` as ONNX in float32 and inference mode, and check its scores.

    Raises ConfigError when a package is missing, a layer has no ONNX form, the scores are no probabilities, or the
    written file does not give Keras' scores to `TOLERANCE`.
    """
    check_installed()
    import onnx
    import onnxruntime

    plain, lowered = in_float32(model)
    images = _drawn(plain.input_shape[1:])
    expected = run_batched(plain, images)  # a model that was never called cannot be exported
    as_kept = run_batched(model, images) if lowered else expected
    if not all(((scores >= 0) & (scores <= 1)).all() for scores in (expected, as_kept)):  # also when not numbers
        raise ConfigError("the kept model gives scores that are no probabilities, so that it cannot be checked")
    try:
        with _quietly():
            plain.export(path, format="onnx", verbose=False, opset_version=OPSET)
    except Exception as error:  # the converter raises many kinds for a layer that it does not know
        reason = first_line(error)
        raise ConfigError(f"the model {model.name} cannot be written as ONNX: {reason}") from error
    written = onnx.load(path)
    _rename(written, INPUT, OUTPUT)
    onnx.checker.check_model(written)
    onnx.save(written, path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found = session.run([OUTPUT], {INPUT: images.astype(np.float32)})[0]
    if found.shape != expected.shape:
        raise ConfigError(f"the ONNX file gives scores of shape {found.shape}, Keras {expected.shape}")
    difference = float(np.abs(found - expected).max())
    if not difference <= TOLERANCE:  # also when it is not a number
        raise ConfigError(f"the ONNX file's scores differ from Keras' by {difference:.2g}, more than {TOLERANCE:g}")
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
        lowered_difference=float(np.abs(as_kept - expected).max()) if lowered else None,
    )


def in_float32(model: keras.Model) -> tuple[keras.Model, bool]:
    """A copy of `model` that computes every layer in float32, and whether any layer computed in less."""
    config, lowered = _raised(model.get_config())
    with keras.saving.custom_object_scope(own_classes(model)):
        copy = type(model).from_config(config)
    copy.set_weights(model.get_weights())
    return copy, lowered


def _raised(config: Any) -> tuple[Any, bool]:
    """`config` with every lower precision replaced by float32, and whether there was one."""
    if isinstance(config, str):
        return ("float32", True) if config in ("mixed_bfloat16", "bfloat16") else (config, False)
    if isinstance(config, dict):
        parts = {key: _raised(value) for key, value in config.items()}
        return {key: value for key, (value, _) in parts.items()}, any(found for _, found in parts.values())
    if isinstance(config, (list, tuple)):
        items = [_raised(value) for value in config]
        return type(config)(value for value, _ in items), any(found for _, found in items)
    return config, False


def _drawn(shape: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    """Images to compare two computations on: smooth fields of several scales and contrasts, 0..255."""
    generator = np.random.default_rng(0)
    images = []
    for number in range(_CHECKED):
        coarse = generator.uniform(0, 255, (2 ** (1 + number % 5),) * 2 + shape[-1:])
        rows, columns = (np.arange(side) * len(coarse) // side for side in shape[:2])
        images.append(coarse[rows][:, columns])
    return np.stack(images).astype(np.uint8)


def _rename(model: Any, *names: str) -> None:
    """Give the one input and the one output of an ONNX graph these names, and their first axis the name `n`."""
    graph = model.graph
    new = {end[0].name: name for end, name in zip((graph.input, graph.output), names, strict=True)}
    for node in graph.node:
        for ends in (node.input, node.output):
            for place, name in enumerate(ends):
                ends[place] = new.get(name, name)
    for end in (graph.input, graph.output):
        end[0].name = new[end[0].name]
        if end[0].type.tensor_type.shape.dim:
            end[0].type.tensor_type.shape.dim[0].dim_param = "n"


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Nothing of what the converter says on stdout, as warnings, or through its loggers below an error."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
