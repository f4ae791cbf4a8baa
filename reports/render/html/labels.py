"""Renders suspected label errors with their pictures as one page, without network or other files."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image as Pillow

from benchmark.data.dataset import Pixels
from benchmark.runs.label_errors import SuspectedLabel


def labels_page(title: str, about: str, suspects: Sequence[SuspectedLabel], pixels: Pixels) -> str:
    """Render the page.

    Args:
        title: The data in words.
        about: How the images were found.
        suspects: The images, the most suspect first.
        pixels: Their pictures, uint8 (n, h, w, channels), in the same order.

    Returns:
        The page. Text of files is escaped, and nothing is loaded.
    """
    environment = Environment(
        loader=PackageLoader("reports.render.html"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    rows = [(suspect, _picture(image)) for suspect, image in zip(suspects, pixels, strict=True)]
    return environment.get_template("labels.html.j2").render(title=title, about=about, rows=rows)


def _picture(pixels: Pixels) -> str:
    file = io.BytesIO()
    Pillow.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
