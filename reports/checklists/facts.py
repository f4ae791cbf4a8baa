"""Facts about a section, by the names that the answers of checklists use."""

from __future__ import annotations

from typing import Literal, TypedDict

from benchmark.runs.cross_validation import folds_of
from reports.report import Section
from reports.results.conditions.hold_out_text import held_out_images, hold_out_text
from reports.results.multiclass.figures import MulticlassProbabilities
from reports.results.probabilities import Probabilities
from reports.text import number

_SHIFTS = {"intensity-shift", "batch-effect", "prior-shift"}


class Facts(TypedDict):
    """Plain values for Jinja templates; None where they are not recorded.

    The fields from `data` to `pretrained_weights` are sentences of the section's methods; with three or more classes
    (`multiclass`), `threshold` describes the decision. `hold_out` says where test and other images come from if a
    column named the test images, and `held_out` names these. `requested` and `sizes` list the numbers of images by
    split, `left_out` the excluded images and why. `patients_note` reports for how many images the patient is known.
    `detectable` is the smallest detectable AUC difference of a typical pair of cards. `claims`, `effects`, `diagnosed`,
    `assessed` and `calibrated` are numbers of published claims, effects of changes, cards with a fault, runs
    with a calibrator, and runs that use it. `shifts` are the codes of dataset shifts, None where no split was compared.
    """

    data: str | None
    split: str | None
    preprocessing: str | None
    augmentation: str | None
    selection: str | None
    threshold: str | None
    versions: str | None
    pretrained_weights: str | None
    hold_out: str | None
    held_out: str | None
    source: str
    synthetic: bool
    classes: tuple[str, ...]
    multiclass: bool
    requested: str
    balanced: bool
    left_out: str
    sizes: str
    test_images: int | None
    patients: Literal["known", "unknown", "not recorded"]
    patients_note: str | None
    builders: str
    cards: int
    runs: int
    cards_with_several_seeds: int
    claims: int
    effects: int
    diagnosed: int
    assessed: int
    calibrated: int
    detectable: str | None
    shifts: str | None
    protocol: str
    models_kept: bool


def facts(section: Section) -> Facts:
    """The facts of a section."""
    spec, flow = section.runs[0].spec, section.methods.flow
    sampling = spec.protocol.sampling
    requested = {"train": sampling.train, "val": sampling.val, "test": sampling.test}
    known = any(row.patients is not None for row in flow)
    detectable = section.ranking.typical_detectable if section.ranking is not None else None
    assessed: list[Probabilities | MulticlassProbabilities] = [*section.probabilities]
    if section.multiclass is not None:
        assessed += [row for card in section.multiclass.cards for row in card.probabilities]
    return {
        "data": _topic(section, "data"),
        "split": _topic(section, "split"),
        "preprocessing": _topic(section, "preprocessing"),
        "augmentation": _topic(section, "augmentation"),
        "selection": _topic(section, "selection"),
        "threshold": _topic(section, "threshold") or _topic(section, "decision"),
        "versions": _topic(section, "versions"),
        "pretrained_weights": _topic(section, "pretrained weights"),
        "hold_out": hold_out_text(spec.dataset),
        "held_out": held_out_images(spec.dataset),
        "source": spec.dataset.source,
        "synthetic": section.synthetic,
        "classes": section.methods.classes,
        "multiclass": len(section.classes) > 2,
        "requested": ", ".join(f"{count} {split}" for split, count in requested.items() if count is not None),
        "balanced": sampling.balanced,
        "left_out": "; ".join(section.methods.exclusions),
        "sizes": ", ".join(f"{row.images} {row.split}" for row in flow if row.label is None),
        "test_images": next((row.images for row in flow if (row.split, row.label) == ("test", None)), None),
        "patients": "unknown" if spec.dataset.patients_unknown else "known" if known else "not recorded",
        "patients_note": spec.dataset.patients.line() if spec.dataset.patients is not None else None,
        "builders": ", ".join(dict.fromkeys(card.card.model.builder for card in section.cards)),
        "cards": len(section.cards),
        "runs": sum(len(folds_of(run)) for run in section.runs),
        "cards_with_several_seeds": sum(len(card.seeds) > 1 for card in section.cards),
        "claims": sum(len(report.figures) + len(report.statements) for report in section.claims),
        "effects": sum(len(changes) for report in section.claims for changes in report.changes.values()),
        "diagnosed": sum(bool(card.diagnosis) for card in section.cards),
        "assessed": len(assessed),
        "calibrated": sum(row.after is not None for row in assessed),
        "detectable": None if detectable is None else number(detectable),
        "shifts": _shifts(section),
        "protocol": f"{spec.protocol.name}: {spec.protocol.title}",
        "models_kept": spec.protocol.keep_models,
    }


def _topic(section: Section, topic: str) -> str | None:
    return "; ".join(fact.text for fact in section.methods.facts if fact.topic == topic) or None


def _shifts(section: Section) -> str | None:
    shifts = {f.code for run in section.runs for f in run.diagnosis} & _SHIFTS
    compared = any(run.checks is not None and run.checks.intensity for run in section.runs)
    return ", ".join(sorted(shifts)) if shifts or compared else None
