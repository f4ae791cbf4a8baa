"""The split of a run: drawn from the data by the protocol, the seed and the fold of its specification."""

from __future__ import annotations

from collections.abc import Hashable

from benchmark.data.cross_validation import make_test_fold
from benchmark.data.dataset import Dataset
from benchmark.data.splits import Split, make_fold, make_split
from benchmark.runs.run import RunSpec


def split_key(spec: RunSpec) -> Hashable:
    """A key that is equal for runs on the same data with the same split."""
    return spec.split_seed, spec.protocol.sampling, spec.protocol.test_folds, spec.fold


def draw_split(dataset: Dataset, spec: RunSpec) -> Split:
    """Draw the split of a run.

    Under `test_folds` each fold is the test part of one run. The folds of a search divide the train and val images.

    Args:
        dataset: The images.
        spec: The run.

    Returns:
        The split.

    Raises:
        DataError: The data cannot be split as the protocol requests.
    """
    sampling, seed = spec.protocol.sampling, spec.split_seed
    if spec.protocol.test_folds is not None and spec.fold is not None:
        return make_test_fold(dataset, sampling, *spec.fold, seed)
    split = make_split(dataset, sampling, seed)
    return split if spec.fold is None else make_fold(split, *spec.fold, seed)
