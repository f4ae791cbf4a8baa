"""Texts next to an exported model: decision.json, and an example program without zoo."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmark.data.decoding.pixels import FORMATS
from benchmark.data.levels import range_of
from benchmark.evidence.calibration.calibrators import Calibrator
from benchmark.evidence.scores import CLIP, SUM_TOLERANCE
from benchmark.runs.deployment.decision_rule import DecisionRule
from benchmark.runs.deployment.multiclass import AnyDecisionRule, MulticlassDecisionRule
from benchmark.runs.run import Run
from reports.export.multiclass import EXAMPLE_HELPERS, MULTICLASS_FORMAT, decision_and_calibration, example_lines
from reports.results.recipe import PREPROCESSING

FORMAT = 2
"""Version of decision.json for two classes; raised when its structure changes."""

_CLIPPED = f"clip(score, {CLIP!r}, 1 - {CLIP!r})"


@dataclass(frozen=True)
class ExportedModel:
    """The exported ONNX file: the fields of `benchmark.training.use.export.OnnxFacts` by name."""

    onnx: Mapping[str, Any]


def decision_document(run: Run, decider: AnyDecisionRule, exported: ExportedModel) -> dict[str, Any]:
    """Everything that turns an image into a probability and a decision.

    Args:
        run: The exported run.
        decider: Its threshold, or its decision among several classes, and its calibration.
        exported: Its ONNX file.

    Returns:
        The content of decision.json.
    """
    spec, of_two = run.spec, isinstance(decider, DecisionRule)
    size, channels = exported.onnx["size"], exported.onnx["channels"]
    return {
        "format": FORMAT if of_two else MULTICLASS_FORMAT,
        "clinical_use": False,
        "run": run.run_id,
        "card": spec.card.name,
        "title": spec.card.title,
        "seed": spec.seed,
        **({} if spec.fold is None else {"fold": f"{spec.fold[1] + 1} of {spec.fold[0]}"}),
        "protocol": spec.protocol.name,
        "data": spec.dataset.model_dump(mode="json"),
        "classes": list(decider.classes),
        **(
            _threshold_and_calibration(decider)
            if isinstance(decider, DecisionRule)
            else decision_and_calibration(decider)
        ),
        "image": {
            "size": size,
            "channels": channels,
            "levels": {depth: list(ends) for depth, ends in spec.dataset.reading.items()},
            "steps": [
                "rotate the image by its EXIF orientation; put transparent pixels on black",
                "keep grey levels of 8 bits; convert deeper ones by (level - low) / (high - low) x 255, rounded and "
                "clipped to 0..255, with low and high from `levels` by depth, else the smallest range that fits",
                "grey (ITU-R 601-2 luma, as Pillow's mode L)" if channels == 1 else "RGB",
                f"resize to {size} x {size} pixels, bilinear with antialias (Pillow's BILINEAR), any aspect ratio",
                f"float32 grey levels 0..255 of shape (n, {size}, {size}, {channels}); no scaling",
            ],
            "inside_the_model": PREPROCESSING[spec.card.recipe.preprocessing],
        },
        "onnx": dict(exported.onnx),
        "versions": dict(run.environment.versions) if run.environment else {},
        "precision_of_frozen_layers": run.environment.precision if run.environment else None,
    }


def _threshold_and_calibration(decider: DecisionRule) -> dict[str, Any]:
    chosen, calibrator = decider.threshold, decider.calibrator
    return {
        "positive": decider.classes[1],
        "threshold": {
            "rule": chosen.rule,
            "raw": chosen.value,
            "calibrated": decider.calibrated_threshold,
            "low": chosen.low,
            "high": chosen.high,
            "reason": chosen.reason,
            "decision": "classes[1] where the raw score is at least `raw`, else classes[0], whatever the calibration",
        },
        "calibration": {
            "method": calibrator.method if calibrator.accepted else None,
            "reason": calibrator.reason,
            "parameters": list(calibrator.parameters),
            "knots_x": list(calibrator.knots_x),
            "knots_y": list(calibrator.knots_y),
            "clip": CLIP,
            "formula": formula(calibrator),
        },
    }


def formula(calibrator: Calibrator) -> str:
    """The formula of the calibrated probability, given a raw score s."""
    clipped = (
        "" if calibrator.method == "isotonic" or not calibrator.accepted else f", x = log(s / (1 - s)), s = {_CLIPPED}"
    )
    return f"probability = {calibrator.formula()}{clipped}"


def example(decider: AnyDecisionRule, exported: ExportedModel) -> str:
    """Source of a program that needs only numpy, onnxruntime and Pillow to reproduce probability and decision."""
    size, channels = exported.onnx["size"], exported.onnx["channels"]
    mode = "L" if channels == 1 else "RGB"
    run = f'session.run(None, {{"{exported.onnx["input"]}": pixels}})[0]'
    if isinstance(decider, DecisionRule):
        helpers, result = "", _result_of_two(decider, run)
    else:
        helpers, result = f"{EXAMPLE_HELPERS}\n", _result_of_several(decider, run)
    return f'''\
"""Scores images: pip install numpy onnxruntime pillow; python example.py IMAGE... (grey or RGB files)"""
import json, math, pathlib, sys
import numpy as np, onnxruntime, PIL.Image, PIL.ImageOps

{_source_of_range()}

{helpers}def in_eight_bits(image):  # deeper levels are scaled like those of the training images
    if image.mode[0] not in "IF":
        return image
    depth = {{"I": "32-bit", "F": "float"}}.get(image.mode, "16-bit")
    levels = np.asarray(image, float)
    low, high = facts["image"]["levels"].get(depth) or range_of(depth, levels.min(), levels.max())
    return PIL.Image.fromarray(np.clip(np.rint((levels - low) / (high - low) * 255), 0, 255).astype(np.uint8))

here = pathlib.Path(__file__).resolve().parent
facts = json.loads((here / "decision.json").read_text(encoding="utf-8"))
session = onnxruntime.InferenceSession(here / "model.onnx")
for name in sys.argv[1:]:
    image = in_eight_bits(PIL.ImageOps.exif_transpose(PIL.Image.open(name, formats={list(FORMATS)!r})))
    image = image.convert("{mode}").resize(({size}, {size}), PIL.Image.Resampling.BILINEAR)
    pixels = np.asarray(image, np.float32).reshape(1, {size}, {size}, {channels})
{result}'''


def _result_of_two(decider: DecisionRule, run: str) -> str:
    """The lines of the example from the raw score, which the expression `run` returns as (1, 1), to what it prints."""
    decided = "no threshold" if decider.threshold.value is None else None
    calibrated = decider.calibrator.formula(
        logit=f"(lambda s: np.log(s / (1 - s)))(np.{_CLIPPED})", knots='facts["calibration"]["knots_{}"]', module="np."
    )
    decision = repr(decided) if decided else 'facts["classes"][score >= facts["threshold"]["raw"]]'
    return f"""\
    score = float({run}[0, 0])
    if not 0 <= score <= 1: sys.exit(f"{{name}}: the model returned {{score}}, which is not a probability")
    probability = {calibrated}
    print(name, f"{{probability:.6f}}", {decision})
"""


def _result_of_several(decider: MulticlassDecisionRule, run: str) -> str:
    """The lines of the example from the raw scores, which the expression `run` returns as (1, k), to what it prints."""
    probabilities, decision = example_lines(decider)
    return f"""\
    scores, classes = {run}[0].astype(float), facts["classes"]
    if not (scores >= 0).all() or not abs(scores.sum() - 1) <= {SUM_TOLERANCE!r}:
        sys.exit(f"{{name}}: the model returned {{scores}}, which are not probabilities")
    scores /= scores.sum()
    probabilities = {probabilities}
    decision = {decision}
    by_class = dict(zip(classes, probabilities.tolist()))
    print(json.dumps({{"image": name, "decision": decision, "probabilities": by_class}}, ensure_ascii=False))
"""


def _source_of_range() -> str:
    """The source of `range_of`, without docstring and types."""
    tree = ast.parse(inspect.getsource(range_of))
    function = tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    function.body, function.returns = function.body[1:], None
    for argument in function.args.args:
        argument.annotation = None
    return ast.unparse(tree)
