"""Sentences and rows of a gallery, the same for every renderer, as plain text."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.evidence.diagnosis.subgroups import Rate, Subgroup
from benchmark.evidence.metrics.keys import MeasureKey
from benchmark.evidence.metrics.registry import label_of
from reports.gallery.gallery import Gallery
from reports.text import MISSING, estimate, p_text, plural

_HEADS = ("grouped by", "group", "images")
_TEST = "test against the rest"
_UNTESTED = "too few images or patients of the class in the group or outside it, or all images in this group"


def is_multiclass(gallery: Gallery) -> bool:
    """Whether a gallery is of three or more classes."""
    return len(gallery.classes) > 2


def subgroup_heads(gallery: Gallery) -> list[str]:
    """The heads of the columns of `subgroup_rows`."""
    if not is_multiclass(gallery):
        return [*_HEADS, "recall", "specificity", "accuracy", _TEST]
    return [*_HEADS, "accuracy", *(f"recall of {name}" for name in gallery.classes), _TEST]


def failures_head(gallery: Gallery) -> str:
    """The head of the column with the failures of each subgroup."""
    called = "predicted class, " if is_multiclass(gallery) else ""
    return f"most certain wrong images: real class, {called}{gallery.scale.noun}"


def sentences(gallery: Gallery) -> list[str]:
    """The introduction of a gallery: how images are decided, what the maps are, and how far to trust them."""
    several = is_multiclass(gallery)
    by = "by" if several else "at"
    lines = [f"Decided {by} {gallery.decided}. Fixed rules chose the images by their test scores; nobody picked them."]
    lines.append(f"Captions give the {gallery.scale.words}.")
    if gallery.layer is None:
        lines.append(f"No Grad-CAM: {gallery.maps_reason}.")
    else:
        of_class = "the predicted class (second picture)" if several else "the predicted class"
        lines.append(
            f"Each image has its Grad-CAM (Selvaraju et al. 2017) for {of_class} from layer {gallery.layer}, "
            f"scaled to the largest value per {'map' if several else 'image'}; the contour is at half of it. A map "
            "shows what raised this score, not where an illness is."
        )
        if several:
            lines.append(
                "If the decision is wrong, the third picture has the map for the true class, scaled by itself."
            )
        lines += [line for line in (sanity_line(gallery), inside_line(gallery), even_line(gallery)) if line]
    return [*lines, *gallery.notes]


def sanity_line(gallery: Gallery) -> str | None:
    """The verdict of the sanity check; None without maps."""
    sanity = gallery.sanity
    if sanity is None:
        return None
    if sanity.passes is None or sanity.median is None:
        return f"Sanity check (Adebayo et al. 2018): undetermined, {sanity.reason}."
    verdict = (
        "passed: the maps depend on the weights" if sanity.passes else "FAILED: the maps hardly depend on the weights"
    )
    head = (
        ""
        if sanity.head_median is None
        else f" ({sanity.head_median:.2f} if only the layers after {gallery.layer} are)"
    )
    known = sum(value is not None for value in sanity.per_image)
    return (
        f"Sanity check (Adebayo et al. 2018) {verdict}. If all weights are randomised ({sanity.draws} times), the rank "
        f"correlation of a map with the original is {sanity.median:.2f}{head}, median of {known} images; it passes "
        f"below {sanity.cut_off:g}."
    )


def inside_line(gallery: Gallery) -> str | None:
    """How much of the maps lies inside the known region; None without such a region."""
    inside = gallery.inside
    if inside is None:
        return None
    if inside.share is None:
        return f"Share of the maps inside the {gallery.region}: not known, all maps are empty."
    return (
        f"On average {inside.share:.0%} of a map lies inside the {gallery.region} ({plural(inside.images, 'map')}); a "
        f"uniform map would have {inside.expected:.0%}. {inside.above} of {inside.images} maps exceed that."
    )


def even_line(gallery: Gallery) -> str | None:
    """How many maps highlight nothing; None if there are none."""
    mapped = [tile for group in gallery.groups for tile in group.tiles if tile.overlay is not None]
    even = sum(tile.even for tile in mapped)
    if not even:
        return None
    return (
        f"{even} of {len(mapped)} maps are nearly even, at least half of the largest value everywhere: they highlight "
        "nothing."
    )


def subgroup_rows(gallery: Gallery) -> list[list[str]]:
    """The subgroups as rows under `subgroup_heads`."""
    if gallery.subgroups is None:
        return []
    tests = _tests_of_classes if is_multiclass(gallery) else _tests
    return [_row(group, tests(group.rates)) for group in gallery.subgroups.groups]


def subgroup_sentences(gallery: Gallery) -> list[str]:
    """How the subgroups were compared, which of them differ, and which groupings are left out."""
    if gallery.subgroups is None:
        return []
    subgroups = gallery.subgroups
    different = [
        f"{label_of(rate.metric)} of {group.name} ({group.kind})"
        for group in subgroups.groups
        for rate in group.rates
        if rate.adjusted is not None and rate.adjusted <= 0.05
    ]
    lines = []
    compared = "The recalls of a group are each" if is_multiclass(gallery) else "Recall and specificity of a group are"
    if subgroups.groups:
        lines.append(
            f"Rates of right decisions with 95% intervals. {compared} compared with the "
            f"other images of that class; p-values are adjusted by Holm over {plural(subgroups.tests, 'test')}. "
            + (
                f"Significant at the 5% level: {'; '.join(different)}."
                if different
                else "No group differs significantly."
            )
        )
    return lines + [f"Not grouped: {reason}." for reason in subgroups.left_out]


def _row(group: Subgroup, tests: str) -> list[str]:
    images = str(group.images) if group.patients is None else f"{group.images} of {group.patients} patients"
    return [group.kind, group.name, images, *map(_rate, group.rates), tests]


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


def _tests_of_classes(rates: Sequence[Rate]) -> str:
    """The tests of classes and how many classes have none; a line for each of them would be long for ten classes."""
    of_class = [rate for rate in rates if MeasureKey.parse(rate.metric).of_class is not None and rate.images]
    comparisons = [
        f"{label_of(rate.metric)} {rate.difference:+z.2f}, p {p_text(rate.adjusted)}"
        for rate in of_class
        if rate.adjusted is not None and rate.difference is not None
    ]
    untested = [rate for rate in of_class if rate.adjusted is None]
    if len(untested) == 1:
        comparisons.append(f"{label_of(untested[0].metric)}: {untested[0].reason}")
    elif untested:
        comparisons.append(f"{len(untested)} recalls without a test: {_UNTESTED}")
    return "; ".join(comparisons) or MISSING
