"""Renders a gallery as markdown."""

from __future__ import annotations

from reports.gallery.gallery import Gallery, Tile, TileGroup
from reports.gallery.text import sentences, subgroup_heads, subgroup_rows, subgroup_sentences
from reports.render.markdown.table import cell, image, table


def gallery_markdown(gallery: Gallery, folder: str | None) -> list[str]:
    """Lines with the introduction, the tiles of each group and the subgroups.

    Args:
        gallery: The gallery.
        folder: The folder of its pictures, relative to the report; None leaves them out.

    Returns:
        The lines.
    """
    lines = [f"#### `{gallery.card}`, seed {gallery.seed}", ""]
    lines += [line for text in sentences(gallery) for line in (cell(text), "")]
    for group in gallery.groups:
        if group.reason:
            lines += [f"**{group.title}**: {group.reason}.", ""]
        elif folder is not None:
            lines += [f"**{group.title}**: {group.about}", "", *_tiles(group, folder), ""]
    if rows := subgroup_rows(gallery):
        lines += ["##### Subgroups", "", *table(subgroup_heads(gallery), rows), ""]
    return lines + [line for text in subgroup_sentences(gallery) for line in (cell(text), "")]


def _tiles(group: TileGroup, folder: str) -> list[str]:
    """A table with a column per tile: decision, image, map, map for the true class, caption, name."""
    tiles = list(group.named())
    rows: list[list[str]] = [[image(f"{folder}/{name}.webp", tile.alt) for name, tile in tiles]]
    if any(tile.overlay or tile.overlay_reason for _, tile in tiles):
        rows.append([_map(f"{folder}/{name}-map.webp", tile) for name, tile in tiles])
    if any(tile.true_overlay or tile.true_overlay_reason for _, tile in tiles):
        rows.append([_true_map(f"{folder}/{name}-true-map.webp", tile) for name, tile in tiles])
    rows += [[tile.caption for _, tile in tiles], [tile.name for _, tile in tiles]]
    return table([tile.verdict.upper() if tile.verdict == "wrong" else tile.verdict for _, tile in tiles], rows)


def _map(path: str, tile: Tile) -> str:
    return tile.overlay_reason or "" if tile.overlay is None else image(path, tile.overlay_alt)


def _true_map(path: str, tile: Tile) -> str:
    return tile.true_overlay_reason or "" if tile.true_overlay is None else image(path, tile.true_overlay_alt)
