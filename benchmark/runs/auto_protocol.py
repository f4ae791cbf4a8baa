"""The protocol `auto`: makes a protocol for a data set and a machine from a policy, with a reason for each choice."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, model_validator

from benchmark.data.cross_validation import folds_problem
from benchmark.data.dataset import Dataset
from benchmark.data.splits import Sampling
from benchmark.data.text import plural
from benchmark.runs.expected_cost import CARDS, ExpectedCost, Workload, expected_cost
from benchmark.runs.protocol import AUTO, Choice, Protocol, protocol_file
from benchmark.training.machine_speed import MachineSpeed
from zoo.config.strict import Strict
from zoo.config.strict_yaml import read_yaml, validate
from zoo.models.recipe import Epochs

_NATURAL = "classes keep their shares, so that figures are for the prevalence of the data"
_SIZE_SAMPLE = 400  # images whose size is read, evenly spread: some sources read it from files
_Share = Annotated[float, Field(gt=0, lt=1)]
_Count = Annotated[int, Field(gt=0)]


class Shares(Strict):
    """The share of all images that each part gets; they add up to 1."""

    train: _Share
    val: _Share
    test: _Share

    @model_validator(mode="after")
    def _whole(self) -> Shares:
        if abs(self.train + self.val + self.test - 1) > 1e-9:
            raise ValueError("train, val and test must add up to 1")
        return self


class Candidate(Strict):
    """Image size in pixels, augmented views per training image, and the cap on epochs per phase, if any."""

    image_size: Annotated[int, Field(ge=8, le=2048)]
    views: Annotated[int, Field(gt=0, le=1000)]
    max_epochs: Epochs | None = None


class AutoPolicy(Strict):
    """How `auto` chooses.

    Attributes:
        title: What the protocol is, for people.
        shares: The share of each part.
        most_val: The largest number of images that are drawn for validation.
        min_val: A validation part of the source with fewer images is set aside.
        smallest_image: The smallest image side in pixels.
        minutes: The budget for six cards.
        feature_gib: The budget for features of frozen layers.
        candidates: What is tried, from the best to the cheapest.
    """

    title: str
    shares: Shares
    most_val: _Count
    min_val: _Count
    smallest_image: _Count
    minutes: Annotated[float, Field(gt=0)]
    feature_gib: Annotated[float, Field(gt=0)]
    candidates: Annotated[tuple[Candidate, ...], Field(min_length=1)]


@dataclass(frozen=True)
class FoldChoice:
    """The number of folds, None for one split, and why."""

    value: int | None
    why: str


@dataclass(frozen=True)
class _Sizes:
    """The sampling of a data set, and the number of images that it leads to."""

    sampling: Sampling
    train: int
    val: int
    test: int
    why: dict[str, str]


FOLDS = 5
FEW_IMAGES = 500
"""Below this, one test part leaves the interval of an AUC of .80 wider than 0.16 (page on cross-validation)."""


def load_policy() -> AutoPolicy:
    """Load the policy of `auto`. Raises ConfigError."""
    path = protocol_file(AUTO)
    return validate(AutoPolicy, read_yaml(path), str(path))


def resolve_auto(dataset: Dataset, speed: MachineSpeed, policy: AutoPolicy | None = None) -> Protocol:
    """Make the protocol of `auto` for a data set.

    It looks at the number of images in each part and at their sizes, never at pixels or scores.

    Args:
        dataset: The images.
        speed: The measured speed of this machine.
        policy: How to choose; None loads the built-in policy.

    Returns:
        A protocol with the name `auto`, and a reason for each choice in `choices`.

    Raises:
        ConfigError: The policy cannot be read.
    """
    policy = load_policy() if policy is None else policy
    folds = choose_folds(dataset)
    sizes = _sizes(dataset, policy, folds.value)
    candidate, cost, why = _affordable(dataset, sizes, speed, policy, trainings=folds.value or 1)
    chosen = candidate.model_dump()
    choices = [
        *(Choice(field=f"sampling.{part}", value=getattr(sizes, part), why=sizes.why[part]) for part in sizes.why),
        Choice(field="sampling.balanced", value="no", why=_NATURAL),
        *([] if folds.value is None else [Choice(field="test_folds", value=folds.value, why=folds.why)]),
        *(Choice(field=field, value=value, why=why[field]) for field, value in chosen.items()),
        Choice(field="minutes", value=max(1, round(cost.minutes)), why=_budget(cost, speed, policy)),
    ]
    fields: dict[str, Any] = {**chosen, "choices": tuple(choices)}
    if folds.value is not None:
        fields["test_folds"] = folds.value
    return Protocol(name=AUTO, title=policy.title, sampling=sizes.sampling, **fields)


def choose_folds(dataset: Dataset) -> FoldChoice:
    """Choose the number of folds, so that each image is tested once where one test part would be too small.

    Args:
        dataset: The images.

    Returns:
        The number of folds with the reason; None for one split into train, val and test.
    """
    images = len(dataset.images)
    if images >= FEW_IMAGES or folds_problem(dataset, FOLDS) is not None:
        return FoldChoice(None, "one split into train, val and test")
    return FoldChoice(FOLDS, f"below {FEW_IMAGES} images, one test part is too small for narrow intervals")


def _sizes(dataset: Dataset, policy: AutoPolicy, folds: int | None) -> _Sizes:
    """The sampling, and about how many images each part gets: patients are drawn whole, so the numbers can differ."""
    shares = policy.shares
    of_part = Counter(image.part for image in dataset.images)
    pool, total = of_part["train"] + of_part["all"], len(dataset.images)
    why: dict[str, str] = {}
    if folds is not None:
        test = round(total / folds)
        pool = total - test
        why["test"] = f"every image once, in {folds} folds"
    elif of_part["test"]:
        test = of_part["test"]
        why["test"] = "the test part of the source, whole"
    else:
        test = round(shares.test * pool)
        pool -= test
        why["test"] = f"{shares.test:.0%} of the images"
    share = shares.val / (shares.val + shares.train)
    drawn_val = min(policy.most_val, round(share * pool))
    min_val = min(policy.min_val, max(1, drawn_val // 2))
    keeps_val = folds is None and of_part["val"] >= min_val
    capped = not keeps_val and drawn_val == policy.most_val
    if keeps_val:
        why["val"] = "the validation part of the source, whole"
    else:
        why["val"] = "enough for a threshold" if capped else f"{share:.0%} of the images that are not for test"
        why["val"] += f"; the source's own {of_part['val']} are too few" if 0 < of_part["val"] < min_val else ""
    val = of_part["val"] if keeps_val else drawn_val
    why["train"] = f"all others of {plural(total, 'image')}"
    sampling = Sampling(
        val=drawn_val if capped else None, val_fraction=share, test_fraction=shares.test, min_val=min_val
    )
    train = pool if keeps_val else pool - val
    return _Sizes(sampling, train, val, test, {part: why[part] for part in ("train", "val", "test")})


def _affordable(
    dataset: Dataset, sizes: _Sizes, speed: MachineSpeed, policy: AutoPolicy, trainings: int
) -> tuple[Candidate, ExpectedCost, dict[str, str]]:
    """The first candidate within the budgets, or the last one; its cost; the reason of each field."""
    shorter = _shorter_side(dataset)
    limit = None if shorter is None else max(policy.smallest_image, shorter)
    candidates = list(
        dict.fromkeys(
            each if limit is None else each.model_copy(update={"image_size": min(each.image_size, limit)})
            for each in policy.candidates
        )
    )
    for candidate in candidates:
        work = Workload(
            sizes.train, sizes.val + sizes.test, candidate.image_size, candidate.views, candidate.max_epochs, trainings
        )
        cost = expected_cost(work, speed)
        if cost.minutes <= policy.minutes and cost.feature_gib <= policy.feature_gib:
            break
    largest = policy.candidates[0]
    affordable = f"the most that fits in about {policy.minutes:g} min for {CARDS} cards on this machine"
    size_why = _size_reason(candidate, limit, shorter, policy, affordable)
    views_why = "the most that auto uses" if candidate.views == largest.views else affordable
    epochs_why = "the epochs of each card" if candidate.max_epochs is None else affordable
    return candidate, cost, {"image_size": size_why, "views": views_why, "max_epochs": epochs_why}


def _size_reason(
    candidate: Candidate, limit: int | None, shorter: int | None, policy: AutoPolicy, affordable: str
) -> str:
    if shorter is not None and candidate.image_size > shorter:
        return f"ENLARGED: the images have about {shorter} px, and VGG16 needs {policy.smallest_image}"
    if candidate.image_size == limit:
        return "the size of the images themselves; they are not enlarged"
    why = "as many pixels as VGG16 was trained with"
    if candidate.image_size != policy.candidates[0].image_size:
        why = affordable
    return why if shorter is not None else f"{why}; this source does not record the size of the images"


def _shorter_side(dataset: Dataset) -> int | None:
    """The median of the shorter sides of the images, in pixels; None if the source does not record them."""
    if dataset.original_size is None or not dataset.images:
        return None
    step = -(-len(dataset.images) // _SIZE_SAMPLE)
    sides = [min(dataset.original_size(image)) for image in dataset.images[::step]]
    return int(statistics.median_low(sides))


def _budget(cost: ExpectedCost, speed: MachineSpeed, policy: AutoPolicy) -> str:
    measured = f"{speed.frozen:.0f} GMAC/s in frozen layers, {speed.training:.2g} megapixels/s in training"
    measured = f"this machine{' when idle' if speed.busy else ''}: {measured}"
    if cost.minutes > policy.minutes:
        return f"more than the {policy.minutes:g} planned, with the cheapest candidate; {measured}"
    return f"expected for {CARDS} cards; {policy.minutes:g} are planned at most; {measured}"
