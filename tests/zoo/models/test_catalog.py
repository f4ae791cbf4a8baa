"""Where cards are found, how `extends` is resolved, and what a broken card or plug-in says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.config.errors import ConfigError
from zoo.models.catalog import load_cards, load_catalog, merge, select

ROOT = Path(__file__).resolve().parents[3]
BUILT_IN = load_cards()
OWN = "title: A card\nchange: something\n"
RECIPE = "recipe: {optimizer: {learning_rate: 0.01}, epochs: 2, batch_size: 4}\n"
COMPLETE = f"{OWN}model: {{builder: scratch_cnn}}\n{RECIPE}"


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def errors_of(folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_cards([folder])
    return list(caught.value.lines)


def content(card: Any) -> dict[str, Any]:
    return {key: value for key, value in card.identity().items() if key != "name"}


def distribution(folder: Path, entry_points: str, **files: str) -> Path:
    """A package `guest` and its metadata, as pip would leave them in `folder`."""
    (folder / "guest").mkdir()
    (folder / "guest" / "__init__.py").write_text("", encoding="utf-8")
    info = folder / "guest-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: guest\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(entry_points, encoding="utf-8")
    for name, text in files.items():
        stem, _, suffix = name.rpartition("_")
        (folder / "guest" / f"{stem}.{suffix}").write_text(text, encoding="utf-8")
    return folder


def zoo_with(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}
    return subprocess.run(
        [sys.executable, "-m", "zoo", *arguments], capture_output=True, text=True, cwd=folder, env=env, check=False
    )


def test_a_card_in_a_folder_stands_beside_the_built_in_ones(tmp_path: Path) -> None:
    cards = load_cards([write(tmp_path, mine=COMPLETE)])
    assert set(cards) == {*BUILT_IN, "mine"}
    assert list(cards) == sorted(cards)
    assert cards["mine"].name == "mine"


def test_a_folder_is_a_collection_and_so_is_each_of_its_subfolders(tmp_path: Path) -> None:
    for name in ("lab", "lab/lesions", "lab/.hidden"):
        (tmp_path / name).mkdir()
    write(tmp_path / "lab", mine=COMPLETE)
    write(tmp_path / "lab" / "lesions", child=f"{OWN}extends: mine\nmodel: {{dropout: 0.1}}\n")
    write(tmp_path / "lab" / ".hidden", unseen="title: no card\n")
    catalog = load_catalog([tmp_path / "lab"])
    assert catalog.names() == ("best-effort", "pneumonia-report", "starter", "lab", "lesions")
    assert list(catalog.of("lab")) == ["mine"]
    assert list(catalog.of("lesions")) == ["child"]
    assert set(catalog.of_default("starter")) == {*catalog.of("starter"), "mine", "child"}
    assert set(catalog.collections) == set(catalog.cards)


def test_a_folder_with_the_name_of_a_built_in_collection_is_named(tmp_path: Path) -> None:
    (tmp_path / "starter").mkdir()
    write(tmp_path / "starter", mine=COMPLETE)
    lines: list[str] = []
    assert "mine" in load_catalog([tmp_path / "starter"], lines.append).of("starter")
    (line,) = lines
    assert "join the built-in collection starter; rename the folder for a collection of its own" in line


def test_an_average_without_members_is_refused_in_one_line(tmp_path: Path) -> None:
    (line,) = errors_of(write(tmp_path, mine=f"{OWN}extends: attempt-1\nrecipe: {{average: logits}}\n"))
    assert "mine.yaml: recipe.average: is for a card with `ensemble: [card, card]`; drop it" in line


def test_a_name_is_unique_over_all_collections(tmp_path: Path) -> None:
    (tmp_path / "lesions").mkdir()
    write(tmp_path / "lesions", mine=COMPLETE)
    (line,) = errors_of(write(tmp_path, mine=COMPLETE))
    assert "'mine' is already taken by" in line


def test_an_unknown_collection_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match=r"^Unknown collection 'startr'\. Did you mean starter\?$"):
        load_catalog().of("startr")


def test_a_probe_that_extends_a_trained_card_keeps_only_what_a_probe_has(tmp_path: Path) -> None:
    child = f"{OWN}extends: vgg16-frozen\nmodel: {{dense_units: null}}\nrecipe: {{probe: logistic}}\n"
    card = load_cards([write(tmp_path, child=child)])["child"]
    assert card.recipe.model_dump() == {
        "probe": "logistic",
        "augmentation": None,
        "preprocessing": "caffe",
        "class_weights": None,
    }


@pytest.mark.parametrize(
    ("recipe", "says"),
    [
        (
            "{probe: logistic, epochs: 3}",
            "recipe: a probe is fitted in one step and has no epochs; drop it, or drop `probe`",
        ),
        ("{probe: logistic, epochs: 3, optimizer: {learning_rate: 1}}", "has no optimizer, epochs; drop them"),
        ("{probe: logistc}", "recipe.probe: input should be 'logistic'"),
        (
            "{probe: logistic, choos: 1}",
            "recipe.choos: unknown key. Known: augmentation, class_weights, prepr",
        ),
    ],
)
def test_a_probe_with_what_belongs_to_epochs_is_refused(recipe: str, says: str, tmp_path: Path) -> None:
    (line,) = errors_of(write(tmp_path, mine=f"{OWN}model: {{builder: pixels}}\nrecipe: {recipe}\n"))
    assert says in line


def test_a_probe_that_unfreezes_layers_is_refused(tmp_path: Path) -> None:
    text = f"{OWN}model: {{builder: vgg16_pooled, unfreeze_layers: 4}}\nrecipe: {{probe: logistic}}\n"
    (line,) = errors_of(write(tmp_path, mine=text))
    assert line.endswith("model.unfreeze_layers must be 0: a probe fits the last layer alone")


def test_a_baseline_is_not_inherited_and_changes_no_run(tmp_path: Path) -> None:
    card = load_cards([write(tmp_path, child=f"{OWN}extends: pixels-logistic\nmodel: {{side: 8}}\n")])["child"]
    assert not card.baseline
    assert card.model_copy(update={"baseline": True}).identity() == card.identity()


def test_cards_of_two_folders_may_extend_each_other(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    write(tmp_path / "one", child=f"{OWN}extends: parent\nmodel: {{dropout: 0.1}}\n")
    write(tmp_path / "two", parent=COMPLETE)
    cards = load_cards([tmp_path / "one", tmp_path / "two"])
    assert cards["child"].model.params["dropout"] == 0.1


def test_a_folder_without_cards_is_told_by_its_option(tmp_path: Path) -> None:
    (line,) = errors_of(tmp_path)
    assert line.startswith(f"--cards {tmp_path}: contains no cards (*.yaml)")


def test_a_missing_folder_is_told_by_its_option(tmp_path: Path) -> None:
    (line,) = errors_of(tmp_path / "nowhere")
    assert line.startswith(f"--cards {tmp_path / 'nowhere'}: not a folder")


def test_a_file_given_as_a_folder_is_told_by_its_option(tmp_path: Path) -> None:
    path = write(tmp_path, mine=COMPLETE) / "mine.yaml"
    (line,) = errors_of(path)
    assert line.startswith(f"--cards {path}: not a folder")


def test_what_a_card_leaves_out_is_filled_in_from_the_builder(tmp_path: Path) -> None:
    card = load_cards([write(tmp_path, mine=COMPLETE)])["mine"]
    assert card.model.params == {
        "filters": [32, 64, 128],
        "pooling": "max",
        "dropout": 0.5,
        "l2": 0.001,
        "batch_norm_momentum": None,
        "dense_units": 128,
    }


def test_a_card_that_states_a_default_is_the_card_that_leaves_it_out(tmp_path: Path) -> None:
    stated = COMPLETE.replace("scratch_cnn}", "scratch_cnn, dropout: 0.5, filters: [32, 64, 128]}")
    cards = load_cards([write(tmp_path, mine=COMPLETE, stated=stated)])
    assert content(cards["stated"]) == content(cards["mine"])


def test_a_child_inherits_model_and_recipe(tmp_path: Path) -> None:
    child = load_cards([write(tmp_path, child=f"{OWN}extends: attempt-3\n")])["child"]
    assert content(child) == content(BUILT_IN["attempt-3"])
    assert child.extends == "attempt-3"


def test_a_child_changes_single_keys_deep_inside(tmp_path: Path) -> None:
    text = f"{OWN}extends: attempt-1\nrecipe: {{augmentation: {{zoom: [0.9, 1.1]}}, optimizer: {{name: sgd}}}}\n"
    child = load_cards([write(tmp_path, child=text)])["child"].recipe
    parent = BUILT_IN["attempt-1"].recipe
    assert child.augmentation is not None
    assert parent.augmentation is not None
    assert child.augmentation == parent.augmentation.model_copy(update={"zoom": (0.9, 1.1)})
    assert child.optimizer == parent.optimizer.model_copy(update={"name": "sgd"})
    assert child.epochs == parent.epochs


def test_a_list_is_replaced_as_a_whole(tmp_path: Path) -> None:
    child = load_cards([write(tmp_path, child=f"{OWN}extends: attempt-1\nmodel: {{filters: [8]}}\n")])["child"]
    assert child.model.params["filters"] == [8]


def test_null_takes_a_whole_section_away(tmp_path: Path) -> None:
    text = f"{OWN}extends: attempt-3\nrecipe: {{augmentation: null, early_stopping: null}}\n"
    child = load_cards([write(tmp_path, child=text)])["child"].recipe
    assert (child.augmentation, child.early_stopping) == (None, None)
    assert child.optimizer == BUILT_IN["attempt-3"].recipe.optimizer


def test_a_grandchild_sees_the_changes_of_both(tmp_path: Path) -> None:
    write(tmp_path, child=f"{OWN}extends: attempt-1\nmodel: {{dropout: 0.1, l2: 0.2}}\n")
    write(tmp_path, grandchild=f"{OWN}extends: child\nmodel: {{l2: 0.3}}\n")
    params = load_cards([tmp_path])["grandchild"].model.params
    assert (params["dropout"], params["l2"]) == (0.1, 0.3)


def test_another_builder_drops_the_parameters_of_the_parents(tmp_path: Path) -> None:
    text = f"{OWN}extends: attempt-4\nmodel: {{builder: vgg16, weights: random}}\n"
    child = load_cards([write(tmp_path, child=text)])["child"]
    assert child.model.builder == "vgg16"
    assert child.model.params == {"weights": "random", "unfreeze_layers": 0, "dense_units": 128, "dropout": 0.5}
    assert child.recipe == BUILT_IN["attempt-4"].recipe


def test_figures_source_and_prose_of_a_parent_are_not_inherited(tmp_path: Path) -> None:
    child = load_cards([write(tmp_path, child=f"{OWN}extends: attempt-7\n")])["child"]
    assert BUILT_IN["attempt-7"].published
    assert (child.published, child.source, child.assumptions) == ((), None, None)


@pytest.mark.parametrize("members", [["a"], ["a", "b"], ["a", "b", "c"]])
def test_cards_that_extend_in_a_circle_are_refused(tmp_path: Path, members: list[str]) -> None:
    for name, parent in zip(members, [*members[1:], members[0]], strict=True):
        write(tmp_path, **{name: f"{OWN}extends: {parent}\n"})
    lines = errors_of(tmp_path)
    circle = " -> ".join([*members, members[0]])
    assert any(f"extends: forms a cycle: {circle};" in line for line in lines)
    assert all(line.startswith(f"{tmp_path}{os.sep}") for line in lines)


def test_an_unknown_parent_is_answered_with_the_nearest_card(tmp_path: Path) -> None:
    (line,) = errors_of(write(tmp_path, child=f"{OWN}extends: atempt-3-focal\n"))
    assert line.startswith(f"{tmp_path / 'child.yaml'}: extends: unknown card 'atempt-3-focal'. ")
    assert "Did you mean attempt-3-focal" in line


@pytest.mark.parametrize("parent", ["[attempt-1]", "1", "{a: 1}"])
def test_a_parent_that_is_no_name_is_refused(tmp_path: Path, parent: str) -> None:
    (line,) = errors_of(write(tmp_path, child=f"{OWN}extends: {parent}\n"))
    assert line.startswith(f"{tmp_path / 'child.yaml'}: extends: unknown card ")


def test_a_name_other_than_the_files_is_refused(tmp_path: Path) -> None:
    (line,) = errors_of(write(tmp_path, mine=f"name: other\n{COMPLETE}"))
    assert line == f"{tmp_path / 'mine.yaml'}: name: is 'other'; must equal the file's name, 'mine'"


def test_a_name_equal_to_the_files_is_fine(tmp_path: Path) -> None:
    assert "mine" in load_cards([write(tmp_path, mine=f"name: mine\n{COMPLETE}")])


def test_a_name_of_a_built_in_card_is_taken(tmp_path: Path) -> None:
    (line,) = errors_of(write(tmp_path, **{"attempt-1": COMPLETE}))
    assert line.startswith(f"{tmp_path / 'attempt-1.yaml'}: name: 'attempt-1' is already taken by ")
    assert str(Path("cards", "pneumonia-report", "attempt-1.yaml")) in line


def test_a_name_is_taken_by_the_first_folder_that_has_it(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        write(folder, mine=COMPLETE)
    with pytest.raises(ConfigError) as caught:
        load_cards(folders)
    first, second = (folder / "mine.yaml" for folder in folders)
    assert caught.value.lines == (f"{second}: name: 'mine' is already taken by {first}; rename the file",)


def test_a_file_name_that_is_no_card_name_is_refused(tmp_path: Path) -> None:
    (line,) = errors_of(write(tmp_path, **{"My Card": COMPLETE}))
    assert line.startswith(f"{tmp_path / 'My Card.yaml'}: name: ")


def test_every_error_of_every_file_is_told_at_once(tmp_path: Path) -> None:
    write(tmp_path, one="a: [\n", two=f"{COMPLETE}epohcs: 3\n", three=f"{OWN}extends: nobody\n", fine=COMPLETE)
    write(tmp_path, four=COMPLETE.replace("epochs: 2", "epochs: 0").replace("A card", "''"))
    files = {line.split(":")[0] for line in errors_of(tmp_path)}
    assert files == {str(tmp_path / f"{name}.yaml") for name in ("one", "two", "three", "four")}
    assert len([line for line in errors_of(tmp_path) if "four.yaml" in line]) == 2


def test_every_wrong_parameter_of_a_builder_is_told_with_its_file(tmp_path: Path) -> None:
    text = COMPLETE.replace("scratch_cnn", "scratch_cnn, dropuot: 0.1, pooling: mean, filters: [4, 0]")
    lines = errors_of(write(tmp_path, mine=text))
    assert len(lines) == 3
    assert all(line.startswith(f"{tmp_path / 'mine.yaml'}: model") for line in lines)
    for name, text in (
        ("dropuot", "Did you mean dropout?"),
        ("pooling", "'max' or 'average'"),
        ("filters.1", "got 0"),
    ):
        assert [line for line in lines if f"{name}: " in line and text in line]


def test_an_unknown_builder_is_answered_with_the_nearest_one(tmp_path: Path) -> None:
    (line,) = errors_of(write(tmp_path, mine=COMPLETE.replace("scratch_cnn", "scrach_cnn")))
    assert line.endswith(". Did you mean scratch_cnn? The package that provides 'scrach_cnn' may not be installed.")


def test_cards_are_chosen_in_the_order_asked_for_and_each_once() -> None:
    chosen = select(BUILT_IN, ["attempt-7", "attempt-1", "attempt-7"])
    assert [card.name for card in chosen] == ["attempt-7", "attempt-1"]
    assert select(BUILT_IN, []) == []


def test_an_unknown_card_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match=r"Unknown card 'atempt-6b-caffe'\. Did you mean attempt-6b-caffe"):
        select(BUILT_IN, ["attempt-1", "atempt-6b-caffe"])


def test_merging_replaces_values_and_keeps_what_is_not_named() -> None:
    base = {"a": {"x": 1, "y": [1, 2]}, "b": 2, "c": {"z": 1}}
    change = {"a": {"y": [3]}, "c": None, "d": {"new": 1}}
    assert merge(base, change) == {"a": {"x": 1, "y": [3]}, "b": 2, "c": None, "d": {"new": 1}}
    assert base == {"a": {"x": 1, "y": [1, 2]}, "b": 2, "c": {"z": 1}}


MAPPINGS = st.recursive(
    st.dictionaries(st.sampled_from("abc"), st.integers(0, 3) | st.none() | st.lists(st.integers(0, 3), max_size=2)),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner | st.integers(0, 3), max_size=3),
    max_leaves=6,
)


@given(MAPPINGS, MAPPINGS)
def test_merging_obeys_its_laws(base: dict[str, Any], change: dict[str, Any]) -> None:
    merged = merge(base, change)
    assert merge(base, {}) == base
    assert merge({}, change) == change
    assert merge(merged, change) == merged
    assert set(merged) == {*base, *change}
    assert all(merged[key] == base[key] for key in base if key not in change)
    assert all(merged[key] == value for key, value in change.items() if not isinstance(value, dict))


def test_cards_and_builders_of_an_installed_package_are_found(tmp_path: Path) -> None:
    builder = (
        "from zoo.models.registry import register_builder\n"
        "@register_builder('guest_net', minimum_size=7)\n"
        "def guest_net(input_shape, *, width: int, deep: bool = False):\n"
        "    'A guest.'\n"
    )
    card = f"{OWN}model: {{builder: guest_net, width: 3}}\n{RECIPE}"
    points = "[zoo.cards]\nguest = guest\n[zoo.builders]\nguest = guest.net\n"
    distribution(tmp_path, points, net_py=builder, visitor_yaml=card)
    done = zoo_with(tmp_path, "cards", "--json")
    assert done.returncode == 0, done.stderr
    cards_by_name = {document["name"]: document for document in json.loads(done.stdout)}
    assert set(cards_by_name) == {*BUILT_IN, "visitor"}
    assert cards_by_name["visitor"]["model"] == {"builder": "guest_net", "width": 3, "deep": False}


@pytest.mark.parametrize(
    ("points", "files", "problem"),
    [
        ("[zoo.cards]\nguest = gest\n", {}, "the card package 'guest' (gest) cannot be loaded: "),
        (
            "[zoo.builders]\nguest = guest.net\n",
            {"net_py": "1 / 0\n"},
            "the builder plug-in 'guest' (guest.net) cannot be loaded: division by zero",
        ),
        (
            "[zoo.builders]\nguest = guest.net\n",
            {"net_py": "from zoo import register_builder\n@register_builder('vgg16')\ndef mine(shape): ...\n"},
            "the builder plug-in 'guest' (guest.net) cannot be loaded: the builder 'vgg16' is already registered",
        ),
    ],
    ids=["no such package", "fails at import", "name taken"],
)
def test_a_broken_plug_in_is_told_in_a_line_that_names_it(
    tmp_path: Path, points: str, files: dict[str, str], problem: str
) -> None:
    done = zoo_with(distribution(tmp_path, points, **files), "cards", "--json")
    assert done.returncode == 2
    assert {document["name"] for document in json.loads(done.stdout)} == set(BUILT_IN)
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"zoo: {problem}")
    assert "uninstall" in line


def test_a_broken_card_of_an_installed_package_is_told_with_its_file(tmp_path: Path) -> None:
    distribution(tmp_path, "[zoo.cards]\nguest = guest\n", visitor_yaml=f"{OWN}extends: nobody\n")
    done = zoo_with(tmp_path, "cards")
    assert done.returncode == 2
    assert str(Path("guest", "visitor.yaml")) in done.stderr


@pytest.mark.parametrize(("layers", "complains"), [(0, False), (4, True)])
def test_unfrozen_layers_need_a_finetune_phase(layers: int, complains: bool, tmp_path: Path) -> None:
    write(tmp_path, own=f"{OWN}model: {{builder: vgg16, unfreeze_layers: {layers}}}\n{RECIPE}")
    line = f"{tmp_path / 'own.yaml'}: model.unfreeze_layers needs recipe.finetune, the phase that trains them; add it"
    if complains:
        assert errors_of(tmp_path) == [line]
    else:
        assert load_cards([tmp_path])["own"].recipe.finetune is None
