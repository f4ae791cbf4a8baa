"""The probe that a fine-tuned card names: checked on loading, and no part of what a run is."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.config.errors import ConfigError
from zoo.models.catalog import load_cards

TUNED = """\
extends: vgg16-finetuned
title: Tuned
change: tuned
"""


def loading(folder: Path, text: str) -> str:
    """The one line that loading this card raises."""
    (folder / "mine.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_cards(folder)
    (line,) = caught.value.lines
    return line.removeprefix(f"{folder / 'mine.yaml'}: probe_card: ")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (TUNED + "probe_card: vgg16-prob\n", "unknown card 'vgg16-prob'. Did you mean vgg16-probe"),
        (TUNED + "probe_card: vgg16-frozen\n", "'vgg16-frozen' is no probe; name a card with recipe.probe"),
        (TUNED + "probe_card: squeezenet-probe\n", "'squeezenet-probe' has another network, other weights"),
        (
            TUNED + "probe_card: vgg16-probe\nrecipe: {preprocessing: rescale}\n",
            "'vgg16-probe' has another network, other weights or another preprocessing",
        ),
        (
            TUNED.replace("finetuned", "frozen") + "probe_card: vgg16-probe\n",
            "is for a card with recipe.finetune, which is compared with a probe; drop it",
        ),
    ],
)
def test_a_card_that_is_not_the_probe_of_the_network_is_refused(tmp_path: Path, text: str, says: str) -> None:
    assert loading(tmp_path, text).startswith(says)


def test_it_is_neither_inherited_nor_part_of_a_run(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(TUNED, encoding="utf-8")
    (tmp_path / "named.yaml").write_text(TUNED + "probe_card: vgg16-probe\n", encoding="utf-8")
    mine, named = (load_cards(tmp_path)[name] for name in ("mine", "named"))
    assert (mine.probe_card, named.probe_card) == (None, "vgg16-probe")
    assert mine.identity() == named.model_copy(update={"name": "mine"}).identity()
    assert "probe_card" not in mine.model_dump(mode="json")  # records of other cards stay as they were
    assert type(named).model_validate(named.model_dump(mode="json")) == named
