"""The training of a run: what its specification means for images, features and the call of `fit`."""

from __future__ import annotations

from collections.abc import Callable

from benchmark.data.decoding.prepared import LabelledImages, with_names
from benchmark.runs.drawn_split import training_images
from benchmark.runs.run import Job, RunSpec
from benchmark.training.convolutions.methods import ChosenConvolutions, chosen_convolutions
from benchmark.training.fit import FeatureOptions, Fitted, Step, fit
from benchmark.training.frozen.bank import default_bank
from benchmark.training.frozen.methods import AllowedMethods
from benchmark.training.frozen.prefix import available_methods
from zoo.models.card import ModelCard


def of_subset(train: LabelledImages, spec: RunSpec) -> LabelledImages:
    """The training images of a run, out of those of its split."""
    if spec.subset is None:
        return train
    return with_names(train, {image.name for image in training_images(train.images, spec)})


def methods_of(job: Job) -> AllowedMethods:
    """How the features of frozen layers may be computed in a run."""
    return available_methods(job.spec.protocol.precision, job.spec.protocol.prefix, job.trial)


def convolutions_of(job: Job) -> ChosenConvolutions:
    """How training computes wide convolutions in a run."""
    return chosen_convolutions(job.spec.protocol.training_convolutions, job.convolutions)


def fit_job(
    job: Job,
    card: ModelCard,
    train: LabelledImages,
    val: LabelledImages,
    methods: AllowedMethods,
    on_step: Callable[[Step], None] = lambda _: None,
) -> Fitted:
    """Train a card as the specification of a run says.

    Args:
        job: The run.
        card: Its card, with the budget of its protocol.
        train: Training images.
        val: Validation images.
        methods: How the features of frozen layers may be computed.
        on_step: Called with the progress.

    Returns:
        The trained model.
    """
    spec = job.spec
    return fit(
        card,
        train,
        val,
        seed=spec.seed,
        view_seed=spec.protocol.view_seed,
        classes=len(spec.dataset.classes),
        class_names=spec.dataset.classes,
        views=None if spec.protocol.views == "fresh" else spec.protocol.views,
        precision=spec.protocol.training_precision,
        convolutions=convolutions_of(job).method,
        features=FeatureOptions(default_bank(), methods, job.also_unfrozen),
        on_step=on_step,
    )
