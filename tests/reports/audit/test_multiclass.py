"""The audit of three classes or more finds what figures say about themselves, and nothing that is not so."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk
from statsmodels.stats.proportion import proportion_confint

from reports.audit.audit import Audit, audit
from tests.support.claims import claims_of, class_matrix, derived, figure, of_kind, row, row_of, several

NAMES = ("NORMAL", "bacteria", "virus")


def done(folder: Path, *figures: dict[str, Any], **more: Any) -> Audit:
    """The audit of one row about three classes."""
    return audit(claims_of(folder, several(row("one", *figures), **more)))


def of(name: str, value: float, decimals: int = 3, metric: str = "recall") -> dict[str, Any]:
    return figure(metric, value, decimals=decimals, **{"class": name})


def average(kind: str, value: float, metric: str = "recall", decimals: int = 3) -> dict[str, Any]:
    return figure(metric, value, decimals=decimals, average=kind)


def test_figures_that_fit_their_matrix_have_no_finding(tmp_path: Path) -> None:
    figures = [
        figure("accuracy", 0.833, decimals=3),
        of("virus", 0.676),
        average("macro", 0.814),
        average("weighted", 0.83, decimals=2),
        average("macro", 0.817, "f1"),
        of("NORMAL", 0.917, metric="precision"),
        figure("kappa", 0.743, decimals=3),
        figure("mcc", 0.744, decimals=3),
    ]
    assert done(tmp_path, *figures, matrices=[class_matrix()]).findings == ()


@pytest.mark.parametrize(
    ("figures", "kind", "says"),
    [
        (
            [figure("accuracy", 0.833, decimals=3), average("micro", 0.841, "f1")],
            "averages",
            "Test accuracy 0.833 and test micro F1 0.841 cannot both be true. If every image has one true class and "
            "one predicted class, micro recall, micro precision, micro F1 and weighted recall all equal accuracy.",
        ),
        (
            [average("macro", 0.812), figure("balanced_accuracy", 0.833, decimals=3)],
            "averages",
            "Test balanced accuracy 0.833 and test macro recall 0.812 cannot both be true. Balanced accuracy is the "
            "macro "
            "recall.",
        ),
        (
            [of("virus", 0.683)],
            "off-grid",
            "Test recall of virus 0.683 is not a whole number out of 148 images of virus. The nearest fractions are "
            "101/148 = 0.68243 and 102/148 = 0.68919.",
        ),
        (
            [of("NORMAL", 0.94), of("bacteria", 0.826), of("virus", 0.676), average("macro", 0.833)],
            "averages",
            "Test macro recall 0.833 is not the mean of the recall of the classes. The printed recall of each class "
            "is: "
            "NORMAL 0.940, bacteria 0.826 and virus 0.676. With all figures rounded, their mean lies between 0.8135 "
            "and 0.8145.",
        ),
        (
            [of("NORMAL", 0.94), of("bacteria", 0.826), of("virus", 0.676), figure("accuracy", 0.8141)],
            "averages",
            "Test accuracy 0.8141 is not the mean of the recall of the classes, weighted by the images of each "
            "class. The "
            "printed recall of each class is: NORMAL 0.940, bacteria 0.826 and virus 0.676. With all figures "
            "rounded, "
            "their mean lies between 0.8327 and 0.8337.",
        ),
        (
            [of("NORMAL", 0.94), of("bacteria", 0.826), average("macro", 0.95)],
            "averages",
            "Test macro recall 0.950 is not the mean of the recall of the classes. The printed recall of each class "
            "is: "
            "NORMAL 0.940 and bacteria 0.826. With all figures rounded, their mean lies between 0.5883 and 0.9223, "
            "whatever the other class has.",
        ),
        (
            [figure("accuracy", 0.833, decimals=3), figure("balanced_accuracy", 0.3, decimals=3)],
            "averages",
            "No decisions on 234 + 242 + 148 images average to test accuracy 0.833 and test balanced accuracy 0.300 "
            "together. mlscorecheck finds no counts for the classes, each against the others, all rounded or "
            "all cut.",
        ),
        (
            [figure("accuracy", 0.833, decimals=3), figure("kappa", 0.2, decimals=3)],
            "no-matrix",
            "No confusion matrix of 234 + 242 + 148 images gives test accuracy 0.833 and test kappa 0.200 together. No "
            "whole numbers of right and wrong decisions per class give these figures, all rounded or all cut; if any "
            "one of the figures is left out, some may.",
        ),
        (
            [figure("accuracy", 0.5), figure("log_loss", 0.3, decimals=3)],
            "loss-too-low",
            "Test log loss 0.300 is too low for test accuracy 0.5000. Each wrong answer costs at least ln 2 = 0.693 in "
            "cross-entropy, because the true class has at most the score of the predicted one. With 50.0% errors at "
            "least 0.3465.",
        ),
        (
            [of("virus", 0.676), of("virus", 0.71)],
            "printed-twice",
            "Test recall of virus 0.676 is printed as 0.710 elsewhere. No single value gives both, whether rounded or "
            "truncated.",
        ),
    ],
)
def test_an_inconsistency_is_a_sentence_with_its_numbers(
    tmp_path: Path, figures: list[dict[str, Any]], kind: str, says: str
) -> None:
    (found,) = (each for each in done(tmp_path, *figures).findings if each.severity != "note")
    assert (found.kind, f"{found.statement} {found.derivation}") == (kind, says)
    if found.severity == "impossible" and kind != "loss-too-low":
        assert set(found.rules_out) == {cited.figure for cited in found.rests_on}


def test_a_matrix_with_other_class_sizes_than_its_test_set_is_named(tmp_path: Path) -> None:
    matrix = {**class_matrix(), "matrix": [[221, 10, 4], [12, 200, 30], [8, 40, 99]]}
    (found,) = of_kind(done(tmp_path, figure("accuracy", 0.833, decimals=3), matrices=[matrix]), "matrix-size")
    assert found.statement == (
        "The printed matrix has 235 images of NORMAL instead of 234 and 147 images of virus instead of 148."
    )


def test_a_matrix_that_gives_other_figures_says_what_it_gives(tmp_path: Path) -> None:
    figures = [of("virus", 0.71), average("macro", 0.9, "precision"), figure("mcc", 0.7, decimals=1)]
    (found,) = of_kind(done(tmp_path, *figures, matrices=[class_matrix()]), "matrix-not-of-row")
    assert found.derivation == (
        "It gives recall of virus 0.6757 and macro precision 0.8210; the row prints 0.710 and 0.900."
    )
    assert "matrix of 3 x 3 (520 of 624 right)" in found.statement


def test_the_other_macro_f1_of_the_field_is_recognised(tmp_path: Path) -> None:
    y = np.repeat([0, 0, 0, 1, 1, 1, 2, 2, 2], np.ravel(class_matrix()["matrix"]))
    called = np.repeat([0, 1, 2] * 3, np.ravel(class_matrix()["matrix"]))
    precision, recall = (f(y, called, average="macro") for f in (sk.precision_score, sk.recall_score))
    printed = round(2 * precision * recall / (precision + recall), 4)
    assert printed != round(sk.f1_score(y, called, average="macro"), 4)
    (found,) = of_kind(
        done(tmp_path, average("macro", printed, "f1", 4), matrices=[class_matrix()]), "matrix-not-of-row"
    )
    assert found.derivation.endswith(
        f"The F1 of macro precision and macro recall, {printed:.4f}, is what the row prints as macro F1."
    )


def test_a_matrix_of_another_row_is_recognised(tmp_path: Path) -> None:
    right = row("two", figure("accuracy", 0.833, decimals=3), average("macro", 0.814))
    wrong = row("one", figure("accuracy", 0.9, decimals=1), average("macro", 0.9, decimals=1))
    found = audit(claims_of(tmp_path, several(wrong, right, matrices=[class_matrix("one")])))
    (other,) = of_kind(found, "matrix-of-other-row")
    assert other.statement == "The printed matrix gives the figures of two."


def test_a_row_of_two_classes_is_audited_as_ever_beside_one_of_three(tmp_path: Path) -> None:
    two = {"negatives": 234, "positives": 390, "location": "Section 3"}
    other = row("two", figure("accuracy", 0.8141), figure("precision", 0.7807), figure("recall", 0.9769), test=two)
    found = audit(claims_of(tmp_path, several(row("one", figure("accuracy", 0.833, decimals=3)), other)))
    assert len(row_of(found, "two").matrices or ()) == 1
    assert row_of(found, "one").matrices is None
    assert row_of(found, "one").reason == "matrices of 3 classes are not listed"


def test_figures_of_a_test_set_have_intervals(tmp_path: Path) -> None:
    figures = [
        figure("accuracy", 0.8333),
        of("virus", 0.6757, 4),
        of("virus", 0.9, metric="auc"),
        average("macro", 0.8),
    ]
    found = done(tmp_path, *figures)
    for key, right, images in (("accuracy", 520, 624), ("recall:class:virus", 100, 148)):
        one = derived(found, "one", key)
        assert one.interval == pytest.approx(proportion_confint(right, images, method="wilson"))
        assert one.method == "Wilson"
    assert derived(found, "one", "auc:class:virus").method == "Hanley-McNeil"
    assert [each.metric for each in row_of(found, "one").derived] == [
        "accuracy",
        "recall:class:virus",
        "auc:class:virus",
    ]


def test_a_matrix_gives_figures_that_were_not_printed(tmp_path: Path) -> None:
    found = done(tmp_path, figure("accuracy", 0.833, decimals=3), matrices=[class_matrix()])
    assert derived(found, "one", "precision:class:NORMAL").low == pytest.approx(220 / 240)
    assert derived(found, "one", "balanced_accuracy").interval is not None
    assert derived(found, "one", "recall:class:virus").interval == pytest.approx(
        proportion_confint(100, 148, method="wilson")
    )


def test_validation_figures_have_no_class_sizes_but_averages(tmp_path: Path) -> None:
    figures = [figure("accuracy", 0.8334, "val", 4), figure("f1", 0.9, "val", 2, average="micro")]
    (found,) = (each for each in done(tmp_path, *figures).findings if each.severity != "note")
    assert found.kind == "averages"


def test_an_interpretation_of_several_classes_is_audited(tmp_path: Path) -> None:
    meaning = {"row": "one", "meaning": "micro", "figures": [average("micro", 0.904, "f1")]}
    found = done(tmp_path, figure("accuracy", 0.833, decimals=3), interpretations=[meaning])
    (one,) = of_kind(found, "averages")
    assert one.reading == "micro"


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), decimals=st.integers(1, 4), skill=st.sampled_from([0.0, 1.0, 4.0]))
def test_figures_of_scores_that_exist_are_never_called_impossible(seed: int, decimals: int, skill: float) -> None:
    random = np.random.default_rng(seed)
    sizes = random.integers(2, 80, size=3)
    y = np.repeat([0, 1, 2], sizes)
    logits = random.normal(size=(len(y), 3)) + skill * np.eye(3)[y]
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    called = scores.argmax(axis=1)
    keywords: dict[str, Any] = {"labels": [0, 1, 2], "zero_division": 0}
    figures = [
        figure("accuracy", round(sk.accuracy_score(y, called), decimals), decimals=decimals),
        figure("log_loss", round(sk.log_loss(y, scores), decimals), decimals=decimals),
        figure("kappa", round(sk.cohen_kappa_score(y, called, labels=[0, 1, 2]), decimals), decimals=decimals),
        average("macro", round(sk.f1_score(y, called, average="macro", **keywords), decimals), "f1", decimals),
        average(
            "weighted",
            round(sk.precision_score(y, called, average="weighted", **keywords), decimals),
            "precision",
            decimals,
        ),
        average("macro", round(sk.recall_score(y, called, average="macro", **keywords), decimals), "recall", decimals),
    ]
    f1 = sk.f1_score(y, called, average=None, **keywords)
    figures += [of(name, round(value, decimals), decimals, "f1") for name, value in zip(NAMES, f1, strict=True)]
    counts = sk.confusion_matrix(y, called, labels=[0, 1, 2]).tolist()
    matrix = {**class_matrix(), "matrix": counts}
    test = {**dict(zip(NAMES, map(int, sizes), strict=True)), "location": "Section 2"}
    data = several(row("one", *figures, test=test), matrices=[matrix])
    with tempfile.TemporaryDirectory() as folder:
        found = audit(claims_of(Path(folder), data))
    assert [each for each in found.findings if each.severity != "note"] == []


def test_further_test_sets_of_two_classes_are_not_tried_for_three(tmp_path: Path) -> None:
    data = several(row("one", figure("accuracy", 0.8)))
    data["source"]["other_tests"] = [{"negatives": 234, "positives": 390, "location": "the public set"}]
    found = [each for each in audit(claims_of(tmp_path, data)).findings if each.kind == "test-size"]
    assert [(each.severity, each.row) for each in found] == [("note", "one")]
    assert found[0].statement == (
        "Which of the declared test sets the row fits cannot be judged: `other_tests` is for two classes only."
    )
    assert [each.where for each in found[0].rests_on] == ["the public set"]
