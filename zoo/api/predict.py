"""`zoo.predict`: applies a stored model to images."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from benchmark.runs.deployment.known_images import known_parts
from benchmark.runs.deployment.model_files import averaged_in_words, reference_note, stored_models
from benchmark.runs.deployment.multiclass import AnyDecisionRule, AnyPrediction, any_decider_of
from benchmark.runs.deployment.predictions import Predictor, image_files
from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store
from reports.render.terminal.predictions import (
    known_lines,
    note_of,
    predictions_document,
    shown_columns,
    shown_row,
    summary,
    value_columns,
    values,
)
from zoo.api.arguments.inputs import PathLike, Paths, resolve_run, resolve_store
from zoo.api.arguments.rules import under_rule
from zoo.api.output.messages import Messages, OnMessage, silent
from zoo.api.output.tables import frame, html_table
from zoo.config.arguments import PATH, several

if TYPE_CHECKING:
    import pandas


class Progress(Protocol):
    """Wraps an iterable of `total` predictions and yields them unchanged; `tqdm.tqdm` is one."""

    def __call__(self, predictions: Iterable[AnyPrediction], *, total: int) -> Iterable[AnyPrediction]: ...


@dataclass(frozen=True)
class PredictResults:
    """What a model predicts for images.

    Attributes:
        run: The run whose model was used.
        decider: Its threshold, or its decision among several classes, and its calibration, all chosen on validation.
        predictions: One per image, in the order given.
        notes: What scores are means of, if they are, and how images unlike the training images are detected.
        messages: Lines that begin with `warning:` or `note:`.
        known: The split of each image whose file is one of the images of the model: `train`, `val` or `test`; None for
            others.
    """

    run: Run
    decider: AnyDecisionRule
    predictions: tuple[AnyPrediction, ...]
    notes: tuple[str, ...]
    messages: tuple[str, ...] = ()
    known: tuple[str | None, ...] = ()

    @property
    def failed(self) -> tuple[AnyPrediction, ...]:
        """Images without a probability; each has an `error`."""
        return tuple(prediction for prediction in self.predictions if prediction.error is not None)

    def to_dict(self) -> dict[str, Any]:
        """The document that `zoo predict --json` prints."""
        return predictions_document(self.run, self.decider, self.predictions, self.notes, self.known)

    def to_frame(self) -> pandas.DataFrame:
        """Make a data frame, with the columns `probability:CLASS` and `score:CLASS` for three or more classes.

        Returns:
            One row per image.

        Raises:
            ConfigError: pandas is not installed.
        """
        columns = (*value_columns(self.decider), "outside", "error")
        rows = [(*values(each, self.decider.classes), each.outside, each.error) for each in self.predictions]
        return frame(rows, columns)

    def _repr_html_(self) -> str:
        parts = self.known or [None] * len(self.predictions)
        pairs = zip(self.predictions, parts, strict=True)
        rows = [(*shown_row(each, self.decider), note_of(each, part)) for each, part in pairs]
        columns = (*shown_columns(self.decider), "note")
        lines = (
            *summary(self.run, self.decider, self.predictions),
            *known_lines(self.known),
            *self.notes,
            *self.messages,
        )
        return html_table("Predictions", columns, rows, lines)


def predict(
    run: str | Run,
    images: Paths,
    *,
    store: PathLike | Store = "runs",
    data: PathLike | None = None,
    protocol: str | None = None,
    threshold_rule: str | None = None,
    decision: str | None = None,
    progress: Progress = lambda predictions, total: predictions,
    on_message: OnMessage = silent,
) -> PredictResults:
    """Predict the probability of the positive class, or of each of several classes, and the decision per image, as
    `zoo predict` does.

    Args:
        run: A run, its id, the beginning of its id, CARD or CARD:SEED. A card of several data sets or protocols means
            the run of the latest benchmark. Its model must be stored (`bench(..., keep_models=True)`).
        images: Image files, or folders of images; one or several.
        store: The folder that contains the runs, or a Store.
        data: The source of the run; None for any.
        protocol: The name of the protocol of the run; None for any.
        threshold_rule: Choose the threshold of two classes again on the stored validation scores, as in `report`.
        decision: Choose the decision among three or more classes again on the stored validation scores.
        progress: Wraps the predictions, as `tqdm.tqdm` does.
        on_message: Called with each warning when it arises; the result collects them too.

    Returns:
        One prediction per image. An image that cannot be read has an error, and no decision.

    Raises:
        ConfigError: The run is unknown, its model was not stored, or a path does not exist.
    """
    paths = several("images", images, PATH, "image files or folders of images", may_be_empty=False)
    source, messages = resolve_store(store), Messages(on_message)
    chosen = under_rule(resolve_run(run, source, messages, data, protocol), source, threshold_rule, decision, messages)
    stored_models(chosen, source)  # reports a missing model before the search for images
    files = image_files(map(Path, paths))
    decider = any_decider_of(chosen, source)
    predictions = tuple(progress(Predictor(chosen, source, decider).predict_files(files), total=len(files)))
    averaged = averaged_in_words(chosen)
    notes = (*([] if averaged is None else [f"scores: {averaged}"]), reference_note(chosen, source))
    known = known_parts(chosen, source, files)
    return PredictResults(chosen, decider, predictions, notes, messages.lines(), known)
