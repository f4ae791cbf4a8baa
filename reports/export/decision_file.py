"""Texts next to an exported model: decision.json, and an example program without zoo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmark.evidence.calibration.calibrators import Calibrator
from benchmark.evidence.scores import CLIP, SUM_TOLERANCE, Scores
from benchmark.runs.deployment.decision_rule import DecisionRule
from benchmark.runs.deployment.multiclass import AnyDecisionRule, MulticlassDecisionRule
from benchmark.runs.run import Run
from reports.export.multiclass import (
    EXAMPLE_HELPERS,
    MULTICLASS_FORMAT,
    decision_and_calibration,
    example_lines,
    guarantee_document,
)
from reports.results.conditions.recipe import PREPROCESSING
from reports.results.guarantee_text import StatedShare, stated_share
from reports.results.rescored import chosen_again

FORMAT = 2
"""Version of decision.json for two classes; raised when its structure changes."""

_CLIPPED = f"clip(score, {CLIP!r}, 1 - {CLIP!r})"


@dataclass(frozen=True)
class ExportedModel:
    """The exported ONNX file: the fields of `benchmark.training.use.export.OnnxFacts` by name."""

    onnx: Mapping[str, Any]


def decision_document(
    run: Run, decider: AnyDecisionRule, exported: ExportedModel, val: Scores | None = None
) -> dict[str, Any]:
    """Everything that turns an image into a probability and a decision.

    Args:
        run: The exported run.
        decider: Its threshold, or its decision among several classes, and its calibration.
        exported: Its ONNX file.
        val: Its validation scores of two classes, for records that do not contain what was guaranteed.

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
            _threshold_and_calibration(decider, stated_share(run, val), chosen_again(run))
            if isinstance(decider, DecisionRule)
            else decision_and_calibration(decider, stated_share(run), chosen_again(run))
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


def _threshold_and_calibration(decider: DecisionRule, share: StatedShare | None, again: str | None) -> dict[str, Any]:
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
            "guarantee": guarantee_document(share),
            "chosen_again": again,
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
    """Source of a program that reproduces probabilities, decisions, and the verdicts on images unlike the training
    images.

    Args:
        decider: The threshold, or the decision among several classes, and the calibration.
        exported: The ONNX file.

    Returns:
        Python. Beside the packages in requirements.txt it needs only the folder.
    """
    size, channels, onnx = exported.onnx["size"], exported.onnx["channels"], exported.onnx
    of_two = isinstance(decider, DecisionRule)
    helpers = "" if of_two else f"{EXAMPLE_HELPERS}\n"
    result = _result_of_two(decider) if isinstance(decider, DecisionRule) else _result_of_several(decider)
    scores = 'result["scores"][classes[-1]]' if of_two else 'list(result["scores"].values())'
    return f'''\
"""Scores images: pip install -r requirements.txt; python example.py IMAGE...

Prints a line of JSON per image, and one that compares the scores of all of them with those of validation."""
import json, pathlib, sys
import numpy as np, onnxruntime
import drift, unlike

here = pathlib.Path(__file__).resolve().parent
facts = json.loads((here / "decision.json").read_text(encoding="utf-8"))
classes = facts["classes"]
session = onnxruntime.InferenceSession(here / "model.onnx")
novelty = here / "novelty.npz"
references = unlike.references_in(dict(np.load(novelty))) if novelty.exists() else {{}}

{helpers}def prepare(content, most_pixels=unlike.MOST_PIXELS):
    return unlike.prepare_content(content, facts["image"]["levels"], {size}, {channels}, most_pixels)

def predict(image):
    outputs = ["{onnx.get("output", "score")}", "{onnx.get("features", "features")}"]
    scores, features = session.run(outputs, {{"{onnx["input"]}": image.pixels[None].astype(np.float32)}})
    described = unlike.with_grey(image.pixels, features)
    reasons = unlike.ood_reasons(references, described, colour=image.colour, channels={channels})
    reasons = [*([image.note] if image.note else []), *reasons]
{result}    return {{"decision": decision, "probabilities": dict(zip(classes, probabilities)),
            "scores": dict(zip(classes, scores)), "unlike": bool(reasons), "reasons": reasons}}

if __name__ == "__main__":
    if not sys.argv[1:]:
        print(f"usage: python {{sys.argv[0]}} IMAGE...", file=sys.stderr)
        sys.exit(2)
    results, failed = [], False
    for name in sys.argv[1:]:
        try:
            result = predict(prepare(unlike.read_content(pathlib.Path(name))))
            results.append(result)
        except Exception as error:  # Pillow's decoders raise many kinds of errors on damaged files
            reason = getattr(error, "strerror", None) or str(error)
            unknown = "cannot identify image file" in reason
            result, failed = {{"error": "not an image" if unknown else reason}}, True
        print(json.dumps({{"image": name, **result}}))
    reference = drift.BatchReference(**json.loads((here / "validation.json").read_text(encoding="utf-8")))
    batch = np.array([{scores} for result in results])
    compared = drift.compare_batch(reference, batch, [result["decision"] for result in results])
    strange = sum(result["unlike"] for result in results)
    print(json.dumps({{"batch": compared.line(), "differs": compared.differs, "unlike": strange}}))
    sys.exit(failed)
'''


def _result_of_two(decider: DecisionRule) -> str:
    """The lines of the example from the output of the model, `scores` (1, 1), to those of each class and a decision."""
    calibrated = decider.calibrator.formula(
        logit=f"(lambda s: np.log(s / (1 - s)))(np.{_CLIPPED})", knots='facts["calibration"]["knots_{}"]', module="np."
    )
    no_threshold = decider.threshold.value is None
    decision = "None  # no threshold was chosen" if no_threshold else 'classes[score >= facts["threshold"]["raw"]]'
    return f"""\
    score = float(scores[0, 0])
    probability = {calibrated}
    if not (0 <= score <= 1 and 0 <= probability <= 1):
        raise ValueError(f"the model gives {{score:.6g}}, calibrated {{probability:.6g}}, which is no probability")
    decision = {decision}
    scores, probabilities = [1 - score, score], [1 - float(probability), float(probability)]
"""


def _result_of_several(decider: MulticlassDecisionRule) -> str:
    """The lines of the example from the output of the model, `scores` (1, k), to those of each class and a decision."""
    probabilities, decision = example_lines(decider)
    return f"""\
    scores = scores[0].astype(float)
    if not (scores >= 0).all() or not abs(scores.sum() - 1) <= {SUM_TOLERANCE!r}:
        raise ValueError(f"the model gives {{scores.tolist()}}, which are no probabilities")
    scores /= scores.sum()
    probabilities = {probabilities}
    decision = {decision}
    scores, probabilities = scores.tolist(), probabilities.tolist()
"""
