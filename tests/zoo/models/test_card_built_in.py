"""The built-in cards say what the report says."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from pydantic import ValidationError

from zoo import ModelCard, ProbeRecipe, PublishedFigure, Recipe
from zoo.config.strict_yaml import validate
from zoo.models.catalog import REPORT_COLLECTION, STARTER_COLLECTION, load_catalog
from zoo.models.published import TestSizes
from zoo.models.registry import builder_names, get_builder

CATALOG = load_catalog()
CARDS = CATALOG.of(REPORT_COLLECTION)
STARTER = CATALOG.of(STARTER_COLLECTION)
ATTEMPTS = ("attempt-1", "attempt-2", "attempt-3", "attempt-4", "attempt-5", "attempt-6a", "attempt-6b", "attempt-7")
VARIANTS = (
    "attempt-1-batchnorm",
    "attempt-1-batchnorm-fast",
    "attempt-1-no-augmentation",
    "attempt-3-focal",
    "attempt-4-strong",
    "attempt-6b-caffe",
)

# Split, metric, epoch and the figure as the report prints it.
PRINTED = {
    "attempt-1": {
        ("test", "loss", None, "2.6550"),
        ("test", "accuracy", None, "0.5000"),
        ("test", "score", None, "0.97-0.99"),
    },
    "attempt-2": {
        ("train", "loss", "first", "2.9182"),
        ("train", "loss", "last", "1.2375"),
        ("train", "accuracy", "first", "0.7227"),
        ("train", "accuracy", "last", "0.8403"),
        ("val", "accuracy", "last", "0.5052"),
        ("val", "loss", "first", "1.3703"),
        ("val", "loss", "last", "24.3714"),
        ("test", "loss", None, "2.3092"),
        ("test", "accuracy", None, "0.6218"),
    },
    "attempt-3": {
        ("train", "accuracy", "last", "0.4013-0.4727"),
        ("train", "loss", "last", "0.0970"),
        ("val", "loss", "last", "0.0943"),
        ("val", "accuracy", "last", "0.4948"),
        ("test", "loss", None, "0.0943"),
        ("test", "accuracy", None, "0.4979"),
        ("test", "score", None, "0.3-0.4"),
    },
    "attempt-4": {
        ("train", "accuracy", "last", "0.8514"),
        ("val", "loss", "first", "0.9500"),
        ("val", "loss", "last", "1.4811"),
        ("val", "accuracy", "last", "0.5042-0.5063"),
        ("val", "recall", "every", "1.0000"),
        ("test", "loss", None, "0.9538"),
        ("test", "accuracy", None, "0.5000"),
        ("test", "precision", None, "0.5000"),
        ("test", "recall", None, "1.0000"),
    },
    "attempt-6b": {
        ("test", "accuracy", None, "0.7671"),
        ("test", "precision", None, "0.9562"),
        ("test", "recall", None, "0.5598"),
        ("test", "auc", None, "0.9340"),
    },
    "attempt-7": {
        ("test", "accuracy", None, "0.9103"),
        ("test", "precision", None, "0.9138"),
        ("test", "recall", None, "0.9060"),
        ("test", "auc", None, "0.9608"),
        ("test", "true_positives", None, "131"),
        ("test", "true_negatives", None, "228"),
        ("test", "false_positives", None, "6"),
        ("test", "false_negatives", None, "103"),
    },
}


def printed(figure: PublishedFigure) -> str:
    ends = [figure.value] if figure.upper is None else [figure.value, figure.upper]
    return "-".join(f"{end:.{figure.decimals}f}" for end in ends)


def test_the_fourteen_cards_of_the_report_are_built_in() -> None:
    assert sorted(CARDS) == list(CARDS) == sorted((*ATTEMPTS, *VARIANTS))


@pytest.mark.parametrize("name", CARDS)
def test_a_card_is_frozen_through_and_through(name: str) -> None:
    chosen = CARDS[name]
    targets: list[tuple[Any, str]] = [
        (chosen, "title"),
        (chosen.model, "builder"),
        (chosen.recipe, "epochs"),
        (chosen.recipe.optimizer, "learning_rate"),
        (chosen.recipe.loss, "name"),
    ]
    for target, field in targets:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(target, field, getattr(target, field))


@pytest.mark.parametrize("name", CATALOG.cards)
def test_a_card_survives_json_unchanged(name: str) -> None:
    card = CATALOG.cards[name]
    text = card.model_dump_json()
    assert ModelCard.model_validate_json(text, strict=True) == card
    assert validate(ModelCard, json.loads(text), "card.yaml") == card


@pytest.mark.parametrize("name", ATTEMPTS)
def test_an_attempt_says_where_it_comes_from_and_what_was_left_open(name: str) -> None:
    source = CARDS[name].source
    assert source is not None
    assert source.report
    assert source.section.startswith("Intento N")
    assert source.data == "kaggle:paultimothymooney/chest-xray-pneumonia"
    assert source.test == TestSizes(negatives=234, positives=234)
    assert CARDS[name].assumptions


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_claims_no_source_and_no_figure_and_says_why_it_exists(name: str) -> None:
    assert CARDS[name].source is None
    assert CARDS[name].published == ()
    assert CARDS[name].assumptions


def test_no_two_attempts_rest_on_the_same_section() -> None:
    sections = [source.section for name in ATTEMPTS if (source := CARDS[name].source) is not None]
    assert len(set(sections)) == len(ATTEMPTS)


def test_no_two_cards_are_the_same_experiment() -> None:
    experiments = {card.model_dump_json(include={"model", "recipe"}) for card in CATALOG.cards.values()}
    assert len(experiments) == len(CATALOG.cards)


@pytest.mark.parametrize("name", CARDS)
def test_published_figures_are_the_printed_ones(name: str) -> None:
    figures = [(f.split, f.metric, f.epoch, printed(f)) for f in CARDS[name].published]
    assert len(figures) == len(set(figures))
    assert set(figures) == PRINTED.get(name, set())


@pytest.mark.parametrize("name", CARDS)
def test_every_published_figure_has_its_location(name: str) -> None:
    assert all(figure.location.startswith("Intento N") for figure in CARDS[name].published)


def test_the_identity_of_the_built_in_cards_stays() -> None:
    """Stored runs are found by it: renamed keys and new prose must not change it, only a new model or recipe."""
    identities = json.dumps([card.identity() for card in CARDS.values()], sort_keys=True)
    digest = hashlib.sha256(identities.encode()).hexdigest()
    assert digest == "6b007a97fe3aa798f703208322c0b7a4431a67a336a90e720f4732a0d90b580a"


NETWORKS = ("vgg16", "squeezenet", "efficientnet-lite0", "densenet121", "efficientnetv2b0", "mobilenetv3small")


def test_the_starter_cards_are_for_any_images() -> None:
    of_networks = {f"{name}-{kind}" for name in NETWORKS for kind in ("probe", "finetuned")}
    assert set(STARTER) == {"constant", "pixels-logistic", "small-cnn", "vgg16-frozen", *of_networks}
    for card in STARTER.values():
        assert card.source is None
        assert card.published == ()
        assert get_builder(card.model.builder).takes_outputs


def test_the_baselines_are_what_needs_no_network() -> None:
    assert [name for name, card in CATALOG.cards.items() if card.baseline] == ["constant", "pixels-logistic"]


def test_a_starter_card_turns_no_left_into_a_right() -> None:
    """A flip changes what a radiograph, a scan or a digit shows."""
    changed = [card.recipe.augmentation for card in STARTER.values() if card.recipe.augmentation is not None]
    assert changed
    assert not any(augmentation.horizontal_flip or augmentation.vertical_flip for augmentation in changed)


def test_a_probe_has_nothing_to_tune_in_epochs() -> None:
    probes = {name for name, card in STARTER.items() if isinstance(card.recipe, ProbeRecipe)}
    assert probes == {"constant", "pixels-logistic", *(f"{name}-probe" for name in NETWORKS)}


def test_every_fine_tuned_starter_card_names_the_probe_of_its_network() -> None:
    of_tuned = {name: card.probe_card for name, card in STARTER.items() if card.probe_card is not None}
    assert of_tuned == {f"{name}-finetuned": f"{name}-probe" for name in NETWORKS}
    tuned = {name for name, card in STARTER.items() if isinstance(card.recipe, Recipe) and card.recipe.finetune}
    assert tuned == set(of_tuned)


def test_the_best_effort_is_an_ensemble_of_probes_and_of_the_cards_that_fine_tune_their_networks() -> None:
    cards = CATALOG.of("best-effort")
    members = {name: CATALOG.cards[name] for name in cards["best-effort"].model.params["members"]}
    assert set(cards) - {"best-effort"} <= set(members) <= set(cards) | set(STARTER)
    tuned = {name: card.probe_card for name, card in members.items() if isinstance(card.recipe, Recipe)}
    assert {*tuned, *tuned.values(), "squeezenet-probe"} == set(members)
    augmentations = [card.recipe.augmentation for card in members.values() if card.recipe.augmentation is not None]
    assert augmentations
    assert not any(augmentation.horizontal_flip or augmentation.vertical_flip for augmentation in augmentations)
    for card in cards.values():
        assert card.source is None
        assert get_builder(card.model.builder).takes_outputs


def test_the_identity_of_the_first_starter_cards_stays() -> None:
    first = ("constant", "pixels-logistic", "small-cnn", "vgg16-finetuned", "vgg16-frozen", "vgg16-probe")
    identities = json.dumps([STARTER[name].identity() for name in first], sort_keys=True)
    assert (
        hashlib.sha256(identities.encode()).hexdigest()
        == "9898eb0056fc4769f7dd076874c7b5efb80b9b7645275ddcddc7a67e8bf15a05"
    )


def test_every_built_in_builder_has_a_card_but_those_without_weights_that_the_project_knows() -> None:
    assert {card.model.builder for card in CATALOG.cards.values()} == set(builder_names()) - {"hub"}
