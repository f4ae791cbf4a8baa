"""The view of the test images by card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reports.gallery.gallery import Gallery
from reports.report import Section
from reports.results.image_errors import ImageErrors
from reports.results.image_errors_text import left_out, meaning, summary
from reports.text import probability

MOST_ROWS = 200
"""The largest number of images in the table; the CSV files have all."""


@dataclass(frozen=True)
class ImageCell:
    """The probability of one card for one image as text, and whether the card misses it."""

    probability: str
    missed: bool


@dataclass(frozen=True)
class ImageRow:
    """One image; `link` is the id of its entry in a gallery, None without one."""

    name: str
    true_class: str
    misses: int
    cells: tuple[ImageCell, ...]
    link: str | None


@dataclass(frozen=True)
class ImageCard:
    """A column: its number in the table of figures, the name and the title of the card."""

    place: int
    card: str
    title: str


@dataclass(frozen=True)
class ImagesView:
    """The table of images with its sentences; `rest` is the number of images that some card misses and that are not in
    the table."""

    errors: ImageErrors
    cards: tuple[ImageCard, ...]
    rows: tuple[ImageRow, ...]
    rest: int
    summary: str
    meaning: str
    left_out: tuple[str, ...]


def images_view(
    section: Section, order: Sequence[str], links: Mapping[str, str], titles: Mapping[str, str]
) -> ImagesView | None:
    """The test images that some card misses.

    Args:
        section: The section of the report.
        order: The names of its cards, best first.
        links: Ids of gallery entries by name of image.
        titles: Titles by name of card.

    Returns:
        The view; None without scores.
    """
    errors = section.image_errors
    if errors is None:
        return None
    columns = sorted(range(len(errors.cards)), key=lambda column: order.index(errors.cards[column]))
    missed = errors.missed_by_any
    rows = tuple(
        ImageRow(
            row.name,
            row.true_class,
            row.misses,
            tuple(ImageCell(probability(row.probability[column], 2), row.missed[column]) for column in columns),
            links.get(row.name),
        )
        for row in missed[:MOST_ROWS]
    )
    names = [errors.cards[column] for column in columns]
    cards = tuple(ImageCard(order.index(name) + 1, name, titles[name]) for name in names)
    sentences = tuple(left_out(errors, titles))
    return ImagesView(errors, cards, rows, len(missed) - len(rows), summary(errors), meaning(errors), sentences)


def gallery_places(galleries: Sequence[Gallery], key: str) -> tuple[dict[str, str], dict[tuple[str, str, int], str]]:
    """Ids of the entries of galleries.

    Args:
        galleries: The galleries of a section.
        key: Identifies the section in ids.

    Returns:
        The id of the first entry of each image by its name, and all of these ids by run id, group and position.
    """
    links: dict[str, str] = {}
    places: dict[tuple[str, str, int], str] = {}
    for gallery in galleries:
        for group in gallery.groups:
            for position, tile in enumerate(group.tiles):
                if tile.name not in links:
                    links[tile.name] = f"{key}-image{len(links) + 1}"
                    places[gallery.run_id, group.key, position] = links[tile.name]
    return links, places
