"""`zoo.audit` gives what `zoo audit` prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import zoo as package
from reports.claims.model import claims_names, load_claims
from tests.support.claims import contents, figure, row, write_claims
from tests.zoo.cli import test_app as test_zoo_cli
from tests.zoo.cli.test_app import Zoo
from zoo.config.errors import ConfigError
from zoo.models.catalog import load_cards

zoo = test_zoo_cli.zoo


def test_the_document_is_that_of_the_command(zoo: Zoo) -> None:
    assert package.audit().to_dict() == json.loads(zoo("audit", "--json").out)


def test_claims_are_named_by_name_path_or_object(tmp_path: Path) -> None:
    name = claims_names()[0]
    by_name = package.audit(name)
    assert package.audit(load_claims(name, load_cards())) == package.audit([name]) == by_name
    path = write_claims(tmp_path, contents(row("one", figure("accuracy", 0.91))), "mine")
    assert [audit.name for audit in package.audit([name, path]).audits] == [name, "mine"]


def test_the_frame_has_a_row_per_finding() -> None:
    results = package.audit()
    assert len(results.to_frame()) == sum(len(audit.findings) for audit in results.audits) > 0
    assert results.to_frame()["severity"].iloc[0] in results._repr_html_()


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="Unknown claims 'nothing'"):
        package.audit("nothing")


def test_statements_about_models_without_a_card_are_named_and_the_figures_are_audited(zoo: Zoo, tmp_path: Path) -> None:
    rows = [row("resnet-a", figure("accuracy", 0.8125), figure("recall", 0.9, decimals=2))]
    says = {"superior": {"a": "resnet-a", "b": "attempt-11", "metric": "auc"}}
    statement = {"id": "best", "location": "p. 1", "text": "Best.", "assertion": says}
    path = write_claims(tmp_path, contents(*rows, statements=[statement]))
    results = package.audit(path)
    assert [each.name for each in results.audits[0].rows] == ["resnet-a"]
    (line,) = results.messages
    assert line.startswith(
        "note: study: sentences are audited; no card of this name: cannot be run here (resnet-a, attempt-11); write a "
        "card, name its folder with --cards DIR and add its name to the row as `card`; attempt-11: did you mean "
    )
    assert "mean attempt-" in line
    assert "small-cnn" not in line
    answer = zoo("audit", path)
    assert answer.code == 0
    assert "no card of this name" in answer.err


def test_a_misspelt_row_is_a_finding_and_all_other_names_are_one_note(tmp_path: Path) -> None:
    rows = [row(name, figure("accuracy", 0.8125)) for name in ("vgg", "densenet-b")]
    forms = [{"at_least": {"card": name, "metric": "accuracy", "value": 0.8}} for name in ("vgg", "densnet-b", "other")]
    says = [
        {"id": f"said-{i}", "location": "p. 1", "text": "Good.", "assertion": form} for i, form in enumerate(forms * 2)
    ]
    results = package.audit(write_claims(tmp_path, contents(*rows, statements=says)))
    (line,) = results.messages
    assert "(vgg, other)" in line
    misspelt = [each for each in results.audits[0].findings if each.kind == "unknown-name"]
    assert [each.statement for each in misspelt] == [
        f"The sentence said-{i} (p. 1) names densnet-b, which is no row and no card: did you mean the row densenet-b?"
        for i in (1, 4)
    ]


def test_a_file_that_is_no_yaml_is_named_as_such(tmp_path: Path) -> None:
    table = tmp_path / "table.md"
    table.write_text("| accuracy | 0.9 |")
    with pytest.raises(ConfigError, match=r"table.md: is not a YAML claims file, whose name ends in .yaml"):
        package.audit(table)
