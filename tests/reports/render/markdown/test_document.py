"""The markdown report says what was measured, on what, and no text of a card or folder breaks it."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest

from benchmark.runs.history import NO_HISTORY
from benchmark.runs.protocol import Protocol, load_protocol
from benchmark.runs.run import Run, SplitFacts
from reports.claims.model import Claims
from reports.figures.pictures import Picture, Pictures
from reports.render.markdown.document import render
from reports.report import build_report
from reports.results.conditions.skipped import SkippedCard
from reports.text import MISSING
from tests.support.claims import contents
from tests.support.claims import row as row_of
from tests.support.records import (
    ENVIRONMENT,
    KAGGLE,
    PHANTOM,
    SPLIT,
    cards,
    make_card,
    make_run,
    of_counts,
    on_test,
    on_val,
    planted,
    recorded_history,
)

HOSTILE = "<script>alert(1)</script> | broken |\n| a | row |\n\n# heading"


def rendered(*runs: Run, skips: Iterable[SkippedCard] = ()) -> str:
    return render(build_report(runs, lambda _: recorded_history(), tuple(skips)))


def tables(text: str) -> list[list[dict[str, str]]]:
    """Every table as rows by column; fails where a row has other cells than its head."""
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        lines = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in block.splitlines()]
        head, rule, *rows = lines
        assert set("".join(rule)) == {"-"}
        assert {len(row) for row in lines} == {len(head)}
        found.append([dict(zip(head, row, strict=True)) for row in rows])
    return found


def details(text: str) -> list[dict[str, str]]:
    """The test figures of every run, by metric: at 0.5 and at the chosen threshold, card by card."""
    found = []
    for table in tables(text):
        if "metric" in table[0]:
            seeds = [name for name in table[0] if name.startswith("seed ")]
            found += [{"seed": seed, **{row["metric"]: row[seed] for row in table}} for seed in seeds]
    return found


def headings(text: str, level: str = "###") -> list[str]:
    return re.findall(rf"^{level} (.*)$", text, flags=re.MULTILINE)


def test_every_card_has_its_row_in_the_comparison_and_a_part_of_its_own() -> None:
    text = rendered(*(make_run(name) for name in cards()))
    names = [f"`{name}`" for name in cards()]
    assert [row["card"] for row in tables(text)[0]] == names
    assert [name for name in headings(text, "####") if name.startswith("`")] == names
    assert len(details(text)) == 2 * len(names)


def test_what_was_found_comes_first_and_how_it_was_made_last() -> None:
    order = headings(rendered(make_run()))
    assert order[:2] == ["Findings", "Comparison"]
    assert order[-3:] == ["Methods", "Limits", "Checklists"]


def test_seeds_of_a_card_are_one_row_and_stand_beside_each_other() -> None:
    text = rendered(*(make_run(seed=seed) for seed in range(5)))
    (row,) = tables(text)[0]
    assert row["seeds"] == "5"
    assert [one["seed"] for one in details(text)] == [f"seed {seed}" for seed in range(5)] * 2
    assert max(len(table[0]) for table in tables(text) if "metric" in table[0]) == 4


def test_no_table_of_the_first_parts_is_wider_than_a_code_host_shows() -> None:
    text = rendered(*(make_run(name) for name in cards()))
    assert max(len(table[0]) for table in tables(text)) <= 9
    assert len(tables(text)[0][0]) <= 8


def test_a_report_ends_with_one_line_break_and_opens_with_a_heading() -> None:
    text = rendered(make_run())
    assert text.startswith("# ")
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


def test_an_empty_report_is_a_heading() -> None:
    assert render(build_report([], lambda _: NO_HISTORY)).strip().startswith("# ")


def test_the_same_runs_give_the_same_text() -> None:
    assert rendered(make_run(), make_run("attempt-7")) == rendered(make_run(), make_run("attempt-7"))


def test_figures_at_both_thresholds_are_shown() -> None:
    run = make_run(test=on_test(*planted(100, 100, seed=9)), val=on_val(*[v[:] for v in planted(30, 30, seed=8)]))
    assert run.threshold is not None
    assert run.threshold.value is not None
    chosen, half = details(rendered(run))
    assert half["threshold"] == "0.500"
    assert chosen["threshold"] == f"{run.threshold.value:.3f}"
    for row, is_chosen in ((half, False), (chosen, True)):
        figures = run.figures(chosen=is_chosen)
        assert row["specificity"].startswith(f"{figures['specificity'].value:.3f} [")
        assert row["false positives"] == f"{figures['false_positives'].value:.0f}"
    assert half["specificity"] != chosen["specificity"]


def test_published_and_measured_stand_side_by_side_with_the_place_in_the_source() -> None:
    text = rendered(
        make_run("attempt-6b", protocol="full", dataset=KAGGLE, test=of_counts(tp=131, fp=6, tn=228, fn=103))
    )
    row = next(row for table in tables(text) for row in table if row.get("figure") == "test accuracy")
    assert row["published"] == "0.7671 [0.727, 0.803]"
    assert row["measured"].startswith("0.767 [0.727, 0.803]")
    assert row["difference"].startswith("+0.000 [")
    assert row["data"] == "same data"
    assert row["where"] == "Intento Nº6 (VGG16), Interpretación de Resultados"


def test_epoch_figures_say_which_epoch_was_printed() -> None:
    run = make_run("attempt-2", dataset=KAGGLE)
    figures = [row["figure"] for table in tables(rendered(run)) for row in table if "figure" in row]
    assert "train loss, first epoch" in figures
    assert "val loss, last epoch" in figures
    assert "test loss" in figures


def test_missing_is_a_dash_and_not_zero() -> None:
    half, _ = details(rendered(make_run(test=of_counts(tp=0, fp=0, tn=50, fn=50))))
    assert half["precision"] == half["MCC"] == MISSING
    assert half["recall"].startswith("0.000")


def test_a_run_without_a_chosen_threshold_holds_dashes_beside_one_that_has_it() -> None:
    without = make_run(val=on_val([0, 1] * 30, [0.4] * 60))
    chosen, _, half, other = details(rendered(without, make_run(seed=1)))
    assert MISSING not in (half["accuracy"], other["accuracy"])
    assert {value for name, value in chosen.items() if name != "seed"} == {MISSING}


def test_where_no_run_chose_a_threshold_a_line_stands_in_place_of_a_table() -> None:
    text = rendered(make_run(val=on_val([0, 1] * 30, [0.4] * 60)))
    assert len(details(text)) == 1
    assert "No threshold was chosen" in text
    assert "no threshold chosen: all validation scores are the same" in text


def test_a_failed_run_is_a_row_with_its_error_and_dashes() -> None:
    text = rendered(make_run("attempt-6b", error="ResourceExhausted: no memory"), make_run("attempt-1"))
    row = tables(text)[0][0]
    assert row["card"] == "`attempt-6b`"
    assert row["diagnosis"] == "ResourceExhausted: no memory"
    assert row["seeds"] == "0; 1 failed"
    assert row["accuracy"] == row["AUC"] == MISSING
    assert "`attempt-6b` seed 0: failed: ResourceExhausted: no memory" in text
    assert "2 runs of 2 cards; 1 failed" in text
    assert len(details(text)) == 2


def test_findings_are_shown_with_their_evidence() -> None:
    text = rendered(make_run(val=on_val([0, 1] * 30, [0.98] * 60), test=on_test([0, 1] * 50, [0.98] * 100)))
    assert "single-class collapse: PNEUMONIA" in text
    assert "100 of 100 test images predicted as PNEUMONIA" in text


def test_synthetic_images_are_warned_about_in_heading_and_note() -> None:
    text = rendered(make_run())
    heading = next(line for line in text.splitlines() if line.startswith("## "))
    assert "SYNTHETIC" in heading
    assert any("SYNTHETIC" in line for line in text.splitlines() if line.startswith(">"))


def test_real_images_are_not_called_synthetic() -> None:
    assert "SYNTHETIC" not in rendered(make_run("attempt-6b", dataset=KAGGLE))


def test_other_data_is_noted_and_marked_and_the_source_s_own_is_not() -> None:
    asked = Claims.model_validate(contents(row_of("frozen", card="attempt-6b"), name="study"))
    run = make_run("attempt-6b")
    other = render(build_report([run], lambda _: recorded_history(), claims=[asked]))
    assert any(" data" in line for line in other.splitlines() if line.startswith(">"))
    assert {row["data"] for table in tables(other) for row in table if "data" in row} == {"different data"}
    assert "different data" not in rendered(make_run("attempt-6b", dataset=KAGGLE))


def test_published_figures_about_other_data_are_left_out_unless_asked_for() -> None:
    other, same = rendered(make_run("attempt-6b")), rendered(make_run("attempt-6b", dataset=KAGGLE))
    assert "0.7671" in same
    assert "0.7671" not in other
    assert "published" not in other.casefold().replace("published by", "")


def test_data_sets_and_protocols_have_sections_of_their_own() -> None:
    text = rendered(make_run(), make_run(dataset=KAGGLE), make_run(protocol="published"), make_run("attempt-2"))
    assert len(re.findall(r"^## ", text, flags=re.MULTILINE)) == 3


def test_data_protocol_and_split_are_stated() -> None:
    split = SplitFacts({"train": 400, "val": 100, "test": 300}, "cd" * 32, ("the val part is set aside",))
    text = rendered(make_run(split=split))
    flow = next(table for table in tables(text) if "patients" in table[0])
    assert [(row["split"], row["images"]) for row in flow if row["class"] == "all"] == [
        ("train", "400"),
        ("val", "100"),
        ("test", "300"),
    ]
    assert {row["patients"] for row in flow} == {"not recorded"}
    for part in ("NORMAL and PNEUMONIA", PHANTOM.fingerprint[:16], "cdcdcdcdcdcdcdcd", "64 x 64 px", "youden"):
        assert part in text
    for part in ("the val part is set aside", "the same number of each class"):
        assert part in text


def test_environment_costs_and_weights_are_stated() -> None:
    environment = ENVIRONMENT.model_copy(update={"weights": "a package, SHA-256 0123"})
    text = rendered(make_run(environment=environment))
    for part in ("keras 3.15.1", "a processor", "2 cores", "abcdef012345", "15.6 GiB", "a package, SHA-256 0123"):
        assert part in text
    (costs,) = next(table for table in tables(text) if "parameters" in table[0])
    assert (costs["parameters"], costs["trainable"], costs["epochs"]) == ("1,234,567", "234,567", "3")
    assert (costs["per epoch"], costs["in all"], costs["peak MiB"]) == ("12.5 s", "42 s", "900")


def test_two_environments_are_both_stated_and_one_is_stated_once() -> None:
    other = ENVIRONMENT.model_copy(update={"processor": "another processor"})
    text = rendered(make_run(), make_run("attempt-2"), make_run("attempt-7", environment=other))
    assert text.count("a processor, 2 cores") == 1
    assert text.count("another processor, 2 cores") == 1


def test_commits_of_the_same_versions_are_named_together() -> None:
    other = ENVIRONMENT.model_copy(update={"commit": "0123456789ab"})
    text = rendered(make_run(), make_run("attempt-2", environment=other))
    assert "commit abcdef012345, 0123456789ab" in text


def test_pictures_are_named_where_they_belong_and_left_out_where_there_are_none() -> None:
    report = build_report([make_run(), make_run("attempt-2")], lambda _: recorded_history())
    shown = Pictures(Picture("figures/comparison.svg", "every ] card"), {"attempt-2": (Picture("figures/a.svg", "x"),)})
    text = render(report, [shown])
    assert "![every ) card](figures/comparison.svg)" in text
    assert text.index("#### `attempt-2`") < text.index("![x](figures/a.svg)")
    assert "![" not in render(report)


def test_a_skipped_card_is_named_with_its_reason() -> None:
    text = rendered(make_run(), skips=[SkippedCard("attempt-7", f"no weights {HOSTILE}")])
    line = text[text.index("## Skipped cards") :]
    assert "attempt-7" in line
    assert "no weights" in line
    assert "<script" not in text


@pytest.mark.parametrize("place", ["title", "change", "location", "error", "dataset", "split note", "weights"])
def test_hostile_text_breaks_no_table_and_brings_no_markup(place: str) -> None:
    card, dataset, more = make_card(), PHANTOM, {}
    if place in ("title", "change"):
        card = make_card(**{place: HOSTILE})
    elif place == "location":
        published = {"metric": "accuracy", "value": 0.5, "split": "test", "decimals": 4, "location": HOSTILE}
        card, dataset = make_card(published=[published]), KAGGLE
    elif place == "error":
        more = {"error": HOSTILE}
    elif place == "dataset":
        dataset = PHANTOM.model_copy(update={"title": HOSTILE, "source": HOSTILE})
    elif place == "split note":
        more = {"split": SplitFacts(SPLIT.sizes, SPLIT.fingerprint, (HOSTILE,))}
    elif place == "weights":
        more = {"environment": ENVIRONMENT.model_copy(update={"weights": HOSTILE})}
    text = rendered(make_run(card, dataset=dataset, **more))
    assert "<script" not in text
    assert not re.search(r"^(# heading|\| a \| row)", text, flags=re.MULTILINE)
    more = {"error": "no memory"} if place == "error" else {}
    plain = rendered(make_run(dataset=KAGGLE if place == "location" else PHANTOM, **more))
    assert len(tables(text)) == len(tables(plain))
    assert text.count("<details>") == text.count("</details>") == plain.count("<details>")
    assert len(headings(text)) == len(headings(plain))
    assert place == "title" or "alert(1)" in text


def test_a_backslash_before_a_pipe_does_not_free_it() -> None:
    text = rendered(make_run(make_card(change="a\\|b")))
    row = next(line for line in text.splitlines() if line.startswith("| `attempt-1`"))
    assert "a\\\\\\|b" in row


def test_card_names_of_a_variant_protocol_stay_in_one_section() -> None:
    quick = load_protocol("quick")
    renamed = Protocol.model_validate({**quick.model_dump(mode="json"), "title": "Another title", "seeds": [0, 1]})
    text = rendered(make_run(), make_run(seed=1, protocol=renamed))
    assert len(re.findall(r"^## ", text, flags=re.MULTILINE)) == 1


def test_the_epochs_of_a_card_are_those_that_the_protocol_allows() -> None:
    card = cards()["attempt-7"]
    assert card.recipe.finetune is not None
    protocol = load_protocol("quick").model_copy(update={"max_epochs": 3})
    assert min(card.recipe.epochs, card.recipe.finetune.epochs) > 3
    text = rendered(make_run(card, protocol=protocol))
    assert f"- epochs: 3, batch {card.recipe.batch_size}" in text
    assert "- fine-tuning: 3 epochs, " in text
    uncapped = rendered(make_run(card, protocol=protocol.model_copy(update={"max_epochs": None})))
    assert f"- epochs: {card.recipe.epochs}, batch {card.recipe.batch_size}" in uncapped
