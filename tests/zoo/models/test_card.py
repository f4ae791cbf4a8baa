"""Cards: what decides a run, and what a card may say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.records import changed
from zoo import Augmentation, ModelCard, Recipe, load_cards
from zoo.config.errors import ConfigError
from zoo.config.strict_yaml import validate
from zoo.models.card import ModelSpec, recipe_problem
from zoo.models.published import Source
from zoo.models.recipe import Loss, Optimizer

CARDS = load_cards()

PLAIN: dict[str, Any] = {
    "name": "plain",
    "title": "A plain card",
    "change": "nothing",
    "model": {"builder": "scratch_cnn", "filters": [4, 8]},
    "recipe": {"optimizer": {"learning_rate": 0.01}, "epochs": 2, "batch_size": 4},
}
TUNED: dict[str, Any] = {
    **PLAIN,
    "model": {"builder": "vgg16", "weights": "random", "unfreeze_layers": 4},
    "recipe": {
        **PLAIN["recipe"],
        "loss": {"name": "binary_focal_crossentropy", "alpha": 0.25, "gamma": 2.0},
        "early_stopping": {"patience": 3},
        "augmentation": {"rotation_degrees": 20, "brightness": [0.7, 1.3]},
        "finetune": {"learning_rate": 1e-5, "epochs": 6, "early_stopping": {"patience": 2}},
        "label_smoothing": 0.1,
        "class_weights": "balanced",
        "schedule": "cosine",
        "warmup": 0.1,
        "weight_decay": 1e-4,
        "mixup": 0.2,
        "test_time_augmentation": 4,
    },
}


def card(data: dict[str, Any]) -> ModelCard:
    return validate(ModelCard, data, "card.yaml")


def errors_in(data: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        card(data)
    return list(caught.value.lines)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", "Another title"),
        ("change", "other words"),
        ("assumptions", "more prose"),
        ("extends", "another"),
        ("source", {"report": "r", "section": "s"}),
        ("published", [{"metric": "auc", "value": 0.9, "split": "test", "decimals": 2, "location": "w"}]),
    ],
)
def test_prose_and_published_figures_are_no_part_of_identity(field: str, value: Any) -> None:
    assert card({**TUNED, field: value}) != card(TUNED)
    assert card({**TUNED, field: value}).identity() == card(TUNED).identity()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("name", "other"),
        ("model.builder", "resnet"),
        ("model.weights", "imagenet"),
        ("model.unfreeze_layers", 3),
        ("model.new_parameter", 1),
        ("recipe.optimizer.name", "sgd"),
        ("recipe.optimizer.learning_rate", 0.02),
        ("recipe.epochs", 3),
        ("recipe.batch_size", 5),
        ("recipe.loss", {"name": "binary_crossentropy"}),
        ("recipe.loss.alpha", 0.3),
        ("recipe.loss.gamma", 1.0),
        ("recipe.early_stopping", None),
        ("recipe.early_stopping.patience", 4),
        ("recipe.early_stopping.monitor", "val_accuracy"),
        ("recipe.early_stopping.restore_best_weights", False),
        ("recipe.augmentation", {}),
        ("recipe.augmentation.rotation_degrees", 21),
        ("recipe.augmentation.horizontal_flip", True),
        ("recipe.augmentation.fill", "reflect"),
        ("recipe.preprocessing", "caffe"),
        ("recipe.finetune.learning_rate", 2e-5),
        ("recipe.finetune.epochs", 7),
        ("recipe.finetune.early_stopping", None),
        ("recipe.label_smoothing", 0.0),
        ("recipe.class_weights", None),
        ("recipe.class_weights", {"NORMAL": 1.0, "PNEUMONIA": 2.0}),
        ("recipe.schedule", "constant"),
        ("recipe.warmup", 0.2),
        ("recipe.weight_decay", 0.0),
        ("recipe.mixup", 0.4),
        ("recipe.test_time_augmentation", 0),
    ],
)
def test_whatever_decides_a_run_is_part_of_identity(path: str, value: Any) -> None:
    assert card(changed(TUNED, path, value)).identity() != card(TUNED).identity()


def test_every_field_of_a_recipe_is_part_of_identity() -> None:
    identity = card(TUNED).identity()
    assert set(identity) == {"name", "model", "recipe"}
    assert set(identity["recipe"]) == set(Recipe.model_fields)
    assert set(identity["recipe"]["augmentation"]) == set(Augmentation.model_fields)


@pytest.mark.parametrize("name", CARDS)
def test_identity_is_plain_json(name: str) -> None:
    identity = CARDS[name].identity()
    assert json.loads(json.dumps(identity, allow_nan=False)) == identity


@given(
    st.floats(min_value=0, max_value=1, exclude_min=True),
    st.floats(min_value=0, max_value=1, exclude_min=True),
    st.text(min_size=1, max_size=200),
)
def test_identity_follows_the_rate_and_not_the_title(first: float, second: float, title: str) -> None:
    one = card(changed(PLAIN, "recipe.optimizer.learning_rate", first))
    other = card(changed({**PLAIN, "title": title}, "recipe.optimizer.learning_rate", second))
    assert (one.identity() == other.identity()) == (first == second)


def test_the_defaults_of_a_recipe_leave_images_alone() -> None:
    recipe = card(PLAIN).recipe
    assert recipe.loss == Loss(name="binary_crossentropy", alpha=None, gamma=None)
    assert (recipe.optimizer.name, recipe.preprocessing) == ("adam", "rescale")
    assert (recipe.augmentation, recipe.early_stopping, recipe.finetune) == (None, None, None)
    untouched = Augmentation()
    assert (untouched.zoom, untouched.brightness, untouched.rotation_degrees) == ((1.0, 1.0), None, 0.0)


def test_the_parameters_of_a_builder_stand_beside_its_name() -> None:
    spec = ModelSpec.model_validate({"builder": "scratch_cnn", "filters": [4], "dropout": 0.1})
    assert spec.params == {"filters": [4], "dropout": 0.1}
    assert ModelSpec(builder="scratch_cnn").params == {}


@pytest.mark.parametrize(
    "loss",
    [
        {"name": "binary_focal_crossentropy"},
        {"name": "binary_focal_crossentropy", "alpha": 0.25},
        {"name": "binary_focal_crossentropy", "gamma": 2.0},
        {"name": "binary_crossentropy", "alpha": 0.25},
        {"name": "binary_crossentropy", "gamma": 2.0},
        {"name": "binary_crossentropy", "alpha": 0.25, "gamma": 2.0},
        {"alpha": 0.25, "gamma": 2.0},
    ],
)
def test_alpha_and_gamma_belong_to_the_focal_loss_and_to_each_other(loss: dict[str, Any]) -> None:
    (line,) = errors_in(changed(PLAIN, "recipe.loss", loss))
    assert line.startswith("card.yaml: recipe.loss: alpha and gamma belong to binary_focal_crossentropy")


def test_the_focal_loss_takes_a_gamma_of_zero() -> None:
    loss = {"name": "binary_focal_crossentropy", "alpha": 0.5, "gamma": 0.0}
    assert card(changed(PLAIN, "recipe.loss", loss)).recipe.loss.gamma == 0.0


@pytest.mark.parametrize("name", ["zoom", "brightness"])
def test_a_range_goes_from_low_to_high(name: str) -> None:
    (line,) = errors_in(changed(PLAIN, "recipe.augmentation", {name: [1.3, 0.7]}))
    assert line.startswith(f"card.yaml: recipe.augmentation: {name} must be [low, high]")
    point = card(changed(PLAIN, "recipe.augmentation", {name: [1.1, 1.1]})).recipe.augmentation
    assert point is not None
    assert getattr(point, name) == (1.1, 1.1)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rotation_degrees", -1),
        ("rotation_degrees", 181),
        ("width_shift", 1),
        ("height_shift", -0.1),
        ("shear_degrees", 90),
        ("zoom", [0, 1]),
        ("zoom", [1]),
        ("zoom", [1, 1, 1]),
        ("zoom", 0.25),
        ("brightness", [-0.1, 1]),
        ("channel_shift", 256),
        ("horizontal_flip", 1),
        ("fill", "wrap"),
        ("rotation_degrees", float("nan")),
    ],
)
def test_an_impossible_augmentation_is_refused_by_its_path(field: str, value: Any) -> None:
    lines = errors_in(changed(PLAIN, "recipe.augmentation", {field: value}))
    assert all(line.startswith(f"card.yaml: recipe.augmentation.{field}") for line in lines)


def test_a_second_phase_may_train_the_head_alone() -> None:
    finetune = {"learning_rate": 1e-5, "epochs": 6}
    for unfrozen in ({}, {"unfreeze_layers": 0}):
        changed_card = card(changed({**PLAIN, "model": {"builder": "vgg16", **unfrozen}}, "recipe.finetune", finetune))
        assert changed_card.recipe.finetune is not None


@pytest.mark.parametrize(
    ("stopping", "path"),
    [
        ({}, "patience"),
        ({"patience": 0}, "patience"),
        ({"patience": 2.5}, "patience"),
        ({"patience": 3, "monitor": "loss"}, "monitor"),
        ({"patience": 3, "monitor": "test_loss"}, "monitor"),
        ({"patience": 3, "restore_best_weights": "yes"}, "restore_best_weights"),
        ({"patience": 3, "min_delta": 0.1}, "min_delta"),
    ],
)
def test_early_stopping_watches_validation_with_patience(stopping: dict[str, Any], path: str) -> None:
    (line,) = errors_in(changed(PLAIN, "recipe.early_stopping", stopping))
    assert line.startswith(f"card.yaml: recipe.early_stopping.{path}: ")


def test_early_stopping_restores_the_best_weights_unless_told_otherwise() -> None:
    stopping = card(changed(PLAIN, "recipe.early_stopping", {"patience": 3})).recipe.early_stopping
    assert stopping is not None
    assert (stopping.monitor, stopping.restore_best_weights) == ("val_loss", True)


@pytest.mark.parametrize("rate", [0, -1e-4, 1.5, float("nan"), float("inf"), "1e-4", True, None])
def test_a_learning_rate_is_a_number_above_zero_and_at_most_one(rate: Any) -> None:
    (line,) = errors_in(changed(PLAIN, "recipe.optimizer.learning_rate", rate))
    assert line.startswith("card.yaml: recipe.optimizer.learning_rate: ")


def test_a_learning_rate_of_one_is_allowed() -> None:
    assert Optimizer(learning_rate=1.0).learning_rate == 1.0


@pytest.mark.parametrize("field", ["epochs", "batch_size"])
@pytest.mark.parametrize("value", [0, -1, 2.0, "3", True])
def test_counts_are_whole_and_positive(field: str, value: Any) -> None:
    (line,) = errors_in(changed(PLAIN, f"recipe.{field}", value))
    assert line.startswith(f"card.yaml: recipe.{field}: ")


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("recipe.preprocessing", ["rescale", "caffe", "builder"]),
        ("recipe.optimizer.name", ["adam", "sgd", "rmsprop"]),
        (
            "recipe.loss.name",
            ["binary_crossentropy", "binary_focal_crossentropy", "crossentropy", "focal_crossentropy"],
        ),
    ],
)
def test_an_unknown_choice_is_answered_with_all_that_there_are(path: str, known: list[str]) -> None:
    data = changed(changed(PLAIN, "recipe.loss", {}), path, "another")
    (line,) = errors_in(data)
    assert line.startswith(f"card.yaml: {path}: ")
    assert line.split("'")[1::2] == known


@pytest.mark.parametrize("name", ["", "Upper", "a b", "../up", "-a", ".a", "ñ", "a" * 65])
def test_a_name_that_is_no_safe_file_name_is_refused(name: str) -> None:
    (line,) = errors_in({**PLAIN, "name": name})
    assert line.startswith("card.yaml: name: ")


@pytest.mark.parametrize("field", ["negatives", "positives"])
def test_a_source_counts_at_least_one_image_of_a_class(field: str) -> None:
    test = {"negatives": 1, "positives": 1, field: 0}
    (line,) = errors_in({**PLAIN, "source": {"report": "r", "section": "s", "test": test}})
    assert line.startswith(f"card.yaml: source.test.{field}: ")
    assert Source(report="r", section="s").test is None


SIZES = {"NORMAL": 234, "bacteria": 242, "virus": 148}
PRINTED = {"metric": "recall", "value": 0.9, "split": "test", "decimals": 2, "location": "w"}


def published(*figures: dict[str, Any], test: dict[str, int] | None = None) -> dict[str, Any]:
    """A card with published figures on a test set."""
    return {**PLAIN, "source": {"report": "r", "section": "s", "test": test}, "published": list(figures)}


def test_figures_of_several_classes_have_keys_and_are_written_as_they_were_read() -> None:
    figures = [
        {**PRINTED, "class": "virus"},
        {**PRINTED, "average": "macro"},
        {**PRINTED, "metric": "kappa", "value": -0.1},
    ]
    card = validate(ModelCard, published(*figures, test=SIZES), "card.yaml")
    assert [figure.key for figure in card.published] == ["recall:class:virus", "recall:macro", "kappa"]
    for dump in (card.model_dump(mode="json"), card.with_old_keys()):
        assert [{**figure} | {"location": "w"} for figure in figures] == [
            {key: value for key, value in each.items() if value is not None and key != "where"} | {"location": "w"}
            for each in dump["published"]
        ]
        assert dump["source"]["test"] == SIZES
    assert ModelCard.model_validate(card.model_dump(mode="json")) == card


def test_a_figure_of_two_classes_is_written_without_class_and_average() -> None:
    card = validate(ModelCard, published(PRINTED, test={"negatives": 1, "positives": 2}), "card.yaml")
    assert set(card.model_dump(mode="json")["published"][0]) == {*PRINTED, "upper", "epoch"}
    assert set(card.with_old_keys()["published"][0]) == {*PRINTED, "upper", "epoch", "where"} - {"location"}


@pytest.mark.parametrize(
    ("figure", "test", "says"),
    [
        ({"class": "virus", "average": "macro"}, SIZES, "published.0: `class` and `average` exclude each other; keep"),
        ({"average": "mean"}, SIZES, "published.0.average: input should be 'macro', 'weighted' or 'micro'"),
        ({"class": ""}, SIZES, "published.0.class: "),
        (
            {"metric": "accuracy", "class": "virus"},
            SIZES,
            "accuracy is of all classes together; drop `class`; the share",
        ),
        ({"metric": "loss", "average": "macro"}, SIZES, "the loss is of all classes together; drop `average`"),
        ({"class": "viris"}, SIZES, "published.0.class: unknown class 'viris'. Did you mean virus?"),
        ({}, SIZES, "published.0.metric: recall of 3 classes is of one class or an average; add `class: NORMAL` or "),
        ({"metric": "true_positives", "value": 1}, SIZES, "true_positives is a count of two classes; give the printed"),
        ({"average": "macro"}, {"negatives": 1, "positives": 2}, "published.0.average: is for three classes or more,"),
        ({"of_class": "virus"}, SIZES, "published.0.of_class: unknown key."),
        ({"class": "virus", "value": 93}, SIZES, "recall must be within [0, 1]; is it given in percent?"),
    ],
)
def test_a_figure_of_other_classes_than_its_test_set_is_refused(
    figure: dict[str, Any], test: dict[str, int], says: str
) -> None:
    (line,) = errors_in(published({**PRINTED, **figure}, test=test))
    assert says in line


@pytest.mark.parametrize(
    ("test", "says"),
    [
        ({"NORMAL": 1, "PNEUMONIA": 2}, "two classes have `negatives` and `positives`"),
        ({"NORMAL": 1, "bacteria": 0, "virus": 2}, "source.test.bacteria: input should be greater than 0"),
        ({"NORMAL": 1, "bacteria": "2", "virus": 2}, "source.test.bacteria: input should be a valid integer"),
        ({"negatives": 1, "positives": 2, "virus": 3}, "source.test.virus: unknown key."),
        ({}, "source.test.negatives: field required"),
    ],
)
def test_test_sizes_are_of_two_classes_or_name_each_of_more(test: dict[str, Any], says: str) -> None:
    lines = errors_in(published(test=test))
    assert says in lines[0]


def test_every_error_of_a_card_is_told_at_once_with_path_and_nearest_name() -> None:
    lines = errors_in(
        {
            "name": "Bad Name",
            "titel": "x",
            "change": "",
            "model": {"filters": [4]},
            "recipe": {
                "optimizer": {"name": "adamw", "learnin_rate": 0.1},
                "epochs": 0,
                "batch_size": 4,
                "augmentation": {"rotation": 20, "zoom": [0.5, "wide"]},
            },
            "published": [{"metric": "auc", "value": 0.9, "split": "test", "decimal": 4, "location": "w"}],
        }
    )
    problems = dict(line.removeprefix("card.yaml: ").split(": ", 1) for line in lines)
    assert set(problems) == {
        "name",
        "titel",
        "change",
        "model.builder",
        "recipe.optimizer.name",
        "recipe.optimizer.learnin_rate",
        "recipe.epochs",
        "recipe.augmentation.rotation",
        "recipe.augmentation.zoom.1",
        "published.0.decimal",
    }
    assert problems["titel"] == "unknown key. Did you mean title?"
    assert problems["recipe.optimizer.learnin_rate"] == "unknown key. Did you mean learning_rate?"
    assert "rotation_degrees" in problems["recipe.augmentation.rotation"]
    assert problems["published.0.decimal"].startswith("unknown key. Did you mean decimals")
    assert problems["model.builder"] == "field required"
    assert "'adam', 'sgd' or 'rmsprop'" in problems["recipe.optimizer.name"]


@pytest.mark.parametrize(
    ("field", "value"), [("split", "holdout"), ("decimals", -1), ("decimals", 11), ("epoch", "third"), ("value", "0.9")]
)
def test_a_published_figure_is_a_number_with_a_place(field: str, value: Any) -> None:
    figure = {"metric": "auc", "value": 0.9, "split": "test", "decimals": 2, "location": "w"}
    (line,) = errors_in({**PLAIN, "published": [{**figure, field: value}]})
    assert line.startswith(f"card.yaml: published.0.{field}: ")


def test_a_card_has_a_json_schema_with_every_section() -> None:
    schema = ModelCard.model_json_schema()
    assert set(schema["properties"]) == set(ModelCard.model_fields)
    assert set(schema["required"]) == {"name", "title", "change", "model", "recipe"}
    assert schema["additionalProperties"] is False


def test_options_of_training_at_their_defaults_leave_run_ids_and_records_as_they_were() -> None:
    later = {"label_smoothing": 0.0, "class_weights": None, "schedule": "constant", "warmup": 0, "weight_decay": 0}
    later |= {"mixup": 0, "test_time_augmentation": 0}
    stated = card({**PLAIN, "recipe": {**PLAIN["recipe"], **later}})
    assert stated.identity() == card(PLAIN).identity()
    assert later.keys().isdisjoint(stated.model_dump(mode="json")["recipe"])
    assert ModelCard.model_validate(card(TUNED).model_dump(mode="json")) == card(TUNED)


@pytest.mark.parametrize(
    ("short", "stored"),
    [
        ({"name": "crossentropy"}, {"name": "binary_crossentropy"}),
        (
            {"name": "focal_crossentropy", "alpha": 0.25, "gamma": 2.0},
            {"name": "binary_focal_crossentropy", "alpha": 0.25, "gamma": 2.0},
        ),
    ],
)
def test_a_loss_with_two_names_has_one_run_id(short: dict[str, Any], stored: dict[str, Any]) -> None:
    one, other = (card(changed(PLAIN, "recipe.loss", loss)) for loss in (short, stored))
    assert one.identity() == other.identity()


def test_focal_loss_without_alpha_needs_a_gamma_and_is_a_loss_of_its_own() -> None:
    focal = {"name": "focal_crossentropy", "gamma": 2.0}
    stored = card(changed(PLAIN, "recipe.loss", focal)).identity()["recipe"]["loss"]
    assert stored == {"name": "focal_crossentropy", "alpha": None, "gamma": 2.0}
    assert Loss.model_validate(stored) == Loss(name="focal_crossentropy", gamma=2.0)
    (line,) = errors_in(changed(PLAIN, "recipe.loss", {"name": "focal_crossentropy"}))
    assert line.startswith("card.yaml: recipe.loss: focal_crossentropy needs gamma")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("label_smoothing", 1.0),
        ("label_smoothing", -0.1),
        ("class_weights", "equal"),
        ("class_weights", {"NORMAL": 0, "PNEUMONIA": 1}),
        ("class_weights", {"NORMAL": 1}),
        ("weight_decay", -1e-4),
        ("mixup", -0.2),
        ("test_time_augmentation", 1.5),
    ],
)
def test_an_option_of_training_out_of_range_is_refused(path: str, value: Any) -> None:
    (line,) = errors_in(changed(PLAIN, f"recipe.{path}", value))
    assert line.startswith(f"card.yaml: recipe.{path}: ")


@pytest.mark.parametrize(
    ("recipe", "line"),
    [
        ({"schedule": "cosin"}, "recipe.schedule: unknown schedule 'cosin'. Did you mean cosine?"),
        ({"warmup": 2}, "recipe: warmup must be below recipe.epochs, 2; a share such as 0.1 fits any number"),
        ({"warmup": 1.5}, "recipe: warmup 1.5 is neither a share below 1 nor a whole number of epochs"),
        ({"test_time_augmentation": 4}, "recipe: test_time_augmentation needs views to average; add"),
        (
            {"optimizer": {"name": "adamw", "learning_rate": 0.1}},
            "recipe.optimizer.name: input should be 'adam', 'sgd' or 'rmsprop'; adamw is adam with",
        ),
    ],
)
def test_a_recipe_that_cannot_be_trained_says_what_would_be_right(recipe: dict[str, Any], line: str) -> None:
    (error,) = errors_in({**PLAIN, "recipe": {**PLAIN["recipe"], **recipe}})
    assert error.startswith(f"card.yaml: {line}")


def test_a_recipe_for_two_classes_has_a_problem_with_three() -> None:
    assert recipe_problem(card(TUNED), 2) is None
    problem = recipe_problem(card(TUNED), 3)
    assert problem is not None
    assert problem.startswith("recipe.loss.alpha 0.25 is the weight of the positive class of two, but the data have 3")
    assert "{name: focal_crossentropy, gamma: 2}" in problem
    assert recipe_problem(card(PLAIN), 3) is None
