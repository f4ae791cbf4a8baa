"""Pictures of a search."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from reports.figures.search import search_pictures
from tests.support.searches import RATE, UNITS, result, without_objective


def test_pictures_are_whole_svg() -> None:
    pictures = search_pictures(result())
    assert list(pictures) == ["Best so far", f"Objective against {RATE}", f"Objective against {UNITS}"]
    assert all(ET.fromstring(svg).tag.endswith("svg") for svg in pictures.values())


def test_a_search_without_an_objective_has_no_picture() -> None:
    assert search_pictures(without_objective()) == {}
