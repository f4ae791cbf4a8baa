"""A sentence is contradicted only where no rounding of the printed figures allows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from benchmark.evidence.intervals.formulas import hanley_mcneil
from reports.audit.audit import audit
from reports.audit.figures import AuditFinding
from tests.support.claims import audit_of, claims_of, contents, figure, of_kind, row, row_of
from zoo.config.errors import ConfigError


def statement(**form: Any) -> dict[str, Any]:
    return {"id": "useful", "location": "Abstract", "text": "It is useful.", "assertion": form}


def at_least(value: float, **more: Any) -> dict[str, Any]:
    return statement(at_least={"card": "one", "metric": "auc", "value": value, **more})


@pytest.mark.parametrize(
    ("said", "contradicted"),
    [
        (at_least(0.9), True),
        (at_least(0.85), False),
        (at_least(0.8549), False),  # 0.85 may be 0.8549
        (at_least(0.856), True),
        (at_least(0.9, split="val"), False),
        (statement(at_most={"card": "one", "metric": "auc", "value": 0.8}), True),
        (statement(at_most={"card": "one", "metric": "auc", "value": 0.845}), False),
        (statement(at_least={"card": "one", "metric": "recall", "value": 0.9}), False),  # is not printed
        (statement(superior={"a": "one", "b": "two", "metric": "auc"}), True),
        (statement(superior={"a": "two", "b": "one", "metric": "auc"}), False),
        (statement(superior={"a": "one", "b": "three", "metric": "auc"}), False),  # equal as printed
        (statement(superior={"a": "two", "b": "one", "metric": "log_loss"}), True),  # lower is better
        (statement(not_superior={"a": "one", "b": "two", "metric": "auc"}), False),
        (statement(any=[{"at_least": {"card": "one", "metric": "auc", "value": 0.9}}] * 2), False),
        (statement(all=[{"at_least": {"card": "one", "metric": "auc", "value": v}} for v in (0.7, 0.9)]), True),
    ],
)
def test_a_sentence_is_compared_with_the_printed_figures(
    tmp_path: Path, said: dict[str, Any], contradicted: bool
) -> None:
    rows = [
        row("one", figure("auc", 0.85, decimals=2), figure("log_loss", 0.4, decimals=2)),
        row("two", figure("auc", 0.9, decimals=2), figure("log_loss", 0.5, decimals=2)),
        row("three", figure("auc", 0.85, decimals=2)),
    ]
    done = audit_of(tmp_path, *rows, statements=[said])
    findings = of_kind(done, "sentence")
    assert [finding.severity for finding in findings] == ["contradiction"] * contradicted
    assert row_of(done, "one").outcome != "contradictory"
    if said == at_least(0.9):
        assert findings[0].statement == (
            "The sentence useful (Abstract) contradicts the printed figures: AUC of one at least 0.9; printed: 0.85 "
            "(Table of auc)."
        )


ROWS = {
    "resnet": {"accuracy": 0.9279, "precision": 0.9280, "recall": 0.9590, "specificity": 0.8761, "auc": 0.971},
    "densenet": {"accuracy": 0.9071, "precision": 0.8934, "recall": 0.9667, "specificity": 0.8077, "auc": 0.965},
    "vgg": {"macro_precision": 0.8830, "macro_recall": 0.8761, "accuracy": 0.8878, "auc": 0.951},
}
"""Rows of 234 + 390 images; brute force finds 374/29/205/16, 377/45/189/13 and 360/40/194/30."""


def sentences(folder: Path, *forms: dict[str, Any], **more: Any) -> list[AuditFinding]:
    rows = [
        row(name, *(figure(metric, value, decimals=3 if metric == "auc" else 4) for metric, value in figures.items()))
        for name, figures in ROWS.items()
    ]
    said = [{"id": f"s{i}", "location": "Text", "text": "So it is.", "assertion": form} for i, form in enumerate(forms)]
    done = audit_of(folder, *rows, negatives=234, positives=390, statements=said, **more)
    return [each for each in done.findings if each.kind in ("sentence", "sentence-support", "unknown-name")]


def recall_of(card: str, value: float, form: str = "at_least", **more: Any) -> dict[str, Any]:
    return {form: {"card": card, "metric": "recall", "value": value, **more}}


def better(a: str, b: str, metric: str, **more: Any) -> dict[str, Any]:
    return {"superior": {"a": a, "b": b, "metric": metric, **more}}


def test_a_bound_is_compared_with_the_figure_that_every_possible_matrix_gives(tmp_path: Path) -> None:
    (found,) = sentences(tmp_path, recall_of("vgg", 0.95))
    assert (found.kind, found.severity, found.row) == ("sentence", "contradiction", "vgg")
    assert "the only possible confusion matrix (TP 360, FP 40, TN 194, FN 30) gives 0.9231" in found.statement


def test_a_matrix_says_nothing_about_an_auc(tmp_path: Path) -> None:
    (found,) = sentences(tmp_path, better("densenet", "resnet", "auc"))
    assert found.kind == "sentence"
    assert "matrix" not in found.statement


def test_a_rounded_figure_is_no_excuse_if_no_matrix_reaches_the_bound(tmp_path: Path) -> None:
    """0.8 may be 0.84, but of 9 positives only 7 print so."""
    figures = [figure("recall", 0.8, decimals=1), figure("accuracy", 0.8889)]
    said = statement(at_least={"card": "one", "metric": "recall", "value": 0.8})
    done = audit_of(tmp_path, row("one", *figures), negatives=9, positives=9, statements=[said])
    (found,) = of_kind(done, "sentence")
    assert [k for k in range(10) if round(k / 9, 1) == 0.8] == [7]
    assert "printed: 0.8 (Table of recall); the only possible" in found.statement
    assert found.statement.endswith("gives 0.7778.")


def test_an_interval_that_includes_the_bound_does_not_show_it(tmp_path: Path) -> None:
    (found,) = sentences(tmp_path, recall_of("resnet", 0.95))
    low, high = proportion_confint(374, 390, method="wilson")
    assert (found.kind, found.severity) == ("sentence-support", "note")
    assert f"recall of resnet is 0.9590, and its 95% interval [{low:.3f}, {high:.3f}] includes 0.95" in found.statement
    assert found.derivation == "It is 374 of 390 images. A lower end of 0.95 takes 379 of 390."
    assert proportion_confint(379, 390, method="wilson")[0] >= 0.95 > proportion_confint(378, 390, method="wilson")[0]


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (recall_of("resnet", 0.9), "The printed figures support the sentence s0 (Text): recall of resnet is 0.9590"),
        (recall_of("resnet", 0.99, form="at_most"), "its 95% interval [0.934, 0.975] is not above 0.99"),
        (recall_of("resnet", 0.97, form="at_most"), "but do not show it"),
        (
            recall_of("resnet", 0.9, at="chosen"),
            "no recall with `at: chosen` of resnet is printed or follows",
        ),
        (recall_of("resnet", 0.95, at="half"), "includes 0.95"),
        ({"at_least": {"card": "resnet", "metric": "auc", "value": 0.965}}, "interval [0.959, 0.983] includes 0.965"),
        ({"at_least": {"card": "resnet", "metric": "mcc", "value": 0.8}}, "No interval is printed, and none follows"),
        (better("densenet", "resnet", "recall", significant=True), "no pairing of the decisions gives McNemar's test"),
        ({"at_least": {"card": "vgg", "metric": "recall", "average": "macro", "value": 0.8}}, "support the sentence"),
        (
            {"at_least": {"card": "vgg", "metric": "recall", "average": "macro", "value": 0.9}},
            "Macro recall of vgg at least 0.9; printed: 0.8761 (Table of macro_recall)",
        ),
        ({"at_least": {"card": "resnet", "metric": "log_loss", "value": 0.9}}, "no log loss of resnet is printed"),
        ({"equivalent": {"a": "resnet", "b": "vgg", "metric": "auc", "within": 0.05}}, "lies within ±0.05"),
        ({"equivalent": {"a": "resnet", "b": "vgg", "metric": "auc", "within": 0.01}}, "contradicts the printed"),
        ({"not_superior": {"a": "resnet", "b": "vgg", "metric": "auc", "margin": 0.1}}, "is not above 0.1"),
        (better("resnet", "vgg", "recall", margin=0.05), "contradicts the printed figures"),
        (recall_of("resnett", 0.9), "names resnett, which is no row and no card: did you mean the row resnet"),
    ],
)
def test_every_sentence_about_figures_has_one_line(tmp_path: Path, form: dict[str, Any], text: str) -> None:
    (found,) = sentences(tmp_path, form)
    assert text in found.statement


def test_a_gain_has_newcombes_interval_and_the_best_case_of_mcnemars_test(tmp_path: Path) -> None:
    """579 and 566 of 624 images are right: 13 more."""
    (found,) = sentences(tmp_path, better("resnet", "densenet", "accuracy"))
    low, high = confint_proportions_2indep(579, 624, 566, 624, compare="diff", method="newcomb")
    assert f"[{low:.3f}, {high:.3f}], includes 0" in found.statement
    # 16 negatives more and 3 positives fewer are right, so at least 19 images are right for one model only.
    least = mcnemar(np.array([[0, 16], [3, 0]]), exact=True).pvalue
    assert "Their counts differ by 13, and their matrices by at least 19 images" in found.derivation
    assert f"McNemar's exact p value is {least:.2g} or more" in found.derivation


def test_a_gain_of_aucs_has_the_interval_of_hanley_and_mcneil(tmp_path: Path) -> None:
    (found,) = sentences(tmp_path, better("resnet", "densenet", "auc", significant=True))
    errors = [hanley_mcneil(auc, 390, 234) for auc in (0.971, 0.965)]
    half = norm.ppf(0.975) * np.hypot(*errors)
    assert f"[{0.006 - half:.3f}, {0.006 + half:.3f}], includes 0" in found.statement
    assert "No p value is stated, so `significantly` cannot be checked" in found.derivation
    assert "DeLong's test" in found.derivation
    assert "a p value below 0.05 takes a correlation of the two AUCs of 0.90 or more" in found.derivation


def test_a_p_value_that_no_pairing_gives_is_named(tmp_path: Path) -> None:
    forms = [better("resnet", "densenet", "accuracy", significant=True, p_value=p) for p in (0.001, 0.003, 0.2)]
    done = sentences(tmp_path, *forms)
    texts = [f"{each.statement} {each.derivation}" for each in done]
    (refuted,) = (each for each in done if "The stated p value of 0.001 cannot be McNemar's" in each.statement)
    assert (refuted.kind, refuted.severity) == ("sentence", "contradiction")
    assert refuted.statement.startswith("The sentence s0 (Text) contradicts the printed figures")
    assert sum("its p value of 0.2 is not below 0.05" in text for text in texts) == 1
    assert not any("p value of 0.003 cannot" in text for text in texts)


def test_the_figure_of_the_other_class_is_called_what_it_is_printed_as(tmp_path: Path) -> None:
    test = {"negatives": 100, "positives": 60, "classes": ["normal", "ill"], "location": "Section 2"}
    said = statement(at_least={"card": "one", "metric": "recall", "value": 0.9})
    printed = row("one", figure("recall", 0.92), figure("specificity", 0.8333), positive="normal")
    data = contents(printed, statements=[said]) | {"source": {"report": "A study", "test": test}}
    (found,) = of_kind(audit(claims_of(tmp_path, data)), "sentence")
    assert "printed: 0.8333 (Table of specificity, as specificity: the row takes normal as the positive class)" in (
        found.statement
    )


def test_significance_belongs_to_a_superiority(tmp_path: Path) -> None:
    form = {"not_superior": {"a": "resnet", "b": "vgg", "metric": "auc", "significant": True}}
    with pytest.raises(ConfigError, match="`significant` and `p_value` are of `superior`"):
        sentences(tmp_path, form)


MISPRINTED = {"accuracy": 0.8141, "precision": 0.8807, "recall": 0.9769, "specificity": 0.5427, "f1": 0.8679}
"""Of 234 + 390 images; without the precision, brute force finds TP 381, FP 107, TN 127, FN 9 alone."""


def of_misprinted(folder: Path, metric: str, value: float, **more: float) -> AuditFinding:
    figures = [figure(name, each) for name, each in (MISPRINTED | more).items()]
    said = statement(at_least={"card": "one", "metric": metric, "value": value})
    done = audit_of(folder, row("one", *figures), negatives=234, positives=390, statements=[said])
    (finding,) = (each for each in done.findings if each.kind in ("sentence", "sentence-support"))
    return finding


def test_the_figures_beside_the_only_misprint_are_evidence(tmp_path: Path) -> None:
    finding = of_misprinted(tmp_path, "recall", 0.95)
    low, high = proportion_confint(381, 390, method="wilson")
    assert low > 0.95
    assert finding.statement == (
        "The printed figures support the sentence useful (Abstract), if test precision 0.8807 is the misprint: recall "
        f"of one is 0.9769, and its 95% interval [{low:.3f}, {high:.3f}] is not below 0.95."
    )
    assert finding.derivation.startswith("It is 381 of 390 images.")


def test_the_only_misprint_is_no_evidence_for_itself(tmp_path: Path) -> None:
    finding = of_misprinted(tmp_path, "precision", 0.85)
    assert (finding.kind, finding.severity) == ("sentence", "ambiguous")
    assert f"gives {381 / 488:.4f}" in finding.statement
    assert "This holds if test precision 0.8807 is the misprint." in finding.derivation


def test_a_recall_has_its_own_count_whatever_else_is_wrong(tmp_path: Path) -> None:
    finding = of_misprinted(tmp_path, "recall", 0.95, f1=0.7, specificity=0.9)
    assert [k for k in range(391) if round(k / 390, 4) == 0.9769] == [381]
    assert (
        "support the sentence useful (Abstract), if this figure is right: recall of one is 0.9769" in finding.statement
    )


def test_the_only_matrix_gives_intervals_of_f1_and_of_balanced_accuracy(tmp_path: Path) -> None:
    forms = [
        {"at_least": {"card": "densenet", "metric": "f1", "value": 0.9}},
        {"at_least": {"card": "vgg", "metric": "balanced_accuracy", "value": 0.84}},
    ]
    first, second = sentences(tmp_path, *forms)
    low, high = (2 * end / (1 + end) for end in proportion_confint(377, 377 + 45 + 13, method="wilson"))
    assert "support the sentence s0 (Text): F1 of densenet is 0.9286" in first.statement
    assert f"[{low:.3f}, {high:.3f}]" in first.statement
    # Half the difference of recall and of the share of false positives, by Newcombe's method 10.
    low, high = confint_proportions_2indep(360, 390, 40, 234, compare="diff", method="newcomb")
    assert "support the sentence s1 (Text)" in second.statement
    assert f"[{(1 + low) / 2:.3f}, {(1 + high) / 2:.3f}]" in second.statement


def test_rounding_of_two_aucs_can_decide_whether_a_gain_is_shown(tmp_path: Path) -> None:
    (finding,) = sentences(tmp_path, better("resnet", "vgg", "auc"))

    def lower_end(one: float, other: float) -> float:
        return float(one - other - norm.ppf(0.975) * np.hypot(*(hanley_mcneil(auc, 390, 234) for auc in (one, other))))

    assert lower_end(0.9705, 0.9515) < lower_end(0.971, 0.951) < 0 < lower_end(0.9715, 0.9505)
    assert f"[{lower_end(0.971, 0.951):.4f}, " in finding.statement
    assert "includes 0 or not, depending on how the printed AUC was rounded" in finding.statement
    assert "but do not show it" in finding.statement


@pytest.mark.parametrize(
    ("recalls", "text"),
    [
        ((0.95, 0.9), "s0 (Text) is not shown as a whole: part 1 is not shown; part 2 is shown."),
        ((0.99, 0.9), "s0 (Text) is contradicted as a whole: part 1 is contradicted; part 2 is shown."),
        ((0.9, 0.91), "support the sentence s0 (Text) as a whole: each of its 2 parts is shown."),
    ],
)
def test_a_sentence_with_several_parts_has_one_conclusion(
    tmp_path: Path, recalls: tuple[float, float], text: str
) -> None:
    done = sentences(tmp_path, {"all": [recall_of("resnet", recalls[0]), recall_of("densenet", recalls[1])]})
    assert sum(text in each.statement for each in done) == 1
    assert len(done) == 3


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (recall_of("resnet", 95), "a bound of recall is a share between 0 and 1, not 95; is it given in percent"),
        (better("resnet", "vgg", "auc", margin=2), "margin: a bound of auc .* Then it is margin: 0.02"),
        ({"equivalent": {"a": "vgg", "b": "resnet", "metric": "auc", "within": 5}}, "within: 0.05"),
        (better("vgg", "vgg", "auc"), "`a` and `b` are both vgg; a comparison is of two models"),
        (
            {"at_least": {"card": "vgg", "metric": "macro_recall", "value": 0.9}},
            "unknown metric 'macro_recall'. Write `metric: recall` and `average: macro`.",
        ),
    ],
)
def test_a_sentence_that_cannot_be_meant_is_refused(tmp_path: Path, form: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        sentences(tmp_path, form)
