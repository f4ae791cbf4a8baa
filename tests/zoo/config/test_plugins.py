"""Plug-ins that exit, crash, hang or fail on import are named, and everything else goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from tests.support.guests import builder, install, write_cards, zoo
from zoo.config import plugins
from zoo.config.errors import ConfigError
from zoo.models.catalog import load_cards
from zoo.models.registry import get_builder, register_builder, smallest_image

HOSTILE = {
    "exits": ("import sys; sys.exit(3)", "its import exits (3)"),
    "exits_well": ("raise SystemExit", "its import exits (without a code)"),
    "ends": ("import os; os._exit(0)", "its import ends the process (exit code 0)"),
    "crashes": ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "its import crashes Python (SIGSEGV)"),
    "interrupts": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "raises": ("raise RuntimeError('one\\ntwo\\n\\n\\x1b[31mthree')", "one two [31mthree"),
    "lacks": ("import there_is_no_such_module", "No module named 'there_is_no_such_module'"),
}
GOOD = builder("good_guest", "    return None", minimum_size="7")


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good plug-in among hostile ones of both groups."""
    folder = tmp_path_factory.mktemp("packages")
    install(folder, "good", {plugins.BUILDERS: "good_guest"}, good_guest=GOOD)
    for name, (text, _) in HOSTILE.items():
        install(folder, name, {plugins.BUILDERS: f"guest_{name}"}, **{f"guest_{name}": f"{text}\n"})
    install(folder, "cards-exit", {plugins.CARDS: "cards_exit"}, cards_exit="import sys; sys.exit()\n")
    return folder


@pytest.fixture(autouse=True)
def _nothing_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path / "cache"))
    load = plugins.load
    load.cache_clear()
    yield
    load.cache_clear()


def entry(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch, **files: str) -> EntryPoint:
    monkeypatch.syspath_prepend(str(install(folder, name, {plugins.BUILDERS: name}, **{name: "", **files})))
    return EntryPoint(name, name, plugins.BUILDERS)


def test_the_others_are_listed_each_bad_one_is_named_and_the_exit_code_is_2(packages: Path, tmp_path: Path) -> None:
    folder_of_cards = write_cards(tmp_path / "own", "good_guest")
    done = zoo(packages, tmp_path / "cache", "cards", "--json", "--cards", str(folder_of_cards), cwd=tmp_path)
    assert done.returncode == 2
    listed = {card["name"]: card for card in json.loads(done.stdout)}
    assert set(listed) == {*load_cards(), "good-guest"}
    lines = done.stderr.splitlines()
    assert len(lines) == len(HOSTILE) + 1
    for name, (_, problem) in HOSTILE.items():
        [line] = [line for line in lines if f"'{name}' (guest_{name})" in line]
        assert line == (
            f"zoo: the builder plug-in '{name}' (guest_{name}) cannot be loaded: {problem}; "
            "fix or uninstall its package"
        )
    assert sum("the card package 'cards-exit' (cards_exit) cannot be loaded: its import exits" in x for x in lines) == 1


def test_a_card_that_needs_none_of_them_is_planned_with_warnings(packages: Path, tmp_path: Path) -> None:
    done = zoo(packages, tmp_path / "cache", "bench", "attempt-1", "--dry-run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sum(line.startswith("warning: the builder plug-in") for line in done.stderr.splitlines()) == len(HOSTILE)


def test_a_card_whose_builder_may_be_in_a_bad_one_is_left_out_with_the_reason(packages: Path, tmp_path: Path) -> None:
    folder_of_cards = write_cards(tmp_path / "own", "good_guest", "missing_guest")
    words = ("--dry-run", "--cards", str(folder_of_cards))
    done = zoo(packages, tmp_path / "cache", "bench", "good-guest", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    [line] = [line for line in done.stderr.splitlines() if "left out" in line]
    assert line.startswith("warning: the card missing-guest is left out: ")
    assert "Unknown builder 'missing_guest'" in line
    answer = zoo(packages, tmp_path / "cache", "bench", "missing-guest", *words, cwd=tmp_path)
    assert answer.returncode == 2
    assert "Traceback" not in answer.stderr
    assert "Unknown card 'missing-guest'" in answer.stderr


def test_one_that_hangs_is_named_and_not_waited_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = "import pathlib, time\npathlib.Path(__file__).with_suffix('.seen').open('a').write('x')\ntime.sleep(600)\n"
    monkeypatch.setattr(plugins, "_TRIAL_S", 3.0)
    hanging = entry(tmp_path, "hanging", monkeypatch, hanging=module)
    monkeypatch.setattr(plugins, "entry_points", lambda group: [hanging])
    for _ in range(2):
        plugins.load.cache_clear()
        [line] = plugins.load(plugins.BUILDERS).broken
        assert "'hanging' (hanging) cannot be loaded: its import does not end within 3 s" in line
    assert (tmp_path / "hanging.seen").read_text() == "x"


def test_a_good_one_is_tried_out_once_until_its_files_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = entry(tmp_path, "counted", monkeypatch, counted="pass\n")
    trials: list[str] = []
    try_out = plugins._try_out
    monkeypatch.setattr(plugins, "_try_out", lambda tried: trials.append(tried.name) or try_out(tried))
    assert [plugins._problem(good) for _ in range(3)] == [None] * 3
    assert trials == ["counted"]
    (tmp_path / "counted.py").write_text("raise ValueError('no more')\n", encoding="utf-8")
    assert [plugins._problem(good) for _ in range(2)] == ["no more"] * 2
    assert trials == ["counted"] * 3  # what fails at once is tried out each time: its cause may lie elsewhere


def test_one_that_looks_the_cards_up_on_import_is_tried_out_once(tmp_path: Path) -> None:
    packages = install(
        tmp_path / "p", "curious", {plugins.BUILDERS: "curious"}, curious="import zoo\nzoo.load_cards()\n"
    )
    done = zoo(packages, tmp_path / "cache", "cards", "--json", cwd=tmp_path, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_one_prints_on_import_is_not_in_the_document(tmp_path: Path) -> None:
    packages = install(tmp_path / "p", "loud", {plugins.BUILDERS: "loud"}, loud="print('hello')\n")
    done = zoo(packages, tmp_path / "cache", "cards", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)
    assert done.returncode == 0


def test_the_cards_of_python_warn_of_a_bad_one(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = {plugins.BUILDERS: ("a bad one",), plugins.CARDS: (), plugins.METRICS: ()}
    monkeypatch.setattr(plugins, "load", lambda group: plugins.Plugins((), broken[group]))
    with pytest.warns(RuntimeWarning, match="a bad one"):
        cards = load_cards()
    assert "attempt-1" in cards


def for_ever(params: object) -> int:
    while True:
        pass


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (lambda params: 1 // 0, "ZeroDivisionError: integer division or modulo by zero"),
        (lambda params: exit("one\ntwo"), "SystemExit: one two"),
        (lambda params: "wide", "ValueError: invalid literal for int"),
        (for_ever, "TimeoutError: no answer within 0 s"),
    ],
    ids=["raises", "exits", "no number", "hangs"],
)
def test_a_smallest_image_that_cannot_be_told_is_a_line(
    function: object, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zoo.models import registry

    get_builder("scratch_cnn")
    monkeypatch.setattr(registry, "_BUILDERS", dict(registry._BUILDERS))
    monkeypatch.setattr(registry, "_PATIENCE_S", 0.2)
    register_builder("odd", minimum_size=function)(lambda input_shape: None)  # type: ignore[arg-type]
    with pytest.raises(ConfigError) as caught:
        smallest_image("odd", {})
    [line] = caught.value.lines
    assert line.startswith(f"builder odd: its minimum_size fails: {problem}")
    assert "\n" not in line
