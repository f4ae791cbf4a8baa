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
