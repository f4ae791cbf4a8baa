"""What a gallery says in words, and a gallery as markdown."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.evidence.diagnosis.subgroups import Rate, Subgroup
from reports.gallery.gallery import Gallery
from reports.render.markdown.table import cell, table
from reports.text import MISSING, interval, number

SUBGROUP_HEADS = ("grouped by", "group", "images", "recall", "specificity", "accuracy", "test against the others")


def sentences(shown: Gallery) -> list[str]:
    """What to know before looking: where decisions fall, what the maps are, and what they are worth."""
    lines = [f"Decided at {shown.decided}. Images were chosen from the test scores by fixed rules, not by eye."]
    if shown.layer is None:
        lines.append(f"No Grad-CAM: {shown.maps_reason}.")
    else:
        lines.append(
            f"Beside each image: Grad-CAM (Selvaraju et al. 2017) for the predicted class from layer {shown.layer}, "
            "scaled to each image's own largest value; the line runs at half of it. It shows what moved this "
            "score, not where an illness is."
        )
        lines += [line for line in (sanity_line(shown), inside_line(shown), even_line(shown)) if line]
    return [*lines, *shown.notes]


def sanity_line(shown: Gallery) -> str | None:
    """The verdict of the sanity check; None without maps."""
    found = shown.sanity
    if found is None:
        return None
    if found.passes is None or found.median is None:
        return f"Sanity check (Adebayo et al. 2018): cannot be told, {found.reason}."
    verdict = (
        "passed: the maps depend on the weights" if found.passes else "FAILED: the maps hardly depend on the weights"
    )
    head = "" if found.head_median is None else f" ({found.head_median:.2f} with only the layers behind {shown.layer})"
    known = sum(value is not None for value in found.per_image)
    return (
        f"Sanity check (Adebayo et al. 2018) {verdict}. With all weights drawn anew ({found.draws} times) a map's rank "
        f"correlation with the trained one is {found.median:.2f}{head}, median of {known} images; below "
        f"{found.cut_off:g} passes."
    )


def inside_line(shown: Gallery) -> str | None:
    """How much of the maps lies in the known region; None where none is known."""
    found = shown.inside
    if found is None:
        return None
    if found.share is None:
        return f"Share of the maps inside the {shown.region}: not known, all maps are empty."
    return (
        f"Inside the {shown.region} lie {found.share:.0%} of the maps, mean of the {found.images} images shown that "
        f"have one; a uniform map would have {found.expected:.0%}. {found.above} of {found.images} have more than that."
    )


def even_line(shown: Gallery) -> str | None:
    """How many maps point at no place; None where none does."""
    drawn = [tile for group in shown.groups for tile in group.tiles if tile.overlay is not None]
    even = sum(tile.even for tile in drawn)
    if not even:
        return None
    return (
        f"{even} of {len(drawn)} maps are nearly even, at least half of the largest value everywhere: they point at no "
        "place."
    )


def subgroup_rows(shown: Gallery) -> list[list[str]]:
    """The subgroups as rows under `SUBGROUP_HEADS`."""
    if shown.subgroups is None:
        return []
    return [_row(group) for group in shown.subgroups.groups]


def subgroup_sentences(shown: Gallery) -> list[str]:
    """How the subgroups were compared, what stands out, and which groupings there are not."""
    if shown.subgroups is None:
        return []
    found = shown.subgroups
    apart = [
        f"{rate.metric} of {group.name} ({group.kind})"
        for group in found.groups
        for rate in group.rates
        if rate.adjusted is not None and rate.adjusted <= 0.05
    ]
    lines = []
    if found.groups:
        lines.append(
            "Rates of right decisions with 95% intervals; recall and specificity of a group against the other images "
            f"of that class, p-values by Holm over {found.tests} tests. "
            + (f"Apart at the 5% level: {'; '.join(apart)}." if apart else "None is apart at the 5% level.")
        )
    return lines + [f"Not grouped: {reason}." for reason in found.left_out]


def gallery_markdown(shown: Gallery, picture: str | None) -> list[str]:
    """`shown` as markdown lines; `picture` is the path of its grid, relative to the report."""
    lines = [f"#### `{shown.card}`, seed {shown.seed}", ""]
    lines += [line for text in sentences(shown) for line in (cell(text), "")]
    if picture is not None:
        lines += [f"![{cell(grid_alt(shown))}]({picture})", ""]
    for group in shown.groups:
        if group.reason:
            lines += [f"- {group.title}: {group.reason}"]
    if shown.groups and any(group.reason for group in shown.groups):
        lines.append("")
    if rows := subgroup_rows(shown):
        lines += [*table(SUBGROUP_HEADS, rows), ""]
    return lines + [line for text in subgroup_sentences(shown) for line in (cell(text), "")]


def grid_alt(shown: Gallery) -> str:
    """What the picture of the whole gallery shows, in a sentence."""
    counts = ", ".join(f"{len(group.tiles)} {group.title.lower()}" for group in shown.groups if group.tiles)
    maps = "" if shown.layer is None else ", each beside its Grad-CAM"
    return f"Test images of {shown.card}, seed {shown.seed}: {counts}{maps}"


def _row(group: Subgroup) -> list[str]:
    images = str(group.images) if group.patients is None else f"{group.images} of {group.patients} patients"
    return [group.kind, group.name, images, *map(_rate, group.rates), _tests(group.rates)]


def _rate(rate: Rate) -> str:
    if rate.value is None:
        return f"{MISSING} {rate.reason}" if rate.reason else MISSING
    bounds = "" if rate.low is None or rate.high is None else f" {interval((rate.low, rate.high), 2)}"
    return f"{number(rate.value, 2)}{bounds}, {rate.right}/{rate.images}"


def _tests(rates: Sequence[Rate]) -> str:
    shown = []
    for rate in rates:
        if rate.adjusted is not None and rate.difference is not None:
            shown.append(f"{rate.metric} {rate.difference:+z.2f}, p {_p(rate.adjusted)}")
        elif rate.value is not None and rate.reason:
            shown.append(f"{rate.metric}: {rate.reason}")
    return "; ".join(shown) or MISSING


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
