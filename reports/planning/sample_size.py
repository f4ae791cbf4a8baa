"""Sample sizes for a wished precision: test images for the width of an interval, positives for a guarantee."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.evidence.metrics.influence import ClassSizes
from benchmark.evidence.metrics.multiclass import find_multiclass, is_of_classes, multiclass_metric_names
from benchmark.evidence.metrics.registry import aliases, find_metric, label_of, metrics
from benchmark.evidence.planning.classes import ClassWorld
from benchmark.evidence.planning.noise import not_plannable
from benchmark.evidence.planning.search import MOST
from benchmark.evidence.planning.width import WidthPlan, images_for_width
from benchmark.evidence.planning.worlds import BinaryWorld
from benchmark.evidence.thresholds.guarantee import images_with_errors
from benchmark.runs.protocol import ThresholdRule
from zoo.config.errors import ConfigError
from zoo.config.strict_yaml import suggest

TRIPOD = "TRIPOD+AI item 10, sample size"
_SIZE = 100_000  # a number of images at which the shares of the classes are exact enough
_MOST_MISSED = 3


@dataclass(frozen=True)
class WidthAnswer:
    """How many test images a wished interval takes.

    Attributes:
        metric: The figure: the name of a metric, or a key.
        expected: Its expected value.
        wished: The wished width of the 95% interval.
        shares: The share of each class; of two classes, that of the negatives first.
        class_sizes: Whether the class sizes are fixed or drawn.
        plan: The number of images with the interval that it gives.
        sentence: The answer as a report of a study can state it.
    """

    metric: str
    expected: float
    wished: float
    shares: tuple[float, ...]
    class_sizes: ClassSizes
    plan: WidthPlan
    sentence: str


@dataclass(frozen=True)
class GuaranteePlan:
    """How many positive validation images a guaranteed sensitivity takes.

    Attributes:
        target: The sensitivity that is guaranteed.
        confidence: The confidence of the guarantee.
        prevalence: The share of positives in validation.
        positives: The positives that are needed, by the number of them that the threshold may miss: none, one, ...
        validation: All validation images that contain as many positives at this prevalence, likewise.
        sentence: The answer as a report of a study can state it.
    """

    target: float
    confidence: float
    prevalence: float
    positives: tuple[int, ...]
    validation: tuple[int, ...]
    sentence: str


def width_answer(
    width: float,
    metric: str,
    expected: float,
    prevalence: float | Sequence[float] | None,
    class_sizes: ClassSizes,
) -> WidthAnswer:
    """Plan the number of test images for an interval of a wished width.

    Args:
        width: The wished width, above 0 and below 1.
        metric: A name or alias of a metric, or a key such as `recall:macro`.
        expected: The expected figure.
        prevalence: The share of positives, or of each of three classes or more; None for .5.
        class_sizes: Whether the class sizes are fixed or drawn.

    Returns:
        The plan.

    Raises:
        ConfigError: An argument is wrong, or the figure cannot be planned.
    """
    if not 0 < width < 1:
        raise ConfigError(f"--width {width:g}: give a width above 0 and below 1, such as 0.05")
    shares = _shares(prevalence)
    key = _key(metric, len(shares))
    if (reason := not_plannable(key)) is not None:
        raise ConfigError(f"--metric {metric}: {reason}; plan auc, accuracy, recall or another figure of decisions")
    sizes = tuple(max(1, round(share * _SIZE)) for share in shares)
    world: BinaryWorld | ClassWorld
    if len(shares) == 2:
        negatives, positives = sizes
        world = BinaryWorld(key, negatives, positives, class_sizes)
    else:
        names = tuple(str(number) for number in range(1, len(shares) + 1))
        world = ClassWorld(key, tuple(zip(names, sizes, strict=True)), class_sizes)
    try:
        least, greatest = world.range
    except (ValueError, IndexError) as error:
        raise ConfigError(f"--metric {metric}: {error}") from error
    if not least <= expected <= greatest:
        raise ConfigError(f"--expected {expected:g}: {_outside(label_of(key), expected, least, greatest)}")
    plan = images_for_width(world, expected, width)
    sentence = _width_sentence(key, expected, width, shares, plan)
    return WidthAnswer(key, expected, width, shares, class_sizes, plan, sentence)


def guarantee_plan(stated: str, prevalence: float | Sequence[float] | None) -> GuaranteePlan:
    """Plan the number of positive validation images for a guaranteed sensitivity.

    Args:
        stated: The sensitivity and its confidence: `0.95@0.95`.
        prevalence: The share of positives in validation; None for .5.

    Returns:
        The plan.

    Raises:
        ConfigError: The text names no sensitivity with a confidence, or no number of images guarantees it.
    """
    try:
        if stated.partition("@")[0].strip() in ("1", "1.0"):
            raise ConfigError("no number of images guarantees a sensitivity of 1; give less, such as 0.95@0.95")
        rule = ThresholdRule.parse(f"sensitivity={stated}")
    except ConfigError as error:
        raise ConfigError(f"--sensitivity {stated}: {error.lines[0]}") from error
    if rule.confidence is None:
        raise ConfigError(f"--sensitivity {stated}: add the confidence of the guarantee, as in {stated}@0.95")
    shares = _shares(prevalence)
    if len(shares) > 2:
        raise ConfigError("--prevalence: a guaranteed sensitivity needs one share, that of the class it is about")
    positives = tuple(images_with_errors(rule.value, rule.confidence, missed) for missed in range(_MOST_MISSED + 1))
    validation = tuple(math.ceil(number / shares[1]) for number in positives)
    sentence = (
        f"{TRIPOD}: A guarantee of {rule.value:g} sensitivity with {rule.confidence:.0%} confidence takes at least "
        f"{positives[0]:,} positive validation images, if the threshold misses none of them; {positives[1]:,} if it "
        f"misses one. At a prevalence of {shares[1]:g} these are among {validation[0]:,} and {validation[1]:,} images."
    )
    return GuaranteePlan(rule.value, rule.confidence, shares[1], positives, validation, sentence)


def _outside(label: str, expected: float, least: float, greatest: float) -> str:
    for end, near in ((least, 0.01), (greatest, -0.01)):
        if expected == round(end, 3):
            inside = f"give a figure inside the range, such as {end + near:.2f}"
            return f"an expected {label} of exactly {end:.2f} has no two-sided interval; {inside}"
    return f"{label} lies between {least:.2f} and {greatest:.2f}, both excluded"


def _width_sentence(key: str, expected: float, width: float, shares: Sequence[float], plan: WidthPlan) -> str:
    of = (
        f"prevalence {shares[1]:g}" if len(shares) == 2 else f"class shares {', '.join(f'{each:g}' for each in shares)}"
    )
    if plan.images is None or plan.low is None or plan.high is None:
        wish = f"an interval of {label_of(key)} that narrow"
        return f"{TRIPOD}: No test set of up to {MOST:,} images ({of}) gives {wish}."
    sizes = " + ".join(f"{size:,}" for size in plan.sizes)
    how = "the interval" if plan.exact else "the interval of the median simulated test set"
    how += "" if plan.count is None else f" of the nearest count, {plan.count[0]:,} of {plan.count[1]:,},"
    return (
        f"{TRIPOD}: {plan.images:,} test images ({sizes}, {of}) give a 95% confidence interval of at most {width:g} "
        f"for an expected {label_of(key)} of {expected:g}: {how} is {plan.low:.3f} to {plan.high:.3f}. Each image is "
        "one patient; several images per patient need more."
    )


def _shares(prevalence: float | Sequence[float] | None) -> tuple[float, ...]:
    """The share of each class. Raises ConfigError."""
    stated = [0.5] if prevalence is None else list(prevalence) if isinstance(prevalence, Sequence) else [prevalence]
    if len(stated) == 1 and 0 < stated[0] < 1:
        return 1 - stated[0], stated[0]
    if len(stated) > 2 and all(0 < share < 1 for share in stated) and abs(sum(stated) - 1) < 0.01:
        return tuple(share / sum(stated) for share in stated)
    text = ",".join(f"{share:g}" for share in stated)
    raise ConfigError(
        f"--prevalence {text}: give the share of positives, such as 0.3, or that of each of three classes or more, "
        "which sum to 1"
    )


def _key(metric: str, classes: int) -> str:
    """The name or key of a figure of so many classes. Raises ConfigError."""
    names = aliases()
    folded = next((name for alias, name in names.items() if alias.casefold() == metric.casefold()), metric)
    name, colon, rest = folded.partition(":")
    key = names.get(name, name) + colon + rest
    if classes == 2 and find_metric(key) is not None:
        return key
    if classes > 2 and find_multiclass(key) is not None and not (is_of_classes(key) and ":" not in key):
        of_class = key.partition(":class:")[2]
        if of_class and of_class not in {str(number) for number in range(1, classes + 1)}:
            raise ConfigError(f"--metric {metric}: the classes of --prevalence are called 1 to {classes}")
        return key
    if classes > 2 and is_of_classes(key):
        raise ConfigError(f"--metric {metric}: say of which classes: {key}:macro, or {key}:class:1")
    known = metrics() if classes == 2 else multiclass_metric_names()
    raise ConfigError(f"--metric {metric}: unknown metric of {classes} classes. {suggest(metric, known, names)}")
