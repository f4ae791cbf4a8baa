"""What a section's figures do not show, in plain sentences, from how its runs were made."""

from __future__ import annotations

from collections.abc import Iterator

from reports.report import Section
from reports.results.compare import is_other_data
from reports.results.methods import NO_PATIENTS

FEW_SEEDS = 3
SMALL_VALIDATION = 200


def limits(section: Section) -> tuple[str, ...]:
    """The limits of `section`, the gravest first."""
    return tuple(_limits(section))


def _limits(section: Section) -> Iterator[str]:
    first = section.runs[0].spec
    unknown = first.dataset.patients_unknown
    claims = [report.claims for report in section.claims]
    if section.synthetic:
        yield "The images are SYNTHETIC: no figure here says anything about radiographs or patients."
    else:
        yield (
            "Train, validation and test images come from one source: how the models do on images of another hospital, "
            "machine or population is not shown."
        )
    if any(run.spec.card.published and is_other_data(run, claims) for run in section.runs):
        yield "Published figures were read on other data than these: a difference may come from the images alone."
    yield from _seeds(section)
    if first.protocol.split == "fixed":
        yield (
            f"All figures rest on one split (split seed {first.protocol.split_seed}): how far they would move with "
            f"another draw of the {'images' if unknown else 'patients'} is counted for the test images, not for the "
            "training images."
        )
    yield (
        "Intervals are 95% each, not together. They count the test images, "
        + ("each as if independent (patients are not known)" if unknown else "by patient where patients are known")
        + ", and the seeds where a card has several; not the choice of data, protocol, hardware or library versions."
    )
    yield from _test_set(section)
    yield from _validation(section)
    yield (
        f"{len(section.cards)} card{'s were' if len(section.cards) > 1 else ' was'} scored on the same test images: "
        "the best of several figures is too good on average, and tests adjust p-values only where it says so."
    )
    yield "Labels are taken from the source as they are; who set them, and how surely, is not known to the program."
    missing = [card.card.name for card in section.cards if card.failed]
    if missing:
        yield f"Runs failed of {', '.join(missing)}: their figures are missing or rest on fewer seeds."


def _seeds(section: Section) -> Iterator[str]:
    finished = [card for card in section.cards if card.seeds]
    single = [card.card.name for card in finished if len(card.seeds) == 1]
    few = [card.card.name for card in finished if 1 < len(card.seeds) < FEW_SEEDS]
    if single:
        which = "every card" if len(single) == len(finished) else ", ".join(single)
        yield f"One seed was run of {which}: how far those figures vary from training to training is not counted."
    if few:
        yield f"Two seeds were run of {', '.join(few)}: the spread over seeds is hardly known."


def _test_set(section: Section) -> Iterator[str]:
    rows = [row for row in section.methods.flow if row.split == "test" and row.label is not None]
    counts = [row.images for row in rows if row.images is not None]
    total = sum(counts, start=0)
    if len(counts) == 2 and total:
        yield (
            f"{counts[1] / total:.0%} of the test images are {section.methods.classes[1]}: accuracy, precision, F1, "
            "average precision and calibration hold at that share, which is not that of a clinic."
        )
    if any(row.reason == NO_PATIENTS for row in rows):
        yield "Patients are not recorded: images of one patient are counted as if independent, which narrows intervals."
    facts = section.runs[0].spec.dataset
    if facts.patients_unknown:
        yield (
            "Patients are not known: images of one patient may stand in train, val and test, which flatters figures, "
            "and are counted as if independent, which narrows intervals."
        )
    elif facts.patients is not None and (line := facts.patients.line()) is not None:
        yield f"{line[0].upper()}{line[1:]}, so that some of one patient may stand in two splits."


def _validation(section: Section) -> Iterator[str]:
    size = next((row.images for row in section.methods.flow if (row.split, row.label) == ("val", None)), None)
    if size is not None and size < SMALL_VALIDATION:
        yield (
            f"Thresholds and calibrators were chosen on {size} validation images, which leaves them uncertain; whether "
            "they transfer to test is shown, not assumed."
        )
