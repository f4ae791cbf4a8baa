"""The summary of a section as plain data: what a reader wants to know first, in this order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from benchmark.evidence.comparison.paired import Difference
from benchmark.evidence.estimate import SampleEstimate


@dataclass(frozen=True)
class Heading:
    """What was measured on what.

    Attributes:
        data: The images in words: `400 images in my_images: NORMAL and PNEUMONIA`.
        protocol: The protocol in words, beginning with its name.
        tested: The test images, their patients and their classes in words.
        synthetic: Whether the images are synthetic, so that figures say nothing about real ones.
    """

    data: str
    protocol: str
    tested: str
    synthetic: bool


@dataclass(frozen=True)
class CardLabel:
    """A card as a reader sees it.

    Attributes:
        name: Its name, for commands.
        title: Its title; followed by the name in brackets if another card of the section has the same title.
        is_baseline: Whether it is a baseline that other cards must beat.
    """

    name: str
    title: str
    is_baseline: bool = False


@dataclass(frozen=True)
class FiguresAt:
    """Test figures of a card by one way of deciding.

    Attributes:
        label: The way of deciding in a few words: `at the threshold chosen on validation`, `at threshold 0.5`.
        explanation: The threshold and its rule in words; None where the label says everything.
        is_chosen: Whether it was chosen on validation.
        figures: The figures by metric in the order to show, or by key such as `recall:macro`; empty with a `reason`.
        reason: Why there are no figures.
    """

    label: str
    explanation: str | None
    is_chosen: bool
    figures: Mapping[str, SampleEstimate]
    reason: str | None = None


@dataclass(frozen=True)
class ClassRecall:
    """A class and the share of its test images that were predicted as this class."""

    label: str
    recall: SampleEstimate


@dataclass(frozen=True)
class BestCard:
    """The card with the best figure on test, or the only one.

    Attributes:
        card: The card.
        metric: `auc`, or `auc:macro` for three or more classes.
        figure: Its value, a mean over seeds, with its 95% interval.
        seeds: The number of seeds.
        of: The number of cards that it is the best of; 1 for a single card.
        unfinished: The number of further cards that were asked for and have no figures.
        tied: Other cards with the same value.
        leading: The figures to show first: those of the decision chosen on validation, where there is one.
        beside: The figures at threshold 0.5, or for the class with the highest score; None where they lead.
        weakest: The class with the lowest recall, for three or more classes, by the leading decision.
    """

    card: CardLabel
    metric: str
    figure: SampleEstimate
    seeds: int
    of: int
    tied: tuple[CardLabel, ...]
    leading: FiguresAt
    beside: FiguresAt | None
    weakest: ClassRecall | None = None
    unfinished: int = 0


@dataclass(frozen=True)
class ChosenThreshold:
    """At which threshold the best card decides, where a rule chose it on validation.

    Attributes:
        positive: The class that is predicted at the threshold and above.
        least: The smallest of its thresholds.
        greatest: The largest of its thresholds; equal to `least` for a single one.
        trainings: The number of its seeds.
        folds: The number of folds, each with a threshold of its own; None without folds.
        bounds: The 95% interval of a single threshold: those that other validation images would have given.
        better_at_half: The accuracy at 0.5 minus that at the thresholds, paired by image. Only where none of the
            figures is lower at 0.5, and one is higher.
    """

    positive: str
    least: float
    greatest: float
    trainings: int
    folds: int | None
    bounds: tuple[float, float] | None
    better_at_half: Difference | None


@dataclass(frozen=True)
class AgainstBest:
    """A card compared with the best one, paired by image.

    Attributes:
        card: The card.
        figure: Its figure in the metric of the best card.
        behind: The best card minus this card, with its interval, test and smallest detectable difference.
        p_adjusted: The p-value by Holm's method over the comparisons with the best card; None where no test exists.
        is_worse: Whether it is clearly worse: the adjusted p-value is at most 0.05.
    """

    card: CardLabel
    figure: SampleEstimate
    behind: Difference
    p_adjusted: float | None
    is_worse: bool


@dataclass(frozen=True)
class Comparisons:
    """All comparisons with the best card, as one family of tests.

    Attributes:
        metric: The metric that is compared.
        worse: The cards that are clearly worse, best first.
        similar: The cards that cannot be distinguished from the best one, best first.
        left_out: The cards that were not compared, each with the reason.
    """

    metric: str
    worse: tuple[AgainstBest, ...]
    similar: tuple[AgainstBest, ...]
    left_out: tuple[tuple[CardLabel, str], ...]


@dataclass(frozen=True)
class FineTuningGain:
    """A fine-tuned card compared with the probe of the same pretrained network, paired by image.

    Attributes:
        card: The fine-tuned card.
        probe: The probe that it names.
        gain: The fine-tuned card minus its probe, with its interval and test.
        p_adjusted: The p-value by Holm's method over all pairs of a fine-tuned card and its probe; None without a test.
        seconds: The time of a training of the card, all folds together; None where it was not recorded.
        probe_seconds: That of its probe.
    """

    card: CardLabel
    probe: CardLabel
    gain: Difference
    p_adjusted: float | None
    seconds: float | None
    probe_seconds: float | None


@dataclass(frozen=True)
class AgainstBaseline:
    """All cards that are no baselines against one baseline.

    Attributes:
        kind: `constant`: the same answer for every image. `card`: another baseline card.
        card: The baseline card; None for a constant answer that no card of the section gives: its AUC is 0.5.
        beaten_by: The cards with a significantly higher AUC.
        not_beaten_by: The cards without.
    """

    kind: Literal["constant", "card"]
    card: CardLabel | None
    beaten_by: tuple[CardLabel, ...]
    not_beaten_by: tuple[CardLabel, ...]


@dataclass(frozen=True)
class Resolution:
    """What these test images can show, and how many could show more.

    Attributes:
        images: The number of test images.
        half_widths: Half the width of the best card's 95% intervals by metric, with the leading decision.
        detectable: The smallest true difference of the best card from the runner-up that is found in 80% of cases.
        runner_up: The card with the next best figure; None for a single card.
        lead: The best card minus the runner-up.
        images_needed: About how many test images would find a true difference of the size of `lead` in 80% of cases;
            None where it is found with these, or where no number of images does.
        reason: Why `images_needed` is None.
    """

    images: int
    half_widths: Mapping[str, float]
    detectable: float | None
    runner_up: CardLabel | None
    lead: Difference | None
    images_needed: int | None
    reason: str | None = None


@dataclass(frozen=True)
class Problem:
    """Something wrong with the data, the protocol or the runs.

    Attributes:
        code: Its name, stable for programs.
        text: A sentence.
    """

    code: str
    text: str

    @property
    def is_of_guarantee(self) -> bool:
        """Whether it says that a guarantee does not apply, so that no summary leaves it out."""
        return self.code in ("guarantee-elsewhere", "guarantee-of-several", "nothing-chosen")


@dataclass(frozen=True)
class NextStep:
    """A command that would help next.

    Attributes:
        purpose: What it is for, in a few words.
        command: The command line.
    """

    purpose: str
    command: str


@dataclass(frozen=True)
class Summary:
    """The answer of a section, in the order a reader wants it.

    Attributes:
        heading: The data, the protocol and the test.
        best: The best card; None where no run has scores.
        reason: Why there is no best card.
        comparisons: The comparisons with the best card; None with fewer than two cards that can be compared.
        baselines: What each baseline shows.
        resolution: What these images cannot show; None without a best card.
        problems: What is wrong, the most important first, each once.
        next_steps: What to do next, the most important first.
        claims: A sentence for each claims file about these cards that is about other data and therefore not shown.
        threshold: At which threshold the best card decides; None where no rule chose one on validation.
        more_images: What more training images would probably add, in sentences; empty without a learning curve.
        fine_tuning: What fine-tuning added to the probes of the same networks; empty without such a pair of cards.
    """

    heading: Heading
    best: BestCard | None
    reason: str | None
    comparisons: Comparisons | None
    baselines: tuple[AgainstBaseline, ...]
    resolution: Resolution | None
    problems: tuple[Problem, ...]
    next_steps: tuple[NextStep, ...]
    claims: tuple[str, ...] = ()
    threshold: ChosenThreshold | None = None
    more_images: tuple[str, ...] = ()
    fine_tuning: tuple[FineTuningGain, ...] = ()
