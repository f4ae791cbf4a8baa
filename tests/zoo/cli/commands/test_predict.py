"""`zoo predict` and `zoo export` with kept models: the scores and decisions of the bench, with and without zoo."""

from __future__ import annotations

import csv
import http.client
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from PIL import Image as Pillow

from benchmark.data.decoding.prepared import LabelledImages
from benchmark.data.sources import open_dataset
from benchmark.runs.deployment.decision_rule import decider_of
from benchmark.runs.deployment.model_files import REFERENCE
from benchmark.runs.run import Run
from benchmark.runs.storage.store import Store
from tests.support.forked import run_forked
from tests.support.kept import compute, images_of, in_this_process, write_images, write_strange
from tests.support.stored import believed
from tests.support.tiny import card, environment, protocol
from tests.zoo.cli import test_app as test_zoo_cli
from tests.zoo.cli.test_app import Zoo
from zoo.models.card import ModelCard
from zoo.models.vgg16.weights import find
from zoo.models.weights_files import WeightsUnavailable

pytestmark = pytest.mark.slow
zoo = test_zoo_cli.zoo

CLASSES = ("NORMAL", "PNEUMONIA")
SAMPLING = {"train": 120, "val": 80, "test": 60, "balanced": True, "min_val": 0}
RULES = protocol(sampling=SAMPLING, keep_models=True)
FEW = {"train": 16, "val": 12, "test": 12, "balanced": True, "min_val": 0}
SCRATCH = card("scratch", model={"filters": [8, 16], "dropout": 0.5}, epochs=3)


FROZEN = ModelCard.model_validate(
    {
        "name": "frozen",
        "title": "A frozen network",
        "change": "frozen",
        "model": {"builder": "vgg16", "weights": "imagenet", "dense_units": 8},
        "recipe": {"optimizer": {"learning_rate": 0.001}, "epochs": 1, "batch_size": 16, "preprocessing": "caffe"},
    }
)


@dataclass(frozen=True)
class World:
    """A store with a kept model, the images it was made of as arrays and files, and a cache."""

    store: Store
    run: Run
    val: LabelledImages
    test: LabelledImages
    files: dict[str, Path]
    strange: list[Path]
    cache: Path


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    root = tmp_path_factory.mktemp("kept")
    cache, store, phantom = root / "cache", Store(root / "runs"), open_dataset("phantom")
    run = compute(SCRATCH, RULES, phantom, store, cache)
    val, test = (images_of(RULES, phantom, cache, split) for split in ("val", "test"))
    files = write_images(root / "files", (*val.names, *test.names), np.concatenate([val.pixels, test.pixels]))
    strange = write_strange(root / "strange", test.pixels[:10])
    with in_this_process(cache):
        yield World(store, run, val, test, files, strange, cache)


@pytest.fixture(scope="module")
def exported(world: World) -> Path:
    folder = world.cache / "exported"
    export(world.store, world.run, folder, container=True)
    return folder


def export(store: Store, run: Run, folder: Path, container: bool = False) -> None:
    from zoo.cli.commands.export import command

    command(run.run_id, store.root, out_dir=folder, container=container)


def by_example(folder: Path, *paths: Path, code: int = 0) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What the example of an exported folder prints per image, and about all of them; it imports nothing of zoo."""
    example = (folder / "example.py").read_text(encoding="utf-8").replace("    sys.exit(failed)\n", "")
    check = "assert not {'zoo', 'benchmark', 'reports', 'keras', 'tensorflow', 'sklearn'} & set(sys.modules)"
    (folder / "checked.py").write_text(f"{example}\n{check}\nsys.exit(failed)\n", encoding="utf-8")
    bare = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    words = [sys.executable, "checked.py", *map(str, paths)]
    done = subprocess.run(words, cwd=folder, env=bare, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    *rows, batch = [json.loads(line) for line in done.stdout.splitlines()]
    return rows, batch


def predicted(zoo: Zoo, world: World, *paths: Path, code: int = 0) -> dict[str, Any]:
    answer = zoo("predict", "scratch", *paths, "--store", world.store.root, "--json")
    assert answer.code == code, answer.err
    return {Path(row["image"]).name: row for row in json.loads(answer.out)["images"]}


def onnx_scores(folder: Path, images: LabelledImages) -> np.ndarray:
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    return session.run(None, {"pixels": np.asarray(images.pixels, np.float32)})[0][:, 0]


def test_the_example_says_how_it_is_called_and_which_file_is_missing(exported: Path) -> None:
    done = subprocess.run([sys.executable, "example.py"], cwd=exported, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "usage: python example.py IMAGE...\n")
    [row], _ = by_example(exported, Path("missing.png"), code=1)
    assert row == {"image": "missing.png", "error": "No such file or directory"}


def test_another_rule_is_chosen_on_validation_and_deployed(zoo: Zoo, world: World, tmp_path: Path) -> None:
    """With 12 independent positives, 85% at 85% lets none be wrong: the threshold is the lowest positive score."""
    rule = ("--threshold-rule", "sensitivity=0.85@0.85")
    val = world.store.binary_scores(world.run, "val")
    assert val.patient is not None
    per_patient = Counter(name for name, true in zip(val.patient, val.y_true, strict=True) if true)
    independent = per_patient.total() ** 2 / sum(count**2 for count in per_patient.values())
    assert 0.14 < 0.85**independent <= 0.15
    lowest = float(val.y_score[val.y_true == 1].min())
    next_lower = float(val.y_score[val.y_score < lowest].max())
    answer = zoo("predict", "scratch", next(iter(world.files.values())), "--store", world.store.root, "--json", *rule)
    assert answer.code == 0, answer.err
    raw = json.loads(answer.out)["threshold"]["raw"]
    assert next_lower < raw <= lowest
    assert "note: the threshold was chosen again on the stored validation scores" in answer.err
    refused = zoo("predict", "scratch", tmp_path, "--store", world.store.root, "--decision", "abstain=0.7")
    assert (refused.code, "the runs have 2 classes: use --threshold-rule" in refused.err) == (2, True)
    zoo("export", "scratch", "--store", world.store.root, "--out", tmp_path / "out", *rule)
    threshold = json.loads((tmp_path / "out" / "decision.json").read_text())["threshold"]
    assert threshold["raw"] == raw
    assert (threshold["guarantee"]["target"], threshold["guarantee"]["confidence"]) == (0.85, 0.85)
    assert threshold["chosen_again"].startswith("the threshold was chosen again")
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "test figures at it are fair only if test scores did not suggest the rule." in card


def test_scores_and_decisions_of_files_are_those_of_the_bench(zoo: Zoo, world: World) -> None:
    rows = predicted(zoo, world, next(iter(world.files.values())).parent)
    threshold = world.run.threshold
    assert threshold is not None
    assert threshold.value is not None
    called = world.store.scores(world.run, "test").y_score >= threshold.value
    for split in ("val", "test"):
        stored = world.store.scores(world.run, split)
        shown = [rows[world.files[name].name] for name in world.store.images(world.run, split)]
        assert [row["score"] for row in shown] == pytest.approx(stored.y_score.tolist(), abs=1e-5)
        assert [row["error"] for row in shown] == [None] * len(shown)
    assert [row["decision"] for row in shown] == [CLASSES[int(positive)] for positive in called]
    calibrated = decider_of(world.run, world.store).calibrator.apply(world.store.scores(world.run, "test"))
    assert [row["probability"] for row in shown] == pytest.approx(calibrated.y_score.tolist(), abs=1e-5)


def test_images_unlike_the_training_are_told_and_those_alike_are_not(zoo: Zoo, world: World) -> None:
    strange = predicted(zoo, world, *world.strange)
    assert [name for name, row in strange.items() if not row["outside"]] == []
    assert strange["photo.png"]["outside"][0] == "in colour, trained on grey images alone"
    assert any("grey levels" in reason for reason in strange["blank-0.png"]["outside"])
    alike = predicted(zoo, world, *(world.files[name] for name in world.val.names))
    assert sum(bool(row["outside"]) for row in alike.values()) <= 0.05 * len(alike)


def test_a_broken_image_is_a_row_with_its_reason_and_the_others_are_done(
    zoo: Zoo, world: World, tmp_path: Path
) -> None:
    good = next(iter(world.files.values()))
    inside = tmp_path / "images" / "deep"
    inside.mkdir(parents=True)
    shutil.copy(good, inside / "good.png")
    (tmp_path / "images" / ".hidden").write_text("x")
    (tmp_path / "images" / "empty.png").write_bytes(b"")
    (tmp_path / "images" / "cut.png").write_bytes(good.read_bytes()[:300])
    (tmp_path / "images" / "words.txt").write_text("no image")
    rows = predicted(zoo, world, tmp_path / "images", code=1)
    assert set(rows) == {"good.png", "empty.png", "cut.png", "words.txt"}
    assert rows["good.png"]["error"] is None
    assert rows["empty.png"]["error"] == "the file is empty"
    assert rows["words.txt"] == {
        "image": str(tmp_path / "images" / "words.txt"),
        "probability": None,
        "score": None,
        "decision": None,
        "outside": [],
        "known": None,
        "error": "not an image",
    }
    assert rows["cut.png"]["error"]


def test_table_and_csv_say_the_same(zoo: Zoo, world: World, tmp_path: Path) -> None:
    paths = [*list(world.files.values())[:3], world.strange[0]]
    rows = list(predicted(zoo, world, *paths).values())
    store = ("--store", world.store.root)
    written = list(csv.DictReader(io.StringIO(zoo("predict", "scratch", *paths, *store, "--csv").out)))
    assert [row["image"] for row in written] == [str(path) for path in paths]
    assert [float(row["probability"]) for row in written] == [row["probability"] for row in rows]
    assert written[3]["note"].startswith("outside: ")
    table = zoo("predict", "scratch", *paths, *store).out
    assert f"{rows[0]['probability']:.3f}" in table
    assert "4 images: " in table
    assert "Not for clinical use" in table
    assert zoo("predict", "scratch", *paths, *store, "--csv", "--json").code == 2


def test_larger_images_in_other_formats_are_read_as_training_images_are(zoo: Zoo, world: World, tmp_path: Path) -> None:
    from benchmark.data.decoding.pixels import decode, resize
    from benchmark.training.use.model_file import load_model
    from benchmark.training.use.predict import AppliedModel, ImageDescriber

    large = np.asarray(world.test.pixels[0, ..., 0]).repeat(5, axis=0).repeat(4, axis=1)
    Pillow.fromarray(large).convert("RGB").save(tmp_path / "large.jpg", quality=90)
    Pillow.fromarray(large.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    rows = predicted(zoo, world, tmp_path)
    describer = ImageDescriber([AppliedModel(load_model(world.store.model_file(world.run)))])
    for name, row in rows.items():
        pixels = resize(decode((tmp_path / name).read_bytes()), 32, 1)
        assert row["score"] == pytest.approx(describer.describe(pixels[None]).scores[0], abs=1e-5)


def in_depths(grey: np.ndarray, folder: Path) -> list[Path]:
    """The same picture in 8 bits, 12 bits in 16, floats of 8-bit levels and shares of white, and lying with EXIF."""
    folder.mkdir()
    Pillow.fromarray(grey).save(folder / "eight.png")
    Pillow.fromarray(grey.astype(np.uint16) * 16).save(folder / "twelve.png")
    Pillow.fromarray(grey.astype(np.float32)).save(folder / "levels.tif")
    Pillow.fromarray(grey.astype(np.float32) / 255).save(folder / "shares.tif")
    exif = Pillow.Exif()
    exif[0x0112] = 6
    Pillow.fromarray(grey).transpose(Pillow.Transpose.ROTATE_90).save(folder / "lying.png", exif=exif)
    return sorted(folder.iterdir())


def test_a_picture_scores_the_same_in_every_depth_and_position(
    zoo: Zoo, world: World, exported: Path, tmp_path: Path
) -> None:
    grey = np.array(world.test.pixels[0, ..., 0])
    grey[0, :2] = 240, 0  # its range, as 8-bit pictures have it
    paths = in_depths(grey, tmp_path / "depths")
    rows = predicted(zoo, world, *paths)
    assert [row["score"] for row in rows.values()] == pytest.approx([rows["eight.png"]["score"]] * 5, abs=2e-3)
    assert "16-bit, trained on 8-bit images; 0..4095 is read as 0..255" in rows["twelve.png"]["outside"]
    assert "float, trained on 8-bit images; 0..1 is read as 0..255" in rows["shares.tif"]["outside"]
    assert not any("trained on" in reason for reason in rows["eight.png"]["outside"])
    for of_example, row in zip(by_example(exported, *paths)[0], rows.values(), strict=True):
        assert of_example["probabilities"]["PNEUMONIA"] == pytest.approx(row["probability"], abs=1e-3)
        assert of_example["reasons"] == row["outside"]


def test_a_file_is_read_by_the_scale_of_the_training_images(world: World, tmp_path: Path) -> None:
    from benchmark.training.use.model_file import load_model
    from benchmark.training.use.predict import AppliedModel, ImageDescriber

    dark = np.full((32, 32), 300, np.uint16)
    Pillow.fromarray(dark).save(tmp_path / "dark.png")
    describer = ImageDescriber([AppliedModel(load_model(world.store.model_file(world.run)))], {"16-bit": (0.0, 4095.0)})
    (seen,) = describer.describe_files([tmp_path / "dark.png"])
    assert seen.descriptors is not None
    assert seen.descriptors.grey.tolist() == [[19] * 5]
    assert seen.note is None


def test_what_is_no_regular_file_is_a_row_and_is_not_opened(zoo: Zoo, world: World, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    os.mkfifo(tmp_path / "images" / "pipe.png")
    (tmp_path / "images" / "zero.png").symlink_to("/dev/zero")
    rows = predicted(zoo, world, tmp_path / "images", code=1)
    assert {name: row["error"] for name, row in rows.items()} == dict.fromkeys(
        ("pipe.png", "zero.png"), "not a regular file"
    )


def test_a_name_that_is_not_utf_8_is_predicted_like_others(zoo: Zoo, world: World, tmp_path: Path) -> None:
    place = os.path.join(os.fsencode(tmp_path), b"ni\xf1o.png")
    try:
        shutil.copy(next(iter(world.files.values())), place)
    except OSError:
        pytest.skip("this file system takes no such name")
    assert list(predicted(zoo, world, tmp_path)) == ["ni\\xf1o.png"]


def test_a_model_without_a_reference_says_that_nothing_tells_strange_images(zoo: Zoo, world: World) -> None:
    place = world.store.model_file(world.run).with_name(REFERENCE)
    kept = place.read_bytes()
    try:
        place.unlink()
        with believed(world.store, world.run):
            answer = zoo("predict", "scratch", world.strange[0], "--store", world.store.root)
            assert "this model has no references of its training images" in answer.out
            place.write_bytes(b"PK\x03\x04 damaged")
            answer = zoo("predict", "scratch", world.strange[0], "--store", world.store.root)
        assert answer.code == 2
        assert answer.err.startswith(f"zoo: {place}: cannot be read")
    finally:
        place.write_bytes(kept)


@pytest.mark.parametrize("command", ["predict", "export"])
@pytest.mark.parametrize("name", ["model.keras", REFERENCE])
def test_a_file_that_was_not_saved_with_the_run_is_told_in_one_line(
    zoo: Zoo, world: World, tmp_path: Path, name: str, command: str
) -> None:
    place = world.store.model_file(world.run).with_name(name)
    kept = place.read_bytes()
    more = [world.strange[0]] if command == "predict" else ["--out", tmp_path / "exported"]
    try:
        for content in (kept[:1000], None):
            place.unlink()
            if content is not None:
                place.write_bytes(content)
            answer = zoo(command, "scratch", *more, "--store", world.store.root)
            assert answer.code == 2
            assert answer.out == ""
            assert f"{name}: is " in answer.err or "was not kept" in answer.err
            assert "zoo bench scratch --keep-models" in answer.err
            assert answer.err.count("\n") == 1
            place.write_bytes(kept)
    finally:
        place.write_bytes(kept)


def test_a_damaged_model_is_told_in_one_line(zoo: Zoo, world: World) -> None:
    place = world.store.model_file(world.run)
    kept = place.read_bytes()
    try:
        place.write_bytes(kept[:1000])
        with believed(world.store, world.run):
            answer = zoo("predict", "scratch", world.strange[0], "--store", world.store.root)
        assert answer.code == 2
        assert answer.err.startswith(f"zoo: {place}: is not a readable model")
        assert answer.err.count("\n") == 1
    finally:
        place.write_bytes(kept)


def test_the_exported_network_gives_the_stored_scores(world: World, exported: Path) -> None:
    assert onnx_scores(exported, world.test) == pytest.approx(world.store.scores(world.run, "test").y_score, abs=1e-4)
    facts = json.loads((exported / "decision.json").read_text(encoding="utf-8"))
    assert facts["onnx"]["difference"] <= 1e-4
    assert facts["onnx"]["lowered"] is False
    assert facts["threshold"]["raw"] == world.run.threshold.value  # type: ignore[union-attr]


def test_the_example_runs_without_zoo_and_decides_the_same(zoo: Zoo, world: World, exported: Path) -> None:
    rows = predicted(zoo, world, *world.files.values())
    of_example, batch = by_example(exported, *world.files.values())
    assert [each["image"] for each in of_example] == [str(path) for path in world.files.values()]
    for each in of_example:
        row = rows[Path(each["image"]).name]
        assert each["probabilities"]["PNEUMONIA"] == pytest.approx(row["probability"], abs=1e-4)
        assert each["decision"] == row["decision"]
        assert each["reasons"] == row["outside"]
    assert batch["unlike"] == sum(bool(row["outside"]) for row in rows.values())
    assert batch["batch"].startswith("140 images: ")


def test_the_folder_recognises_unlike_images_as_zoo_predict_does(zoo: Zoo, world: World, exported: Path) -> None:
    rows = predicted(zoo, world, *world.strange)
    of_example, _ = by_example(exported, *world.strange)
    for each, row in zip(of_example, rows.values(), strict=True):
        assert each["unlike"] == bool(row["outside"])
        assert _same_but_for_digits(each["reasons"], row["outside"])
    kinds = {name.partition("-")[0].partition(".")[0] for name, row in rows.items() if row["outside"]}
    assert kinds >= {"inverted", "blank", "noise", "photo"}


def test_the_folder_compares_a_batch_with_validation(world: World, exported: Path, tmp_path: Path) -> None:
    """Validation itself does not differ; the same images in reversed grey levels do."""
    val = [world.files[name] for name in world.val.names]
    assert by_example(exported, *val)[1]["differs"] is False
    reversed_levels = write_images(tmp_path, world.val.names, 255 - world.val.pixels)
    assert by_example(exported, *reversed_levels.values())[1]["differs"] is True
    assert "needs at least 20 images" in by_example(exported, *val[:5])[1]["batch"]


def test_the_example_names_a_broken_image_and_scores_the_others(world: World, exported: Path, tmp_path: Path) -> None:
    (tmp_path / "words.png").write_text("no image")
    (tmp_path / "empty.png").write_bytes(b"")
    good = next(iter(world.files.values()))
    rows, _ = by_example(exported, tmp_path / "words.png", good, tmp_path / "empty.png", code=1)
    assert [row.get("error") for row in rows] == ["not an image", None, "the file is empty"]


def test_zoo_serve_answers_as_zoo_predict_and_the_exported_service_do_until_ctrl_c(
    zoo: Zoo, world: World, exported: Path
) -> None:
    paths = [*list(world.files.values())[:3], *world.strange[:2], world.strange[-1]]
    rows = predicted(zoo, world, *paths)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    answers: list[dict[str, Any]] = []

    def ask() -> None:
        answers.extend(posted(port, path) for path in paths)
        os.kill(os.getpid(), signal.SIGINT)  # as Ctrl-C does

    asking = threading.Thread(target=ask)
    asking.start()
    answer = zoo("serve", "scratch", "--store", world.store.root, "--port", port)
    asking.join(20)
    assert (answer.code, answer.out) == (0, "")
    assert answer.err.endswith(f"on http://127.0.0.1:{port}; Ctrl-C ends it\n")
    for each, row in zip(answers, rows.values(), strict=True):
        assert each["probabilities"]["PNEUMONIA"] == pytest.approx(row["probability"], abs=1e-5)
        assert (each["decision"], each["reasons"]) == (row["decision"], row["outside"])
        assert each["run"] == world.run.run_id
    bare = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    words = [sys.executable, "serve.py", "--port", str(port)]
    with subprocess.Popen(words, cwd=exported, env=bare, stderr=subprocess.PIPE) as process:
        by_export = [posted(port, path) for path in paths]
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=20)[1] == b""
    assert process.returncode == 0
    for each, other in zip(answers, by_export, strict=True):
        assert other["probabilities"] == pytest.approx(each["probabilities"], abs=1e-4)
        assert _same_but_for_digits(each["reasons"], other["reasons"])
        equal = ("run", "classes", "threshold", "calibrated", "decision", "unlike")
        assert [each[name] for name in equal] == [other[name] for name in equal]


def posted(port: int, path: Path) -> dict[str, Any]:
    """The answer to an image, as soon as the service listens."""
    for _ in range(300):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("POST", "/predict", path.read_bytes(), {"content-type": "image/png"})
            document: dict[str, Any] = json.loads(connection.getresponse().read())
            return document
        except ConnectionRefusedError:
            time.sleep(0.1)
    raise TimeoutError("the service does not listen")


def _same_but_for_digits(reasons: list[str], others: list[str]) -> bool:
    """Whether reasons name the same references; a ratio may differ by the rounding of a feature."""
    return [reason.split()[:2] for reason in reasons] == [reason.split()[:2] for reason in others]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--max-mib", "0"], "--max-mib 0: give a number above 0, at most 10000"),
        (["--max-megapixels", "-1"], "--max-megapixels -1: give a number above 0, at most 10000"),
        (["--port", "70000"], "port: is 70000; give 0 to 65535"),
        (["--host", "256.1.1.1", "--port", "0"], "--host 256.1.1.1 --port 0: cannot listen: "),
    ],
)
def test_a_service_that_cannot_start_is_refused_in_one_line(
    zoo: Zoo, world: World, options: list[str], message: str
) -> None:
    answer = zoo("serve", "scratch", "--store", world.store.root, *options)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert message in answer.err


def test_an_export_is_whole_and_overwrites_nothing(zoo: Zoo, world: World, exported: Path) -> None:
    names = {"README.md", "decision.json", "example.py", "model.keras", "model.onnx", "novelty.npz", "unlike.py"}
    assert names <= {path.name for path in exported.iterdir()}
    assert (exported / "model.keras").read_bytes() == world.store.model_file(world.run).read_bytes()
    answer = zoo("export", "scratch", "--store", world.store.root, "--out", exported)
    assert answer.code == 2
    assert "already exists" in answer.err
    assert not list(exported.parent.glob(".writing-*"))


def test_an_exported_vgg16_gives_the_stored_scores(world: World, tmp_path: Path) -> None:
    try:
        find("imagenet")
    except WeightsUnavailable as error:
        pytest.skip(str(error))
    rules = protocol(sampling=FEW, keep_models=True, precision="float32")
    store, phantom = Store(tmp_path / "runs"), open_dataset("phantom")
    run = compute(FROZEN, rules, phantom, store, world.cache)
    words = ["export", run.run_id, "--store", str(store.root), "--out", str(tmp_path / "out")]
    done = run_forked(words, tmp_path, environment(world.cache))  # its conversion takes gigabytes, which end with it
    assert done.returncode == 0, done.stderr
    test = images_of(rules, phantom, world.cache, "test")
    assert onnx_scores(tmp_path / "out", test) == pytest.approx(store.scores(run, "test").y_score, abs=1e-4)
    assert "CC BY 4.0" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
