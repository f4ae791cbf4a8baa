"""Figures as SVG in a page and as files: whole, small, the same every time, and in the page's own colours."""

from __future__ import annotations

import re
import warnings
from xml.etree import ElementTree

import matplotlib
import pytest
from matplotlib.figure import Figure

from reports.figures.style import COLOURS, style, styled
from reports.figures.svg import inline_svg, printable, svg_file, to_svg

NAMESPACE = "{http://www.w3.org/2000/svg}"


@styled
def picture(text: str = "a & b", points: int = 300) -> Figure:
    """A figure with what figures have: lines, a band, markers, clipping, a legend, text that is turned."""
    figure = Figure(figsize=(4.0, 4.0))
    axes = figure.subplots()
    x = [place / points for place in range(points)]
    axes.plot(x, [(place * 7919 % 97) / 97 for place in range(points)], color=COLOURS["accent"], label=text)
    axes.fill_between([0, 1], [0, 0.5], [0.5, 1], color=COLOURS["accent"], alpha=0.2, linewidth=0)
    axes.plot([0.2, 0.8], [0.3, 0.4], "o", color=COLOURS["ink"], markerfacecolor=COLOURS["paper"], clip_on=False)
    axes.text(0.5, 0.5, "chance", rotation=45, color=COLOURS["muted"])
    axes.set_xlabel("x")
    axes.set_ylabel("y")
    axes.legend()
    return figure


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def test_an_inline_figure_is_an_image_with_a_title_and_a_description() -> None:
    root = parsed(inline_svg(to_svg(picture()), "ROC <curve>", 'Recall "against" false alarms & so on'))
    assert root.get("role") == "img"
    named = {element.get("id"): element.text for element in root if element.tag in ("title", "desc")}
    assert [named[name] for name in (root.get("aria-labelledby") or "").split()] == [
        "ROC <curve>",
        'Recall "against" false alarms & so on',
    ]


def test_an_inline_figure_takes_its_width_and_font_from_the_page() -> None:
    svg = inline_svg(to_svg(picture()), "t", "d")
    root = parsed(svg)
    assert (root.get("width"), root.get("height")) == ("100%", None)
    assert root.get("viewBox") == "0 0 288 288"
    assert "font-family" not in svg


def test_an_inline_figure_has_only_colours_of_the_page_and_no_background() -> None:
    svg = inline_svg(to_svg(picture()), "t", "d")
    outside = re.sub(r"var\(--[\w-]+,#[0-9a-f]{6}\)", "", svg)
    assert re.findall(r"(?:fill|stroke):(?!none)[^;\"]", outside) == []
    assert "var(--accent,#0b5fa5)" in svg
    assert [e for e in parsed(svg).iter("path") if "--paper" in e.get("style", "")] == []


def test_every_text_of_an_inline_figure_has_a_colour_of_the_page() -> None:
    texts = list(parsed(inline_svg(to_svg(picture()), "t", "d")).iter("text"))
    assert {"x", "y", "chance", "a & b"} <= {text.text for text in texts}
    assert all("fill:var(--" in text.get("style", "") for text in texts)


def test_an_inline_figure_brings_nothing_that_holds_for_the_whole_page() -> None:
    root = parsed(inline_svg(to_svg(picture()), "t", "d"))
    assert not [element.tag for element in root.iter() if element.tag in ("style", "metadata", "script")]
    assert "xlink" not in ElementTree.tostring(root, encoding="unicode")


def test_ids_of_many_figures_are_all_different_and_every_reference_leads_somewhere() -> None:
    one, points, key = picture(), picture(points=30), "second section"
    roots = [parsed(inline_svg(to_svg(one), "t", "d")), parsed(inline_svg(to_svg(points), "t", "d"))]
    roots += [parsed(inline_svg(to_svg(one), "other", "d")), parsed(inline_svg(to_svg(one), "t", "d", key=key))]
    seen: set[str] = set()
    for root in roots:
        own = [element.get("id", "") for element in root.iter() if element.get("id")]
        assert len(own) == len(set(own)) > 2
        assert not seen & set(own)
        seen |= set(own)
        text = ElementTree.tostring(root, encoding="unicode")
        assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', text)) <= set(own)


def test_a_figure_is_the_same_bytes_every_time_whatever_the_settings() -> None:
    first = inline_svg(to_svg(picture()), "t", "d")
    with matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": None, "font.size": 30}):
        assert inline_svg(to_svg(picture()), "t", "d") == first
    assert svg_file(to_svg(picture())) == svg_file(to_svg(picture()))


def test_an_inline_figure_is_small_and_keeps_every_point_that_shows() -> None:
    figure = picture(points=100)
    svg = inline_svg(to_svg(figure), "t", "d")
    assert len(svg) < 8_000
    line = max((element.get("d", "") for element in parsed(svg).iter("path")), key=len)
    numbers = [float(number) for number in re.findall(r"-?\d*\.?\d+", line)]
    xs, ys = numbers[::2], numbers[1::2]
    to_page = figure.axes[0].transData
    for x, y in zip(xs, ys, strict=True):
        place = to_page.inverted().transform((x * figure.dpi / 72, (288 - y) * figure.dpi / 72))
        nearest = round(place[0] * 100)
        assert place[1] == pytest.approx((nearest * 7919 % 97) / 97, abs=0.005)


def test_a_figure_of_its_own_file_has_a_light_background() -> None:
    text = svg_file(to_svg(picture()))
    root = parsed(text)
    assert root.tag == f"{NAMESPACE}svg"
    assert (root[0].tag, root[0].get("style")) == (f"{NAMESPACE}rect", "fill:#ffffff")
    assert (root.get("width"), root.get("height")) == ("288pt", "288pt")
    assert "var(" not in text


def test_letters_that_no_font_has_are_written_without_a_warning() -> None:
    words = "Lungenentzündung \U000f0000 肺炎"
    with style():
        figure = Figure(figsize=(3, 1))
        figure.text(0.1, 0.5, words, weight="bold")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert words in svg_file(to_svg(figure))
        assert words in inline_svg(to_svg(figure), "title", "description")


def test_hostile_text_is_text() -> None:
    hostile = "<script>alert(1)</script> $\\frac{1}{0}$ \" ' ]]> é \U0001f600"
    root = parsed(inline_svg(to_svg(picture(hostile)), hostile, hostile))
    assert root.find("title").text == hostile  # type: ignore[union-attr]
    assert hostile in {text.text for text in root.iter("text")}
    assert parsed(inline_svg(to_svg(picture()), "a\x00b", "c\x1fd")).find("title").text == "a\ufffdb"  # type: ignore[union-attr]
    assert "c\ufffdd" in {
        text.text for text in parsed(inline_svg(to_svg(picture("c\x1fd")), "\ud800", "d")).iter("text")
    }
    assert printable("tab\tand \ud800 \uffff") == "tab\tand \ufffd \ufffd"
