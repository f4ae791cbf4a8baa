"""Images that a table lists: what is read of it, and the one line for each mistake."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest

from benchmark.data.dataset import Dataset
from benchmark.data.sources import open_dataset
from benchmark.data.splits import Sampling, make_split
from tests.support.images import image_folder, noise, refusal, save

HEADER = ("path", "label", "patient", "split", "site")
LABELS = ("none", "mild", "severe")


def rows_of(count: int = 36, labels: Sequence[str] = LABELS) -> list[list[str]]:
    """Rows of images of which three in a row are of one patient; the last third of the patients is for test."""
    return [
        [
            f"scans/{index:02d}.png",
            labels[index % len(labels)],
            f"p{index // 3}",
            "test" if index >= count * 2 // 3 else "train",
            "ABC"[index // 3 % 3],
        ]
        for index in range(count)
    ]


def written(folder: Path, rows: Sequence[Sequence[str]], header: Sequence[str] = HEADER, **dialect: Any) -> Path:
    """A CSV file of these rows in `folder`, with the images that `rows_of` names."""
    if not (folder / "scans").exists():
        for index in range(36):
            save(noise(index), folder / "scans" / f"{index:02d}.png")
    with open(folder / "labels.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file, **dialect).writerows([header, *rows])
    return folder / "labels.csv"


def opened(folder: Path, rows: Sequence[Sequence[str]], header: Sequence[str] = HEADER, **options: Any) -> Dataset:
    return open_dataset(str(written(folder, rows, header)), **options)


def test_every_column_is_read(tmp_path: Path) -> None:
    rows = rows_of()
    dataset = opened(tmp_path, rows)
    assert dataset.classes == ("mild", "none", "severe")
    assert not dataset.ordered
    assert not dataset.synthetic
    images = {image.name: image for image in dataset.images}
    for path, label, patient, part, site in rows:
        image = images[path]
        assert (dataset.classes[image.label], image.patient, image.part) == (label, patient, part)
        assert dataset.attributes["site"][path] == site
    assert dataset.attributes.keys() == {"site"}
    assert dataset.patients is not None
    assert (dataset.patients.origin, dataset.patients.told) == ("column", 36)
    assert dataset.read(dataset.images[:2], 12)[0, :, :, 0].tolist() == [list(row) for row in _pixels(0)]


def _pixels(seed: int) -> list[list[int]]:
    image = noise(seed)
    return [[int(image.getpixel((x, y))) for x in range(12)] for y in range(12)]  # type: ignore[arg-type]


def test_path_and_label_are_enough_and_patients_come_from_names(tmp_path: Path) -> None:
    image_folder(tmp_path, {"scans": 3})
    for number in range(8):
        save(noise(90 + number), tmp_path / "scans" / f"p{number // 2}_{number % 2}.png")
    rows = [[f"scans/p{n // 2}_{n % 2}.png", "ab"[n // 4]] for n in range(8)]
    dataset = opened(tmp_path, rows, ("path", "label"), patient_pattern=r"(?P<patient>p\d)_")
    assert {image.part for image in dataset.images} == {"all"}
    assert len({image.patient for image in dataset.images}) == 4
    assert dataset.attributes == {}


def test_whole_numbers_are_classes_in_their_order(tmp_path: Path) -> None:
    rows = [[path, str(int(path[6:8]) % 12)] for path, *_ in rows_of()]
    assert opened(tmp_path, rows, ("path", "label")).classes == tuple(map(str, range(12)))


@pytest.mark.parametrize("dialect", [{"delimiter": ";"}, {"delimiter": "\t"}, {"lineterminator": "\n\n"}])
def test_tables_of_spreadsheets_are_read(tmp_path: Path, dialect: dict[str, str]) -> None:
    plain = opened(tmp_path, rows_of())
    path = written(tmp_path, rows_of(), **dialect)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert open_dataset(str(path)).fingerprint == plain.fingerprint


def test_a_parquet_file_gives_the_same_data_set(tmp_path: Path) -> None:
    plain = opened(tmp_path, rows_of())
    columns = dict(zip(HEADER, map(list, zip(*rows_of(), strict=True)), strict=True))
    parquet.write_table(arrow.table(columns), tmp_path / "labels.parquet")
    assert open_dataset(str(tmp_path / "labels.parquet")).fingerprint == plain.fingerprint


def test_a_table_in_another_folder_can_name_files_anywhere(tmp_path: Path) -> None:
    written(tmp_path, rows_of())
    (tmp_path / "tables").mkdir()
    below = [[f"../{path}", *others] for path, *others in rows_of()]
    absolute = [[str(tmp_path / path), *others] for path, *others in rows_of()]
    windows = [[f"..\\{path}".replace("/", "\\"), *others] for path, *others in rows_of()]
    names = []
    for rows in (below, absolute, windows):
        with open(tmp_path / "tables" / "labels.csv", "w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([HEADER, *rows])
        names.append([image.name for image in open_dataset(str(tmp_path / "tables" / "labels.csv")).images])
    assert names == [[f"{index:02d}.png" for index in range(36)]] * 3


def test_missing_cells_of_further_columns_and_patients_are_missing(tmp_path: Path) -> None:
    rows = rows_of()
    rows[0][2] = rows[0][4] = ""
    rows[1][4] = "NaN"
    dataset = opened(tmp_path, rows)
    assert "scans/00.png" not in dataset.attributes["site"]
    assert len(dataset.attributes["site"]) == 34
    assert next(image for image in dataset.images if image.name == "scans/00.png").patient == "scans/00.png"
    assert any("patients are known for 35 of 36 images" in note for note in dataset.notes)


def test_the_declared_order_decides_labels_and_the_scale(tmp_path: Path) -> None:
    (tmp_path / "labels.classes.yaml").write_text("classes: [none, mild, severe]\nordered: true\n")
    dataset = opened(tmp_path, rows_of())
    assert dataset.classes == LABELS
    assert dataset.ordered
    assert [image.label for image in dataset.images] == [index % 3 for index in range(36)]


def _changed(index: int, column: str, value: str) -> list[list[str]]:
    rows = rows_of()
    rows[index][HEADER.index(column)] = value
    return rows


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        pytest.param(
            _changed(4, "path", "scans/none.png"),
            "1 of 36 paths are no files: scans/none.png (line 6); paths are relative to the folder of labels.csv",
            id="wrong path",
        ),
        pytest.param(_changed(4, "path", ""), "line 6 has no path", id="no path"),
        pytest.param(_changed(4, "path", "a" * 5000), "1 of 36 paths are no files", id="long path"),
        pytest.param(
            _changed(4, "path", "scans/../scans/01.png"),
            "scans/../scans/01.png is listed twice, in line 3 and line 6; keep one row",
            id="same path twice",
        ),
        pytest.param(_changed(4, "label", ""), "1 row has no label (line 6)", id="no label"),
        pytest.param(
            _changed(4, "label", "Mild"),
            "the labels 'mild' (line 3) and 'Mild' (line 6) differ only in case",
            id="two cases",
        ),
        pytest.param(
            _changed(4, "label", "mild|severe"), "line 6 has several labels (mild, severe)", id="several by |"
        ),
        pytest.param(
            _changed(4, "label", "mild; severe"), "line 6 has several labels (mild, severe)", id="several by ;"
        ),
        pytest.param(
            _changed(4, "split", "holdout"), "line 6: split is 'holdout'; it must be train, val or test", id="split"
        ),
        pytest.param(_changed(4, "split", ""), "line 6 has no split", id="no split"),
        pytest.param(
            _changed(0, "patient", "p9"),
            "patient p9 is in train (line 2) and test (line 29)",
            id="a patient in two splits",
        ),
        pytest.param(
            _changed(4, "split", "val"),
            "split val has no image of none, severe; every split needs each of the 3 classes: give its 1 image the "
            "split train, from which val is then drawn",
            id="class missing in val",
        ),
        pytest.param(
            [row for row in rows_of() if row[1:4:2] != ["mild", "test"]],
            "split test has no image of mild; every split needs each of the 3 classes: give some images of mild the "
            "split test",
            id="class missing in test",
        ),
        pytest.param(rows_of(labels=("a",)), "all 36 rows have the label 'a'; two or more classes", id="one class"),
        pytest.param(
            rows_of(labels=[f"id{index}" for index in range(36)]),
            "the column label has 36 values in 36 rows, such as id0, id1, id2: it looks like an id",
            id="ids",
        ),
        pytest.param([*rows_of(), ["scans/01.png"]], "line 38 has 1 cells, the header 5", id="short row"),
        pytest.param([], "has no rows below its columns", id="no rows"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(tmp_path: Path, rows: list[list[str]], says: str) -> None:
    path = written(tmp_path, rows)
    message = refusal(lambda: open_dataset(str(path)))
    assert message.startswith(f"{path}: ")
    assert says in message


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (
            ("filename", "label", "patient", "split", "site"),
            "the column 'path' is missing; its columns are filename, label",
        ),
        (("filename", "label", "patient", "split", "site"), "rename 'filename' to path"),
        (("path", "Class", "patient", "split", "site"), "rename 'Class' to label"),
        (("path", "kind", "patient", "split", "site"), "add a column label"),
        (("path", "label", "label", "split", "site"), "two columns have the name 'label'"),
        (("path", "label", "", "split", "site"), "column 3 has no name"),
    ],
)
def test_a_missing_column_is_named_with_the_one_that_is_meant(tmp_path: Path, header: Sequence[str], says: str) -> None:
    assert says in refusal(lambda: opened(tmp_path, rows_of(), header))


def test_one_column_per_class_is_recognised(tmp_path: Path) -> None:
    rows = [[path, str(index % 2), str(1 - index % 2)] for index, (path, *_) in enumerate(rows_of())]
    message = refusal(lambda: opened(tmp_path, rows, ("path", "atelectasis", "effusion")))
    assert "atelectasis, effusion look like one column per class" in message


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        ("path,label\nscans/00.png,caf\xe9\n".encode("latin-1"), "line 2 is not UTF-8; save the file as 'CSV UTF-8'"),
        ("path,label\n".encode("utf-16"), "is UTF-16"),
        (b'path,label\n"scans/00.png,a\n', "quotes must be closed"),
        (b"path,label\n\0,a\n", "contains a zero byte"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    path = written(tmp_path, rows_of())
    path.write_bytes(content)
    assert says in refusal(lambda: open_dataset(str(path)))


def test_a_damaged_parquet_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.parquet").write_bytes(b"PAR1 but no more")
    assert "not a readable Parquet file" in refusal(lambda: open_dataset(str(tmp_path / "labels.parquet")))


def test_a_label_that_the_declaration_lacks_is_named_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "labels.classes.yaml").write_text("classes: [none, mild, sever]\n")
    message = refusal(lambda: opened(tmp_path, rows_of()))
    assert "line 4 (and 11 more rows): the label 'severe' is not in labels.classes.yaml. Did you mean sever?" in message


def test_files_that_cannot_be_read_are_left_out_and_listed(tmp_path: Path) -> None:
    path = written(tmp_path, rows_of())
    (tmp_path / "scans" / "07.png").write_bytes(b"bad")
    dataset = open_dataset(str(path))
    assert [problem.name for problem in dataset.problems] == ["scans/07.png"]
    assert "scans/07.png" not in dataset.attributes["site"]
    for index in range(3):
        (tmp_path / "scans" / f"{index:02d}.png").write_bytes(b"bad")
    os.utime(tmp_path / "scans" / "00.png")
    assert "4 of 36 files cannot be read" in refusal(lambda: open_dataset(str(path)))


def test_a_pattern_beside_a_column_of_patients_is_refused(tmp_path: Path) -> None:
    message = refusal(lambda: opened(tmp_path, rows_of(), patient_pattern=r"(?P<patient>\d)"))
    assert "has a column patient; leave out one of the two" in message


@pytest.mark.parametrize("name", ["patient_id", "PatientID", "Patient", "subject", "case_id", "pateint", "MRN"])
def test_a_column_that_looks_like_the_patient_is_refused(tmp_path: Path, name: str) -> None:
    message = refusal(lambda: opened(tmp_path, rows_of(), ("path", "label", name, "split", "site")))
    assert f"column '{name}' looks like the patient: rename it to `patient`" in message


@pytest.mark.parametrize("name", ["PatientAge", "patient_sex", "PatientBirthDate", "site_id", "projection"])
def test_a_column_about_the_patient_is_an_attribute(tmp_path: Path, name: str) -> None:
    header = ("path", "label", name, "split", "site")
    assert opened(tmp_path, rows_of(), header).attributes.keys() == {name, "site"}


def test_few_values_are_no_patients_and_a_pattern_decides(tmp_path: Path) -> None:
    rows = [[path, label, "yes" if label == "none" else "no", *more] for path, label, _, *more in rows_of()]
    assert "patent" in opened(tmp_path, rows, ("path", "label", "patent", "split", "site")).attributes
    by_name = opened(tmp_path, rows_of(), ("path", "label", "case_id", "split", "site"), patient_pattern=r"(?P<p>\d)\d")
    assert by_name.patients is not None
    assert by_name.patients.origin == "names"


def test_a_column_that_looks_like_the_split_is_refused(tmp_path: Path) -> None:
    message = refusal(lambda: opened(tmp_path, rows_of(), ("path", "label", "patient", "Set", "site")))
    assert "column 'Set' looks like the split: rename it to `split`" in message


def test_held_out_images_are_the_test_part(tmp_path: Path) -> None:
    dataset = opened(tmp_path, rows_of(), hold_out="site=B")
    sites = dataset.attributes["site"]
    assert {image.name: image.part for image in dataset.images} == {
        name: "test" if site == "B" else "train" for name, site in sites.items()
    }
    assert dataset.hold_out == "site=B"
    assert dataset.fingerprint != opened(tmp_path, rows_of()).fingerprint
    split = make_split(dataset, Sampling(), 0)
    assert {sites[image.name] for image in split.test} == {"B"}
    assert {sites[image.name] for image in (*split.train, *split.val)} == {"A", "C"}


@pytest.mark.parametrize(
    ("column", "value", "request_"),
    [("site", "a=b", "site=a=b"), ("site=long", "B", "site=long=B"), ("a=b", "c=d", " a=b = c=d ")],
)
def test_columns_and_values_to_hold_out_may_contain_equals_signs(
    tmp_path: Path, column: str, value: str, request_: str
) -> None:
    rows = [[*row[:-1], value if row[-1] == "B" else row[-1]] for row in rows_of()]
    dataset = opened(tmp_path, rows, (*HEADER[:-1], column), hold_out=request_)
    values = dataset.attributes[column]
    assert {values[image.name] for image in dataset.images if image.part == "test"} == {value}
    assert dataset.hold_out == f"{column}={value}"
    again = opened(tmp_path, rows, (*HEADER[:-1], column), hold_out=dataset.hold_out)
    assert again.fingerprint == dataset.fingerprint


def test_a_request_to_hold_out_with_two_readings_is_refused(tmp_path: Path) -> None:
    rows = [[*row, "x=1" if row[-1] == "B" else "y", "1" if row[-1] == "B" else "2"] for row in rows_of()]
    message = refusal(lambda: opened(tmp_path, rows, (*HEADER, "s", "s=x"), hold_out="s=x=1"))
    assert "may mean column 's' with value 'x=1' or column 's=x' with value '1'" in message


@pytest.mark.parametrize(
    ("hold_out", "says"),
    [
        ("sight=B", "there is no column 'sight'. Did you mean site?"),
        ("site=D", "no image has site 'D'. There is A, B, C"),
        ("site=b", "no image has site 'b'. Did you mean B?"),
        ("site", "give COLUMN=VALUE, such as site=B"),
        ("view=front", "3 patients with images on both sides, such as p0"),
        ("grade=3", "no image with grade=3 is of none, severe; both sides need every class"),
    ],
)
def test_a_wrong_request_to_hold_out_is_one_line(tmp_path: Path, hold_out: str, says: str) -> None:
    views = ["front", "side", "side"] * 3 + ["side"] * 27
    rows = [
        [*row, view, "3" if index == 1 else "2"] for index, (row, view) in enumerate(zip(rows_of(), views, strict=True))
    ]
    for row in rows:
        row[2] = row[2] if hold_out.startswith("view") else row[0]
    message = refusal(lambda: opened(tmp_path, rows, (*HEADER, "view", "grade"), hold_out=hold_out))
    assert message.startswith(f"--hold-out {hold_out}: ")
    assert says in message


def test_a_folder_that_contains_a_table_names_it(tmp_path: Path) -> None:
    path = written(tmp_path, rows_of())
    assert f"if labels.csv lists the images, open that: {path}" in refusal(lambda: open_dataset(str(tmp_path)))


def test_a_source_without_columns_has_nothing_to_hold_out(tmp_path: Path) -> None:
    root = image_folder(tmp_path, {"A": 3, "B": 3})
    assert "has no columns; give a manifest" in refusal(lambda: open_dataset(str(root), hold_out="site=B"))
