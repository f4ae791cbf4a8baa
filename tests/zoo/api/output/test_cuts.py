"""The layers behind which the frozen part of a card's network can end."""

from __future__ import annotations

from zoo.api.output.cuts import cut_lines
from zoo.models.card import ModelCard
from zoo.models.catalog import load_cards


def test_the_cuts_of_a_network_are_listed_with_shape_and_weights_behind() -> None:
    card = ModelCard.model_validate(
        {
            "name": "net",
            "title": "t",
            "change": "c",
            "model": {"builder": "application", "backbone": "SqueezeNet1.1"},
            "recipe": {"probe": "logistic", "preprocessing": "builder"},
        }
    )
    heading, *cuts = cut_lines(card)
    assert "images of 128 px" in heading
    names = [line.partition(":")[0].strip() for line in cuts]
    fires = [name for number in range(2, 10) for name in (f"fire{number}_squeeze1x1", f"fire{number}_concat")]
    # Layers without weights follow the convolution and the concatenations before them.
    ends = {"conv1": "fire2_pool", "fire3_concat": "fire4_pool", "fire5_concat": "fire6_pool", "fire9_concat": "pool"}
    assert names == [ends.get(name, name) for name in ("conv1", *fires)]
    assert cuts[-1] == "  pool: 512; 513"


def test_cards_that_cannot_name_a_layer_build_nothing() -> None:
    assert not list(cut_lines(load_cards()["attempt-7"]))
