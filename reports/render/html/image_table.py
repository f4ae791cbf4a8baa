"""The view of the test images by card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reports.gallery.gallery import Gallery
from reports.report import Section
from reports.results.images.errors import ImageError, ImageErrors
from reports.results.images.errors_text import left_out, meaning, summary
from reports.results.scale import probability_text
from reports.text import probability

MOST_ROWS = 200
"""The largest number of images in the table; the CSV files have all."""


@dataclass(frozen=True)
class ImageCell:
    """The probability of one card for one image as text, whether the card misses it, and its threshold as text."""

    probability: str
    missed: bool
    threshold: str | None


@dataclass(frozen=True)
class ImageRow:
    """One image; `fold` is the number of the fold that tests it, and `link` the id of its entry in a gallery, None
    without one."""

    name: str
    true_class: str
    misses: int
    cells: tuple[ImageCell, ...]
    link: str | None
    fold: int | None


@dataclass(frozen=True)
class ImageCard:
    """A column: its number in the table of figures, the name and the title of the card."""

    place: int
    card: str
    title: str


@dataclass(frozen=True)
class ImagesView:
    """The table of images with its sentences.

    Attributes:
        errors: The images.
        cards: The columns of cards.
        rows: The rows.
        rest: The number of images that some card misses and that are not in the table.
        summary: How many images are missed.
        meaning: What a miss and a value are.
        left_out: Sentences about cards that are left out.
        thresholds: The threshold of each card by fold, on the scale of the values; by None without folds. Empty where
            a card has several runs, and for three or more classes.
        has_gallery: Whether any image has an entry in a gallery.
    """

    errors: ImageErrors
    cards: tuple[ImageCard, ...]
    rows: tuple[ImageRow, ...]
    rest: int
    summary: str
    meaning: str
    left_out: tuple[str, ...]
    thresholds: Mapping[int | None, tuple[str, ...]]
    has_gallery: bool


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
            tuple(_cell(row, column) for column in columns),
            links.get(row.name),
            row.fold,
        )
        for row in missed[:MOST_ROWS]
    )
    names = [errors.cards[column] for column in columns]
    cards = tuple(ImageCard(order.index(name) + 1, name, titles[name]) for name in names)
    return ImagesView(
        errors,
        cards,
        rows,
        rest=len(missed) - len(rows),
        summary=summary(errors),
        meaning=meaning(errors, titles),
        left_out=tuple(left_out(errors, titles)),
        thresholds=_thresholds(errors, columns),
        has_gallery=bool(links),
    )


def _cell(row: ImageError, column: int) -> ImageCell:
    value, threshold = row.probability[column], row.threshold[column]
    if threshold is None:
        return ImageCell(probability(value, 2), row.missed[column], None)
    return ImageCell(probability_text(value, threshold), row.missed[column], probability(threshold))


def _thresholds(errors: ImageErrors, columns: Sequence[int]) -> dict[int | None, tuple[str, ...]]:
    """The thresholds of the cards by fold; empty where none has one threshold per fold."""
    first = {row.fold: row for row in errors.rows}
    if all(threshold is None for row in first.values() for threshold in row.threshold):
        return {}
    return {
        fold: tuple(probability(first[fold].threshold[column]) for column in columns)
        for fold in sorted(first, key=lambda fold: fold or 0)
    }


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
