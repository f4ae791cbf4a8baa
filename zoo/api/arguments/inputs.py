"""Resolves arguments: cards, protocols, data and stores, given by name, by path or as objects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from math import inf
from os import PathLike as OsPath
from pathlib import Path

from benchmark.data.dataset import Dataset
from benchmark.runs.execution.limits import Limits, seconds_of
from benchmark.runs.protocol import Protocol, load_protocol
from benchmark.runs.run import Run, Stage
from benchmark.runs.storage import lookup
from benchmark.runs.storage.beside.remembered import declared_data
from benchmark.runs.storage.remote.store import existing_store, open_store
from benchmark.runs.storage.store import Store
from zoo.api.output.messages import Messages
from zoo.config.arguments import PATH, one_of_types, optional_text, path, quoted, real, several, text, whole
from zoo.config.errors import ConfigError
from zoo.models.card import MOST_ENTRIES, ModelCard, ModelSpec
from zoo.models.catalog import Catalog, check_phases, check_preprocessing, load_cards, load_catalog, select
from zoo.models.registry import complete_params

PathLike = str | Path
CardLike = str | Path | ModelCard
Cards = CardLike | Iterable[CardLike] | None
Paths = PathLike | Iterable[PathLike]


_LARGEST_SEED = 2**32 - 1


def folders_of(card_folders: Paths) -> list[Path]:
    """The folders with more cards. Raises ConfigError if they are no paths."""
    return [Path(folder) for folder in several("card_folders", card_folders, PATH, "a folder or a list of folders")]


def known_cards(card_folders: Paths, messages: Messages, files: Iterable[Path] = ()) -> dict[str, ModelCard]:
    """All cards by name.

    Args:
        card_folders: Folders with more cards than the built-in and installed ones.
        messages: Receives a warning per plug-in that cannot be loaded.
        files: YAML files of single cards.

    Returns:
        Validated cards, sorted by name.

    Raises:
        ConfigError: A folder does not exist, or a card is invalid.
    """
    return load_cards(folders_of(card_folders), messages.warn, files)


def known_catalog(card_folders: Paths, messages: Messages) -> Catalog:
    """All cards with their collections; arguments and errors as of `known_cards`."""
    return load_catalog(folders_of(card_folders), messages.warn)


def resolve_cards(
    cards: Cards, card_folders: Paths, messages: Messages, collection: str | None = None
) -> list[ModelCard]:
    """The requested cards, each once.

    Args:
        cards: Names, paths of YAML files or ModelCard objects; one of them or several. None means every known card.
        card_folders: Folders with more cards than the built-in and installed ones.
        messages: Receives a warning per plug-in that cannot be loaded.
        collection: The collection whose cards are meant if `cards` is None; None for every collection.

    Returns:
        The cards in the requested order, completed with the defaults of their builders.

    Raises:
        ConfigError: A card or the collection is unknown, a card is invalid, the request is empty, two different cards
            share a name, or both cards and a collection are given.
    """
    optional_text("collection", collection, "the name of a collection or None")
    if collection is not None:
        if cards is not None:
            raise ConfigError("give cards by name or --collection, not both; `zoo cards` lists them by collection")
        return list(known_catalog(card_folders, messages).of(collection).values())
    right = "names, YAML files or ModelCard objects, or None for every card"
    requested = None if cards is None else several("cards", cards, (*PATH, ModelCard), right)
    files = [Path(card) for card in requested or () if not isinstance(card, ModelCard) and is_file(card)]
    known = known_cards(card_folders, messages, files)
    if requested is None:
        return list(known.values())
    chosen: dict[str, ModelCard] = {}
    for request in requested:
        card = _completed(request) if isinstance(request, ModelCard) else _by_name(request, known)
        if chosen.setdefault(card.name, card) != card:
            raise ConfigError(f"two different cards have the name '{card.name}'; rename one")
    if not chosen:
        raise ConfigError(f"no card was given; give {right}")
    return list(chosen.values())


def resolve_protocol(protocol: PathLike | Protocol) -> Protocol:
    """`protocol` itself, or the protocol with that built-in name or file. Raises ConfigError."""
    one_of_types("protocol", protocol, (*PATH, Protocol), "a built-in name, a YAML file or a Protocol")
    return protocol if isinstance(protocol, Protocol) else load_protocol(str(protocol))


def resolve_store(store: PathLike | Store) -> Store:
    """`store` itself, or the store in that folder or at that URI. Raises ConfigError."""
    if isinstance(store, Store):
        return store
    where = path("store", store, "a folder, a URI or a Store")
    if not str(store).strip():
        raise ConfigError("--store: is empty; give a folder or a URI such as s3://BUCKET/FOLDER")
    return open_store(store if isinstance(store, str) else where)


def resolve_existing_store(store: PathLike | Store) -> Store:
    """The store as `resolve_store`, for a command that needs its content. Raises ConfigError without its folder."""
    return existing_store(resolve_store(store))


def resolve_data(
    data: PathLike | Dataset,
    patients: str | None = None,
    positive: str | None = None,
    data_is: str | None = None,
    hold_out: str | None = None,
) -> Dataset:
    """The requested data set.

    Args:
        data: A source (`phantom`, `digits`, a folder, a manifest, an .npz file, `kaggle:OWNER/NAME`) or a Dataset.
        patients: Regular expression for file names; its named groups form the patient's key.
        positive: The positive class of two; None keeps the order of the source.
        data_is: The published data set that the images are, by its name in claims and cards.
        hold_out: COLUMN=VALUE; the images with this value become the test part, all others the part to train on.

    Returns:
        The opened source, or `data` itself if it is a Dataset that needs no change.

    Raises:
        DataError: The source is unknown or cannot be used.
        ConfigError: An argument has another type, `patients` is given with a Dataset, which already defines its
            patients, or `data_is` with synthetic images.
    """
    one_of_types("data", data, (*PATH, Dataset), "a source such as 'phantom', a folder, an .npz file or a Dataset")
    optional_text("patients", patients, "a regular expression or None")
    optional_text("positive", positive, "the name of a class or None")
    optional_text("data_is", data_is, "the name of a data set or None")
    optional_text("hold_out", hold_out, "COLUMN=VALUE or None")
    if isinstance(data, Dataset):
        if patients is not None:
            raise ConfigError(f"--patients: the Dataset {data.source} already defines its patients; leave it out")
        from benchmark.data.hold_out import with_held_out
        from benchmark.data.positive_class import with_positive

        dataset = data if hold_out is None else with_held_out(data, hold_out)
        dataset = dataset if positive is None else with_positive(dataset, positive)
    else:
        from benchmark.data.sources import open_dataset

        dataset = open_dataset(str(data), patient_pattern=patients, positive=positive, hold_out=hold_out)
    if data_is is None:
        return dataset
    if dataset.synthetic:
        raise ConfigError(f"--data-is {data_is}: the images of {data} are synthetic; --data-is is for real images")
    return replace(dataset, known_as=data_is)


def resolve_seeds(seeds: int | Iterable[int] | None) -> list[int] | None:
    """The seeds 0 to N-1 for a number N, or the listed seeds; None for those of the protocol. Raises ConfigError."""
    if seeds is None:
        return None
    refusal = ConfigError(
        f"seeds: {quoted(seeds)} names no seed; give how many (1 to {MOST_ENTRIES}), or a list such as [0, 1], "
        f"each at most {_LARGEST_SEED}"
    )
    try:
        if not isinstance(seeds, Iterable):
            return list(range(whole("seeds", seeds, 1, MOST_ENTRIES)))
        listed = [whole("seeds", seed, 0, _LARGEST_SEED) for seed in seeds]
    except ConfigError as error:
        raise refusal from error
    if not listed:
        raise refusal
    return list(dict.fromkeys(listed))


def resolve_limits(run_timeout: str, run_memory: float | None) -> Limits:
    """The limits of a run.

    Args:
        run_timeout: Time such as `90s`, `30m`, `2h`, `1d`, or `none`.
        run_memory: Memory in GiB, above 0; None sets no limit.

    Returns:
        The limits in seconds and GiB.

    Raises:
        ConfigError: The time is no duration, or the memory is not a finite number above 0.
    """
    text("run_timeout", run_timeout, "a text such as '90s', '30m', '2h', '1d' or 'none'")
    if run_memory is not None and not 0 < real("run_memory", run_memory, "GiB above 0, such as 4, or None") < inf:
        raise ConfigError(f"--run-memory {run_memory:g}: give GiB above 0, such as 4")
    return Limits(seconds_of(run_timeout, "--run-timeout"), run_memory)


def new_folder(out: PathLike) -> Path:
    """The folder `out`, which may not exist yet. Raises ConfigError if it is no path, or a file."""
    folder = path("out", out)
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"--out {folder}: is a file; give a folder")
    return folder


def readable_runs(store: Store, messages: Messages, stage: Stage | None = None) -> list[Run]:
    """The runs of a store.

    Args:
        store: The store.
        messages: Receives a warning per run that cannot be read.
        stage: `bench`, `search` or `curve` for the runs of that stage; None for all.

    Returns:
        The readable runs.

    Raises:
        ConfigError: The store cannot be read.
    """
    runs, problems = store.runs(stage)
    for problem in problems:
        messages.warn(problem)
    return as_declared(runs, store)


def stored_runs(store: Store, messages: Messages, stage: Stage | None = None) -> list[Run]:
    """The runs of a store that contains some.

    Args:
        store: As in `readable_runs`.
        messages: As in `readable_runs`.
        stage: As in `readable_runs`.

    Returns:
        The readable runs, at least one.

    Raises:
        ConfigError: The store cannot be read, or contains no runs.
    """
    runs = readable_runs(store, messages, stage)
    if not runs:
        raise ConfigError(
            f"--store {store.name}: contains no runs; `zoo bench --all --store {store.name}` creates them"
        )
    return runs


def resolve_run(
    run: str | Run,
    store: Store,
    messages: Messages,
    data: PathLike | None = None,
    protocol: str | None = None,
    pool: Callable[[Sequence[Run], Store], Sequence[Run]] | None = None,
) -> Run:
    """One run of a store.

    Args:
        run: A run, its id, the beginning of its id, CARD or CARD:SEED. A card of several data sets or protocols means
            the run of the latest benchmark.
        store: The store to search.
        messages: Receives a warning per run that cannot be read, and a note if the name means other runs too.
        data: The source of the run; None for any.
        protocol: The name of its protocol; None for any.
        pool: Puts the folds of a cross-validation together; None takes the first fold, with a warning.

    Returns:
        `run` itself, or the only stored run that matches.

    Raises:
        ConfigError: There is no such store, no run matches, or several do.
    """
    one_of_types("run", run, (str, Run), "a run, its id, CARD or CARD:SEED")
    existing_store(store)
    if isinstance(run, Run):
        return run
    among = resolve_among(data, protocol)
    return as_declared(
        [lookup.resolve_run(store, run, messages.warn, among=among, note=messages.note, pool=pool)], store
    )[0]


def resolve_among(data: PathLike | None, protocol: str | None) -> lookup.Conditions:
    """The data and the protocol of the requested runs. Raises ConfigError if an argument has another type."""
    if data is not None:
        one_of_types("data", data, PATH, "a source such as 'phantom', a folder, an .npz file, or None")
    optional_text("protocol", protocol, "the name of a protocol or None")
    return lookup.Conditions(None if data is None else str(data), protocol)


def as_declared(runs: Sequence[Run], store: Store) -> list[Run]:
    """`runs` with the published data sets that a benchmark of their images declared, as the store remembers it."""
    of_data = declared_data(store)
    names = [of_data.get(run.spec.dataset.fingerprint, run.spec.dataset.known_as) for run in runs]
    return [
        run if name is None or name == run.spec.dataset.known_as else _declare(run, name)
        for run, name in zip(runs, names, strict=True)
    ]


def declared(runs: Sequence[Run], data_is: str) -> list[Run]:
    """Record in `runs` that their images are the published data set `data_is`.

    Args:
        runs: The runs of one real data set; runs on synthetic images remain unchanged.
        data_is: The data set by its name in claims and cards.

    Returns:
        Copies of the runs, in the same order.

    Raises:
        ConfigError: The runs used no real data set, or more than one.
    """
    real = {run.spec.dataset.fingerprint: run.spec.dataset for run in runs if not run.spec.dataset.synthetic}
    if len(real) != 1:
        sources = ", ".join(facts.source for facts in real.values()) or "synthetic images only"
        raise ConfigError(f"--data-is {data_is}: the runs must use one data set; the store has runs on {sources}")
    return [run if run.spec.dataset.synthetic else _declare(run, data_is) for run in runs]


def _declare(run: Run, data_is: str) -> Run:
    facts = run.spec.dataset.model_copy(update={"known_as": data_is})
    return run.model_copy(update={"spec": run.spec.model_copy(update={"dataset": facts})})


def is_file(card: str | Path) -> bool:
    """Whether `card` is the path of a YAML file rather than a name."""
    return isinstance(card, OsPath) or card.endswith((".yaml", ".yml"))


def _by_name(card: str | Path, known: dict[str, ModelCard]) -> ModelCard:
    return select(known, [Path(card).stem if is_file(card) else str(card)])[0]


def _completed(card: ModelCard) -> ModelCard:
    """`card` as if it was loaded from a YAML file with the same content."""
    params = complete_params(card.model.builder, card.model.params, f"card {card.name}: model")
    card = card.model_copy(update={"model": ModelSpec(builder=card.model.builder, **params)})
    check_phases(card, f"card {card.name}")
    check_preprocessing(card, f"card {card.name}")
    return card
