"""The command line: wrong requests in one line, exit codes, documents, dry runs, help."""

from __future__ import annotations

import io
import json
import re
import resource
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from benchmark.data.sources import open_dataset
from benchmark.runs.plan import make_plan
from benchmark.runs.protocol import load_protocol
from benchmark.runs.storage.store import STORE_VERSION, Store
from tests.support.tiny import card, finished, run_zoo, spec, write_folder, write_npz, write_protocol
from zoo.cli.app import app, main
from zoo.models.catalog import REPORT_COLLECTION, load_cards, load_catalog


@dataclass(frozen=True)
class Answer:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str


Zoo = Callable[..., Answer]


NO_STORE = {
    "compare": "compare",
    "evaluate": "evaluate attempt-1 --data phantom",
    "evaluate several": "evaluate attempt-1 attempt-2 --data phantom",
    "export": "export attempt-1",
    "predict": "predict attempt-1 {}",
    "report": "report",
    "runs": "runs",
    "runs prune": "runs prune",
    "serve": "serve attempt-1",
    "show": "show attempt-1",
    "track tensorboard": "track tensorboard",
    "track mlflow": "track mlflow",
}
"""The commands with --store that need what it contains. The others write into it, or can do without."""


@pytest.fixture
def zoo(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Zoo:
    """`zoo ARGUMENTS...` in this process."""
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setenv("ZOO_OFFLINE", "1")

    def run(*arguments: object) -> Answer:
        capsys.readouterr()
        monkeypatch.setattr("sys.argv", ["zoo", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        output = capsys.readouterr()
        return Answer(int(ended.value.code or 0), output.out, output.err)

    return run


def write_card(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")


CARD = """\
title: Mine
change: mine
model: {builder: scratch_cnn, filters: [4], dense_units: 8, dropout: 0.0}
recipe: {optimizer: {name: adam, learning_rate: 0.01}, epochs: 2, batch_size: 16}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one of every thing that cannot be used."""
    root = tmp_path_factory.mktemp("wrong")
    write_card(root / "builder", "mine", CARD.replace("scratch_cnn", "scratch_cn"))
    write_card(root / "key", "mine", CARD.replace("epochs", "epocs"))
    write_card(root / "parameter", "mine", CARD.replace("dense_units", "dense_unit"))
    write_card(root / "value", "mine", CARD.replace("epochs: 2", "epochs: two"))
    write_card(root / "twice", "mine", CARD + "title: Again\n")
    write_card(root / "object", "mine", CARD + "assumptions: !!python/object/apply:os.getcwd []\n")
    write_card(root / "list", "mine", "- a\n- b\n")
    write_card(root / "broken", "mine", "title: 'Mine\n")
    write_card(root / "parent", "mine", "extends: attempt-11\ntitle: Mine\nchange: mine\n")
    write_card(root / "taken", "attempt-1", CARD)
    write_card(root / "self", "mine", CARD + "extends: mine\n")
    (root / "empty").mkdir()
    write_folder(root / "one", ["A"])
    write_folder(root / "three", ["A", "B", "C"])
    write_folder(root / "hollow", ["A"])
    (root / "hollow" / "B").mkdir()
    (root / "newer").mkdir()
    (root / "newer" / "store.json").write_text(json.dumps({"version": STORE_VERSION + 1}))
    (root / "file").write_text("not a folder")
    (root / "small.yaml").write_text("title: Small\nimage_size: 16\n")
    (root / "wrong.yaml").write_text("title: Wrong\nimage_size: 64\nimage_sise: 16\n")
    (root / "rule.yaml").write_text("title: Rule\nimage_size: 64\nthreshold: {rule: youdan}\n")
    return root


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ("bench atempt-1", ["Unknown card 'atempt-1'", "Did you mean attempt-1"]),
        ("cards attempt-99", ["Unknown card 'attempt-99'", "Did you mean attempt-"]),
        ("bench attempt-1 --protocol quik", ["Unknown protocol 'quik'", "Did you mean quick"]),
        ("bench attempt-1 --protocol {}/none.yaml", ["--protocol", "no such file", "quick"]),
        ("bench attempt-1 --protocol {}/wrong.yaml", ["wrong.yaml", "image_sise", "Did you mean image_size"]),
        ("bench attempt-1 --protocol {}/rule.yaml", ["rule.yaml", "threshold", "Did you mean youden"]),
        ("bench attempt-1 --data phantm", ["phantm: no such source", "Did you mean phantom"]),
        ("data phamtom", ["phamtom: no such source", "Did you mean phantom"]),
        ("data {}/file", ["not a data source"]),
        ("data kaggle:someone", ["kaggle:OWNER/NAME"]),
        ("data {}/one", ["one", "1 class folder (A)", "two are needed"]),
        ("data {}/three --positive A", ["--positive A", "3 classes (A, B, C)", "only of two classes one is positive"]),
        ("data {}/three --hold-out site=B", ["--hold-out site=B", "has no columns; give a manifest"]),
        ("data {}/hollow", ["hollow/B", "is empty"]),
        ("data {}/empty", ["empty", "contains no folders"]),
        ("bench attempt-1 --data {}/one", ["1 class folder (A)"]),
        ("data {}/three --patients (", ["--patients '('", "not a regular expression"]),
        ("data {}/three --patients p", ["--patients 'p'", "named group"]),
        ("cards --cards {}/none", ["--cards", "none", "not a folder"]),
        ("cards --cards {}/builder", ["mine.yaml", "Unknown builder 'scratch_cn'", "Did you mean scratch_cnn"]),
        ("cards --cards {}/parameter", ["mine.yaml", "dense_unit", "Did you mean dense_units"]),
        ("cards --cards {}/value", ["mine.yaml", "recipe.epochs"]),
        ("cards --cards {}/twice", ["mine.yaml:5:1", "'title' is duplicated"]),
        ("cards --cards {}/object", ["mine.yaml:5", "the YAML tag"]),
        ("cards --cards {}/list", ["mine.yaml", "must contain a mapping"]),
        ("cards --cards {}/broken", ["mine.yaml"]),
        ("cards --cards {}/parent", ["mine.yaml", "extends", "attempt-11", "Did you mean attempt-1"]),
        ("cards --cards {}/taken", ["attempt-1.yaml", "already taken"]),
        ("cards --cards {}/self", ["mine.yaml", "extends", "mine -> mine"]),
        ("bench mine --cards {}/builder", ["Unknown builder 'scratch_cn'"]),
        ("bench", ["--all"]),
        ("bench attempt-1 --all", ["--all"]),
        ("bench attempt-1 --protocol {}/small.yaml", ["attempt-1", "16 px", "at least 22 px"]),
        ("bench attempt-1 --store {}/file", ["--store", "file", "is a file"]),
        ("bench attempt-1 --store {}/newer", ["--store", "newer version"]),
        ("bench attempt-1 --store {}/file/below", ["file/below", "Not a directory"]),
        ("runs --store {}/file", ["is a file"]),
        ("runs --store {}/newer", ["newer version"]),
        ("report --store {}/file", ["is a file"]),
        ("report --store {}/empty", ["--store", "empty", "contains no runs"]),
    ],
)
def test_a_wrong_request_is_one_line_that_says_what(zoo: Zoo, place: Path, request_: str, says: list[str]) -> None:
    answer = zoo(*request_.replace("{}", str(place)).split())
    lines = answer.err.splitlines()
    assert answer.code == 2
    assert answer.out == ""
    assert [line.startswith("zoo: ") for line in lines] == [True]
    assert [word for word in says if word not in lines[0]] == []


@pytest.mark.parametrize("request_", [*NO_STORE.values(), "verify", "runs verify"])
def test_a_store_that_does_not_exist_is_an_error_and_none_appears(
    zoo: Zoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request_: str
) -> None:
    monkeypatch.chdir(tmp_path)
    option = "" if "verify" in request_ else "--store "
    answer = zoo(*f"{request_.replace('{}', str(tmp_path))} {option}nope".split())
    right = "no such store; `zoo bench --all --store nope` creates one"
    assert (answer.code, answer.out, answer.err) == (2, "", f"zoo: --store nope: {right}\n")
    assert list(tmp_path.iterdir()) == []


def test_every_command_that_needs_a_store_is_known() -> None:
    known = {**GROUP.commands, **{f"runs {name}": each for name, each in GROUP.commands["runs"].commands.items()}}
    known |= {f"track {name}": each for name, each in GROUP.commands["track"].commands.items()}
    with_store = {name for name, each in known.items() if any("--store" in option.opts for option in each.params)}
    writes_or_can_do_without = {"bench", "curve", "labels", "plan", "protocols", "runs merge", "search"}
    assert with_store == {name for name in NO_STORE if "several" not in name} | writes_or_can_do_without


def test_a_mistyped_key_is_one_line(zoo: Zoo, place: Path) -> None:
    answer = zoo("cards", "--cards", place / "key")
    assert answer.code == 2
    path = place / "key" / "mine.yaml"
    assert answer.err == f"zoo: {path}: recipe.epocs: unknown key. Did you mean epochs?\n"


def test_every_card_of_a_circle_is_named(zoo: Zoo, tmp_path: Path) -> None:
    write_card(tmp_path, "first", CARD + "extends: second\n")
    write_card(tmp_path, "second", CARD + "extends: first\n")
    answer = zoo("cards", "--cards", tmp_path)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err
    for line in answer.err.splitlines():
        assert line.startswith("zoo: ")
        assert "extends: forms a cycle" in line
        assert "first -> second" in line or "second -> first" in line


def test_a_yaml_file_constructs_nothing(zoo: Zoo, tmp_path: Path) -> None:
    target = tmp_path / "made"
    write_card(tmp_path / "cards", "mine", CARD + f"assumptions: !!python/object/apply:pathlib.Path.touch [{target}]\n")
    write_card(tmp_path / "cards", "other", f"!!python/object/apply:os.mkdir [{target}]\n")
    assert zoo("cards", "--cards", tmp_path / "cards").code == 2
    assert not target.exists()


def test_every_card_that_cannot_run_is_named(zoo: Zoo, place: Path) -> None:
    answer = zoo("bench", "--all", "--protocol", place / "small.yaml")
    assert answer.code == 2
    assert len(answer.err.splitlines()) == len(load_catalog().of(REPORT_COLLECTION))
    assert all(line.startswith("zoo: card ") and "too small" in line for line in answer.err.splitlines())


def test_a_wrong_request_makes_no_store(zoo: Zoo, place: Path, tmp_path: Path) -> None:
    store = tmp_path / "runs"
    assert zoo("bench", "atempt-1", "--store", store).code == 2
    assert zoo("bench", "attempt-1", "--data", place / "one", "--store", store).code == 2
    assert zoo("bench", "attempt-1", "--protocol", place / "small.yaml", "--store", store).code == 2
    assert not store.exists()


def test_a_process_of_its_own_shows_no_traceback_either(tmp_path: Path) -> None:
    done = run_zoo("bench", "atempt-1", cwd=tmp_path, cache=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("zoo: Unknown card 'atempt-1'. Did you mean attempt-1")


@pytest.mark.parametrize("arguments", [["bogus"], ["bench", "--bogus"], ["bench", "attempt-1", "--seeds", "0"]])
def test_wrong_usage_ends_with_2_and_no_traceback(zoo: Zoo, arguments: list[str]) -> None:
    answer = zoo(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert arguments[-1] in answer.err or arguments[-2] in answer.err
    assert "Traceback" not in answer.err


@pytest.fixture
def damaged_store(tmp_path: Path) -> Path:
    """A store with two runs and one that is damaged."""
    store = Store(tmp_path / "held")
    for seed in (0, 1, 2):
        store.save(finished(spec(seed=seed)))
    (store.root / spec(seed=2).run_id / "run.json").write_text("{")
    return store.root


def test_cards_as_json_are_one_document(zoo: Zoo) -> None:
    answer = zoo("cards", "--json")
    assert (answer.code, answer.err) == (0, "")
    catalog = load_catalog()
    assert {each["name"]: each for each in json.loads(answer.out)} == {
        name: each.with_old_keys() | {"collection": catalog.collections[name]} for name, each in catalog.cards.items()
    }


def test_cards_are_listed_by_collection(zoo: Zoo) -> None:
    lines = [line.split()[0] for line in zoo("cards").out.splitlines() if line.strip()]
    catalog = load_catalog()
    expected = ["card"]
    for name in ("best-effort", "pneumonia-report", "starter"):
        expected += [name, *catalog.of(name)]
    assert lines == expected
    only = [line.split()[0] for line in zoo("cards", "--collection", "starter").out.splitlines() if line.strip()]
    assert only == ["card", "starter", *catalog.of("starter")]
    assert zoo("cards", "--collection", "startr").err == "zoo: Unknown collection 'startr'. Did you mean starter?\n"
    assert "not both" in zoo("cards", "constant", "--collection", "starter").err


def test_a_card_names_its_collection_and_whether_it_is_a_baseline(zoo: Zoo) -> None:
    answer = zoo("cards", "constant")
    assert answer.out.startswith("# collection: starter\n")
    assert yaml.safe_load(answer.out)["baseline"] is True


@pytest.mark.parametrize(
    ("arguments", "cards"),
    [
        (("--collection", "starter"), "starter"),
        (("--all", "--collection", "starter"), "starter"),
        (("--all",), "pneumonia-report"),
    ],
)
def test_a_collection_is_planned_whole(zoo: Zoo, arguments: tuple[str, ...], cards: str, tmp_path: Path) -> None:
    answer = zoo("bench", *arguments, "--dry-run", "--store", tmp_path / "runs")
    assert answer.code == 0
    listed = {line.split()[0] for line in answer.out.splitlines() if line.strip()}
    catalog = load_catalog()
    assert listed & set(catalog.cards) == set(catalog.of(cards))
    assert "--collection" not in answer.err


def test_a_collection_with_an_ensemble_is_planned_with_its_members(zoo: Zoo, tmp_path: Path) -> None:
    answer = zoo("bench", "--collection", "best-effort", "--dry-run", "--store", tmp_path / "runs")
    assert answer.code == 0
    catalog = load_catalog()
    listed = {line.split()[0] for line in answer.out.splitlines() if line.strip()} & set(catalog.cards)
    assert listed == {*catalog.of("best-effort"), *catalog.cards["best-effort"].model.params["members"]}


def test_all_means_starter_on_other_images_and_says_so(zoo: Zoo, tmp_path: Path) -> None:
    write_card(tmp_path / "cards", "mine", CARD)
    data = write_npz(tmp_path / "mine.npz")
    protocol = write_protocol(tmp_path / "smallest.yaml")
    common = ("--data", data, "--protocol", protocol, "--cards", tmp_path / "cards", "--dry-run")
    answer = zoo("bench", "--all", *common)
    (line,) = [line for line in answer.err.splitlines() if "--all" in line]
    assert line.startswith("note: --all means the collection starter for these images; --collection pneumonia-report")
    listed = {line.split()[0] for line in answer.out.splitlines() if line.strip()}
    catalog = load_catalog()
    assert listed & {*catalog.cards, "mine"} == {*catalog.of("starter"), "mine"}
    declared = zoo("bench", "--all", *common, "--data-is", "kaggle:paultimothymooney/chest-xray-pneumonia")
    assert "starter" not in declared.err
    assert "attempt-7" in declared.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("attempt-1", "--collection", "starter"), "zoo bench: give cards by name, or --collection NAME, or --all"),
        (("--collection", "startr"), "Unknown collection 'startr'. Did you mean starter?"),
    ],
)
def test_a_collection_that_cannot_be_run_is_one_line(zoo: Zoo, arguments: tuple[str, ...], says: str) -> None:
    answer = zoo("bench", *arguments)
    assert (answer.code, answer.out, len(answer.err.splitlines())) == (2, "", 1)
    assert says in answer.err


def test_one_card_as_json_is_that_card(zoo: Zoo) -> None:
    answer = zoo("cards", "attempt-7", "--json")
    assert answer.err == ""
    assert json.loads(answer.out) == load_cards()["attempt-7"].with_old_keys()


def test_one_card_is_shown_as_yaml_with_what_it_inherits(zoo: Zoo) -> None:
    printed = yaml.safe_load(zoo("cards", "attempt-5").out)
    assert printed["extends"] == "attempt-1"
    assert printed["model"]["filters"] == load_cards()["attempt-1"].model.params["filters"]


def test_data_as_json_are_one_document(zoo: Zoo, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "images", ["HEALTHY", "ILL"])
    answer = zoo("data", folder, "--json")
    document = json.loads(answer.out)
    assert (answer.code, answer.err) == (0, "")
    assert document["classes"] == ["HEALTHY", "ILL"]
    assert sum(cell["images"] for cell in document["cells"]) == 12


def test_data_of_a_class_from_one_site_alone_have_a_note(zoo: Zoo, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "images", ["HEALTHY", "ILL"])
    files = sorted(folder.rglob("*.png"))
    rows = [f"{file.relative_to(tmp_path)},{file.parent.name},{'A' if 'ILL' in file.parts else 'B'}" for file in files]
    (tmp_path / "labels.csv").write_text("\n".join(["path,label,site", *rows]) + "\n", encoding="utf-8")
    says = "ILL occurs only where site is A: all 6 images of ILL have site A, as have 0 of 6 images of other classes"
    answer = zoo("data", tmp_path / "labels.csv")
    assert f"note: {says}" in " ".join(answer.out.split())
    warnings = json.loads(zoo("data", tmp_path / "labels.csv", "--json").out)["warnings"]
    assert [line for line in warnings if line.startswith(says)]


def test_runs_as_json_are_one_document_whatever_is_damaged(zoo: Zoo, damaged_store: Path) -> None:
    answer = zoo("runs", "--store", damaged_store, "--json")
    assert answer.code == 0
    assert [run["spec"]["seed"] for run in json.loads(answer.out)] == [0, 1]
    assert spec(seed=2).run_id in answer.err


def test_no_runs_as_json_are_an_empty_list(zoo: Zoo, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    answer = zoo("runs", "--store", tmp_path / "runs", "--json")
    assert (answer.code, json.loads(answer.out), answer.err) == (0, [], "")
    assert not list((tmp_path / "runs").iterdir())


def test_runs_are_listed_and_damage_is_a_warning(zoo: Zoo, damaged_store: Path) -> None:
    answer = zoo("runs", "--store", damaged_store)
    assert answer.code == 0
    assert all(spec(seed=seed).run_id in answer.out for seed in (0, 1))
    assert spec(seed=2).run_id not in answer.out
    assert spec(seed=2).run_id in answer.err


def snapshot(folder: Path) -> dict[str, Any]:
    return {
        path.relative_to(folder).as_posix(): path.stat().st_mtime_ns if path.is_dir() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
    }


def test_a_dry_run_says_what_would_run_and_be_reused_and_writes_nothing(
    zoo: Zoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path / "cache"))
    npz, rules = write_npz(tmp_path / "tiny.npz"), write_protocol(tmp_path / "smallest.yaml")
    cards = [load_cards()["attempt-1"]]
    first, second = make_plan(cards, load_protocol(str(rules)), open_dataset(str(npz)), [0, 1]).specs
    Store(tmp_path / "runs").save(finished(first))
    before = snapshot(tmp_path)
    request = ("bench", "attempt-1", "--seeds", 2, "--data", npz, "--protocol", rules, "--dry-run", "--store")
    answer = zoo(*request, tmp_path / "runs")
    empty = zoo(*request, tmp_path / "none")
    lines = {each.run_id: line for each in (first, second) for line in answer.out.splitlines() if each.run_id in line}
    assert (answer.code, empty.code) == (0, 0)
    assert "reuse" in lines[first.run_id]
    assert "reuse" not in lines[second.run_id]
    assert "run" in lines[second.run_id]
    assert first.run_id in empty.out
    assert snapshot(tmp_path) == before


GROUP: Any = typer.main.get_command(app)
COMMANDS: dict[str, Any] = {"zoo": GROUP, **GROUP.commands}


def test_the_commands_are_there() -> None:
    assert {"cards", "data", "bench", "runs", "report"} <= set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_and_each_of_its_options_has_help(name: str) -> None:
    each = COMMANDS[name]
    completion = ("install_completion", "show_completion")
    assert each.help
    assert [p.name for p in each.params if not getattr(p, "help", None) and p.name not in completion] == []


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "zoo"])
def test_help_is_shown_for_both_spellings(zoo: Zoo, name: str) -> None:
    short, long = zoo(name, "-h"), zoo(name, "--help")
    assert short == long
    assert (long.code, long.err) == (0, "")
    assert f"Usage: zoo {name} " in long.out
    assert all(option in long.out for p in COMMANDS[name].params for option in p.opts if option.startswith("--"))


def test_no_arguments_show_the_commands(zoo: Zoo) -> None:
    answer = zoo()
    printed = answer.out + answer.err
    assert all(name in printed for name in COMMANDS if name != "zoo")
    assert "Traceback" not in printed


@dataclass(frozen=True)
class Bench:
    """A benchmark of two cards of which one diverges: where it was run and what it said."""

    folder: Path
    cache: Path
    answer: Answer

    @staticmethod
    def arguments(folder: Path, *names: str) -> list[str]:
        places = {"--data": "tiny.npz", "--protocol": "smallest.yaml", "--cards": "cards", "--store": "runs"}
        return ["bench", *names, *(str(each) for option, name in places.items() for each in (option, folder / name))]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder, cache = tmp_path_factory.mktemp("bench"), tmp_path_factory.mktemp("bench-cache")
    write_npz(folder / "tiny.npz")
    write_protocol(folder / "smallest.yaml")
    steep = {"name": "sgd", "learning_rate": 1.0}  # each step makes the weights 2000 times as large
    for each in (card("good"), card("exploding", model={"l2": 1000.0}, optimizer=steep, batch_size=2)):
        write_card(folder / "cards", each.name, yaml.safe_dump(each.model_dump(mode="json")))
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setenv("ZOO_CACHE_DIR", str(cache))
        patch.setenv("COLUMNS", "400")
        patch.setattr("sys.argv", ["zoo", *Bench.arguments(folder, "good", "exploding")])
        with pytest.raises(SystemExit) as ended:
            main()
    return Bench(folder, cache, Answer(int(ended.value.code or 0), out.getvalue(), err.getvalue()))


@pytest.mark.slow
def test_a_failed_run_is_exit_code_1_and_a_row_of_the_table(bench: Bench) -> None:
    assert bench.answer.code == 1
    rows = {line.split()[0].rstrip(","): line for line in bench.answer.out.splitlines() if line.strip()}
    assert {"good", "exploding"} <= set(rows)
    assert "Traceback" not in bench.answer.err
    [line] = [line for line in bench.answer.err.splitlines() if "exploding" in line and "FAILED" in line]
    assert re.search("the training loss is (inf|nan) in phase 'train', epoch ", line)


@pytest.mark.slow
def test_a_failed_run_is_kept_with_its_reason(bench: Bench) -> None:
    runs, problems = Store(bench.folder / "runs").runs()
    assert problems == []
    assert {run.spec.card.name: run.status for run in runs} == {"good": "ok", "exploding": "failed"}
    assert [run.error is None for run in runs if run.status == "failed"] == [False]


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_costs_no_finished_run(bench: Bench) -> None:
    """A disk that takes no more than 4 KiB a file stands for a full one."""
    store = Store(bench.folder / "runs")
    before = store.runs()
    limit = 4096
    done = run_zoo(
        *Bench.arguments(bench.folder, "good"),
        *("--seeds", "2"),
        cwd=bench.folder,
        cache=bench.cache,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert len([line for line in done.stderr.splitlines() if line.startswith("zoo: ")]) == 1
    assert "File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert store.runs() == before
    assert not list(store.root.glob(".writing-*"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["attempt-8"], "Unknown card 'attempt-8'"),
        (["attempt-7", "--space", "vgg16_hed"], "Did you mean vgg16_head"),
        (["attempt-7", "--tuner", "randm"], "Did you mean random"),
        (["attempt-6b", "--space", "vgg16_finetune"], "has no such parameter"),
        (["attempt-7", "--name", "My Card"], "--name My Card: a card's name is"),
        (["attempt-7", "--name", "attempt-6b"], "a card of that name already exists"),
        (["attempt-1", "--tuner", "hyperband", "--space", "vgg16_head"], "budget.epochs: hyperband needs it"),
    ],
)
def test_a_search_that_cannot_be_is_refused_before_the_first_run(
    zoo: Zoo, tmp_path: Path, arguments: list[str], says: str
) -> None:
    places = ["--store", tmp_path / "store", "--out", tmp_path / "out"]
    answer = zoo("search", *arguments, *places)
    [line] = answer.err.splitlines()[-1:]
    assert (answer.code, answer.out) == (2, "")
    assert line.startswith("zoo: ")
    assert says in line
    assert not list(tmp_path.glob("store/*/run.json"))
