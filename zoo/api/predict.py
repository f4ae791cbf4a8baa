"""`zoo.predict`: applies a stored model to images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from benchmark.runs.deployment.decision_rule import DecisionRule, Prediction, decider_of
from benchmark.runs.deployment.model_files import model_of, reference_note
from benchmark.runs.deployment.predictions import image_files, predict_files
from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store
from reports.render.terminal.predictions import predictions_document, summary
from zoo.api.inputs import PathLike, Paths, resolve_run, resolve_store
from zoo.api.messages import Messages, OnMessage, silent
from zoo.api.tables import frame, html_table
from zoo.config.arguments import PATH, several

if TYPE_CHECKING:
    import pandas

_COLUMNS = ("image", "probability", "score", "decision", "outside", "error")


class Progress(Protocol):
    """Wraps an iterable of `total` predictions and yields them unchanged; `tqdm.tqdm` is one."""

    def __call__(self, predictions: Iterable[Prediction], *, total: int) -> Iterable[Prediction]: ...


@dataclass(frozen=True)
class PredictResults:
    """What a model predicts for images.

    Attributes:
        run: The run whose model was used.
        decider: Its threshold and calibration, both chosen on validation.
        predictions: One per image, in the order given.
        notes: How images unlike the training images are detected.
        messages: Lines that begin with `warning:` or `note:`.
    """

    run: Run
    decider: DecisionRule
    predictions: tuple[Prediction, ...]
    notes: tuple[str, ...]
    messages: tuple[str, ...] = ()

    @property
    def failed(self) -> tuple[Prediction, ...]:
        """Images without a probability; each has an `error`."""
        return tuple(prediction for prediction in self.predictions if prediction.error is not None)

    def to_dict(self) -> dict[str, Any]:
        """The document that `zoo predict --json` prints."""
        return predictions_document(self.run, self.decider, self.predictions, self.notes)

    def to_frame(self) -> pandas.DataFrame:
        """One row per image. Raises ConfigError when pandas is not installed."""
        return frame([attrgetter(*_COLUMNS)(each) for each in self.predictions], _COLUMNS)

    def _repr_html_(self) -> str:
        rows = [
            (each.image, each.probability, each.score, each.decision, each.error or _note(each.outside))
            for each in self.predictions
        ]
        columns = ("image", f"P({self.decider.classes[1]})", "score", "decision", "note")
        lines = (*summary(self.run, self.decider, self.predictions), *self.notes, *self.messages)
        return html_table("Predictions", columns, rows, lines)


def predict(
    run: str | Run,
    images: Paths,
    *,
    store: PathLike | Store = "runs",
    progress: Progress = lambda predictions, total: predictions,
    on_message: OnMessage = silent,
) -> PredictResults:
    """Predict the probability of the positive class and the decision per image, as `zoo predict` does.

    Args:
        run: A run, its id, the beginning of its id, or CARD or CARD:SEED if only one run matches. Its model must be
            stored (`bench(..., keep_models=True)`).
        images: Image files, or folders of images; one or several.
        store: The folder that contains the runs, or a Store.
        progress: Wraps the predictions, as `tqdm.tqdm` does.
        on_message: Called with each warning when it arises; the result collects them too.

    Returns:
        One prediction per image. An image that cannot be read has an error, and no decision.

    Raises:
        ConfigError: The run is unknown, its model was not stored, or a path does not exist.
    """
    paths = several("images", images, PATH, "image files or folders of images", may_be_empty=False)
    source, messages = resolve_store(store), Messages(on_message)
    chosen = resolve_run(run, source, messages)
    model_of(chosen, source)  # reports a missing model before the search for images
    files = image_files(map(Path, paths))
    decider = decider_of(chosen, source)
    predictions = tuple(progress(predict_files(chosen, source, decider, files), total=len(files)))
    return PredictResults(chosen, decider, predictions, (reference_note(chosen, source),), messages.lines())


def _note(reasons: Sequence[str]) -> str:
    return f"outside: {'; '.join(reasons)}" if reasons else ""
