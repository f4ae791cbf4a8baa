"""Cards of ensembles: what a file states, what it inherits, and which members it may have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from zoo.api.arguments.ensembles import refuse_ensemble, with_members
from zoo.config.errors import ConfigError
from zoo.models.card import ModelCard
from zoo.models.catalog import load_cards
from zoo.models.registry import build

PAIR = {"title": "A mean", "change": "averages", "ensemble": ["constant", "pixels-logistic"]}


def loaded(folder: Path, **cards: dict[str, Any]) -> dict[str, ModelCard]:
    folder.mkdir(exist_ok=True)
    for name, card in cards.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(card), encoding="utf-8")
    return load_cards(folder)


def errors_of(folder: Path, **cards: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded(folder, **cards)
    return [line.removeprefix(f"{folder}/") for line in caught.value.lines]


def test_one_line_names_the_members_and_probabilities_are_averaged(tmp_path: Path) -> None:
    card = loaded(tmp_path, mean=PAIR)["mean"]
    assert card.members == ("constant", "pixels-logistic")
    assert card.identity() == {
        "name": "mean",
        "model": {"builder": "ensemble", "members": ["constant", "pixels-logistic"]},
        "recipe": {"average": "probabilities", "choose": None},
    }
    assert ModelCard.model_validate_json(card.model_dump_json()) == card


def test_a_card_inherits_members_or_the_way_they_are_averaged(tmp_path: Path) -> None:
    cards = loaded(
        tmp_path,
        mean=PAIR | {"recipe": {"average": "logits"}},
        chosen={"extends": "mean", "title": "t", "change": "c", "recipe": {"choose": 3}},
        network={"extends": "small-cnn", "title": "t", "change": "c", "ensemble": ["constant", "small-cnn"]},
        small={"extends": "mean", **{key: yaml_card()[key] for key in ("title", "change", "model", "recipe")}},
    )
    assert cards["chosen"].members == cards["mean"].members
    assert cards["chosen"].recipe.model_dump() == {"average": "logits", "choose": 3}
    assert cards["network"].recipe.model_dump() == {"average": "probabilities", "choose": None}
    assert cards["small"].members == ()


def yaml_card() -> dict[str, Any]:
    return {
        "title": "t",
        "change": "c",
        "model": {"builder": "scratch_cnn", "filters": [4]},
        "recipe": {"optimizer": {"name": "adam", "learning_rate": 0.01}, "epochs": 2, "batch_size": 16},
    }


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"ensemble": ["constant", "pixels-logistc"]}, "ensemble: unknown card 'pixels-logistc'. Did you mean pixels-"),
        ({"ensemble": ["constant", "constant"]}, "ensemble: constant is named twice; `choose` lets a member count"),
        ({"ensemble": ["constant", "other"]}, "ensemble: other is an ensemble; give its members: constant, pixels-log"),
        ({"model": {"builder": "constant"}}, "ensemble: averages the scores of other cards and has no network; drop"),
        ({"ensemble": ["constant"]}, "ensemble: give a list of two or more cards, such as [small-cnn, vgg16-probe]"),
        ({"ensemble": ["constant", [3]]}, "ensemble.1: must be the name of a card (got [3])"),
        ({"ensemble": ["constant", "mean"]}, "ensemble: mean is this card itself; name other cards"),
        ({"recipe": {"average": "ranks"}}, "recipe.average: input should be 'probabilities' or 'logits'"),
        ({"recipe": {"epochs": 3}}, "recipe.epochs: unknown key. Known: average, choose."),
        ({"recipe": {"choos": 3}}, "recipe.choos: unknown key. Did you mean choose?"),
        ({"recipe": [3]}, "recipe: input should be an object"),
        ({"recipe": {"choose": 0}}, "recipe.choose: input should be greater than or equal to 1"),
    ],
)
def test_an_ensemble_that_cannot_be_averaged_says_what_would_be_right(
    changes: dict[str, Any], line: str, tmp_path: Path
) -> None:
    lines = errors_of(tmp_path / "cards", other=PAIR, mean={**PAIR, **changes})
    assert any(each.startswith(f"mean.yaml: {line}") for each in lines), lines


def test_a_mistyped_ensemble_is_not_asked_for_a_model(tmp_path: Path) -> None:
    mistyped = {"ensembl" if key == "ensemble" else key: value for key, value in PAIR.items()}
    assert errors_of(tmp_path / "cards", mean=mistyped) == ["mean.yaml: ensembl: unknown key. Did you mean ensemble?"]


def test_members_are_planned_beside_an_ensemble_whether_or_not_they_were_asked_for(tmp_path: Path) -> None:
    cards = loaded(tmp_path, mean=PAIR)
    chosen = with_members([cards["small-cnn"], cards["mean"], cards["constant"]], tmp_path)
    assert [card.name for card in chosen] == ["small-cnn", "pixels-logistic", "mean", "constant"]
    assert with_members([cards["constant"]], tmp_path) == [cards["constant"]]
    unknown = cards["mean"].model_copy(update={"name": "other"})
    unknown.model.model_extra["members"] = ["constant", "pixel-logistic"]  # type: ignore[index]
    with pytest.raises(ConfigError, match=r"^card other: ensemble: unknown card 'pixel-logistic'. Did you mean pixels"):
        with_members([unknown], ())


def test_what_needs_one_network_names_the_members(tmp_path: Path) -> None:
    card = loaded(tmp_path, mean=PAIR)["mean"]
    with pytest.raises(ConfigError, match=r"is not trained; give zoo search one of constant, pixels-logistic$"):
        refuse_ensemble(card, "search")
    with pytest.raises(ConfigError, match="an ensemble has no network to build; it averages the scores of constant, "):
        build("ensemble", card.model.params, (32, 32, 3))
