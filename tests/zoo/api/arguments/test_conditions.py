"""What a bench takes from its store: the options of a source and the protocol of `auto`."""

from __future__ import annotations

from pathlib import Path

import pytest

import zoo as package
from benchmark.data.dataset import DataError
from benchmark.runs.protocol import load_protocol
from benchmark.runs.run import DatasetFacts
from benchmark.runs.storage.beside.remembered import SourceOptions, remember_bench
from benchmark.runs.storage.store import Store
from tests.support.images import image_folder, in_memory, rows_of
from tests.support.records import make_run
from tests.support.stored import keep
from zoo.api.arguments.conditions import open_data, resolve_conditions
from zoo.api.bench import BenchPlan
from zoo.api.output.messages import Messages
from zoo.config.errors import ConfigError

PATTERN = r"(?P<patient>image_\d\d)"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two classes."""
    return image_folder(tmp_path_factory.mktemp("images") / "my_images", {"well": 30, "ill": 30})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def opened(images: Path, store: Store, **options: str) -> tuple[DatasetFacts, tuple[str, ...]]:
    """The facts of the opened folder, and the messages."""
    messages = Messages()
    dataset = open_data(images, SourceOptions(**options), store, messages)
    return DatasetFacts.of(dataset), messages.lines()


def test_options_of_an_earlier_bench_are_used_and_named_once(images: Path, store: Store) -> None:
    first, silence = opened(images, store, patients=PATTERN, positive="ill", data_is="kaggle:a/b")
    store.save(make_run(dataset=first))
    again, (line,) = opened(images, store)
    assert silence == ()
    assert again == first
    for option in (f"--patients {PATTERN}", "--positive ill", "--data-is kaggle:a/b"):
        assert option in line


def test_another_value_wins_and_is_named(images: Path, store: Store) -> None:
    first, _ = opened(images, store, positive="ill", data_is="kaggle:a/b")
    store.save(make_run(dataset=first))
    facts, lines = opened(images, store, positive="well", data_is="none")
    assert (facts.positive, facts.known_as) == ("well", None)
    assert len(lines) == 1
    assert "--positive well, --data-is none: instead of the value that" in lines[0]


def test_a_remembered_option_that_fits_no_more_is_named_in_the_error(images: Path, store: Store) -> None:
    first, _ = opened(images, store)
    store.save(make_run(dataset=first.model_copy(update={"positive": "sick"})))
    with pytest.raises(DataError, match=r"sick.*\(--positive sick as .* remembers it of"):
        opened(images, store)


def test_other_sources_are_opened_as_without_a_store(images: Path, store: Store, tmp_path: Path) -> None:
    first, _ = opened(images, store, positive="ill")
    store.save(make_run(dataset=first))
    other = image_folder(tmp_path / "other", {"well": 3, "ill": 3})
    facts, lines = opened(other, store)
    assert (facts.positive, lines) == (None, ())


def planned(images: Path, store: Store, **arguments: str) -> BenchPlan:
    return package.plan_bench("attempt-1", data=images, store=store, **arguments)


def test_own_images_get_auto_and_the_phantom_gets_quick(images: Path, store: Store) -> None:
    assert planned(images, store).plan.specs[0].protocol.name == "auto"
    assert package.plan_bench("attempt-1", store=store).plan.specs[0].protocol == load_protocol("quick")
    assert planned(images, store, protocol="full").plan.specs[0].protocol.name == "full"


def test_a_repeated_bench_reuses_its_runs_on_a_machine_of_another_speed(
    images: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = in_memory(rows_of("all", 300))
    messages = Messages()
    first = resolve_conditions(None, dataset, store, messages)
    store.save(make_run(protocol=first, dataset=DatasetFacts.of(dataset)))
    monkeypatch.setenv("ZOO_SPEED", "100000,10000")
    assert resolve_conditions(None, dataset, store, messages) == first
    assert resolve_conditions(None, dataset, Store(store.root / "other"), messages) != first
    assert messages.lines() == (f"note: protocol auto: as the store {store.root} remembers it for these images",)


def test_an_unknown_protocol_is_refused_before_the_data_are_opened(store: Store) -> None:
    with pytest.raises(ConfigError, match="Did you mean auto"):
        package.plan_bench("attempt-1", data="no_such_folder", protocol="aut", store=store)


def test_what_reused_images_were_declared_to_be_reaches_the_report(images: Path, store: Store, tmp_path: Path) -> None:
    facts, _ = opened(images, store)
    run = keep(store, "attempt-1", dataset=facts)
    remember_bench(store, [run.run_id], facts.model_copy(update={"known_as": "kaggle:a/b"}))
    results = package.report(store, out=tmp_path / "out", formats="json")
    assert results.report.sections[0].runs[0].spec.dataset.known_as == "kaggle:a/b"
    other = package.report(store, out=tmp_path / "out", formats="json", data_is="kaggle:c/d")
    assert other.report.sections[0].runs[0].spec.dataset.known_as == "kaggle:c/d"
