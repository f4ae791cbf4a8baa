"""`zoo.labels`: lists images of train and validation whose labels are probably wrong."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass, fields, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmark.data.dataset import Dataset
from benchmark.data.splits import make_split
from benchmark.runs.label_errors import SuspectedLabel, suspected_labels
from benchmark.runs.protocol import Protocol
from benchmark.runs.run import conditions_of
from benchmark.runs.storage.beside.label_errors import RecordedLabels, write_labels
from benchmark.runs.storage.beside.remembered import SourceOptions
from benchmark.runs.storage.store import Store
from reports.text import plural
from zoo.api.arguments.conditions import check_protocol, open_data, resolve_conditions
from zoo.api.arguments.inputs import PathLike, resolve_store
from zoo.api.output.messages import Messages, OnMessage, silent
from zoo.api.output.tables import html_table
from zoo.config.atomic import write_text
from zoo.config.errors import ConfigError

_COLUMNS = tuple(field.name for field in fields(SuspectedLabel))
_SIDE = 160


@dataclass(frozen=True)
class LabelResults:
    """Images whose labels are probably wrong.

    Attributes:
        data: The data in words.
        checked: The number of images of train and validation.
        agreement: The share of their labels with which the classifier agrees, in [0, 1].
        suspects: The images, the most suspect first. No image of the test part is among them.
        paths: The written files.
        messages: Lines that begin with `warning:` or `note:`.
    """

    data: str
    checked: int
    agreement: float
    suspects: tuple[SuspectedLabel, ...]
    paths: tuple[Path, ...] = ()
    messages: tuple[str, ...] = ()

    @property
    def about(self) -> str:
        """How many of the images are suspects, and how they were found."""
        return (
            f"{plural(len(self.suspects), 'suspect')} among {self.checked} images of train and validation, by "
            "confident learning on out-of-fold scores of a classifier of pixels, which agrees with "
            f"{self.agreement:.1%} of the labels. Look at each: the rarer it agrees, the more suspects have the right "
            "label. Test labels are not judged."
        )

    def to_dict(self) -> dict[str, Any]:
        """The results as a JSON document."""
        return {
            "data": self.data,
            "checked": self.checked,
            "agreement": self.agreement,
            "suspects": [asdict(each) for each in self.suspects],
        }

    def to_csv(self) -> str:
        """The suspects as CSV."""
        text = io.StringIO()
        writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(each) for each in self.suspects)
        return text.getvalue()

    def _repr_html_(self) -> str:
        rows = [tuple(asdict(each).values()) for each in self.suspects]
        return html_table(self.data, _COLUMNS, rows, (self.about, *self.messages))


def labels(
    data: PathLike | Dataset = "phantom",
    *,
    protocol: PathLike | Protocol | None = None,
    store: PathLike | Store = "runs",
    patients: str | None = None,
    positive: str | None = None,
    hold_out: str | None = None,
    out: PathLike | None = None,
    on_message: OnMessage = silent,
) -> LabelResults:
    """List images of train and validation whose labels are probably wrong, as `zoo labels` does.

    The split is the one that `bench` draws, so that test labels are neither judged nor listed. For a protocol with
    `test_folds` it is one split. The store keeps the list for `report`.

    Args:
        data: A source or a Dataset, as in `bench`.
        protocol: A name, a file or a Protocol, as in `bench`. It draws the split.
        store: The store that remembers the options of the source and its protocol, and keeps the list.
        patients: Regular expression for file names; its named groups form the patient's key.
        positive: The positive class of two.
        hold_out: COLUMN=VALUE; the images with this value are the test part.
        out: The folder that `labels.csv`, and `labels.html` with the pictures, are written to; None writes nothing.
        on_message: Called with each warning and note when it arises.

    Returns:
        The suspects.

    Raises:
        ConfigError: The protocol cannot be used, or cleanlab is not installed.
        DataError: The data cannot be read or split, or a class has too few patients.
        OSError: The files cannot be written.
    """
    if find_spec("cleanlab") is None:
        raise ConfigError("zoo labels: the package cleanlab is missing: pip install 'zoo-bench[labels]'")
    messages = Messages(on_message)
    check_protocol(protocol)
    target = resolve_store(store)
    dataset = open_data(data, SourceOptions(patients, positive, None, hold_out), target, messages)
    conditions = resolve_conditions(protocol, dataset, target, messages)
    if conditions.test_folds is not None:
        messages.note(
            f"protocol {conditions.name} tests every image in folds; the labels are judged in one split, without its "
            "test part. Where you correct one, run a protocol without test_folds: in folds it is a test label, too"
        )
    if conditions.split != "fixed":
        messages.note(f"protocol {conditions.name} draws a split per seed; the labels are judged in that of seed 0")
    seed = conditions.split_seed if conditions.split == "fixed" else (conditions.split_seed, 0)
    split = make_split(dataset, conditions.sampling, seed)
    check = suspected_labels(dataset, split)
    results = LabelResults(dataset.title, len(split.train) + len(split.val), check.agreement, check.suspects)
    recorded = RecordedLabels(
        checked=results.checked,
        agreement=results.agreement,
        suspects=results.suspects,
        is_tested=conditions.test_folds is not None,
    )
    try:
        write_labels(target, conditions_of(dataset.fingerprint, conditions), recorded)
    except OSError as error:
        messages.warn(f"{target.name}: cannot be written ({error.strerror or error}); `zoo report` will not list this")
    for line in target.finish():
        messages.warn(line)
    paths = () if out is None else _written(results, dataset, Path(out))
    return replace(results, paths=paths, messages=messages.lines())


def _written(results: LabelResults, dataset: Dataset, folder: Path) -> tuple[Path, ...]:
    from reports.render.html.labels import labels_page

    by_name = {image.name: image for image in dataset.images}
    pixels = dataset.read([by_name[each.name] for each in results.suspects], _SIDE)
    texts = {
        "labels.csv": results.to_csv(),
        "labels.html": labels_page(results.data, results.about, results.suspects, pixels),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        write_text(folder / name, text)
    return tuple(folder / name for name in texts)
