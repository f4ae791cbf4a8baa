"""The heading of a summary: the data, the protocol and the test in words."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.runs.cross_validation import CrossValidatedRun
from benchmark.runs.run import DatasetFacts, Run
from reports.results.conditions.hold_out_text import hold_out_text
from reports.results.measured import AnyResults
from reports.summary.model import Heading
from reports.text import listed, plural

_NAMED = 4
"""The largest number of classes that a heading names."""


def heading(runs: Sequence[Run], tested: AnyResults | None) -> Heading:
    """The heading of runs on the same data under the same protocol.

    Args:
        runs: At least one run.
        tested: The results of a card, whose test images and patients are counted; None without scores.

    Returns:
        The heading.
    """
    run = tested.runs[0] if tested is not None else next((each for each in runs if each.status == "ok"), runs[0])
    protocol = run.spec.protocol
    return Heading(
        data=data_in_words(run),
        protocol=f"protocol {protocol.name}: {protocol.title}",
        tested=_tested(run, tested),
        synthetic=run.spec.dataset.synthetic,
    )


def data_in_words(run: Run) -> str:
    """The images of a run: `400 images in my_images: NORMAL and PNEUMONIA`."""
    facts, sizes = run.spec.dataset, run.split.sizes
    images = sizes.get("test", 0) if isinstance(run, CrossValidatedRun) else sum(sizes.values())
    for start, words in (("images ", "images "), ("arrays in ", "images in ")):
        if facts.title.startswith(start):
            text = f"{images:,} {words}{facts.title.removeprefix(start)}"
            break
    else:
        text = f"{images:,} {'' if facts.synthetic else 'images of '}{facts.title}"
    return f"{text}: {classes_in_words(facts)}"


def classes_in_words(facts: DatasetFacts) -> str:
    """The names of the classes, or their number and the first and the last of many."""
    classes = facts.classes
    if len(classes) <= _NAMED:
        return listed(classes)
    return f"{len(classes)} classes, {classes[0]} to {classes[-1]}"


def _tested(run: Run, tested: AnyResults | None) -> str:
    facts = run.spec.dataset
    images = run.split.sizes.get("test", 0) if tested is None else len(tested.test[0])
    text = plural(images, "test image")
    if facts.patients_unknown:
        text += ", patients not known"
    elif tested is not None and tested.test[0].patient is not None:
        text += f" of {plural(len(set(tested.test[0].patient)), 'patient')}"
    counts = _counts(run, tested)
    if counts is not None and len(facts.classes) <= _NAMED:
        text += f": {listed([f'{count:,} {name}' for count, name in zip(counts, facts.classes, strict=True)])}"
    elif counts is not None:
        fewest, most = min(counts), max(counts)
        text += f": {fewest:,} of each class" if fewest == most else f": {fewest:,} to {most:,} of each class"
    if (where := hold_out_text(facts)) is not None:
        return f"{text}; {where}"
    return text + ("; each seed has its own" if run.spec.protocol.split == "per-seed" else "")


def _counts(run: Run, tested: AnyResults | None) -> tuple[int, ...] | None:
    """The test images of each class; None where they are not known."""
    if tested is not None:
        y_true = tested.test[0].y_true.tolist()
        return tuple(y_true.count(label) for label in range(len(run.spec.dataset.classes)))
    return run.split.classes.get("test")
