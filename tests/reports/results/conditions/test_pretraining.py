"""The methods name the images on which weights were pretrained, and warn where test images may be among them."""

from __future__ import annotations

from benchmark.runs.run import DatasetFacts
from reports.results.conditions.methods import methods
from tests.support.records import KAGGLE, PHANTOM, make_run
from zoo.models.known_weights import known_weights

WORDS = f"{known_weights()['VGG16'].pretrained_on}: attempt-6b, attempt-7"


def pretraining(dataset: DatasetFacts, *cards: str) -> list[str]:
    facts = methods([make_run(card, dataset=dataset) for card in cards], {}).facts
    return [fact.text for fact in facts if fact.topic == "pretraining"]


def test_real_images_may_be_among_those_of_pretraining() -> None:
    (text,) = pretraining(KAGGLE, "attempt-1", "attempt-6b", "attempt-7")
    assert (
        text
        == f"{WORDS}; if images of these data are from there too, the weights may have seen some of the test images"
    )


def test_synthetic_images_are_not() -> None:
    assert pretraining(PHANTOM, "attempt-6b", "attempt-7") == [WORDS]


def test_without_pretrained_weights_nothing_is_said() -> None:
    assert pretraining(KAGGLE, "attempt-1", "attempt-2") == []
