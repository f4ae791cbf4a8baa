"""Figures of three and of ten classes: every card, class and cell, and files of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from benchmark.evidence.estimate import SampleEstimate
from reports.figures.files import write_pictures
from reports.figures.multiclass import (
    class_areas,
    class_roc_figure,
    matrix_figure,
    multiclass_forest_figure,
    top_label_figure,
)
from reports.figures.svg import inline_svg, svg_file, to_svg
from reports.report import Report, Section, build_report
from reports.results.multiclass.figures import ClassCurves, ClassMatrix
from tests.support.multiclass_stores import BETTER, COLLAPSED, FAILED, WORSE, ten_classes_in, three_classes_in
from tests.support.pages import LONG


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Four cards on three classes, one of them collapsed and one failed."""
    store = three_classes_in(tmp_path_factory.mktemp("three"))
    return build_report(store.runs()[0], store.history, scores=store)


@pytest.fixture(scope="module")
def ten(tmp_path_factory: pytest.TempPathFactory) -> Section:
    """Two cards on ten classes."""
    store = ten_classes_in(tmp_path_factory.mktemp("ten"))
    return build_report(store.runs()[0], store.history, scores=store).sections[0]


def texts(figure: Figure) -> list[str]:
    return [each.get_text() for each in figure.findobj(Text) if each.get_text()]


def curves_of(section: Section, card: str) -> tuple[ClassCurves, ...]:
    assert section.multiclass is not None
    part = section.multiclass.card(card)
    assert part is not None
    return part.curves


def test_the_comparison_has_the_recall_of_each_class_beside_its_mean(three: Report) -> None:
    (section,) = three.sections
    figure = multiclass_forest_figure(section.cards)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["accuracy", "balanced accuracy", "macro AUC"]
    rows = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert set(rows) == {BETTER, WORSE, COLLAPSED, FAILED}
    (recalls,) = [line for line in figure.axes[1].lines if line.get_label() == "recall of each class"]
    drawn = set(zip(np.round(recalls.get_xdata(), 6), recalls.get_ydata(), strict=True))
    expected = {
        (round(value, 6), rows.index(each.card.name))
        for each in section.cards
        for name in section.classes
        if (figures := each.at_half.get(f"recall:class:{name}")) is not None and (value := figures.value) is not None
    }
    assert drawn == expected
    left, right = figure.axes[1].get_xlim()
    assert all(left < x < right for x, _ in drawn), "a collapsed card has recalls of 0"
    assert "recall of each class" in texts(figure)


def test_a_comparison_without_figures_has_rows_all_the_same(three: Report) -> None:
    failed = [each for each in three.sections[0].cards if each.card.name == FAILED]
    figure = multiclass_forest_figure(failed)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [FAILED]


def test_few_classes_share_a_panel_and_differ_without_colour(three: Report) -> None:
    (section,) = three.sections
    figures = next(each for each in section.cards if each.card.name == BETTER)
    figure = class_roc_figure(curves_of(section, BETTER), class_areas(figures, section.classes))
    (axes,) = figure.axes
    lines = [line for line in axes.lines if not str(line.get_label()).startswith("_")]
    assert len(lines) == 3
    assert len({str(line._dash_pattern) for line in lines}) == 3  # type: ignore[attr-defined]
    for line, curve in zip(lines, curves_of(section, BETTER), strict=True):
        assert curve.roc is not None
        assert (tuple(line.get_xdata()), tuple(line.get_ydata())) == (curve.roc.x, curve.roc.y)
        area = figures.at_half[f"auc:class:{curve.name}"].value
        assert str(line.get_label()).startswith(f"{curve.name} {area:.3f} (")


def test_many_classes_have_small_panels_with_their_areas(ten: Section) -> None:
    figures = next(each for each in ten.cards if each.card.name == WORSE)
    curves = curves_of(ten, WORSE)
    figure = class_roc_figure(curves, class_areas(figures, ten.classes))
    words = texts(figure)
    places = [words.index(name) for name in ten.classes[2:]]
    assert places == sorted(places)
    for name in ten.classes:
        assert f"{figures.at_half[f'auc:class:{name}'].value:.3f}" in words
    points = np.array(figure.axes[0].lines[-1].get_xydata())
    assert np.isnan(points[:, 0]).sum() == 10
    assert len(points) == 10 + sum(len(each.roc.x) for each in curves if each.roc is not None)
    assert figure.get_size_inches()[0] <= 5.1, "a phone shows it without shrinking"
    assert len(inline_svg(to_svg(figure), "t", "d")) < 60_000


def test_of_very_many_classes_those_with_the_smallest_areas_are_drawn(ten: Section) -> None:
    roc = curves_of(ten, WORSE)[0].roc
    curves = [ClassCurves(f"class {place}", 10, 0.02, roc, None) for place in range(50)]
    areas = {curve.name: SampleEstimate(1 - place / 100, None, None, 10) for place, curve in enumerate(curves)}
    words = texts(class_roc_figure(curves, areas))
    assert [word for word in words if word.startswith("class")] == [f"class {place}" for place in range(30, 50)]


def test_without_a_curve_the_figure_has_the_reason() -> None:
    curves = [ClassCurves(name, 0, 0.0, None, None, "no test image is of this class") for name in "abc"]
    assert texts(class_roc_figure(curves, {})) == ["no test image is of this class"]


@pytest.mark.parametrize("abstained", [(0, 0, 0), (2, 0, 1)])
def test_a_matrix_has_every_count_that_is_not_zero_and_its_share(abstained: Sequence[int]) -> None:
    matrix = ClassMatrix.of([[50, 0, 1], [4, 1230, 0], [0, 0, 9]], abstained)
    figure = matrix_figure(matrix, ("NORMAL", "BACTERIA", LONG))
    (axes,) = figure.axes
    cells = {(each.get_position()[1] // 1, each.get_position()[0] // 1): [] for each in axes.texts}
    for each in axes.texts:
        x, y = each.get_position()
        cells[y // 1, x // 1].append(each.get_text())
    assert cells[1, 1] == ["100%", "1,230"]
    assert cells[0, 2] == ["2%", "1"]
    assert cells[1, 0] == ["<1%", "4"]
    assert len(cells) == 5 + sum(map(bool, abstained))
    assert ((0, 3) in cells) == bool(abstained[0])
    names = [label.get_text() for label in axes.get_xticklabels()]
    assert names[:2] == ["NORMAL", "BACTERIA"]
    assert len(names[2]) <= 20
    assert (names[3:] == ["abstained"]) == any(abstained)
    assert ElementTree.fromstring(svg_file(to_svg(figure))).tag.endswith("svg")


def test_reliability_of_the_called_class_is_drawn_for_every_run(three: Report) -> None:
    part = three.sections[0].multiclass
    assert part is not None
    card = part.card(BETTER)
    assert card is not None
    figure = top_label_figure(card.probabilities)
    assert figure.axes[0].get_ylabel() == "share of correct images"
    scores = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert [len(line.get_xdata()) for line in scores] == [len(run.before.top_label.curve) for run in card.probabilities]


def test_every_picture_of_several_classes_is_a_file(three: Report, tmp_path: Path) -> None:
    (pictures,) = write_pictures(three, tmp_path)
    assert pictures.comparison is not None
    assert "recall of each class" in pictures.comparison.alt
    assert set(pictures.cards) == {BETTER, WORSE, COLLAPSED}
    for name, of_card in pictures.cards.items():
        assert [picture.path for picture in of_card] == [
            f"figures/{name}-{kind}.svg" for kind in ("history", "matrix", "roc", "reliability")
        ]
        for picture in of_card:
            assert ElementTree.parse(tmp_path / picture.path).getroot().tag.endswith("svg")
