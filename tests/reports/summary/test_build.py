"""The summary of made stores: the best card, its comparisons, baselines, problems and next commands."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, precision_score, recall_score, roc_auc_score
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import NormalIndPower

from benchmark.data.dataset import PatientFacts
from benchmark.evidence.diagnosis.training_record import TrainingDiagnostics
from benchmark.evidence.scores import TestScores
from benchmark.runs.protocol import load_protocol
from benchmark.runs.storage.beside.remembered import remember_bench
from benchmark.runs.storage.store import Store
from reports.findings import findings
from reports.render.html.page import render as render_html
from reports.render.markdown.document import render as render_markdown
from reports.render.terminal.summary import summary_view
from reports.report import build_report, summary_of
from reports.results.comparison.pairs import compare_pair
from reports.results.conditions.split_faults import BY_DESIGN, fault_text
from reports.results.measured import collect_results
from reports.summary.build import summarise
from reports.summary.comparisons import is_constant
from reports.summary.heading import heading
from reports.summary.model import Problem, Summary
from reports.summary.text import parts
from reports.text import estimate
from tests.support.multiclass_stores import COLLAPSED, DIGITS, WORSE, three_classes_in
from tests.support.records import KAGGLE, cards, make_card, make_run, on_test, on_val, planted
from tests.support.stored import keep
from tests.support.terminal import flat, shown
from zoo.models.catalog import load_cards
from zoo.models.recipe import ProbeRecipe

BEST, NEXT, POOR, SAME, FAILED = "attempt-7", "attempt-6b", "attempt-5", "attempt-1-batchnorm", "attempt-2"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A best card, one that is about as good, a poor one, one with the same score for every image, a failed one."""
    made = Store(tmp_path_factory.mktemp("made") / "runs")
    for name, shift, seed in ((BEST, 2.3, 2), (NEXT, 1.9, 3), (POOR, 0.4, 4)):
        keep(made, name, on_test(*planted(100, 100, shift, seed)))
    keep(made, SAME, on_test([0] * 100 + [1] * 100, [0.6] * 200))
    made.save(make_run(FAILED, error="ResourceExhausted: no memory", dataset=KAGGLE))
    return made


@pytest.fixture(scope="module")
def summary(store: Store) -> Summary:
    return summary_of(store.runs()[0], store)


def sentences(summary: Summary) -> str:
    return " ".join(sentence for part in parts(summary) for sentence in part.sentences)


def test_the_heading_names_data_protocol_and_test(summary: Summary) -> None:
    assert summary.heading.data == "800 images of chest_xray: NORMAL and PNEUMONIA"
    assert summary.heading.protocol == "protocol quick: Small images, small budget"
    assert summary.heading.tested == "200 test images: 100 NORMAL and 100 PNEUMONIA"


def test_the_best_card_has_its_figures_at_its_own_threshold_and_at_half(store: Store, summary: Summary) -> None:
    best = summary.best
    assert best is not None
    results = collect_results(store.runs()[0], store)[BEST]
    y_true, y_score = results.test[0].y_true, results.test[0].y_score
    (cut,) = results.thresholds
    assert cut is not None
    assert (best.card.name, best.card.title, best.of) == (BEST, cards()[BEST].title, 4)
    assert best.figure.value == pytest.approx(roc_auc_score(y_true, y_score))
    assert best.beside is not None
    for at, threshold in ((best.leading, cut), (best.beside, 0.5)):
        called = y_score >= threshold
        assert {key: figure.value for key, figure in at.figures.items()} == pytest.approx(
            {
                "recall": recall_score(y_true, called),
                "specificity": recall_score(y_true, called, pos_label=0),
                "accuracy": accuracy_score(y_true, called),
                "precision": precision_score(y_true, called),
            }
        )
        assert all(figure.bounds is not None for figure in at.figures.values())
    assert best.leading.is_chosen
    assert best.leading.label == "at the threshold chosen on validation: the largest recall + specificity − 1"
    assert best.leading.explanation == f"{cut:.3f}"
    assert best.beside.label == "at threshold 0.5"


def test_comparisons_with_the_best_are_one_family(store: Store, summary: Summary) -> None:
    """Holm's adjustment over these comparisons alone is that of statsmodels."""
    compared = summary.comparisons
    assert compared is not None
    measured = collect_results(store.runs()[0], store)
    pairs = {name: compare_pair(measured[BEST], measured[name], ("auc",))[0] for name in (NEXT, POOR, SAME)}
    assert [each.card.name for each in compared.similar] == [NEXT]
    assert [each.card.name for each in compared.worse] == [POOR, SAME]
    adjusted = multipletests([pair.difference.p_value for pair in pairs.values()], method="holm")[1]
    got = {each.card.name: each.p_adjusted for each in (*compared.worse, *compared.similar)}
    assert got == pytest.approx(dict(zip(pairs, adjusted, strict=True)))
    assert compared.worse[0].behind == pairs[POOR].difference
    text = sentences(summary)
    assert f"Clearly worse: {cards()[POOR].title} (AUC lower by " in text
    (similar,) = compared.similar
    assert (
        f"Cannot be distinguished from the best card with these images: {cards()[NEXT].title} "
        f"(AUC lower by {estimate(similar.behind)})." in text
    )
    assert "The best of 4 cards is chosen on these test images, which favours it" in text


def test_an_interval_above_0_of_a_similar_card_is_explained(summary: Summary) -> None:
    assert summary.comparisons is not None
    (similar,) = summary.comparisons.similar
    sentence = "An interval above 0 does not decide alone: all 3 comparisons with the best card are counted together"
    for low, shows in ((-0.001, False), (0.001, True)):
        each = replace(similar, behind=replace(similar.behind, low=low), p_adjusted=0.0694)
        text = sentences(replace(summary, comparisons=replace(summary.comparisons, similar=(each,))))
        assert (sentence in text) == shows
        assert (f"(AUC lower by {estimate(each.behind)}, p 0.069 after 3 comparisons)." in text) == shows
    each = replace(each, p_adjusted=0.0502)
    text = sentences(replace(summary, comparisons=replace(summary.comparisons, similar=(each,))))
    assert "p just above 0.05 after 3 comparisons" in text


def test_the_images_needed_are_those_of_statsmodels(summary: Summary) -> None:
    resolution = summary.resolution
    assert resolution is not None
    lead = resolution.lead
    assert lead is not None
    assert lead.low is not None
    assert lead.high is not None
    assert lead.value is not None
    assert resolution.runner_up is not None
    assert resolution.runner_up.name == NEXT
    spread = (lead.high - lead.low) / (2 * 1.959964) * math.sqrt(resolution.images)
    power = NormalIndPower(ddof=0)
    needed = power.solve_power(effect_size=lead.value / spread, alpha=0.05, power=0.8, ratio=0)
    assert resolution.images_needed == pytest.approx(needed, rel=0.001)
    smallest = power.solve_power(nobs1=resolution.images, alpha=0.05, power=0.8, ratio=0)
    assert resolution.detectable == pytest.approx(smallest * spread, rel=0.001)
    assert f"About {resolution.images_needed:,} test images could distinguish the best card from the next" in sentences(
        summary
    )


def test_half_widths_are_those_of_the_best_card(summary: Summary) -> None:
    best, resolution = summary.best, summary.resolution
    assert best is not None
    assert resolution is not None
    low, high = best.leading.figures["recall"].bounds or (0.0, 0.0)
    assert resolution.half_widths["recall"] == pytest.approx((high - low) / 2)


def test_a_constant_answer_is_beaten_where_the_interval_lies_above_half(summary: Summary) -> None:
    (constant,) = summary.baselines
    assert constant.kind == "constant"
    assert constant.card is None
    assert {card.name for card in constant.beaten_by} >= {BEST, NEXT}
    assert SAME in {card.name for card in constant.not_beaten_by}
    text = sentences(summary)
    assert f"Not clearly better than a constant answer, whose AUC is 0.5: {cards()[SAME].title}." in text
    better = "; ".join(card.title for card in constant.beaten_by)
    assert f"Clearly better than a constant answer, whose AUC is 0.5: {better}." in text


def test_problems_are_named_once_and_the_worst_come_first(store: Store) -> None:
    unknown = KAGGLE.model_copy(update={"patients": PatientFacts("unknown", 0, 800)})
    own = Store(store.root.parent / "problems")
    related = TrainingDiagnostics(related={"identical": ("test/3",), "repeated": ("test/4", "test/5")})
    keep(own, BEST, on_test(*planted(20, 100)), on_val([0, 1] * 30, [0.4] * 60), dataset=unknown, checks=related)
    own.save(make_run(FAILED, error="ResourceExhausted: no memory", dataset=unknown))
    opening = summary_of(own.runs()[0], own)
    codes = [problem.code for problem in opening.problems]
    assert codes[:4] == ["failed-runs", "leakage", "leakage", "patients-unknown"]
    assert codes.index("few-images") < codes.index("nothing-chosen")
    assert len(codes) == len({problem.text for problem in opening.problems})
    text = sentences(opening)
    assert "1 test image has an identical image in train or val" in text
    assert "20 of NORMAL" in text
    assert opening.best is not None
    assert opening.best.leading.figures == {}
    assert opening.best.leading.reason is not None
    assert opening.best.beside is not None
    assert opening.best.beside.label == "at threshold 0.5"
    assert opening.problems[0].text == (
        "1 of 2 cards did not finish: Scratch CNN, 64-128-256, max pooling; 1 of 2 runs failed: ResourceExhausted: no "
        "memory."
    )
    assert ", the only one of 2 cards that finished: AUC " in text


def test_a_single_card_is_compared_with_none(store: Store) -> None:
    opening = summary_of([run for run in store.runs()[0] if run.spec.card.name == BEST], store)
    assert opening.comparisons is None
    assert opening.resolution is not None
    assert opening.resolution.runner_up is None
    assert opening.resolution.images_needed is None
    assert opening.best is not None
    assert opening.best.of == 1
    assert [part.name for part in parts(opening)] == [
        "best",
        "threshold",
        "baselines",
        "resolution",
        "problems",
        "next",
    ]
    step = opening.next_steps[0]
    assert (step.purpose, step.command) == (
        "compare with the 3 other cards in the store",
        f"zoo report --store {store.root}",
    )


def test_a_single_card_in_its_store_is_compared_by_running_the_others(tmp_path: Path) -> None:
    alone = Store(tmp_path / "runs")
    keep(alone, BEST)
    assert summary_of(alone.runs()[0], alone).next_steps[0].command.startswith("zoo bench --all --data kaggle:")


def test_failed_runs_alone_have_no_best_card(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    store.save(make_run(FAILED, error="ResourceExhausted: no memory", dataset=KAGGLE))
    opening = summary_of(store.runs()[0], store)
    assert opening.best is None
    assert opening.resolution is None
    assert opening.baselines == ()
    assert "No card can be assessed: the run failed." in sentences(opening)
    again, why = opening.next_steps
    assert again.command.startswith(f"zoo bench {FAILED} --data kaggle:")
    assert why.command == f"zoo show {store.runs()[0][0].run_id} --store {store.root}"


MEMORY = "ended at {} GiB of memory: {} of 23.5 GiB were left (other programs use the memory) during {}"


def test_failures_come_first_each_cause_once_and_the_command_is_repeated(store: Store, tmp_path: Path) -> None:
    own = Store(tmp_path / "runs")
    keep(own, BEST, seed=0)
    keep(own, NEXT, on_test(*planted(100, 100, 1.5, 3)), seed=0)
    for seed, left in enumerate((0.5, 0.4)):
        own.save(make_run(FAILED, seed=seed, error=MEMORY.format(0.7, left, "its start"), dataset=KAGGLE))
    own.save(make_run(POOR, error=MEMORY.format(1.2, 0.1, "building and training"), dataset=KAGGLE))
    runs = own.runs()[0]
    remember_bench(
        own,
        [*(run.run_id for run in runs), "0" * 12],
        KAGGLE,
        cards={**{run.run_id: run.spec.card.name for run in runs}, "0" * 12: SAME},
        selection=["--collection", "starter"],
    )
    opening = summary_of(runs, own)
    assert " the best of the 2 of 5 cards that finished: AUC " in sentences(opening)
    failed, absent = opening.problems[:2]
    titles = f"{cards()[FAILED].title} and {cards()[POOR].title}"
    assert failed.text == (
        f"2 of 5 cards did not finish: {titles}; 3 of 6 runs failed, for one reason: "
        f"{MEMORY.format(0.7, 0.5, 'its start')}."
    )
    assert absent.text == f"A bench also asked for {SAME}, which has not finished."
    assert opening.next_steps[0].purpose == "repeat the command, which reuses the runs that finished"
    assert opening.next_steps[0].command.startswith("zoo bench --collection starter --data kaggle:")
    with own.claim("0" * 12):
        running = summary_of(runs, own)
    assert running.problems[1].text == f"The bench is still running: {SAME} is not finished yet."
    assert running.next_steps[0].command == f"zoo report --store {own.root}"


def test_a_bench_that_trains_a_finished_card_again_does_not_complete_the_others(tmp_path: Path) -> None:
    own = Store(tmp_path / "runs")
    best = keep(own, BEST)
    asked_for = {best.run_id: BEST, "0" * 12: SAME}
    remember_bench(own, list(asked_for), KAGGLE, cards=asked_for, selection=["--all"])
    remember_bench(own, [best.run_id], KAGGLE, cards={best.run_id: BEST}, selection=[BEST])
    with own.claim(best.run_id):
        opening = summary_of([best], own)
    assert opening.problems[0].text == f"A bench also asked for {SAME}, which has not finished."
    assert opening.next_steps[0].purpose == "repeat the command, which reuses the runs that finished"
    assert opening.next_steps[0].command.startswith("zoo bench --all --data kaggle:")


def test_a_stored_model_is_used_and_not_stored_again(tmp_path: Path) -> None:
    own = Store(tmp_path / "runs")
    run = keep(own, BEST)
    own.model_file(run).write_bytes(b"a model")
    commands = [step.command for step in summary_of(own.runs()[0], own).next_steps]
    assert f"zoo predict {BEST} FILES --store {own.root}" in commands
    assert not any("--keep-models" in command for command in commands)
    assert f"zoo report --threshold-rule sensitivity=0.95 --store {own.root}" in commands
    keep(own, BEST, protocol=load_protocol("full"))
    latest = [each for each in own.runs()[0] if each.run_id == run.run_id]
    commands = [step.command for step in summary_of(latest, own).next_steps]
    assert f"zoo predict {BEST} FILES --data {KAGGLE.source} --protocol quick --store {own.root}" in commands
    assert f"zoo report --threshold-rule sensitivity=0.95 --protocol quick --store {own.root}" in commands


def test_a_terminal_leaves_no_problem_of_a_guarantee_out(summary: Summary) -> None:
    others = tuple(Problem(f"other-{place}", f"Problem {place}.") for place in range(4))
    guarantee = Problem("guarantee-of-several", "The guarantee is about each card alone.")
    lines = flat(shown(summary_view(replace(summary, problems=(*others, guarantee)))))
    assert "Problem 0. Problem 1. The guarantee is about each card alone. 2 more problems: see the report" in lines
    assert "Problem 2." not in lines


def test_test_images_of_one_class_give_no_best_card(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    keep(store, BEST, on_test([1] * 10, [0.9] * 10))
    opening = summary_of(store.runs()[0], store)
    assert opening.best is None
    assert opening.reason == "no card has an AUC: the test images are of one class"


def test_cards_on_other_test_images_are_left_out_with_the_reason(store: Store) -> None:
    own = Store(store.root.parent / "apart")
    for name, seed in ((BEST, 2), (NEXT, 3)):
        keep(own, name, on_test(*planted(100, 100, 2.0, seed)))
    keep(own, POOR, on_test(*planted(100, 100, 0.4, 4)), images="others")
    opening = summary_of(own.runs()[0], own)
    assert opening.comparisons is not None
    ((card, reason),) = opening.comparisons.left_out
    assert card.name == POOR
    assert f"Not compared: {card.title}: {reason}." in sentences(opening)


def test_cards_of_one_title_are_told_apart_by_name(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    for name, seed in ((BEST, 2), (NEXT, 3)):
        keep(store, make_card(name, title="A network"), on_test(*planted(100, 100, 2.0, seed)))
    assert {"A network (attempt-7)", "A network (attempt-6b)"} == {
        each.title
        for opening in [summary_of(store.runs()[0], store)]
        if opening.best is not None and opening.comparisons is not None
        for each in (
            opening.best.card,
            *(other.card for other in (*opening.comparisons.worse, *opening.comparisons.similar)),
        )
    }


def test_a_baseline_card_is_beaten_by_paired_tests(store: Store) -> None:
    """The label says which card is a baseline; its AUC is compared with those of all other cards, adjusted by Holm."""
    runs = store.runs()[0]
    measured = collect_results(runs, store)
    marked = {name: results for name, results in measured.items() if name != SAME}
    marked[POOR] = replace(marked[POOR], card=marked[POOR].card.model_copy(update={"baseline": True}))
    opening = summarise(runs, marked, store)
    baseline = next(each for each in opening.baselines if each.kind == "card")
    assert baseline.card is not None
    assert baseline.card.name == POOR
    assert {card.name for card in baseline.beaten_by} == {BEST, NEXT}
    assert baseline.not_beaten_by == ()


def test_the_best_card_is_compared_with_a_baseline_once(tmp_path: Path) -> None:
    """By the baseline's own family of tests, the best card would not be better; the family of the best decides."""
    store = Store(tmp_path / "runs")
    for place, (name, shift) in enumerate(((BEST, 2.3), (NEXT, 2.1), (POOR, 1.75), (FAILED, 2.0))):
        keep(store, name, on_test(*planted(100, 100, shift, 160 + place)))
    runs = store.runs()[0]
    measured = collect_results(runs, store)
    measured[POOR] = replace(measured[POOR], card=measured[POOR].card.model_copy(update={"baseline": True}))
    pairs = [compare_pair(measured[name], measured[POOR], ("auc",))[0].difference for name in (BEST, NEXT, FAILED)]
    apart = multipletests([pair.p_value for pair in pairs], method="holm")[1]
    assert apart[0] > 0.05
    opening = summarise(runs, measured, store)
    assert opening.comparisons is not None
    assert POOR in {each.card.name for each in opening.comparisons.worse}
    baseline = next(each for each in opening.baselines if each.kind == "card")
    assert [card.name for card in baseline.beaten_by] == [BEST]
    assert {card.name for card in baseline.not_beaten_by} == {NEXT, FAILED}
    text = sentences(opening)
    assert f"Clearly better than {cards()[POOR].title}: {cards()[BEST].title}." in text
    assert f"Not clearly better than {cards()[POOR].title}: " in text


def test_a_constant_answer_is_a_baseline_and_no_fault(tmp_path: Path) -> None:
    """Each fold of a constant answer may have another score. Its rows say what it is; it is compared as a baseline."""
    constant = load_cards()["constant"]
    store = Store(tmp_path / "runs")
    keep(store, BEST, on_test(*planted(100, 100, 2.3, 2)))
    labels = [0] * 100 + [1] * 100
    keep(store, constant, on_test(labels, [0.6] * 200), on_val([0, 1] * 60, [0.6] * 120))
    runs = store.runs()[0]
    assert "single-class-collapse" in {finding.code for run in runs for finding in run.diagnosis}  # as recorded
    report = build_report(runs, store.history, scores=store)
    (section,) = report.sections
    assert next(card for card in section.cards if card.card.name == "constant").diagnosis == {}
    assert section.summary is not None
    (against,) = section.summary.baselines
    assert against.card is not None
    assert (against.kind, against.card.name, [card.name for card in against.beaten_by]) == (
        "constant",
        "constant",
        [BEST],
    )
    pages = (render_markdown(report), render_html(report))
    assert all(BY_DESIGN in page and "single-class" not in page for page in pages)
    assert fault_text(next(run for run in runs if run.spec.card.name == "constant")) == BY_DESIGN
    folds = np.repeat([0, 1], 100)
    scores = TestScores("test", np.array(labels), np.where(folds == 0, 0.6, 0.7), fold=folds)
    results = collect_results(runs, store)["constant"]
    assert is_constant(replace(results, test=(scores,)))


def test_three_classes_have_a_macro_auc_and_the_least_recognised_class(tmp_path: Path) -> None:
    store = three_classes_in(tmp_path)
    opening = summary_of(store.runs()[0], store)
    best, compared = opening.best, opening.comparisons
    assert best is not None
    assert compared is not None
    assert best.metric == compared.metric == "auc:macro"
    runs = [run for run in store.runs()[0] if run.spec.card.name == best.card.name]
    by_class = {
        name: float(np.mean([run.figures()[f"recall:class:{name}"].value or 0.0 for run in runs]))
        for name in runs[0].spec.dataset.classes
    }
    assert best.weakest is not None
    assert best.weakest.label == min(by_class, key=lambda name: by_class[name])
    assert best.weakest.recall.value == pytest.approx(min(by_class.values()))
    assert [each.card.name for each in compared.worse] == [WORSE, COLLAPSED]
    assert COLLAPSED in {card.name for card in opening.baselines[0].not_beaten_by}


def test_ten_classes_are_counted_and_not_listed() -> None:
    run = make_run(dataset=DIGITS, error="no memory")
    assert heading([run], None).data == f"800 images of {DIGITS.title}: 10 classes, 0 to 9"


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("images in my_images", "800 images in my_images: A and B"),
        ("images listed in labels.csv", "800 images listed in labels.csv: A and B"),
        ("arrays in scans.npz", "800 images in scans.npz: A and B"),
    ],
)
def test_the_heading_takes_its_words_from_the_source(title: str, words: str) -> None:
    facts = KAGGLE.model_copy(update={"title": title, "classes": ("A", "B")})
    assert heading([make_run(dataset=facts, error="no memory")], None).data == words


def test_the_next_command_asks_for_more_seeds_of_what_is_not_distinguishable(store: Store, summary: Summary) -> None:
    commands = [step.command for step in summary.next_steps]
    assert commands[0] == f"zoo bench {FAILED} --data {KAGGLE.source} --protocol quick --store {store.root}"
    assert commands[1] == f"zoo show {make_run(FAILED, dataset=KAGGLE).run_id} --store {store.root}"
    assert commands[2] == f"zoo compare {BEST} {NEXT} --store {store.root}"
    assert commands[3] == (
        f"zoo bench {BEST} {NEXT} --data {KAGGLE.source} --protocol quick --seeds 3 --store {store.root}"
    )
    assert commands[4].startswith(f"zoo bench {BEST} --keep-models ")


def test_a_probe_is_the_same_for_every_seed_so_more_seeds_are_not_proposed(store: Store) -> None:
    runs = store.runs()[0]
    measured = collect_results(runs, store)
    probe = measured[BEST].card.model_copy(update={"recipe": ProbeRecipe(probe="logistic", preprocessing="rescale")})
    of_probe = summarise(runs, {**measured, BEST: replace(measured[BEST], card=probe)}, store)
    assert "one-seed" not in {problem.code for problem in of_probe.problems}
    assert of_probe.next_steps[3].command.startswith(f"zoo bench {NEXT} --data")
    alone = summarise(runs, {BEST: replace(measured[BEST], card=probe)}, store)
    assert all("--seeds" not in step.command for step in alone.next_steps)


def test_few_patients_in_effect_are_a_problem(tmp_path: Path) -> None:
    """Kish 1965: 5 patients of 12 images and 40 of one are (100^2) / (5 * 144 + 40) = 13.2 in effect."""
    owners = tuple(f"p{k}" for k in [*np.repeat(np.arange(5), 12), *range(5, 45), *range(100, 200)])
    store = Store(tmp_path / "runs")
    scores = on_test(*planted(100, 100, 2.0, 2))
    order = np.argsort(-scores.y_true, kind="stable")
    keep(store, BEST, TestScores("test", scores.y_true[order], scores.y_score[order], owners))
    (problem,) = (p for p in summary_of(store.runs()[0], store).problems if p.code == "few-patients")
    assert problem.text.startswith("Fewer than 15 patients of a class count in effect (PNEUMONIA: 13 of 45)")


def test_commands_repeat_the_files_and_folders_of_the_cards(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    runs = [keep(store, name, on_test(*planted(100, 100, 2.0, seed))) for name, seed in ((BEST, 2), (NEXT, 3))]
    remember_bench(
        store,
        [run.run_id for run in runs],
        KAGGLE,
        cards={run.run_id: run.spec.card.name for run in runs},
        selection=[BEST, f"mine/{NEXT}.yaml", "--cards", "many"],
    )
    commands = [step.command for step in summary_of(store.runs()[0], store).next_steps]
    more = next(command for command in commands if "--seeds" in command)
    assert sorted(more.partition(" --cards many --data ")[0].split()[2:]) == sorted([BEST, f"mine/{NEXT}.yaml"])


def test_cards_that_share_the_best_figure_are_listed_once(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    for name in (BEST, NEXT):
        keep(store, name, on_test(*planted(100, 100, 2.0, 2)))
    keep(store, POOR, on_test(*planted(100, 100, 1.0, 5)))
    opening = summary_of(store.runs()[0], store)
    assert opening.best is not None
    (tied,) = opening.best.tied
    lists = [text for part in parts(opening) if part.name in ("best", "comparisons") for text in part.sentences]
    assert sum(tied.title in text for text in lists) == 1


def test_a_baseline_alone_is_held_against_a_constant_answer_and_no_model_to_store(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    keep(store, make_card(BEST, title="Pixels", baseline=True), on_test(*planted(100, 100, 0.0, 2)))
    opening = summary_of(store.runs()[0], store)
    assert opening.best is not None
    assert (opening.best.figure.low or 1.0) < 0.5 < (opening.best.figure.high or 0.0)
    assert "Pixels is not clearly better than a constant answer, whose AUC is 0.5." in sentences(opening)
    assert not any("--keep-models" in step.command for step in opening.next_steps)


def test_an_uneven_interval_is_given_in_full(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    keep(store, BEST, on_test([0] * 6 + [1] * 6, [*np.linspace(0.1, 0.3, 6), *np.linspace(0.7, 0.9, 6)]))
    text = sentences(summary_of(store.runs()[0], store))
    assert "With 12 test images, figures are uncertain, to one side more than to the other: AUC 1.000 [" in text
    assert "AUC ±" not in text


def test_the_summary_of_one_run_misses_no_card_that_the_store_has(store: Store, tmp_path: Path) -> None:
    own = Store(tmp_path / "runs")
    for name in (BEST, NEXT):
        keep(own, name, seed=0)
    runs = own.runs()[0]
    remember_bench(own, [run.run_id for run in runs], KAGGLE, cards={run.run_id: run.spec.card.name for run in runs})
    text = sentences(summary_of(runs[:1], own))
    assert "finished" not in text
    assert "did not finish" not in text
    assert "asked for" not in text


def test_the_command_of_an_earlier_bench_is_not_taken_for_one_that_computes_its_missing_cards(
    store: Store, tmp_path: Path
) -> None:
    own = Store(tmp_path / "runs")
    keep(own, BEST, seed=0)
    own.save(make_run(POOR, error=MEMORY.format(1.2, 0.1, "its start"), dataset=KAGGLE))
    runs = own.runs()[0]
    finished = {run.run_id: run.spec.card.name for run in runs if run.status == "ok"}
    remember_bench(own, list(finished), KAGGLE, cards=finished, selection=[BEST])
    assert summary_of(runs, own).next_steps[0].command.startswith(f"zoo bench {POOR} --data kaggle:")


@pytest.mark.parametrize("protocol", ["full", "quick"])
def test_cards_that_a_bench_asked_for_are_missed_also_after_a_bench_of_one_card(tmp_path: Path, protocol: str) -> None:
    own = Store(tmp_path / "runs")
    for name, shift in ((BEST, 2.0), (NEXT, 1.5)):
        keep(own, name, on_test(*planted(100, 100, shift, 2)))
    runs = own.runs()[0]
    asked_for = {**{run.run_id: run.spec.card.name for run in runs}, "0" * 12: SAME}
    remember_bench(
        own, list(asked_for), KAGGLE, conditions=runs[0].spec.conditions, cards=asked_for, selection=["--all"]
    )
    before = summary_of(runs, own)
    other = make_run(BEST, dataset=KAGGLE, protocol=load_protocol(protocol))
    remember_bench(
        own,
        [other.run_id],
        KAGGLE,
        conditions=other.spec.conditions,
        cards={other.run_id: BEST},
        selection=[BEST],
    )
    after = summary_of(runs, own)
    for each in (before, after):
        assert "the best of the 2 of 3 cards that finished" in sentences(each)
        assert each.problems[0].text == f"A bench also asked for {SAME}, which has not finished."
        assert each.next_steps[0].command.startswith("zoo bench --all --data kaggle:")
    [section] = build_report(runs, own.history, scores=own).sections
    assert "2 runs of 2 cards; all finished; 1 further card has not." in findings(section).remarks


def test_the_summary_of_one_run_of_several_counts_no_cards(tmp_path: Path) -> None:
    own = Store(tmp_path / "runs")
    for name in (BEST, NEXT):
        keep(own, name)
    runs = own.runs()[0]
    asked_for = {**{run.run_id: run.spec.card.name for run in runs}, "0" * 12: SAME, "1" * 12: POOR}
    remember_bench(own, list(asked_for), KAGGLE, cards=asked_for, selection=["--all"])
    with own.claim("0" * 12):
        opening = summary_of(runs[:1], own)
    assert "cards that finished" not in sentences(opening)
    assert opening.problems[0].text == (f"The bench is still running: {SAME} is not finished yet; waiting: {POOR}.")
    assert "cards that finished" not in sentences(summary_of(runs[:1], own))
    assert "the 2 of 4 cards that finished" in sentences(summary_of(runs, own))
