"""Runs are held against published figures when their images are those: by name, by the names of the test part, or as
stated; the other positive class, or one file more, makes them others."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from benchmark.data.sources import open_dataset
from benchmark.runs.run import DatasetFacts, Run
from benchmark.runs.storage.store import Store
from reports.claims.model import Claims, built_in_sources, load_claims
from reports.report import build_report
from reports.results.comparison.published import compare_card, is_different_data
from reports.results.conditions.recognised import identity_line, is_data, recognised_as
from tests.support.claims import contents, figure, row, write_claims
from tests.support.forked import run_forked
from tests.support.images import image_folder, noise, save
from tests.support.judging import RIGHT
from tests.support.records import KAGGLE, cards, make_card, make_run, of_counts
from tests.support.stored import keep
from tests.support.tiny import environment
from zoo.config.errors import ConfigError

NAME = "kaggle:smith/radiographs"
LINES = [f"{label}/image_{number:03d}.png" for label in ("HEALTHY", "ILL") for number in range(3)]
DIGEST = hashlib.sha256("\n".join(sorted(LINES)).encode()).hexdigest()
PUBLIC = "b3199847d3ee82c74cc4944d82ad070daa84cb80b96c66b652a8e9db341eafc1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return image_folder(
        tmp_path / "unpacked", {f"{part}/{label}": 3 for part in ("train", "TEST") for label in ("HEALTHY", "ILL")}
    )


def facts(folder: Path, **more: Any) -> DatasetFacts:
    return DatasetFacts.of(open_dataset(str(folder), **more))


def claims(folder: Path, **recognise: Any) -> Claims:
    source = {
        "report": "Smith",
        "data": NAME,
        "test": {"negatives": 234, "positives": 234, "location": "Section 2"},
        "recognise": {"test_names_sha256": DIGEST, "classes": ["HEALTHY", "ILL"]} | recognise,
    }
    written = contents(row("one", figure("accuracy", 0.9103), card="attempt-5"), source=source)
    return load_claims(str(write_claims(folder, written)), cards())


def test_a_folder_is_recognised_by_the_names_of_its_test_part(tmp_path: Path, folder: Path) -> None:
    found, about = facts(folder), claims(tmp_path)
    assert found.test_names == DIGEST
    assert recognised_as(found, [about]) == NAME
    assert is_data(found, NAME, [about])
    assert not is_data(found, NAME)
    assert NAME in (identity_line(found, [about]) or "")


@pytest.mark.parametrize("change", ["a file more", "a file less", "another name", "another class"])
def test_other_names_are_other_data(tmp_path: Path, folder: Path, change: str) -> None:
    here = folder / "TEST" / "ILL"
    if change == "a file more":
        save(noise(77), here / "more.png")
    elif change == "a file less":
        (here / "image_000.png").unlink()
    elif change == "another name":
        (here / "image_000.png").rename(here / "renamed.png")
    else:
        for part in ("train", "TEST"):
            (folder / part / "ILL").rename(folder / part / "SICK")
    assert recognised_as(facts(folder), [claims(tmp_path)]) is None


def test_contents_and_the_other_parts_do_not_count(tmp_path: Path, folder: Path) -> None:
    save(noise(77), folder / "train" / "ILL" / "more.png")
    save(noise(78), folder / "TEST" / "ILL" / "image_000.png")
    assert recognised_as(facts(folder), [claims(tmp_path)]) == NAME


def test_sources_without_a_test_part_or_names_have_no_digest(tmp_path: Path) -> None:
    assert facts(image_folder(tmp_path / "plain", {"A": 2, "B": 2})).test_names is None
    assert DatasetFacts.of(open_dataset("phantom")).test_names is None


def verdict(root: Path, data: DatasetFacts, about: Claims) -> tuple[str, str]:
    store = Store(root / "runs")
    keep(store, "attempt-5", of_counts(**RIGHT), dataset=data)
    [section] = build_report(store.runs()[0], store.history, scores=store, claims=[about]).sections
    decision = section.claims[0].figures[0].decision
    return decision.verdict, decision.reason or ""


def test_a_verdict_is_given_on_recognised_images(tmp_path: Path, folder: Path) -> None:
    assert verdict(tmp_path, facts(folder), claims(tmp_path))[0] not in ("not comparable", "not run")


def test_the_other_positive_class_is_not_comparable(tmp_path: Path, folder: Path) -> None:
    turned = facts(folder, positive="HEALTHY")
    found, why = verdict(tmp_path, turned, claims(tmp_path))
    assert found == "not comparable"
    assert why == "different positive class: measured HEALTHY, published ILL"


def test_what_was_stated_counts_as_the_source_does(tmp_path: Path) -> None:
    other = facts(image_folder(tmp_path / "renamed", {"HEALTHY": 2, "ILL": 2}))
    assert verdict(tmp_path / "a", other, claims(tmp_path))[0] == "not comparable"
    stated = other.model_copy(update={"known_as": NAME})
    assert verdict(tmp_path / "b", stated, claims(tmp_path))[0] != "not comparable"
    assert "--data-is" in (identity_line(stated) or "")


def test_published_figures_of_a_card_are_held_against_the_public_names() -> None:
    assert {source.recognise.test_names_sha256 for source in built_in_sources() if source.recognise} == {PUBLIC}
    elsewhere = KAGGLE.model_copy(update={"source": "/somewhere/else"})
    assert is_different_data(make_run("attempt-6b", dataset=elsewhere))
    known = make_run("attempt-6b", dataset=elsewhere.model_copy(update={"test_names": PUBLIC}))
    assert not is_different_data(known)
    assert not any(each.other_data for each in compare_card([known], lambda run: []))
    assert identity_line(known.spec.dataset) is not None
    assert identity_line(KAGGLE.model_copy(update={"test_names": PUBLIC})) is None  # its name says it already
    turned = {"test_names": PUBLIC, "classes": ("PNEUMONIA", "NORMAL")}
    assert is_different_data(make_run("attempt-6b", dataset=elsewhere.model_copy(update=turned)))


def test_a_card_s_own_source_is_recognised_through_claims(tmp_path: Path, folder: Path) -> None:
    card = make_card("attempt-6b", source={"report": "Smith", "section": "1", "data": NAME})
    run: Run = make_run(card, dataset=facts(folder))
    assert is_different_data(run)
    assert not is_different_data(run, [claims(tmp_path)])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"test_names_sha256": "abc"}, "test_names_sha256"),
        ({"classes": ["one"]}, "classes"),
        ({"names": "x"}, "names"),
    ],
)
def test_a_wrong_way_to_recognise_is_refused_by_its_place(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=rf"source\.recognise\.{says}"):
        claims(tmp_path, **change)


def test_data_that_are_recognised_need_a_name(tmp_path: Path) -> None:
    source = {"report": "Smith", "recognise": {"test_names_sha256": DIGEST}}
    written = contents(row("one", figure("accuracy", 0.9)), source=source)
    with pytest.raises(ConfigError, match="recognise needs data, the name of the data set; add it"):
        load_claims(str(write_claims(tmp_path, written)), cards())


@pytest.mark.real_data
def test_a_carve_out_of_the_radiographs_is_not_the_public_test_part(real_data: Path) -> None:
    assert recognised_as(facts(real_data)) is None


def test_a_report_takes_the_statement_for_runs_on_one_data_set(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    elsewhere = KAGGLE.model_copy(update={"source": "/somewhere/else"})
    keep(store, "attempt-6b", of_counts(**RIGHT), dataset=elsewhere)
    words = ("report", "--store", "runs", "--format", "md", "--data-is", str(KAGGLE.source))
    done = run_forked(words, tmp_path, environment(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    assert "different data" not in (tmp_path / "report.md").read_text(encoding="utf-8")
    keep(store, "attempt-5", dataset=elsewhere.model_copy(update={"source": "third", "fingerprint": "0" * 64}))
    done = run_forked(words, tmp_path, environment(tmp_path / "cache"))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "one data set" in done.stderr
