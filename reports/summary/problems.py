"""What is wrong with the data, the protocol or the runs of a section, the most important first, each once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from benchmark.data.checks.shortcuts import Shortcut
from benchmark.data.positive_class import positive_warning
from benchmark.evidence.diagnosis.diagnoses import FINDINGS
from benchmark.evidence.metrics.influence import Clusters
from benchmark.runs.run import Run
from reports.results.conditions.hold_out_text import held_out_images, other_images
from reports.results.conditions.split_faults import own_faults
from reports.results.guarantee_text import stated_share
from reports.results.measured import AnyResults
from reports.summary.model import BestCard, Problem
from reports.summary.unfinished import Unfinished, problems_of
from reports.text import capital, listed, plural
from zoo.models.recipe import ProbeRecipe

FEW_OF_CLASS = 30
"""With fewer test images of a class, the 95% interval of its recall may be wider than 0.3."""
FEW_PATIENTS = 15
"""With fewer effective patients of a class (Kish 1965), intervals by patient are wide and depend on single patients."""
_RELATIONS: Mapping[str, str] = {
    "same patient": "an image of the same patient in train or val",
    "identical": "an identical image in train or val",
    "near duplicate": "a near duplicate in train or val",
    "repeated": "an identical image earlier in test",
}


def problems(
    runs: Sequence[Run],
    tested: AnyResults | None,
    best: BestCard | None,
    split_faults: Sequence[str],
    missing: Unfinished,
    shortcuts: Sequence[Shortcut] = (),
) -> tuple[Problem, ...]:
    """What is wrong.

    Args:
        runs: Runs on the same data under the same protocol.
        tested: The results of the best card; None without scores.
        best: The best card; None without scores.
        split_faults: Sentences about faults of the splits.
        missing: The cards and runs that have not finished.
        shortcuts: Facts without content, judged on train and validation.

    Returns:
        A sentence for each problem.
    """
    return (
        *problems_of(missing),
        *_of_images(runs[0], tested),
        *(Problem("shortcut", f"{capital(each.line())}.") for each in shortcuts if each.notable and each.in_pixels),
        *(Problem("split", text) for text in split_faults),
        *_of_classes(runs[0], tested),
        *_of_best(tested, best),
        *_of_guarantee(tested, best),
        *_of_seeds(tested),
    )


def _of_images(run: Run, tested: AnyResults | None) -> Iterator[Problem]:
    """Leakage and unknown patients, which make figures too good."""
    facts = run.spec.dataset
    related = {} if tested is None else tested.related or {}
    for relation, images in related.items():
        has = "has" if len(images) == 1 else "have"
        text = f"{plural(len(images), 'test image')} {has} {_RELATIONS.get(relation, relation)}"
        effect = "count twice" if relation == "repeated" else "may be recognised instead of judged"
        yield Problem("leakage", f"{text}: such images {effect}, which makes figures too good.")
    if facts.patients_unknown:
        yield Problem(
            "patients-unknown",
            "Patients are not known: images of one patient may be in train and in test, which makes figures too good "
            "and intervals too narrow.",
        )
    elif facts.patients is not None and (line := facts.patients.line()) is not None:
        yield Problem("patients-incomplete", f"{capital(line)}: images of one patient may be in train and in test.")


def _of_classes(run: Run, tested: AnyResults | None) -> Iterator[Problem]:
    facts = run.spec.dataset
    if (warning := positive_warning(facts.classes, facts.positive)) is not None:
        yield Problem("positive-class", f"{capital(warning)}.")
    if tested is None:
        return
    y_true = tested.test[0].y_true.tolist()
    counts = {name: y_true.count(label) for label, name in enumerate(facts.classes)}
    few = [f"{count} of {name}" for name, count in counts.items() if count < FEW_OF_CLASS]
    if few:
        yield Problem(
            "few-images",
            f"Fewer than {FEW_OF_CLASS} test images of a class ({listed(few)}): its figures are uncertain.",
        )
    clusters = Clusters(tested.test[0].y_true, tested.test[0].patient)
    units = zip(facts.classes, clusters.counts, clusters.effective_counts(), strict=False)
    few = [
        f"{name}: {effective:.0f} of {patients}"
        for name, patients, effective in units
        if clusters.repeated and 0 < effective < FEW_PATIENTS
    ]
    if few:
        yield Problem(
            "few-patients",
            f"Fewer than {FEW_PATIENTS} patients of a class count in effect ({listed(few)}): its figures are "
            "uncertain, since few patients with many images decide them.",
        )


def _of_best(tested: AnyResults | None, best: BestCard | None) -> Iterator[Problem]:
    """Faults of the training of the best card, and a choice on validation that failed."""
    if tested is None or best is None:
        return
    faults = [
        (finding.title, finding.code) for of_run in tested.findings for finding in own_faults(of_run, tested.card)
    ]
    for title, code in dict.fromkeys(faults):
        count = faults.count((title, code))
        share = "" if count == len(tested.runs) else f" in {count} of {len(tested.runs)} runs"
        yield Problem("fault-of-best", f"{best.card.title}{share}: {title}. That means: {FINDINGS[code]}.")
    reasons = [run.choice.reason for run in tested.runs if run.choice is not None and not best.leading.figures]
    for reason in dict.fromkeys(reason for reason in reasons if reason):
        what = "threshold" if tested.runs[0].decision is None else "decision"
        yield Problem("nothing-chosen", f"No {what} was chosen on validation: {reason}.")


def _of_guarantee(tested: AnyResults | None, best: BestCard | None) -> Iterator[Problem]:
    """What the guarantee of a chosen threshold is not about, if the test or the choice of the card exceeds it."""
    share = None if tested is None else stated_share(tested.runs[0])
    if tested is None or best is None or share is None or share.guarantee.confidence is None:
        return
    facts = tested.runs[0].spec.dataset
    guaranteed = f"The guaranteed {share.rule} of {share.guarantee.target:g}"
    if facts.hold_out is not None:
        yield Problem(
            "guarantee-elsewhere",
            f"{guaranteed} is about images like those of validation ({other_images(facts)}); the test images are "
            f"{held_out_images(facts)}, for which nothing is guaranteed.",
        )
    if best.of > 1:
        yield Problem(
            "guarantee-of-several",
            f"{guaranteed} is about each card alone; for the best of {best.of} cards it is weaker.",
        )


def _of_seeds(tested: AnyResults | None) -> Iterator[Problem]:
    """Too few trainings of the best card. A probe has no others: it is the same for every seed."""
    if tested is None or isinstance(tested.card.recipe, ProbeRecipe):
        return
    seeds = len(tested.runs)
    if seeds == 1:
        yield Problem(
            "one-seed",
            f"{tested.card.title} was trained once: another training of it may give other figures, which its intervals "
            "do not account for.",
        )
    elif seeds == 2:
        yield Problem("two-seeds", f"{tested.card.title} was trained twice, which makes its intervals wide.")
