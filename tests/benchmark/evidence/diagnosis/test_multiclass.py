"""Faults planted in scores of three or more classes are named, and a healthy run has none."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.evidence.diagnosis.diagnoses import FINDINGS, SPLIT_FAULTS, Finding
from benchmark.evidence.diagnosis.multiclass import classes_of_one_group, diagnose_multiclass
from benchmark.evidence.diagnosis.training_record import BatchNormProbe, Intensity, TrainingDiagnostics
from benchmark.evidence.metrics.influence import Labels
from benchmark.evidence.scores import MulticlassScores
from tests.benchmark.evidence.diagnosis.test_diagnoses import BATCH, GREY, LAGGING, OVERFITTED
from tests.support.classes import NAMES, on_classes, planted_classes, validation_of
from tests.support.records import HEALTHY, Curves

SIZES = (60, 60, 60)
UNLEARNED: Curves = {
    "loss": [1.10, 1.10, 1.09],
    "accuracy": [0.32, 0.34, 0.36],
    "val_loss": [1.10, 1.09, 1.09],
    "val_accuracy": [0.33, 0.34, 0.33],
}
STUCK: Curves = {**LAGGING, "val_accuracy": [0.33] * 4}


def parts(
    sizes: tuple[int, ...] = SIZES, gain: float = 2.0, *, test_sizes: tuple[int, ...] | None = None
) -> tuple[MulticlassScores, MulticlassScores]:
    return validation_of(*planted_classes(sizes, gain, 1)), on_classes(*planted_classes(test_sizes or sizes, gain, 2))


def found(
    scores: tuple[MulticlassScores, MulticlassScores | None], history: Curves = HEALTHY, **options: object
) -> dict[str, Finding]:
    return {finding.code: finding for finding in diagnose_multiclass(*scores, history, **options)}  # type: ignore[arg-type]


def called(
    val: Labels | int, test: Labels | int, scores: tuple[MulticlassScores, MulticlassScores]
) -> dict[str, Labels]:
    """Calls of both parts; a number is one call for all images."""
    calls = zip(scores, (val, test), strict=True)
    return {part.split: np.broadcast_to(np.asarray(call), (len(part),)).astype(np.int64) for part, call in calls}


def exchanged(scores: MulticlassScores, a: int = 0, b: int = 1) -> MulticlassScores:
    """The same scores with the labels of two classes exchanged."""
    labels = np.choose(scores.y_true, [{a: b, b: a}.get(label, label) for label in range(len(scores.classes))])
    return type(scores)(scores.split, labels, scores.y_score, scores.classes, scores.ordered, scores.patient)


@pytest.mark.parametrize("sizes", [SIZES, (60,) * 10, (200, 80, 40)])
def test_a_healthy_run_has_no_finding(sizes: tuple[int, ...]) -> None:
    assert found(parts(sizes, 3.0)) == {}


def test_one_class_without_ranking_is_a_collapse() -> None:
    scores = parts(gain=0.0)
    finding = found(scores, decided=called(1, 1, scores))["single-class-collapse"]
    assert finding.title == "single-class collapse: bee"
    assert "180 of 180 test images predicted as bee" in finding.evidence


def test_one_class_with_ranking_is_a_fault_of_the_decision_rule() -> None:
    scores = parts()
    findings = found(scores, decided=called(2, 2, scores))
    assert set(findings) == {"one-class-threshold"}
    assert "(cat)" in findings["one-class-threshold"].title


def test_one_class_on_one_part_alone_is_said_of_that_part() -> None:
    scores = parts()
    calls = called(scores[0].y_true, 0, scores)
    assert (
        found(scores, decided=calls)["one-class-threshold"].title
        == "one class is predicted on test (ant), ranking intact"
    )


@pytest.mark.parametrize(("images", "said"), [(7, False), (20, True)])
def test_few_images_called_alike_are_no_collapse(images: int, said: bool) -> None:
    val = validation_of(*planted_classes((images,) * 3, 0.0, 3))
    findings = found((val, None), decided={"val": np.zeros(len(val), np.int64)})
    assert ("single-class-collapse" in findings) == said


def test_a_class_that_is_never_called_is_named_with_its_ranking() -> None:
    scores = parts((80, 80, 20))
    calls = {part.split: np.where(part.y_true == 2, 0, part.y_true) for part in scores}
    finding = found(scores, decided=calls)["class-never-called"]
    assert finding.title == "cat is never predicted"
    assert "40 cat occur" in finding.evidence
    assert "AUC of cat 0.9" in finding.evidence


def test_several_classes_that_are_never_called_are_a_partial_collapse() -> None:
    scores = parts((40,) * 10)
    calls = {part.split: part.y_true % 4 for part in scores}
    findings = found(scores, decided=calls)
    assert "class-never-called" not in findings
    assert findings["partial-collapse"].title == "only 4 of 10 classes are predicted"
    assert "predicted: ant, bee, cat, dog;" in findings["partial-collapse"].evidence


@pytest.mark.parametrize(("rare", "said"), [(1, False), (3, True), (12, True)])
def test_no_call_of_a_rare_class_may_be_chance(rare: int, said: bool) -> None:
    """If 3 of 203 images in each part are of the class, no call in 406 has probability .002 < .05 / 3."""
    val, test = parts((100, 100, rare))
    calls = {part.split: np.where(part.y_true == 2, 0, part.y_true) for part in (val, test)}
    probability = (1 - rare / (200 + rare)) ** (2 * (200 + rare))
    assert ("class-never-called" in found((val, test), decided=calls)) == (probability < 0.05 / 3) == said


def test_never_called_counts_patients_where_they_have_several_images() -> None:
    scores = []
    for part in parts((60, 60, 60)):
        patients = tuple(str(i // 20) for i in range(180))
        scores.append(type(part)(part.split, part.y_true, part.y_score, part.classes, False, patients))
    calls = {part.split: np.where(part.y_true == 2, 0, part.y_true) for part in scores}
    assert "class-never-called" in found((scores[0], scores[1]), decided=calls)
    few = []
    for part in scores:
        patients = tuple(str(i // 60) for i in range(180))
        few.append(type(part)(part.split, part.y_true, part.y_score, part.classes, False, patients))
    assert "class-never-called" not in found((few[0], few[1]), decided=calls)


@pytest.mark.parametrize(("swap", "part"), [((False, True), "test"), ((True, False), "val"), ((True, True), "train")])
def test_two_swapped_classes_are_named_with_their_part(swap: tuple[bool, bool], part: str) -> None:
    scores = [exchanged(one) if yes else one for one, yes in zip(parts(), swap, strict=True)]
    findings = found((scores[0], scores[1]))
    assert findings["swapped-classes"].title == f"labels of ant and bee may be swapped in {part}"
    assert "ant predicted as bee" in findings["swapped-classes"].evidence
    assert "unranked-class" not in findings


def test_confusions_that_are_as_frequent_as_right_calls_are_no_swap() -> None:
    val, test = parts()
    half = np.where(np.arange(180) % 2 == 0, test.y_true, np.array([1, 0, 2])[test.y_true])
    assert "swapped-classes" not in found((val, test), decided={"val": val.y_true, "test": half})


def test_a_swap_of_one_class_alone_is_no_swap() -> None:
    val, test = parts()
    calls = {"val": val.y_true, "test": np.where(test.y_true == 0, 1, test.y_true)}
    assert "swapped-classes" not in found((val, test), decided=calls)


def test_images_of_one_patient_do_not_make_a_swap() -> None:
    val, test = parts()
    swapped = exchanged(test)
    one = type(test)("test", swapped.y_true, swapped.y_score, test.classes, False, tuple("ab" * 90))
    assert "swapped-classes" in found((val, swapped))
    assert "swapped-classes" not in found((val, one))


def test_a_swap_by_chance_is_rare() -> None:
    """Calls that ignore the classes: at most 5% of runs have a pair that looks swapped."""
    generator, alarms = np.random.default_rng(0), 0
    val, test = parts((40, 40, 40, 40), 0.0)
    for _ in range(200):
        calls = {part.split: generator.integers(0, 4, size=len(part)) for part in (val, test)}
        alarms += "swapped-classes" in found((val, test), decided=calls)
    assert alarms <= 10


def test_a_class_without_ranking_is_named() -> None:
    val, test = parts((100, 100, 100), 3.0)
    scores = test.y_score.copy()
    generator = np.random.default_rng(4)
    scores[:, 2] = generator.uniform(0.1, 0.5, size=len(scores))
    scores[:, :2] *= ((1 - scores[:, 2]) / scores[:, :2].sum(axis=1))[:, None]
    findings = found((val, on_classes(test.y_true, scores)))
    assert findings["unranked-class"].title == "cat is not ranked above other classes"
    assert "100 images of the class" in findings["unranked-class"].evidence


def test_few_images_of_a_class_are_not_taken_for_a_missing_ranking() -> None:
    """The interval of two images includes 0.5 and reaches far above 0.75."""
    assert "unranked-class" not in found(parts((60, 60, 60), 0.6, test_sizes=(60, 60, 3)), HEALTHY)


@pytest.mark.parametrize(("history", "code"), [(OVERFITTED, "overfitting"), (UNLEARNED, "not-learning")])
def test_curves_show_the_faults_of_two_classes(history: Curves, code: str) -> None:
    assert set(found(parts(gain=0.1 if code == "not-learning" else 2.0), history)) >= {code}


def test_lagging_statistics_are_a_gap() -> None:
    checks = TrainingDiagnostics(BatchNormProbe(128, 0.33, 8.1, 0.85, 0.4))
    assert "train-inference-gap" in found(parts(gain=0.1), LAGGING, checks=checks)


def test_reported_losses_are_held_against_the_cross_entropy() -> None:
    assert "impossible-loss" in found(parts(), losses={"test": 0.01})
    assert "penalty-in-loss" in found(parts(), losses={"val": 9.0})


def test_faults_of_the_split_name_the_smallest_classes() -> None:
    counts = {"train": (400, 8, 300, 200)}
    findings = found(parts((60, 60, 60, 60), 3.0), counts=counts)
    assert set(findings) == {"small-training"}
    assert findings["small-training"].evidence.startswith("training has 8 bee, fewer than 20 of a class")
    findings = found(parts((60, 60, 60, 60), 3.0), counts={"train": (19, 8, 12, 15)})
    assert findings["small-training"].evidence.startswith(
        "training has 8 bee, 12 cat, 15 dog and 1 more, fewer than 20"
    )


@pytest.mark.parametrize(("sizes", "shifted"), [((60, 60, 60), False), ((100, 40, 40), True)])
def test_other_class_shares_in_test_are_a_prior_shift(sizes: tuple[int, ...], shifted: bool) -> None:
    findings = found(parts((60, 60, 60), 3.0, test_sizes=sizes))
    assert ("prior-shift" in findings) == shifted
    if shifted:
        assert "ant 0.56 of test and 0.33 of validation" in findings["prior-shift"].evidence


LABELS = np.repeat([0, 1, 2], 40)
SITES = ["A"] * 20 + ["B"] * 20 + ["A"] * 10 + ["B"] * 30 + ["C"] * 40


def test_a_class_of_one_site_is_named() -> None:
    (finding,) = classes_of_one_group(LABELS, {"site": SITES, "sex": ["f", "m"] * 60}, NAMES[:3])
    assert finding.title == "cat occurs only where site is C"
    assert "all 40 images of cat have site C, as have 0 of 80 images of other classes" in finding.evidence


@pytest.mark.parametrize(
    ("sites", "said"),
    [
        (["A", "B"] * 40 + ["C"] * 39 + ["A"], False),
        (["A"] * 120, False),
        (["A", "B"] * 40 + [""] * 40, False),
        (["C"] * 79 + ["A"] + ["C"] * 40, False),
        (["A"] * 60 + ["C"] * 60, True),
    ],
    ids=["one image elsewhere", "one site", "unknown", "nearly all of this site", "shared with others"],
)
def test_only_a_value_that_tells_a_class_apart_is_named(sites: list[str], said: bool) -> None:
    codes = [finding.title for finding in classes_of_one_group(LABELS, {"site": sites}, NAMES[:3])]
    assert any("cat occurs only" in title for title in codes) == said


def test_one_patient_of_a_class_is_not_enough_to_be_of_one_site() -> None:
    patients = [str(i) for i in range(80)] + ["last"] * 40
    assert classes_of_one_group(LABELS, {"site": SITES}, NAMES[:3], patients) == ()
    with pytest.raises(ValueError, match="2 values of site for 120 images"):
        classes_of_one_group(LABELS, {"site": ["A", "B"]}, NAMES[:3])


def test_sites_that_are_independent_of_the_class_are_rarely_named() -> None:
    generator = np.random.default_rng(1)
    labels, alarms = np.repeat([0, 1, 2], [40, 40, 4]), 0
    for _ in range(200):
        alarms += bool(
            classes_of_one_group(labels, {"site": generator.choice(["A", "B"], size=84).tolist()}, NAMES[:3])
        )
    assert alarms <= 10


def test_scores_of_other_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="of the classes"):
        found(parts(), classes=("ant", "bee", "cow"))


def test_titles_fit_in_a_table_and_every_finding_is_described() -> None:
    val, test = parts((40, 40, 40, 40))
    never: dict[str, Labels] = {part.split: np.where(part.y_true == 2, 0, part.y_true) for part in (val, test)}
    partial: dict[str, Labels] = {part.split: part.y_true % 2 for part in (val, test)}
    unranked = on_classes(test.y_true, parts((40, 40, 40, 40), 0.0)[1].y_score)
    everything = [
        *diagnose_multiclass(val, test, OVERFITTED, decided=never, losses={"val": 5.0, "test": 0.01}),
        *diagnose_multiclass(val, test, HEALTHY, decided=partial),
        *diagnose_multiclass(val, exchanged(test), HEALTHY, counts={"train": (4, 4, 4, 4)}),
        *diagnose_multiclass(val, unranked, HEALTHY),
        *diagnose_multiclass(val, test, HEALTHY, decided=called(0, 0, (val, test))),
        *diagnose_multiclass(*parts(gain=0.0), UNLEARNED),
        *diagnose_multiclass(*parts((8, 8, 8), 0.0), STUCK, decided=called(0, 0, parts((8, 8, 8)))),
        *diagnose_multiclass(*parts((60,) * 3, test_sizes=(120, 20, 40)), HEALTHY),
        *diagnose_multiclass(
            val, test, HEALTHY, checks=TrainingDiagnostics(None, {**GREY, "val": Intensity(0.5, 0.1, 9)})
        ),
        *diagnose_multiclass(val, test, HEALTHY, checks=BATCH),
        *classes_of_one_group(LABELS, {"site": SITES}, NAMES[:3]),
    ]
    assert {finding.code for finding in everything} == set(FINDINGS)
    assert "class-of-one-group" in SPLIT_FAULTS
    for finding in everything:
        assert finding.test
        assert len(finding.title) <= 52
        assert "\n" not in finding.title + finding.evidence
