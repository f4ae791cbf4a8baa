"""Figures as small, reproducible SVG: inline in a page, and as files."""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from reports.figures.style import COLOURS, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SVG = "http://www.w3.org/2000/svg"
_FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_REFER = ("href", "clip-path")


def to_svg(figure: Figure) -> str:
    """Draw `figure` as one `<svg>` element without what is invisible; the same figure gives the same bytes."""
    root = _root(figure)
    _slim(root)
    return _text(root)


def inline_svg(svg: str, title: str, description: str, *, key: str = "") -> str:
    """Convert a figure to an `<svg>` element for an HTML page; the same arguments give the same bytes.

    The element fills the width of its container and has no background. It uses the font of the page and the colours of
    its custom properties (`COLOURS`).

    Args:
        svg: The figure, from `to_svg`.
        title: Its name for screen readers.
        description: Its description for screen readers.
        key: Makes the ids of figures unique in a page if they are otherwise equal.

    Returns:
        The element as text. Its ids begin with a hash of the content, the texts and `key`.
    """
    title, description = printable(title), printable(description)
    root = ElementTree.fromstring(svg)
    body = "".join(_text(child) for child in root)
    prefix = "f" + hashlib.sha256("\0".join((key, title, description, body)).encode(errors="replace")).hexdigest()[:8]
    _rename(root, prefix)
    for element in root.iter():
        if "style" in element.attrib:
            element.set("style", _for_page(element.attrib["style"]))
    box = root.attrib["viewBox"]
    root.attrib.clear()
    named = {"title": title, "desc": description}
    root.attrib.update(
        {
            "viewBox": box,
            "width": "100%",
            "role": "img",
            "aria-labelledby": " ".join(f"{prefix}-{name}" for name in named),
            "style": "stroke-linejoin:round",
        }
    )
    for index, (name, text) in enumerate(named.items()):
        element = ElementTree.Element(name, {"id": f"{prefix}-{name}"})
        element.text = text
        root.insert(index, element)
    return _text(root)


def svg_file(svg: str) -> str:
    """Convert a figure from `to_svg` to the text of a file with a light background."""
    root = ElementTree.fromstring(svg)
    root.insert(
        0, ElementTree.Element("rect", {"width": "100%", "height": "100%", "style": f"fill:{COLOURS['paper']}"})
    )
    root.attrib |= {"xmlns": _SVG, "font-family": _FONTS}
    root.set("style", "stroke-linejoin:round")
    return _text(root) + "\n"


def _root(figure: Figure) -> ElementTree.Element:
    text = io.StringIO()
    with style(), warnings.catch_warnings():
        # A glyph that no local font has is no problem: the viewer's fonts draw the text.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        figure.savefig(
            text, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
        )
    root = ElementTree.fromstring(printable(text.getvalue()))
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        for name in [name for name in element.attrib if name.endswith("}href")]:
            element.set("href", element.attrib.pop(name))
    return root


def _slim(root: ElementTree.Element) -> None:
    """Drop what is invisible: unused ids, groups without attributes, needless decimals and metadata. Also drop the
    style sheet, which would apply to the whole page, and the fonts, which come from the page."""
    used = set(re.findall(r"#([^) ]+)", " ".join(v for e in root.iter() for n, v in e.attrib.items() if n in _REFER)))
    root[:] = [child for child in root if child.find("style") is None and child.tag != "metadata"]
    _slim_children(root, used)


def _slim_children(parent: ElementTree.Element, used: set[str]) -> None:
    children = []
    for child in parent:
        child.tail = None
        if child.attrib.get("id") not in used:
            child.attrib.pop("id", None)
        _slim_children(child, used)
        _slim_attributes(child)
        hollow = {"fill:none", "fill:none;stroke:none"} & {child.attrib.get("style")}
        if child.tag == "g" and not child.attrib:
            children += list(child)
        elif not (hollow or (child.tag in ("g", "defs") and not len(child))):
            children.append(child)
    parent[:] = children
    if not (parent.text or "").strip():
        parent.text = None


def _slim_attributes(element: ElementTree.Element) -> None:
    attributes = element.attrib
    if "style" in attributes:
        attributes["style"] = _slim_style(attributes["style"])
    if attributes.get("transform", "").startswith("rotate(-0 "):
        del attributes["transform"]
    for name in ("d", "transform", "x", "y", "width", "height"):
        if name in attributes:
            attributes[name] = re.sub(r"-?\d+\.\d+", lambda number: _short(float(number[0])), attributes[name])
    if "d" in attributes:
        attributes["d"] = _slim_path(attributes["d"])


def _slim_style(text: str) -> str:
    parts = [part.strip() for part in text.split(";")]
    dropped = ("font-family", "stroke-linejoin", "stroke-dashoffset: 0", "text-anchor: start")
    return ";".join(re.sub(r":\s+", ":", part) for part in parts if part and not part.startswith(dropped))


def _slim_path(text: str) -> str:
    """The same path without repeated points."""
    steps: list[str] = []
    for part in re.findall(r"[A-Za-z][^A-Za-z]*", text):
        word = part[0] + " ".join(part[1:].split())
        if not (word[0] == "L" and steps and word[1:] == steps[-1][1:]):
            steps.append(word)
    return "".join(steps)


def _short(value: float) -> str:
    """`value` in points with one decimal, or two below 10, as the shapes of markers need."""
    text = f"{value:.{1 if abs(value) >= 10 else 2}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else re.sub(r"^(-?)0\.", r"\1.", text)


def _rename(root: ElementTree.Element, prefix: str) -> None:
    elements = [element for element in root.iter() if "id" in element.attrib]
    names = {element.attrib["id"]: f"{prefix}-{number}" for number, element in enumerate(elements)}
    for element in root.iter():
        for attribute, value in element.attrib.items():
            if attribute == "id":
                element.set("id", names[value])
            elif attribute == "href":
                element.set("href", f"#{names[value[1:]]}")
            elif value.startswith("url(#"):
                element.set(attribute, f"url(#{names[value[5:-1]]})")


def _for_page(text: str) -> str:
    for name, colour in COLOURS.items():
        text = text.replace(colour, f"var(--{name},{colour})")
    return text


def _text(element: ElementTree.Element) -> str:
    return ElementTree.tostring(element, encoding="unicode")


def printable(text: str) -> str:
    """`text` with U+FFFD for the characters that XML forbids."""
    return re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)
