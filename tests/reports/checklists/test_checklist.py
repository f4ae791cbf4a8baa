"""Checklists: complete, in own words, filled in where a record says it and left open where none does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reports.checklists import checklist
from reports.checklists.checklist import Checklist, checklists, guidelines
from reports.checklists.facts import Facts
from reports.report import Section, build_report
from tests.support.records import make_run, recorded_history
from tests.support.study import report_in
from zoo.config.errors import ConfigError
from zoo.config.strict_yaml import read_yaml, write_yaml

NUMBERS = {
    "STARD 2015": [
        *(*range(1, 10), "10a", "10b", 11, "12a", "12b", "13a", "13b", *range(14, 21), "21a", "21b", *range(22, 31))
    ],
    "CLAIM 2024": [*range(1, 45)],
    "TRIPOD+AI": [
        *(1, 2, "3a", "3b", "3c", 4, "5a", "5b", "6a", "6b", "6c", 7, "8a", "8b", "8c", "9a", "9b", "9c", 10, 11),
        *("12a", "12b", "12c", "12d", "12e", "12f", "12g", 13, 14, 15, 16, 17),
        *("18a", "18b", "18c", "18d", "18e", "18f", 19, "20a", "20b", "20c", 21, 22, "23a", "23b", 24, 25, 26),
        *("27a", "27b", "27c"),
    ],
}  # fmt: skip
AUTHORS = {"STARD 2015": ["1", "2", "3", "28", "30"], "CLAIM 2024": ["11", "44"], "TRIPOD+AI": ["17", "18a", "19"]}


@pytest.fixture(scope="module")
def section(tmp_path_factory: pytest.TempPathFactory) -> Section:
    (found,) = report_in(tmp_path_factory.mktemp("study")).sections
    return found


def by_name(section: Section) -> dict[str, Checklist]:
    return {one.guideline.name: one for one in checklists(section)}


def answer(section: Section, guideline: str, number: str) -> str | None:
    return next(one.answer for one in by_name(section)[guideline].items if one.item.number == number)


@pytest.mark.parametrize("name", list(NUMBERS))
def test_a_guideline_has_all_of_its_items_in_order(name: str) -> None:
    guideline = next(one for one in guidelines() if one.name == name)
    assert [item.number for item in guideline.items] == list(map(str, NUMBERS[name]))
    assert guideline.source


def test_items_are_short() -> None:
    assert max(len(item.asks) for guideline in guidelines() for item in guideline.items) <= 80


@pytest.mark.parametrize("name", list(AUTHORS))
def test_what_only_the_authors_know_stays_open(section: Section, name: str) -> None:
    assert [answer(section, name, number) for number in AUTHORS[name]] == [None] * len(AUTHORS[name])


def test_answers_come_from_the_section(section: Section) -> None:
    assert "468" in (answer(section, "CLAIM 2024", "32") or "")
    assert "4 models" in (answer(section, "STARD 2015", "4") or "")
    assert "13 published claims" in (answer(section, "STARD 2015", "4") or "")
    assert "youden" in (answer(section, "STARD 2015", "12a") or "")
    assert "kept in 3 of 4 runs" in (answer(section, "TRIPOD+AI", "24") or "")
    assert answer(section, "CLAIM 2024", "20") == "patients, and identical images"


def test_answers_change_with_what_was_run() -> None:
    (synthetic,) = build_report([make_run()], lambda _: recorded_history()).sections
    assert "drawn by the program" in (answer(synthetic, "STARD 2015", "5") or "")
    assert answer(synthetic, "TRIPOD+AI", "24") is None
    assert answer(synthetic, "STARD 2015", "17") is None
    (one,) = (each for each in checklists(synthetic) if each.guideline.name == "TRIPOD+AI")
    assert 0 < one.known < len(one.items)


def test_every_fact_and_shared_answer_is_used_somewhere() -> None:
    folder = Path(checklist.__file__).parent
    shared = read_yaml(folder / "answers.yaml")
    templates = [*shared.values(), *(item.answer or "" for guideline in guidelines() for item in guideline.items)]
    named = {word for template in templates for word in re.findall(r"[a-z_]+", template)}
    assert [name for name in (*Facts.__annotations__, *shared) if name not in named] == []


def test_answers_are_one_line_each(section: Section) -> None:
    told = [filled.answer for one in checklists(section) for filled in one.items if filled.answer]
    assert not any("\n" in text or "None" in text for text in told)
    assert not any(re.search(r"\s\s|;\s*$|,\s*$", text) for text in told)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"answer": "{{ sample_sise }}"}, ["items.0.answer", "'sample_sise'", "Did you mean sample_size"]),
        ({"answer": "{{ test_images"}, ["items.0.answer", "not a Jinja template"]),
        ({"number": "1.2"}, ["items.0.number"]),
        ({"asks": ""}, ["items.0.asks"]),
        ({"anwser": "flow"}, ["items.0.anwser", "unknown key"]),
        ({"number": "2"}, ["the number 2 is duplicated"]),
    ],
)
def test_a_checklist_with_an_error_says_where(tmp_path: Path, change: dict[str, str], says: list[str]) -> None:
    first = {"number": "1", "part": "Methods", "asks": "Sample size", **change}
    second = {"number": "2", "part": "Methods", "asks": "Flow"}
    held = {"name": "own", "title": "Own", "source": "here", "items": [first, second]}
    (tmp_path / "own.yaml").write_text(write_yaml(held), encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        guidelines(tmp_path)
    assert [part for part in says if part not in str(raised.value)] == []
