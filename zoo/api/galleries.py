"""Galleries of runs: where images, stored scores and kept models meet. Only here a report asks for Keras."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmark.data.dataset import Dataset, Image, Pixels, Region
    from benchmark.evidence.diagnosis.subgroups import Grouping
    from benchmark.evidence.scores import Scores
    from benchmark.runs.run import Run
    from benchmark.runs.storage.store import Store
    from reports.gallery.gallery import Gallery, ImageSelection, SaliencyMaps

_BRIGHTNESS_SIDE = 32  # the mean grey level of an image hardly depends on its size
_TOLERANCE = 0.02  # between a stored score and the kept model's; scores from bfloat16 features differ by less


def galleries_of(
    runs: Sequence[Run],
    store: Store,
    *,
    data: str | None = None,
    patients: str | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, Gallery]:
    """The gallery of one run of each card, data set and protocol, by run id: the first seed whose model was kept, else
    the first seed, then without maps. Failed runs have none.

    A source is opened with the pattern `patients`, or with that of the run where none is given. `data` is read in place
    of the source that runs name, for those that saw it; `tell` hears what is being done. Raises ConfigError when no run
    saw `data`, when a source no longer holds what a run saw, or when the store cannot be read, and DataError when a
    source cannot be opened: one line for the user each.
    """
    chosen = _one_a_card(runs, store)
    opened: dict[tuple[str, str | None], _TestImages] = {}

    def images_of(source: str, run: Run) -> _TestImages:
        pattern = run.spec.dataset.patient_pattern if patients is None else patients
        if (source, pattern) not in opened:
            opened[source, pattern] = _open(source, pattern)
        return opened[source, pattern].in_order_of(run)

    given = {run.run_id for run in chosen if data is not None and images_of(data, run).fits(run)}
    if data is not None and chosen and not given:
        raise images_of(data, chosen[0]).refusal(chosen[0])
    found: dict[str, Gallery] = {}
    for run in chosen:
        tell(f"gallery of {run.spec.card.name}, seed {run.spec.seed}")
        source = data if data is not None and run.run_id in given else run.spec.dataset.source
        found[run.run_id] = _gallery(run, store, images_of(source, run))
    return found


class _TestImages:
    """The test images of runs on one data set; what is read of them once serves every run that saw the same."""

    def __init__(self, dataset: Dataset, source: str) -> None:
        self.dataset = dataset
        self._source = source
        self._by_name = {image.name: image for image in dataset.images}
        self._groupings: dict[tuple[str, ...], list[Grouping]] = {}

    def of(self, run: Run, store: Store) -> tuple[Image, ...]:
        """The test images of `run` in the order of its scores."""
        from zoo.config.strict_yaml import ConfigError

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

        turned = in_order(self.dataset, run.spec.dataset.classes[1])
        return self if turned is self.dataset else _TestImages(turned, self._source)

    def fits(self, run: Run) -> bool:
        """Whether these are the data that `run` saw."""
        return self.dataset.fingerprint == run.spec.dataset.fingerprint

    def refusal(self, run: Run) -> Exception:
        """The error that says that they are not."""
        from zoo.config.strict_yaml import ConfigError

        facts = run.spec.dataset
        return ConfigError(
            f"--data {self._source}: is not the data that run {run.run_id} ({run.spec.card.name}) saw: fingerprint "
            f"{self.dataset.fingerprint[:12]}, the run's is {facts.fingerprint[:12]}; give with --data the source of "
            f"'{facts.title}' as it was, with the --patients pattern of the bench if it had one"
        )

    def groupings(self, images: tuple[Image, ...]) -> list[Grouping]:
        """Every way in which `images` are grouped without a model."""
        names = tuple(image.name for image in images)
        if names not in self._groupings:
            self._groupings[names] = self._group(images, names)
        return self._groupings[names]

    def _group(self, images: tuple[Image, ...], names: tuple[str, ...]) -> list[Grouping]:
        from benchmark.evidence.diagnosis.subgroups import Grouping, by_name, by_thirds

        size = self.dataset.original_size
        if size is None:
            by_size = Grouping(
                "image size", None, reason="image size: this source does not say what sizes its images had"
            )
        else:
            pixels = [float(width * height) for width, height in map(size, images)]
            by_size = by_thirds(pixels, "image size", ("smallest third", "middle third", "largest third"), "pixels")
        levels = self.dataset.read(images, _BRIGHTNESS_SIDE)
        means = levels.reshape(len(levels), -1).mean(axis=1).round(1)
        third = ("darkest third", "middle third", "brightest third")
        return [by_name(names), by_size, by_thirds(means.tolist(), "mean grey level", third)]


def _open(source: str, patients: str | None) -> _TestImages:
    from benchmark.data.sources import open_dataset

    return _TestImages(open_dataset(source, patient_pattern=patients), source)


def _gallery(run: Run, store: Store, test: _TestImages) -> Gallery:
    from benchmark.evidence.diagnosis.subgroups import subgroups
    from reports.gallery.gallery import build_gallery, decided_at, select_images

    images = test.of(run, store)
    names, scores = [image.name for image in images], store.scores(run, "test")
    threshold, _ = decided_at(run)
    groups = subgroups(scores, threshold, test.groupings(images))
    selection = select_images(scores, threshold, names, groups)
    pixels = test.dataset.read([images[place] for place in selection.places], run.spec.protocol.image_size)
    heat: SaliencyMaps | None = None
    notes: list[str] = []
    if not store.has_model(run):
        reason: str | None = "the model of this run was not kept; `zoo bench --keep-models` keeps it"
    else:
        explained = [images[place] for place in selection.explained]
        region = test.dataset.region
        heat, reason, notes = _heat(run, store, scores, selection, explained, pixels[: len(explained)], region)
    return build_gallery(
        run, scores, names, selection, pixels, heat=heat, maps_reason=reason, subgroups=groups, notes=notes
    )


def _heat(
    run: Run,
    store: Store,
    scores: Scores,
    selection: ImageSelection,
    images: Sequence[Image],
    pixels: Pixels,
    region: Region | None,
) -> tuple[SaliencyMaps | None, str | None, list[str]]:
    """Maps of `images` from the kept model, or why there are none, and what to know of them."""
    import numpy as np

    from benchmark.runs.deployment.model_files import model_of
    from benchmark.training.quiet import load_keras

    model = model_of(run, store)  # one that is not the run's own is told before Keras is loaded
    load_keras()
    from benchmark.evidence.diagnosis.saliency import inside, sanity
    from benchmark.runs.deployment.model_files import maker_of
    from benchmark.training.use.explain import NoFeatureMaps, explain
    from benchmark.training.use.model_file import load_model
    from reports.gallery.gallery import SaliencyMaps, decided_at

    stored = scores.y_score[list(selection.explained)]
    try:
        found = explain(load_model(model, maker_of(run)), pixels, (stored >= decided_at(run)[0]).astype(int))
    except NoFeatureMaps as error:
        return None, str(error), []
    notes = []
    if not (away := float(np.abs(found.scores - stored).max())) <= _TOLERANCE:  # also when it is not a number
        notes.append(
            f"The kept model's probabilities differ from the stored ones by up to {away:.2f}; run the card again."
        )
    checked = sanity(found.coarse, found.head_random, found.all_random)
    if region is None:
        return SaliencyMaps(found.layer, found.maps, checked), None, notes
    masks = np.stack([region.mask(image, pixels.shape[1]) for image in images])
    areas = tuple(masks.mean(axis=(1, 2)).tolist())
    return SaliencyMaps(found.layer, found.maps, checked, region.name, inside(found.maps, masks), areas), None, notes


def _one_a_card(runs: Sequence[Run], store: Store) -> list[Run]:
    """One finished run of each card, data set and protocol: the first whose model was kept, else the first."""
    representatives: dict[tuple[str, str], Run] = {}
    for run in runs:
        if run.status != "ok":
            continue
        key = (run.spec.card.name, run.spec.conditions)
        if key not in representatives or (store.has_model(run) and not store.has_model(representatives[key])):
            representatives[key] = run
    return list(representatives.values())
