"""Where patients are not known no page says that they were kept apart; where they are, all is said as before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.data.dataset import PatientFacts
from benchmark.data.sources import open_dataset
from benchmark.runs.run import DatasetFacts
from benchmark.runs.storage.store import Store
from reports.checklists.checklist import checklists
from reports.limits import limits
from reports.render.html.page import render as html
from reports.render.markdown.document import render as markdown
from reports.report import Section, build_report
from tests.support.images import noise, save
from tests.support.kept import compute
from tests.support.records import KAGGLE, on_test, planted
from tests.support.stored import keep
from tests.support.tiny import card, protocol
from zoo.models.catalog import load_cards

UNKNOWN = KAGGLE.model_copy(update={"patients": PatientFacts("unknown", 0, 1068)})
KNOWN = KAGGLE.model_copy(update={"patients": PatientFacts("names", 1068, 1068)})
PARTLY = KAGGLE.model_copy(update={"patients": PatientFacts("names", 1000, 1068)})


def section(root: Path, facts: DatasetFacts) -> Section:
    test = on_test(*planted(100, 100, seed=2))
    if not facts.patients_unknown:
        test = replace(test, patient=tuple(f"p{number // 2}" for number in range(200)))
    store = Store(root / "runs")
    run = keep(store, "attempt-5", test, dataset=facts)
    return build_report([run], store.history, scores=store).sections[0]


def answers_in(section: Section) -> dict[str, str]:
    """What the checklists say, by guideline and number: "CLAIM 2024 20"."""
    return {
        f"{checklist.guideline.name} {filled.item.number}": filled.answer or ""
        for checklist in checklists(section)
        for filled in checklist.items
    }


def test_unknown_patients_are_nowhere_said_to_be_apart(tmp_path: Path) -> None:
    found = section(tmp_path, UNKNOWN)
    split = next(fact.text for fact in found.methods.facts if fact.topic == "split")
    assert split.startswith("by image: no identical image is in two splits; patients are not known")
    assert "no patient" not in split
    answers = answers_in(found)
    assert answers["CLAIM 2024 20"].startswith("images: ")
    assert answers["CLAIM 2024 20"].endswith("patients are not known")
    assert "by image, as patients are not known" in answers["STARD 2015 14"]
    assert "drawn at random by image" in answers["STARD 2015 9"]
    assert answers["CLAIM 2024 35"].endswith("patients are not known")
    assert not any("by patient" in text for text in answers.values())
    assert any("images of one patient may be in train, val and test" in limit for limit in limits(found))
    assert not any("by patient" in limit for limit in limits(found))
    assert found.summary is not None
    assert "patients-unknown" in [problem.code for problem in found.summary.problems]
    assert {row.patients for row in found.methods.flow} == {None}


@pytest.mark.parametrize("render", [markdown, html])
def test_no_page_says_by_patient_of_unknown_patients(tmp_path: Path, render: object) -> None:
    store = Store(tmp_path / "runs")
    keep(store, "attempt-5", dataset=UNKNOWN)
    keep(store, load_cards()["vgg16-probe"], dataset=UNKNOWN)
    report = build_report(store.runs()[0], store.history, scores=store)
    text = render(report)  # type: ignore[operator]
    assert "atients are not known" in text
    assert "by patient" not in text


def test_known_patients_are_said_to_be_apart(tmp_path: Path) -> None:
    found = section(tmp_path, KNOWN)
    answers = answers_in(found)
    assert answers["CLAIM 2024 20"] == "patients, and identical images"
    assert "by patient where patients repeat" in answers["STARD 2015 14"]
    assert not any("not known" in note for note in found.notes)
    assert next(row.patients for row in found.methods.flow if (row.split, row.label) == ("test", None)) == 100


def test_patients_known_in_part_are_counted_where_it_matters(tmp_path: Path) -> None:
    found = section(tmp_path, PARTLY)
    told = "patients are known for 1000 of 1068 images"
    assert told in answers_in(found)["CLAIM 2024 20"]
    assert any(told in fact.text for fact in found.methods.facts if fact.topic == "split")
    assert any("images of one patient may be in two splits" in limit for limit in limits(found))


def test_a_record_of_before_is_read_and_says_nothing_of_it() -> None:
    old = {name: value for name, value in KAGGLE.model_dump().items() if name not in ("patients", "known_as")}
    assert DatasetFacts.model_validate(old) == KAGGLE
    assert not KAGGLE.patients_unknown


@pytest.mark.parametrize(
    ("facts", "model"),
    [(KNOWN, "a model that saw no image of its patient"), (UNKNOWN, "a model trained on the other folds")],
)
def test_folds_are_tested_by_models_that_are_described(tmp_path: Path, facts: DatasetFacts, model: str) -> None:
    store = Store(tmp_path / "runs")
    run = keep(store, "attempt-5", dataset=facts, protocol=protocol(test_folds=2, sampling={"val": 20}))
    text = markdown(build_report([run], store.history, scores=store))
    assert f"is tested once, by {model}. AUC" in text


@pytest.mark.slow
@pytest.mark.parametrize("known", [True, False])
def test_a_run_keeps_patients_with_its_scores_only_where_they_are_known(tmp_path: Path, known: bool) -> None:
    form = "person{}_virus_{}.png" if known else "case{}x{}.png"
    for number in range(120):
        save(noise(number, 32), tmp_path / "data" / "AB"[number % 2] / form.format(number // 4, number % 4))
    store, tiny = Store(tmp_path / "runs"), protocol(sampling={"min_val": 0})
    run = compute(card(), tiny, open_dataset(str(tmp_path / "data")), store, tmp_path / "cache")
    for split in ("val", "test"):
        assert (store.scores(run, split).patient is not None) == known  # type: ignore[arg-type]
    text = markdown(build_report([run], store.history, scores=store))
    assert ("no patient and no identical image is in two splits" in text) == known
