"""Builds the galleries of a report from images, stored scores and stored models.

This is the only part of a report that needs Keras.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from zoo.api.output.messages import silent
from zoo.config.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from benchmark.data.dataset import Dataset, Image, Pixels, Region
    from benchmark.evidence.diagnosis.subgroups import Grouping
    from benchmark.evidence.metrics.influence import Floats, Labels
    from benchmark.evidence.scores import MulticlassScores, Scores
    from benchmark.runs.run import Run
    from benchmark.runs.storage.store import Store
    from benchmark.training.use.explain import Explanation
    from reports.gallery.gallery import Gallery, ImageSelection, SaliencyMaps

_BRIGHTNESS_SIDE = 32  # in pixels: the mean grey level of an image hardly depends on its size
_TOLERANCE = 0.02  # between a stored score and the stored model's; scores from bfloat16 features differ by less


def galleries_of(
    runs: Sequence[Run],
    store: Store,
    *,
    data: str | None = None,
    patients: str | None = None,
    on_progress: Callable[[str], None] = silent,
) -> dict[str, Gallery]:
    """The gallery of one run per card, data set and protocol.

    It is the first run whose model was stored, otherwise the first run, whose gallery then has no maps.

    Args:
        runs: Runs of any status; failed ones get no gallery.
        store: The store of the runs.
        data: A source to open instead of the runs' own source, for the runs that used the same images.
        patients: Regular expression for file names; None takes the pattern of each run.
        on_progress: Called with a line before each gallery.

    Returns:
        Galleries by run id.

    Raises:
        ConfigError: No run used `data`, a source no longer contains the images of a run, or the store cannot be read.
        DataError: A source cannot be opened.
    """
    chosen = _one_per_card(runs, store)
    opened: dict[tuple[str, str | None, str | None], _TestImages] = {}

    def images_of(source: str, run: Run) -> _TestImages:
        pattern = run.spec.dataset.patient_pattern if patients is None else patients
        key = (source, pattern, run.spec.dataset.hold_out)
        if key not in opened:
            opened[key] = _open(*key)
        return opened[key].in_order_of(run)

    matching = {run.run_id for run in chosen if data is not None and images_of(data, run).fits(run)}
    if data is not None and chosen and not matching:
        raise images_of(data, chosen[0]).refusal(chosen[0])
    galleries: dict[str, Gallery] = {}
    for run in chosen:
        on_progress(f"gallery of {run.spec.card.name}, seed {run.spec.seed}")
        source = data if data is not None and run.run_id in matching else run.spec.dataset.source
        galleries[run.run_id] = _gallery(run, store, images_of(source, run))
    return galleries


class _TestImages:
    """The test images of runs on one data set. Runs on the same images share their groupings."""

    def __init__(self, dataset: Dataset, source: str) -> None:
        self.dataset = dataset
        self._source = source
        self._by_name = {image.name: image for image in dataset.images}
        self._groupings: dict[tuple[str, ...], list[Grouping]] = {}

    def of(self, run: Run, store: Store) -> tuple[Image, ...]:
        """The test images of `run` in the order of its scores."""
        if not self.fits(run):
            raise self.refusal(run)
        names = store.images(run, "test")
        if missing := [name for name in names if name not in self._by_name]:
            raise ConfigError(
                f"run {run.run_id}: its test image {missing[0]} is not in {self._source}; run the card again"
            )
        return tuple(self._by_name[name] for name in names)

    def in_order_of(self, run: Run) -> _TestImages:
        """These images with the positive class of `run`."""
        from benchmark.data.positive_class import in_order

        reordered = in_order(self.dataset, run.spec.dataset.classes[1])
        return self if reordered is self.dataset else _TestImages(reordered, self._source)

    def fits(self, run: Run) -> bool:
        """Whether `run` used this data set."""
        return self.dataset.fingerprint == run.spec.dataset.fingerprint

    def refusal(self, run: Run) -> Exception:
        """The error for a data set that `run` did not use."""
        facts = run.spec.dataset
        return ConfigError(
            f"--data {self._source}: is not the data of run {run.run_id} ({run.spec.card.name}): its fingerprint is "
            f"{self.dataset.fingerprint[:12]}, that of the run {facts.fingerprint[:12]}; give the unchanged source of "
            f"'{facts.title}', with the --patients pattern of the bench if it had one"
        )

    def groupings(self, images: tuple[Image, ...]) -> list[Grouping]:
        """The groupings of `images` that need no model: by name, size, brightness and attributes of the data."""
        names = tuple(image.name for image in images)
        if names not in self._groupings:
            self._groupings[names] = self._group(images, names)
        return self._groupings[names]

    def _group(self, images: tuple[Image, ...], names: tuple[str, ...]) -> list[Grouping]:
        from benchmark.evidence.diagnosis.multiclass_subgroups import by_attribute
        from benchmark.evidence.diagnosis.subgroups import Grouping, by_name, by_thirds

        size = self.dataset.original_size
        if size is None:
            by_size = Grouping("image size", None, reason="image size: this source does not record original sizes")
        else:
            pixels = [float(width * height) for width, height in map(size, images)]
            by_size = by_thirds(pixels, "image size", ("smallest third", "middle third", "largest third"), "pixels")
        levels = self.dataset.read(images, _BRIGHTNESS_SIDE)
        means = levels.reshape(len(levels), -1).mean(axis=1).round(1)
        third = ("darkest third", "middle third", "brightest third")
        by_level = by_thirds(means.tolist(), "mean grey level", third)
        attributes = []
        for kind, values in self.dataset.attributes.items():
            held_out = self.dataset.hold_out is not None and {f"{kind}={values.get(name)}" for name in names}
            if held_out == {self.dataset.hold_out}:
                why = f"{kind} was held out: every test image has {self.dataset.hold_out}, and none of the others"
                attributes.append(Grouping(kind, None, reason=why))
            else:
                attributes.append(by_attribute(values, names, kind))
        return [by_name(names), by_size, by_level, *attributes]


def _open(source: str, patients: str | None, hold_out: str | None) -> _TestImages:
    from benchmark.data.sources import open_dataset

    return _TestImages(open_dataset(source, patient_pattern=patients, hold_out=hold_out), source)


def _gallery(run: Run, store: Store, test: _TestImages) -> Gallery:
    from benchmark.evidence.scores import MulticlassScores

    images, scores = test.of(run, store), store.scores(run, "test")
    if isinstance(scores, MulticlassScores):
        return _multiclass_gallery(run, store, scores, test, images)
    return _binary_gallery(run, store, scores, test, images)


def _binary_gallery(run: Run, store: Store, scores: Scores, test: _TestImages, images: tuple[Image, ...]) -> Gallery:
    from benchmark.evidence.diagnosis.subgroups import subgroups
    from benchmark.runs.cross_validation import folds_of
    from benchmark.runs.deployment.decision_rule import decider_of
    from reports.gallery.decided import decided_at
    from reports.gallery.gallery import build_gallery, select_images

    names = [image.name for image in images]
    threshold, _ = decided_at(run, scores)
    groups = subgroups(scores, threshold, test.groupings(images))
    selection = select_images(scores, threshold, names, groups)
    pixels = test.dataset.read([images[index] for index in selection.places], run.spec.protocol.image_size)
    places = list(selection.explained)
    called = (scores.y_score >= threshold).astype("int64")[places]
    heat, reason, notes = _maps(run, store, called, _explained(test, selection, images, pixels, scores))
    return build_gallery(
        run,
        scores,
        names,
        selection,
        pixels,
        heat=heat,
        maps_reason=reason,
        subgroups=groups,
        notes=notes,
        calibrators=[decider_of(part, store).calibrator for part in folds_of(run) if part.threshold is not None],
    )


def _multiclass_gallery(
    run: Run, store: Store, scores: MulticlassScores, test: _TestImages, images: tuple[Image, ...]
) -> Gallery:
    from benchmark.evidence.diagnosis.multiclass_subgroups import multiclass_subgroups
    from benchmark.runs.cross_validation import folds_of
    from benchmark.runs.deployment.multiclass import calibrator_of_classes
    from reports.gallery.multiclass import (
        build_multiclass_gallery,
        decided_by,
        decisions_of,
        explained_classes,
        select_images_of_classes,
    )

    names = [image.name for image in images]
    decided = decisions_of(run, scores)
    decision, _ = decided_by(run)
    groups = multiclass_subgroups(scores, decided, test.groupings(images))
    abstains = decision.abstains and decision.is_chosen
    selection = select_images_of_classes(scores, decided, names, groups, abstains=abstains)
    pixels = test.dataset.read([images[index] for index in selection.places], run.spec.protocol.image_size)
    places = list(selection.explained)
    called = explained_classes(scores, decided)[places]
    subject = _explained(test, selection, images, pixels, scores)
    heat, reason, notes = _maps(run, store, called, subject, scores.y_true[places])
    return build_multiclass_gallery(
        run,
        scores,
        names,
        selection,
        pixels,
        heat=heat,
        maps_reason=reason,
        subgroups=groups,
        notes=notes,
        calibrators=[calibrator_of_classes(part, store) for part in folds_of(run)],
    )


@dataclass(frozen=True, eq=False)
class _Explained:
    """The images that get maps.

    Attributes:
        images: The images.
        pixels: uint8 (n, h, w, channels).
        region: The region that is known in them.
        stored: Their stored scores (n,), or (n, k) for k classes.
        rows: The indices of the images that each model scored, one array for each fold or one for all.
    """

    images: tuple[Image, ...]
    pixels: Pixels
    region: Region | None
    stored: Floats
    rows: tuple[Labels, ...]


def _explained(
    test: _TestImages,
    selection: ImageSelection,
    images: tuple[Image, ...],
    pixels: Pixels,
    scores: Scores | MulticlassScores,
) -> _Explained:
    import numpy as np

    places = list(selection.explained)
    chosen = tuple(images[index] for index in places)
    rows = [np.arange(len(places))]
    if scores.fold is not None:
        rows = [np.flatnonzero(scores.fold[places] == index) for index in range(int(scores.fold.max()) + 1)]
    return _Explained(chosen, pixels[: len(chosen)], test.dataset.region, scores.y_score[places], tuple(rows))


def _maps(
    run: Run, store: Store, called: Labels, subject: _Explained, true: Labels | None = None
) -> tuple[SaliencyMaps | None, str | None, list[str]]:
    """Maps from the stored models or the reason why they are missing, and notes on the maps.

    In a cross-validation, each image is explained by the model of its fold.

    Args:
        run: A finished run.
        store: The store that contains it.
        called: The class (n,) that a map explains.
        subject: The images with their scores.
        true: The true class (n,), for which misclassified images get a second map; None for two classes.

    Returns:
        The maps, the reason, and the notes.
    """
    import numpy as np

    from benchmark.runs.cross_validation import folds_of

    parts = folds_of(run)
    if (reason := _without_models(parts, store)) is not None:
        return None, reason, []
    from benchmark.runs.deployment.model_files import model_of
    from benchmark.training.quiet import load_keras

    for part in parts:
        model_of(part, store)  # reports a file that is not the model of the run before Keras is loaded
    load_keras()
    from benchmark.evidence.diagnosis.saliency import inside, sanity
    from benchmark.training.use.explain import NoFeatureMaps
    from reports.gallery.gallery import SaliencyMaps

    of_true: dict[int, npt.NDArray[np.float32]] = {}
    explained = []
    try:
        for part, rows in zip(parts, subject.rows, strict=True):
            if len(rows):
                truth = None if true is None else true[rows]
                maps, second = _explained_by(part, store, subject.pixels[rows], called[rows], truth)
                explained.append((rows, maps))
                of_true |= {int(rows[place]): heatmap for place, heatmap in second.items()}
    except NoFeatureMaps as error:
        return None, str(error), []
    order = np.argsort(np.concatenate([rows for rows, _ in explained]))
    together = {
        name: np.concatenate([getattr(maps, name) for _, maps in explained], axis=axis).take(order, axis=axis)
        for name, axis in (("scores", 0), ("maps", 0), ("coarse", 0), ("head_random", 1), ("all_random", 1))
    }
    notes = []
    gap = float(np.abs(together["scores"] - subject.stored).max())
    if not gap <= _TOLERANCE:  # also when it is not a number
        notes.append(
            f"The stored model's probabilities differ from the stored ones by up to {gap:.2f}; run the card again."
        )
    check = sanity(together["coarse"], together["head_random"], together["all_random"])
    heat = SaliencyMaps(explained[0][1].layer, together["maps"], check, of_true=of_true)
    if subject.region is None:
        return heat, None, notes
    masks = np.stack([subject.region.mask(image, subject.pixels.shape[1]) for image in subject.images])
    areas = tuple(masks.mean(axis=(1, 2)).tolist())
    return replace(heat, region=subject.region.name, inside=inside(heat.maps, masks), areas=areas), None, notes


def _without_models(parts: Sequence[Run], store: Store) -> str | None:
    """Why there are no maps: the model of the run, or of a fold, was not kept. None where all were."""
    from reports.text import listed

    if parts[0].members:
        return "an ensemble has no model of its own; the maps of its members are with their cards"
    if views := parts[0].spec.card.recipe.test_time_augmentation:
        return f"its scores are means of {1 + views} views, and a stored model explains one"
    absent = [str(number) for number, part in enumerate(parts, 1) if not store.has_model(part)]
    if not absent:
        return None
    if len(parts) == 1:
        return "the model of this run was not kept; `zoo bench --keep-models` keeps it"
    folds = f"fold{'' if len(absent) == 1 else 's'} {listed(absent)} of {len(parts)}"
    return f"the model of {folds} was not kept; `zoo bench --keep-models` keeps the models of all folds"


def _explained_by(
    run: Run, store: Store, pixels: Pixels, called: Labels, true: Labels | None
) -> tuple[Explanation, dict[int, npt.NDArray[np.float32]]]:
    """The maps of the model of one run, and those for the true class of misclassified images by their index."""
    import numpy as np

    from benchmark.runs.deployment.model_files import maker_of, model_of, outputs_of
    from benchmark.training.use.explain import explain
    from benchmark.training.use.model_file import load_model

    model = load_model(model_of(run, store), maker_of(run), outputs_of(run))
    maps = explain(model, pixels, called)
    if true is None or not len(wrong := np.flatnonzero(called != true)):
        return maps, {}
    second = explain(model, pixels[wrong], true[wrong], seeds=()).maps
    return maps, dict(zip(wrong.tolist(), second, strict=True))


def _one_per_card(runs: Sequence[Run], store: Store) -> list[Run]:
    """One finished run per card, data set and protocol: the first with a stored model, otherwise the first."""
    representatives: dict[tuple[str, str], Run] = {}
    for run in runs:
        if run.status != "ok":
            continue
        key = (run.spec.card.name, run.spec.conditions)
        if key not in representatives or (_has_models(run, store) and not _has_models(representatives[key], store)):
            representatives[key] = run
    return list(representatives.values())


def _has_models(run: Run, store: Store) -> bool:
    """Whether the model of a run was stored, in a cross-validation those of all folds."""
    from benchmark.runs.cross_validation import folds_of

    return all(store.has_model(part) for part in folds_of(run))
