"""The limits of a section: what its figures do not show, given how its runs were made."""

from __future__ import annotations

from collections.abc import Iterator

from reports.report import Section
from reports.results.comparison.published import is_different_data
from reports.results.conditions.hold_out_text import hold_out_text
from reports.results.conditions.methods import NO_PATIENTS
from reports.text import capital, listed, plural

FEW_SEEDS = 3
SMALL_VALIDATION = 200
FEW_OF_CLASS = 30
"""With fewer images of a class, the 95% interval of its recall may be wider than 0.3."""

COVERAGE_OF_FOLDS = (
    "In simulations with 60 to 800 images, 95% intervals covered the mean performance of these models in 95 to 99% of "
    "data sets, and that of other models trained on as many images in 93 to 98%."
)
"""From `tests.perf.cross_validation_simulation`; the page on cross-validation has the table."""


def limits(section: Section, scored: int | None = None) -> tuple[str, ...]:
    """The limits of a section in sentences, the most important first.

    Args:
        section: The section.
        scored: The number of cards that were scored on the same test images, if the section has not all of them.

    Returns:
        The sentences.
    """
    return tuple(_limits(section, len(section.cards) if scored is None else scored))


def _limits(section: Section, scored: int) -> Iterator[str]:
    first = section.runs[0].spec
    unknown = first.dataset.patients_unknown
    if section.synthetic:
        yield "The images are SYNTHETIC: no figure here says anything about radiographs or patients."
    elif (where := hold_out_text(first.dataset)) is not None:
        yield (
            f"The models were {where}: how they perform elsewhere is unknown, and one held-out group does not show how "
            "much groups differ."
        )
    else:
        yield (
            "Train, validation and test images come from one source: performance on images from another hospital, "
            f"machine or population is unknown{_elsewhere(section)}."
        )
    claims = [report.claims for report in section.claims]
    elsewhere = (run.spec.card.published and is_different_data(run, claims) for run in section.runs)
    if (section.comparisons or section.claims) and any(elsewhere):
        yield "Published figures were computed on different data: a difference may come from the images alone."
    yield from _seeds(section)
    if (folds := first.protocol.test_folds) is not None:
        yield (
            f"All figures rest on {folds} models per card and seed, whose training images overlap: intervals account "
            f"for the sampling of test {'images' if unknown else 'patients'}, and in part for that of training data. "
            f"{COVERAGE_OF_FOLDS}"
        )
    elif first.protocol.split == "fixed":
        yield (
            f"All figures rest on one split (split seed {first.protocol.split_seed}): intervals account for the "
            f"sampling of test {'images' if unknown else 'patients'}, not of training data."
        )
    yield (
        "Intervals have 95% coverage each, not jointly. They account for the sampling of test images, "
        + ("each as if independent (patients are not known)" if unknown else "by patient where patients are known")
        + ", and of seeds where a card has several; not for the choice of data, protocol, hardware or library versions."
    )
    yield from _test_set(section)
    yield from _validation(section)
    yield (
        f"{plural(scored, 'card')} {'were' if scored > 1 else 'was'} scored on the same test "
        "images: the best of several figures is optimistic on average, and p-values are adjusted only where stated."
    )
    yield "Labels are those of the source; who assigned them, and how reliably, is unknown."
    if section.claims and section.registration is None:
        yield (
            "Nothing was registered before the test split was scored: that claims, margins and rules are older than "
            "the scores cannot be shown."
        )
    missing = [card.card.name for card in section.cards if card.failed]
    if missing:
        yield f"Runs of {', '.join(missing)} failed: their figures are missing or rest on fewer seeds."


def _elsewhere(section: Section) -> str:
    """For which models outside validation says more; empty without any."""
    cards = list(dict.fromkeys(each.card for each in section.outside))
    return f", except as the outside validation of {listed(cards)} shows" if cards else ""


def _seeds(section: Section) -> Iterator[str]:
    finished = [card for card in section.cards if card.seeds]
    single = [card.card.name for card in finished if len(card.seeds) == 1]
    few = [card.card.name for card in finished if 1 < len(card.seeds) < FEW_SEEDS]
    if single:
        which = "every card" if len(single) == len(finished) else ", ".join(single)
        yield f"One seed was run for {which}: the variation between trainings is not estimated."
    if few:
        yield f"Two seeds were run for {', '.join(few)}: the variation between seeds is estimated poorly."


def _test_set(section: Section) -> Iterator[str]:
    rows = [row for row in section.methods.flow if row.split == "test" and row.label is not None]
    counts = [row.images for row in rows if row.images is not None]
    total = sum(counts, start=0)
    if len(counts) == 2 and total:
        yield (
            f"{counts[1] / total:.0%} of the test images are {section.methods.classes[1]}: accuracy, precision, F1, "
            "average precision and calibration hold for that share, which need not be that of a clinic."
        )
    elif len(counts) == len(rows) and total:
        shares = ", ".join(f"{count / total:.0%} {row.label}" for row, count in zip(rows, counts, strict=True))
        yield (
            f"Of the test images, {shares}: accuracy, precision, F1, average precision, log loss and calibration hold "
            "for these shares, which need not be those of a clinic."
        )
        few = [f"{row.label} ({count})" for row, count in zip(rows, counts, strict=True) if count < FEW_OF_CLASS]
        if few:
            yield (
                f"Fewer than {FEW_OF_CLASS} test images are of {listed(few)}: figures of "
                f"{'this class' if len(few) == 1 else 'these classes'} are uncertain, and macro figures with them."
            )
    if any(row.reason == NO_PATIENTS for row in rows):
        yield "Patients are not recorded: images of one patient count as independent, which makes intervals too narrow."
    facts = section.runs[0].spec.dataset
    if facts.patients_unknown:
        yield (
            "Patients are not known: images of one patient may be in train, val and test, which makes figures too "
            "good, and count as independent, which makes intervals too narrow."
        )
    elif facts.patients is not None and (line := facts.patients.line()) is not None:
        yield f"{capital(line)}, so images of one patient may be in two splits."


def _validation(section: Section) -> Iterator[str]:
    size = next((row.images for row in section.methods.flow if (row.split, row.label) == ("val", None)), None)
    fitted = "Thresholds" if section.multiclass is None else "Decisions"
    if size is not None and size < SMALL_VALIDATION:
        yield (
            f"{fitted} and calibrators were fitted on only {size} validation images and are uncertain; their "
            "transfer to test is measured, not assumed."
        )
