"""The plain text of a summary, shared by terminal, markdown and page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from benchmark.evidence.estimate import SampleEstimate
from benchmark.evidence.metrics.registry import label_of
from reports.results.comparison.pairs import SIGNIFICANT
from reports.summary.model import (
    AgainstBaseline,
    AgainstBest,
    BestCard,
    CardLabel,
    ChosenThreshold,
    ClassRecall,
    Comparisons,
    FiguresAt,
    FineTuningGain,
    Heading,
    Resolution,
    Summary,
)
from reports.text import capital, decimals_of, estimate, listed, number, p_text, plural, probability, seconds

PartName = Literal["best", "threshold", "comparisons", "baselines", "tuning", "resolution", "more", "problems", "next"]
TITLES: Mapping[PartName, str] = MappingProxyType(
    {
        "best": "The best card",
        "threshold": "At which threshold",
        "comparisons": "The other cards",
        "baselines": "What a model must beat",
        "tuning": "What fine-tuning added",
        "resolution": "What these images can show",
        "more": "Would more images help",
        "problems": "What is wrong",
        "next": "What to do next",
    }
)
"""The heading of each part."""
_WIDTHS = ("auc", "auc:macro", "recall", "recall:macro")
_MOST_UNEVEN = 1.5
"""The largest ratio of the two halves of an interval that is stated by one half-width."""
SYNTHETIC = "The images are SYNTHETIC: no figure here says anything about real images or patients."
_WORDS: Mapping[str, str] = MappingProxyType({"recall": "sensitivity", "recall:macro": "mean recall of the classes"})
"""Metrics that a summary calls otherwise than tables."""
_CONSTANT = "a constant answer, whose AUC is 0.5"


@dataclass(frozen=True)
class Part:
    """One part of a summary in sentences.

    Attributes:
        name: Which part.
        sentences: At least one. Those of `next` are pairs of purpose and command, joined by a colon.
        always: Those that no renderer leaves out: what a guarantee is not about.
    """

    name: PartName
    sentences: tuple[str, ...]
    always: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The heading of the part."""
        return TITLES[self.name]


def parts(summary: Summary, most: int | None = None) -> tuple[Part, ...]:
    """The parts of a summary that have something to say, in reading order.

    Args:
        summary: The summary.
        most: The largest number of cards that a sentence names, the others are counted; None for all.

    Returns:
        The parts.
    """
    sentences: dict[PartName, Iterator[str]] = {
        "best": _best(summary),
        "threshold": _threshold(summary.threshold),
        "comparisons": _comparisons(summary.best, summary.comparisons, most),
        "baselines": _baselines(summary.baselines, most),
        "tuning": map(fine_tuning_sentence, summary.fine_tuning),
        "resolution": _resolution(summary.resolution, summary.best),
        "more": iter(summary.more_images),
        "problems": (problem.text for problem in summary.problems),
        "next": (f"{capital(step.purpose)}: {step.command}" for step in summary.next_steps),
    }
    written = {name: tuple(lines) for name, lines in sentences.items()}
    always = tuple(problem.text for problem in summary.problems if problem.is_of_guarantee)
    return tuple(Part(name, lines, always if name == "problems" else ()) for name, lines in written.items() if lines)


def heading_lines(heading: Heading) -> tuple[str, ...]:
    """The heading in lines: the data, then the protocol and the test, then that the images are synthetic."""
    lines = (f"{heading.data}", f"{capital(heading.protocol)}; {heading.tested}.")
    return (*lines, SYNTHETIC) if heading.synthetic else lines


def word(metric: str) -> str:
    """A metric as a summary calls it."""
    return _WORDS.get(metric, label_of(metric))


def figures_text(figures: Mapping[str, SampleEstimate]) -> str:
    """Figures with their intervals: `sensitivity 0.964 [0.931, 0.982], specificity ...`."""
    return ", ".join(f"{word(key)} {estimate(figure, decimals_of(key))}" for key, figure in figures.items())


def decision_text(at: FiguresAt) -> str:
    """A way of deciding with its explanation: `at the threshold chosen on validation (0.415: ...)`."""
    return at.label if at.explanation is None else f"{at.label} ({at.explanation})"


def _best(summary: Summary) -> Iterator[str]:
    best = summary.best
    if best is None:
        yield f"No card can be assessed: {summary.reason}."
        return
    yield best_sentence(best)
    for at in (best.leading, best.beside):
        if at is not None:
            yield f"{capital(decision_text(at))}: {figures_text(at.figures) or f'no figures: {at.reason}'}."
    if best.weakest is not None:
        yield weakest_sentence(best.weakest)


def _threshold(chosen: ChosenThreshold | None) -> Iterator[str]:
    if chosen is None:
        return
    least, greatest = probability(chosen.least), probability(chosen.greatest)
    if chosen.folds is not None:
        yield (
            f"Each fold chose a threshold for its own model, from {least} to {greatest}. One model needs one threshold "
            "of its own: train it on one split, under a protocol file without test_folds: zoo bench CARD --data SOURCE "
            "--protocol FILE --keep-models."
        )
    elif chosen.trainings > 1:
        yield (
            f"Each of {chosen.trainings} trainings chose a threshold for its own model, from {least} to {greatest}: "
            "use a model with its own."
        )
    else:
        others = ""
        if chosen.bounds is not None:
            ends = ", ".join(map(probability, chosen.bounds))
            others = f" Other validation images might have given another threshold: 95% interval [{ends}]."
        yield f"At a score of {least} or more, the model predicts {chosen.positive}.{others}"
    better = chosen.better_at_half
    if better is not None:
        decided = better.low is not None and better.low > 0
        which = "so 0.5 decides better here" if decided else "but the interval does not show which is better"
        if better.low is None:
            which = "but without an interval this does not show which is better"
        yield f"At 0.5, none of the figures is lower; accuracy is higher by {estimate(better)}, {which}."


def weakest_sentence(weakest: ClassRecall) -> str:
    """The class with the lowest recall; a mean over classes may hide it."""
    return f"The class with the lowest recall is {weakest.label}: {estimate(weakest.recall)}."


def best_sentence(best: BestCard) -> str:
    """The best card by its title, with its AUC and the number of cards that it is the best of."""
    figure = f"{label_of(best.metric)} {estimate(best.figure)}"
    if best.figure.bounds is None and best.figure.reason is not None:
        figure += f" (no interval: {best.figure.reason})"
    if best.of == 1:
        alone = f", the only one of {best.unfinished + 1} cards that finished" if best.unfinished else ""
        return f"{best.card.title}{alone}: {figure}."
    if best.tied:
        return f"{_titles([best.card, *best.tied])} share the best {figure}, of {compared_cards(best)}."
    baseline = ", a baseline," if best.card.is_baseline else ""
    return f"{best.card.title}{baseline} is the best of {compared_cards(best)}: {figure}."


def compared_cards(best: BestCard) -> str:
    """The cards that the best card is the best of: `4 cards`, or `the 4 of 6 cards that finished`."""
    requested = best.of + best.unfinished
    return f"the {best.of} of {requested} cards that finished" if best.unfinished else plural(best.of, "card")


def _comparisons(best: BestCard | None, compared: Comparisons | None, most: int | None) -> Iterator[str]:
    if compared is None or best is None:
        return
    if compared.worse:
        others = "Clearly worse" if compared.similar else "Every other card is clearly worse"
        yield f"{others}: {_limited(_lower_by(compared.worse), most)}."
    similar = [each for each in compared.similar if each.card not in best.tied]
    if similar:
        count = len(compared.worse) + len(compared.similar)
        cards = _limited(_lower_by(similar, count), most)
        yield f"Cannot be distinguished from the best card with these images: {cards}."
        if any((each.behind.low or 0.0) > 0 for each in similar):
            yield (
                f"An interval above 0 does not decide alone: all {count} comparisons with the best card are counted "
                "together (Holm's method); a card is clearly worse only if its p is at most 0.05 after that."
            )
    if compared.similar:
        yield (
            f"The best of {best.of} cards is chosen on these test images, which favours it: its lead on other images "
            "may be smaller."
        )
    for card, reason in compared.left_out:
        yield f"Not compared: {card.title}: {reason}."


def _lower_by(cards: Sequence[AgainstBest], comparisons: int = 1) -> list[str]:
    """Each card with how much lower it is than the best card; the metric is named once.

    Where an interval above 0 does not decide, since several `comparisons` are counted together, the adjusted p follows.
    """
    words = f"{label_of(cards[0].behind.metric)} lower by "
    gaps = (_gap(each, comparisons) for each in cards)
    return [
        f"{each.card.title} ({words if place == 0 else ''}{gap})"
        for place, (each, gap) in enumerate(zip(cards, gaps, strict=True))
    ]


_LEVEL_TEXT = "0.050"


def _gap(each: AgainstBest, comparisons: int) -> str:
    if each.behind.value is None:
        return f"{each.behind.reason}"
    gap = f"{estimate(each.behind)}"
    if each.is_worse or each.p_adjusted is None or (each.behind.low or 0.0) <= 0:
        return gap
    after = f" after {comparisons} comparisons" if comparisons > 1 else ""
    return f"{gap}, p {_p_in_words(each.p_adjusted)}{after}"


def _p_in_words(p: float) -> str:
    """A p-value; one above the level is not rounded to it."""
    text = p_text(p)
    return "just above 0.05" if text == _LEVEL_TEXT and p > SIGNIFICANT else text


def _baselines(baselines: Sequence[AgainstBaseline], most: int | None) -> Iterator[str]:
    every = "Every card" if all(each.card is None for each in baselines) else "Every card that is no baseline"
    for each in baselines:
        name = _CONSTANT if each.card is None or each.kind == "constant" else each.card.title
        better, others = each.beaten_by, each.not_beaten_by
        if len(better) + len(others) == 1:
            yield f"{(*better, *others)[0].title} is {'' if better else 'not '}clearly better than {name}."
        elif not others:
            yield f"{every} is clearly better than {name}."
        elif not better:
            yield f"No card is clearly better than {name}."
        else:
            yield f"Clearly better than {name}: {_limited([card.title for card in better], most)}."
            yield f"Not clearly better than {name}: {_limited([card.title for card in others], most)}."


def fine_tuning_sentence(each: FineTuningGain) -> str:
    """What fine-tuning added to a probe, with its interval, p, and the time of both."""
    gain, of_pair = each.gain, f"{label_of(each.gain.metric)} of {each.card.name} minus that of {each.probe.name}"
    if gain.value is None:
        return f"{of_pair}: {gain.reason}."
    text = f"{of_pair}: {estimate(gain)}"
    if each.p_adjusted is not None:
        text += f", p {_p_in_words(each.p_adjusted)}"
        text += "" if each.p_adjusted <= SIGNIFICANT else ", not distinguishable from 0"
    if each.seconds is not None and each.probe_seconds is not None:
        text += f"; {seconds(each.seconds)} instead of {seconds(each.probe_seconds)}"
    return f"{text}."


def _resolution(resolution: Resolution | None, best: BestCard | None) -> Iterator[str]:
    if resolution is None or best is None:
        return
    figures = {best.metric: best.figure, **best.leading.figures}
    lopsided = {key: figures[key] for key in _WIDTHS if key in figures and _is_lopsided(figures[key])}
    even = [key for key in _WIDTHS if key in resolution.half_widths and key not in lopsided]
    images = plural(resolution.images, "test image")
    if even:
        widths = ", ".join(f"{word(key)} ±{number(resolution.half_widths[key])}" for key in even)
        yield f"With {images}, figures are uncertain by about: {widths} (95% intervals)."
    if lopsided:
        yield f"With {images}, figures are uncertain, to one side more than to the other: {figures_text(lopsided)}."
    if resolution.detectable is not None:
        of_pair = "" if resolution.runner_up is None else " between the best card and the next"
        yield f"Differences in AUC{of_pair} below about {number(resolution.detectable)} would probably be missed."
    if resolution.runner_up is None or resolution.lead is None:
        return
    if resolution.images_needed is not None:
        yield (
            f"About {resolution.images_needed:,} test images could distinguish the best card from the next, "
            f"{resolution.runner_up.title}, if they differ by {number(resolution.lead.value)} as here."
        )


def _is_lopsided(figure: SampleEstimate) -> bool:
    """Whether the two halves of an interval differ so much that no single half-width describes it."""
    if figure.value is None or figure.low is None or figure.high is None:
        return False
    shorter, longer = sorted((figure.value - figure.low, figure.high - figure.value))
    return longer > _MOST_UNEVEN * shorter


def _titles(cards: Sequence[CardLabel]) -> str:
    return listed([card.title for card in cards])


def _limited(texts: Sequence[str], most: int | None) -> str:
    if most is None or len(texts) <= most:
        return "; ".join(texts)
    return f"{'; '.join(texts[:most])}; and {len(texts) - most} more"
