"""What a section says to the items of a reporting checklist. Each function answers one question in a line, or None."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from reports.report import Section
from reports.results.methods import NO_PATIENTS, PATIENTS_UNKNOWN
from reports.text import number

Answer = Callable[[Section], str | None]
_ANSWERS: dict[str, Answer] = {}
ANSWERS: Mapping[str, Answer] = MappingProxyType(_ANSWERS)
"""All answers by the name that checklists give them."""


def _answers(say: Answer) -> Answer:
    """Registers `say` under its name without the leading underscore."""
    _ANSWERS[say.__name__.removeprefix("_")] = say
    return say


def _facts(section: Section, *topics: str) -> str | None:
    """The facts of these topics in one line."""
    return "; ".join(fact.text for fact in section.methods.facts if fact.topic in topics) or None


def _test_images(section: Section) -> int | None:
    rows = section.methods.flow
    return next((row.images for row in rows if (row.split, row.label) == ("test", None)), None)


def _unknown(section: Section) -> bool:
    return section.runs[0].spec.dataset.patients_unknown


@_answers
def _objectives(section: Section) -> str | None:
    count = sum(len(report.figures) + len(report.statements) for report in section.claims)
    held = f", and {count} published claims were held against them" if count else ""
    return f"{len(section.cards)} models were trained and compared on the same test images{held}"


@_answers
def _design(section: Section) -> str | None:
    if section.synthetic:
        return "images and labels were drawn by the program before any model was run"
    return "retrospective: images and labels existed before the models were run"


@_answers
def _data_source(section: Section) -> str | None:
    return _facts(section, "data")


@_answers
def _exclusions(section: Section) -> str | None:
    left_out = "; ".join(section.methods.left_out) or "no image was left out when the splits were drawn"
    return f"of images: {left_out}; criteria for patients are those of the source, not known to the program"


@_answers
def _preprocessing(section: Section) -> str | None:
    return _facts(section, "preprocessing")


@_answers
def _parts(section: Section) -> str | None:
    return f"whole images, none cropped or masked but by augmentation; {_subset(section)}"


@_answers
def _subset(section: Section) -> str | None:
    sampling = section.runs[0].spec.protocol.sampling
    drawn = {"train": sampling.train, "val": sampling.val, "test": sampling.test}
    asked = ", ".join(f"{count} {split}" for split, count in drawn.items() if count is not None)
    if not asked:
        return "every image of the source that the split could use"
    by = "image" if _unknown(section) else "patient"
    return f"drawn at random by {by}: {asked} images asked for; how the source's own series arose is not known"


@_answers
def _missing(section: Section) -> str | None:
    return "images that cannot be read are left out before the split, and nothing is imputed; `zoo data` counts them"


@_answers
def _reference(section: Section) -> str | None:
    if section.synthetic:
        return "the class that the program drew each image for"
    return f"the labels of the source ({' / '.join(section.methods.classes)}); how they were set is not known"


@_answers
def _partitions(section: Section) -> str | None:
    sizes = ", ".join(f"{row.images} {row.split}" for row in section.methods.flow if row.label is None)
    return f"{sizes} images; {_facts(section, 'split')}"


@_answers
def _disjoint(section: Section) -> str | None:
    facts = section.runs[0].spec.dataset
    if facts.patients_unknown:
        return f"images: no identical image stands in two partitions; {PATIENTS_UNKNOWN}"
    known = any(row.patients is not None for row in section.methods.flow)
    if not known:
        return f"identical images; {NO_PATIENTS}"
    line = facts.patients.line() if facts.patients is not None else None
    return "patients, and identical images" + (f"; {line}" if line else "")


@_answers
def _sample_size(section: Section) -> str | None:
    test = _test_images(section)
    ranking = section.ranking
    shows = ""
    if ranking is not None and ranking.typical_detectable is not None:
        shows = f"; a typical pair of cards would have had to differ by {number(ranking.typical_detectable)} in AUC"
    return f"set by the protocol, not by a power calculation: {test} test images{shows}" if test else None


@_answers
def _model(section: Section) -> str | None:
    builders = dict.fromkeys(card.card.model.builder for card in section.cards)
    return f"networks built by {', '.join(builders)}, an image in, a score between 0 and 1 out: Cards"


@_answers
def _software(section: Section) -> str | None:
    return _facts(section, "versions")


@_answers
def _initial_weights(section: Section) -> str | None:
    pretrained = _facts(section, "pretrained weights")
    return "drawn from the seed of the run" + (
        f"; pretrained where the card says so: {pretrained}" if pretrained else ""
    )


@_answers
def _training(section: Section) -> str | None:
    augmented = _facts(section, "augmentation")
    settings = f"{len(section.runs)} trainings; loss, optimiser, rate, epochs, batch and stopping of each: Cards"
    return f"{settings}; augmentation: {augmented}" if augmented else settings


@_answers
def _model_selection(section: Section) -> str | None:
    return _facts(section, "selection")


@_answers
def _ensembling(section: Section) -> str | None:
    return "none: every score is that of one network; means over seeds are means of figures"


@_answers
def _metrics(section: Section) -> str | None:
    return (
        "accuracy, balanced accuracy, recall, specificity, precision, F1, MCC, AUC, average precision, Brier score, "
        "log loss, calibration error and slope, predictive values, net benefit"
    )


@_answers
def _statistics(section: Section) -> str | None:
    unit = f"by image, as {PATIENTS_UNKNOWN}" if _unknown(section) else "by patient where patients repeat"
    return (
        f"95% intervals: Wilson, DeLong, square and add; {unit}, with seeds as a second "
        "random effect; paired tests on the same images, p-values by Holm"
    )


@_answers
def _robustness(section: Section) -> str | None:
    several = sum(len(card.seeds) > 1 for card in section.cards)
    changes = sum(len(causes) for report in section.claims for causes in report.causes.values())
    parts = [f"{several} of {len(section.cards)} cards with several seeds"] if several else []
    parts += [f"{changes} effects of single changes: What moves the failures"] if changes else []
    return "; ".join(parts) or None


@_answers
def _internal(section: Section) -> str | None:
    test = _test_images(section)
    return f"{test} test images of the same source, scored once after training" if test else None


@_answers
def _external(section: Section) -> str | None:
    return "not done: train, validation and test images come from one source"


@_answers
def _cutoffs(section: Section) -> str | None:
    return f"0.5, and {_facts(section, 'threshold')}; the best cut on test is shown as hindsight only"


@_answers
def _blind_model(section: Section) -> str | None:
    return "the networks read pixels alone, nothing else about the patient, and no label of a test image"


@_answers
def _blind_reference(section: Section) -> str | None:
    return (
        "labels were there before the models were run, so no score can have moved them; what else was known to those "
        "who set them is not known"
    )


@_answers
def _predictors(section: Section) -> str | None:
    return "the pixels of one image, without further predictors"


@_answers
def _output(section: Section) -> str | None:
    return f"a score in [0, 1] that the image is {section.methods.classes[1]}, kept for every validation and test image"


@_answers
def _indeterminate(section: Section) -> str | None:
    return "there are none: every score is decided at the threshold"


@_answers
def _variability(section: Section) -> str | None:
    several = sum(len(card.seeds) > 1 for card in section.cards)
    return (
        f"over seeds, in {several} of {len(section.cards)} cards; by subgroup where a gallery was made"
        if several
        else None
    )


@_answers
def _imbalance(section: Section) -> str | None:
    if section.runs[0].spec.protocol.sampling.balanced:
        return "every split was drawn with the same number of each class"
    return "classes in their natural balance; neither weighted nor resampled"


@_answers
def _fairness(section: Section) -> str | None:
    known = "" if _unknown(section) else " but which images are of the same one"
    return f"not by groups of persons: the program knows nothing of patients{known}"


@_answers
def _calibration(section: Section) -> str | None:
    if not section.probabilities:
        return None
    kept = sum(row.after is not None for row in section.probabilities)
    return f"calibrators fitted on validation; kept in {kept} of {len(section.probabilities)} runs: Calibration"


@_answers
def _flow(section: Section) -> str | None:
    if not section.methods.flow:
        return None
    if _unknown(section):
        return f"images by split and class: Methods; {PATIENTS_UNKNOWN}"
    return "images and patients by split and class: Methods"


@_answers
def _cross_table(section: Section) -> str | None:
    return "counts of right and wrong decisions of every run, at both thresholds: Cards"


@_answers
def _estimates(section: Section) -> str | None:
    return "with 95% intervals: Comparison, Cards"


@_answers
def _wrong_cases(section: Section) -> str | None:
    found = sum(bool(card.diagnosis) for card in section.cards)
    faults = f"faults of training and decision in {found} of {len(section.cards)} cards: Diagnosis"
    return f"{_cross_table(section)}; {faults}"


@_answers
def _shift(section: Section) -> str | None:
    shifts = {f.code for run in section.runs for f in run.diagnosis} & {"intensity-shift", "prior-shift"}
    looked = any(run.checks is not None and run.checks.intensity for run in section.runs)
    if not looked and not shifts:
        return None
    return "grey levels and class shares of the splits were compared: " + (
        f"{', '.join(sorted(shifts))} found: Findings" if shifts else "no shift found"
    )


@_answers
def _limitations(section: Section) -> str | None:
    return "from how the runs were made: Limits"


@_answers
def _protocol(section: Section) -> str | None:
    spec = section.runs[0].spec
    return f"protocol {spec.protocol.name}: {spec.protocol.title}; every setting: Methods"


@_answers
def _availability(section: Section) -> str | None:
    kept = "kept in the store" if section.runs[0].spec.protocol.keep_models else "not kept"
    return f"{_facts(section, 'versions') or 'versions not recorded'}; trained models {kept}"


@_answers
def _data_availability(section: Section) -> str | None:
    if section.synthetic:
        return "the program draws the same images again for anybody"
    source = section.runs[0].spec.dataset.source
    return f"images from {source}; whether others may have them is not known to the program"


@_answers
def _all_availability(section: Section) -> str | None:
    return f"{_availability(section)}; {_data_availability(section)}"
