"""Methods and limits say how runs were made: what was counted, what the records hold, and what is not known."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.runs.storage.store import Store
from reports.limits import limits
from reports.report import Section, build_report
from reports.results.conditions.methods import NO_PATIENTS, NOT_KEPT, FlowRow, Methods, methods
from reports.results.conditions.recipe import augmentation_in_words, recipe_in_words
from tests.support.records import ENVIRONMENT, PHANTOM, cards, make_run, recorded_history
from tests.support.stored import keep
from tests.support.study import report_in
from tests.support.tiny import protocol
from zoo.models.recipe import Augmentation, EarlyStopping


@pytest.fixture(scope="module")
def section(tmp_path_factory: pytest.TempPathFactory) -> Section:
    (found,) = report_in(tmp_path_factory.mktemp("study")).sections
    return found


def without_scores(*runs: object) -> Section:
    (found,) = build_report(runs, lambda _: recorded_history()).sections  # type: ignore[arg-type]
    return found


def texts(found: Methods, topic: str) -> list[str]:
    return [fact.text for fact in found.facts if fact.topic == topic]


def test_images_and_patients_are_counted_in_the_scores(section: Section) -> None:
    flow = {(row.split, row.label): row for row in section.methods.flow}
    assert flow["test", None] == FlowRow("test", None, 468, 234)
    assert flow["test", "NORMAL"].images == flow["test", "PNEUMONIA"].images == 234
    of_classes = [flow["test", name].patients or 0 for name in ("NORMAL", "PNEUMONIA")]
    assert sum(of_classes) >= 234  # a patient may have images of both


def test_what_scores_do_not_hold_is_not_known_and_says_why(section: Section) -> None:
    flow = {(row.split, row.label): row for row in section.methods.flow}
    assert (flow["val", None].images, flow["val", None].patients, flow["val", None].reason) == (120, None, NO_PATIENTS)
    train = flow["train", None]
    assert (train.images, train.patients, train.reason) == (480, None, NOT_KEPT)
    assert flow["train", "NORMAL"].images == 240
    assert "balanced" in (flow["train", "NORMAL"].reason or "")


def test_without_balance_classes_of_the_training_images_are_not_known() -> None:
    sampling = {"train": 40, "val": 20, "test": 20, "balanced": False, "min_val": 0}
    found = without_scores(make_run(protocol=protocol(sampling=sampling))).methods
    assert {row.images for row in found.flow if row.split == "train" and row.label is not None} == {None}


def test_cards_that_are_prepared_alike_are_named_together() -> None:
    found = without_scores(make_run("attempt-6b"), make_run("attempt-6b-caffe"), make_run("attempt-7")).methods
    assert "grey levels / 255: attempt-6b, attempt-7" in texts(found, "preprocessing")
    assert "BGR minus the ImageNet means: attempt-6b-caffe" in texts(found, "preprocessing")
    assert any(text.endswith(": every card") for text in texts(found, "augmentation"))


def test_how_weights_are_selected_is_told_by_recipe() -> None:
    found = without_scores(make_run("attempt-1"), make_run("attempt-3")).methods
    assert "weights of the last epoch: attempt-1" in texts(found, "selection")
    assert any("val_loss had not improved" in text and text.endswith("attempt-3") for text in texts(found, "selection"))


def test_seeds_threshold_and_split_are_told() -> None:
    found = without_scores(make_run(seed=3), make_run(seed=1), make_run("attempt-2")).methods
    assert "seeds 1, 3: attempt-1" in texts(found, "seeds")
    assert "seed 0: attempt-2" in texts(found, "seeds")
    assert texts(found, "threshold")[0].startswith("youden, chosen on validation scores alone")
    own = without_scores(make_run(protocol=protocol(split="per-seed"))).methods
    assert "a separate split for each seed" in texts(own, "split")[0]


def test_the_scale_of_deeper_levels_is_told() -> None:
    def told(levels: dict[str, tuple[float, float]] | None) -> list[str]:
        dataset = PHANTOM.model_copy(update={"levels": levels})
        found = without_scores(make_run(dataset=dataset)).methods
        return [fact.text for fact in found.facts if fact.text.startswith("grey levels: ")]

    scale = "grey levels: 16-bit levels 0..4095 are read as 0..255, one scale for all files of a depth"
    assert told({"16-bit": (0, 4095), "8-bit": (0, 255)}) == [scale]
    assert told({}) == told(None) == []


def test_the_way_in_which_frozen_layers_were_computed_is_told_with_its_reason() -> None:
    taken = {"prefix": "filtered", "prefix_reason": "1.43 times as fast"}
    filtered, keras = ENVIRONMENT.model_copy(update=taken), ENVIRONMENT.model_copy(update=taken | {"prefix": "keras"})
    runs = [make_run("attempt-6b", environment=filtered, seed=seed) for seed in (0, 1)]
    found = without_scores(*runs, make_run("attempt-7", environment=keras), make_run("attempt-1")).methods
    assert texts(found, "precision")[1:] == [
        "computed by Winograd's filtering in float32; 1.43 times as fast: attempt-6b",
        "computed by Keras in float32; 1.43 times as fast: attempt-7",
    ]


def test_how_wide_convolutions_were_trained_is_told_with_its_reason() -> None:
    told = {"convolutions": "filtered", "convolutions_reason": "1.46 times as fast"}
    runs = [make_run("attempt-7", environment=ENVIRONMENT.model_copy(update=told)), make_run("attempt-1")]
    assert texts(without_scores(*runs).methods, "precision")[1:] == [
        "wide convolutions in training computed by Winograd's filtering in float32; 1.46 times as fast: attempt-7"
    ]


def test_a_record_that_does_not_say_how_frozen_layers_were_computed_is_read() -> None:
    old = ENVIRONMENT.model_dump(mode="json")
    del old["prefix"], old["prefix_reason"]
    environment = type(ENVIRONMENT).model_validate(old)
    assert len(texts(without_scores(make_run(environment=environment)).methods, "precision")) == 1


def test_a_commit_that_was_not_recorded_is_not_known() -> None:
    environment = ENVIRONMENT.model_copy(update={"commit": None})
    found = without_scores(make_run(environment=environment)).methods
    assert texts(found, "versions")[0].endswith("commit not known to the program")


def test_methods_of_no_runs_are_refused() -> None:
    with pytest.raises(IndexError):
        methods([], {})


def test_an_augmentation_names_what_it_changes_and_nothing_else() -> None:
    assert augmentation_in_words(None) == augmentation_in_words(Augmentation()) == "none"
    said = augmentation_in_words(Augmentation(rotation_degrees=20, zoom=(0.75, 1.25), horizontal_flip=True))
    assert said == "rotation degrees 20, zoom 0.75-1.25, horizontal flip yes, fill nearest"
    assert augmentation_in_words(Augmentation(width_shift=0.2, fill="reflect")) == "width shift 0.2, fill reflect"


@pytest.mark.parametrize("name", list(cards()))
def test_every_card_has_a_recipe_in_words(name: str) -> None:
    said = dict(recipe_in_words(cards()[name]))
    assert {"network", "optimiser", "loss", "epochs", "augmentation", "preprocessing"} <= set(said)
    assert ("fine-tuning" in said) == (cards()[name].recipe.finetune is not None)
    assert "None" not in " ".join(said.values())


def test_stopping_in_the_second_phase_is_told_where_it_differs() -> None:
    card = cards()["attempt-7"]
    assert card.recipe.finetune is not None
    tuned = card.recipe.finetune.model_copy(update={"early_stopping": EarlyStopping(patience=2)})
    changed = card.model_copy(update={"recipe": card.recipe.model_copy(update={"finetune": tuned})})
    assert "in fine-tuning stopped when val_loss" in dict(recipe_in_words(changed))["epochs"]


def test_limits_follow_from_how_the_runs_were_made(section: Section) -> None:
    said = " ".join(limits(section))
    for part in ("One seed was run for", "Two seeds were run for attempt-7", "one split", "50% of the test images are"):
        assert part in said
    assert "120 validation images" in said
    assert "Runs of attempt-2 failed" in said
    assert "SYNTHETIC" not in said
    assert "different data" not in said
    assert "4 cards were scored on the same test images" in said
    assert any(limit.startswith("9 cards were scored on the same test images") for limit in limits(section, scored=9))


def test_limits_of_synthetic_images_and_of_other_data_come_first(tmp_path: Path) -> None:
    assert "SYNTHETIC" in limits(without_scores(make_run()))[0]
    (asked,) = report_in(tmp_path, dataset=PHANTOM).sections
    assert "different data" in limits(asked)[1]
    assert not any("different data" in limit for limit in limits(without_scores(make_run("attempt-6b"))))


def test_images_without_patients_are_a_limit_and_those_with_are_none(section: Section, tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    keep(store, "attempt-5")
    (unknown,) = build_report(store.runs()[0], store.history, scores=store).sections
    assert any("images of one patient count as independent" in limit for limit in limits(unknown))
    assert not any("images of one patient" in limit for limit in limits(section))
