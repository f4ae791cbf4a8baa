"""A gallery in words: what every renderer says beside its pictures, as plain text."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.evidence.diagnosis.subgroups import Rate, Subgroup
from reports.gallery.gallery import Gallery
from reports.text import MISSING, estimate, p_text

SUBGROUP_HEADS = ("grouped by", "group", "images", "recall", "specificity", "accuracy", "test against the others")


def sentences(gallery: Gallery) -> list[str]:
    """What to know before looking: where decisions fall, what the maps are, and what they are worth."""
    lines = [f"Decided at {gallery.decided}. Images were chosen from the test scores by fixed rules, not by eye."]
    if gallery.layer is None:
        lines.append(f"No Grad-CAM: {gallery.maps_reason}.")
    else:
        lines.append(
            f"Each image has its Grad-CAM (Selvaraju et al. 2017) for the predicted class from layer {gallery.layer}, "
            "scaled to each image's own largest value; the line runs at half of it. It shows what moved this "
            "score, not where an illness is."
        )
        lines += [line for line in (sanity_line(gallery), inside_line(gallery), even_line(gallery)) if line]
    return [*lines, *gallery.notes]


def sanity_line(gallery: Gallery) -> str | None:
    """The verdict of the sanity check; None without maps."""
    sanity = gallery.sanity
    if sanity is None:
        return None
    if sanity.passes is None or sanity.median is None:
        return f"Sanity check (Adebayo et al. 2018): cannot be told, {sanity.reason}."
    verdict = (
        "passed: the maps depend on the weights" if sanity.passes else "FAILED: the maps hardly depend on the weights"
    )
    head = (
        "" if sanity.head_median is None else f" ({sanity.head_median:.2f} with only the layers behind {gallery.layer})"
    )
    known = sum(value is not None for value in sanity.per_image)
    return (
        f"Sanity check (Adebayo et al. 2018) {verdict}. With all weights drawn anew ({sanity.draws} times) a map's "
        f"rank correlation with the trained one is {sanity.median:.2f}{head}, median of {known} images; below "
        f"{sanity.cut_off:g} passes."
    )


def inside_line(gallery: Gallery) -> str | None:
    """How much of the maps lies in the known region; None where none is known."""
    inside = gallery.inside
    if inside is None:
        return None
    if inside.share is None:
        return f"Share of the maps inside the {gallery.region}: not known, all maps are empty."
    return (
        f"Inside the {gallery.region} lie {inside.share:.0%} of the maps, mean of the {inside.images} images shown "
        f"that have one; a uniform map would have {inside.expected:.0%}. {inside.above} of {inside.images} have more "
        "than that."
    )


def even_line(gallery: Gallery) -> str | None:
    """How many maps point at no place; None where none does."""
    drawn = [tile for group in gallery.groups for tile in group.tiles if tile.overlay is not None]
    even = sum(tile.even for tile in drawn)
    if not even:
        return None
    return (
        f"{even} of {len(drawn)} maps are nearly even, at least half of the largest value everywhere: they point at no "
        "place."
    )


def subgroup_rows(gallery: Gallery) -> list[list[str]]:
    """The subgroups as rows under `SUBGROUP_HEADS`."""
    if gallery.subgroups is None:
        return []
    return [_row(group) for group in gallery.subgroups.groups]


def subgroup_sentences(gallery: Gallery) -> list[str]:
    """How the subgroups were compared, what stands out, and which groupings there are not."""
    if gallery.subgroups is None:
        return []
    subgroups = gallery.subgroups
    apart = [
        f"{rate.metric} of {group.name} ({group.kind})"
        for group in subgroups.groups
        for rate in group.rates
        if rate.adjusted is not None and rate.adjusted <= 0.05
    ]
    lines = []
    if subgroups.groups:
        lines.append(
            "Rates of right decisions with 95% intervals; recall and specificity of a group against the other images "
            f"of that class, p-values by Holm over {subgroups.tests} tests. "
            + (f"Apart at the 5% level: {'; '.join(apart)}." if apart else "None is apart at the 5% level.")
        )
    return lines + [f"Not grouped: {reason}." for reason in subgroups.left_out]


def _row(group: Subgroup) -> list[str]:
    images = str(group.images) if group.patients is None else f"{group.images} of {group.patients} patients"
    return [group.kind, group.name, images, *map(_rate, group.rates), _tests(group.rates)]


def _rate(rate: Rate) -> str:
    if rate.value is None:
        return f"{MISSING} {rate.reason}" if rate.reason else MISSING
    return f"{estimate(rate, 2)}, {rate.right}/{rate.images}"


def _tests(rates: Sequence[Rate]) -> str:
    comparisons = []
    for rate in rates:
        if rate.adjusted is not None and rate.difference is not None:
            comparisons.append(f"{rate.metric} {rate.difference:+z.2f}, p {p_text(rate.adjusted)}")
        elif rate.value is not None and rate.reason:
            comparisons.append(f"{rate.metric}: {rate.reason}")
    return "; ".join(comparisons) or MISSING
