"""Class folders and metadata files: what is recognised, and every fault with its place, its reason and its cure."""

from __future__ import annotations

import json
import os
import re
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from augmint.core.errors import DataError, SampleError
from augmint.core.types import ReadOptions, Sample
from augmint.formats.folders import Folders
from augmint.formats.images import read_image
from pictures import encode, noise, png_bomb, write

PLAIN = {"cat/1.png": True, "cat/2.png": True, "dog/1.png": True}
TABLE = {"a.png": True, "b.png": True}


def scan(root, label="", group=""):
    return Folders().scan(root, ReadOptions(label, group))


def fault(root, code, label="", group=""):
    with pytest.raises(DataError) as caught:
        scan(root, label, group)
    assert caught.value.code == code
    assert caught.value.exit_code == 2 and caught.value.expected and caught.value.do
    return caught.value


def rows(*records):
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


# Layouts


def test_class_folders(tmp_path):
    found = scan(write(tmp_path, PLAIN))
    assert [(e.id, e.target, e.split, e.row) for e in found.entries] == [
        ("cat/1.png", "cat", "train", -1),
        ("cat/2.png", "cat", "train", -1),
        ("dog/1.png", "dog", "train", -1),
    ]
    assert found.classes == ("cat", "dog") and found.root == tmp_path
    assert found.layout == "class folders: 2 classes, pictures: 3 in all" and not found.warnings


@pytest.mark.parametrize(
    ("folder", "split"), [("val", "val"), ("valid", "val"), ("validation", "val"), ("Test", "test")]
)
def test_splits(tmp_path, folder, split):
    found = scan(write(tmp_path, {"train/cat/1.png": True, "train/dog/1.png": True, f"{folder}/cat/9.png": True}))
    assert {e.id: e.split for e in found.entries}[f"{folder}/cat/9.png"] == split
    assert found.classes == ("cat", "dog")
    assert [e.id for e in found.entries] == sorted(e.id for e in found.entries)


def test_class_called_train(tmp_path):
    found = scan(write(tmp_path, {"bus/1.png": True, "car/1.png": True, "train/1.png": True}))
    assert found.classes == ("bus", "car", "train")


def test_classes_sort_as_imagefolder(tmp_path):
    found = scan(write(tmp_path, {f"{name}/1.png": True for name in ("b", "B2", "10", "9", "é", "a b")}))
    assert found.classes == tuple(sorted(("b", "B2", "10", "9", "é", "a b")))


def test_nested_folders_belong_to_the_class(tmp_path):
    found = scan(write(tmp_path, {**PLAIN, "dog/left/deep/7.png": True}))
    assert {e.id: e.target for e in found.entries}["dog/left/deep/7.png"] == "dog"


def test_suffixes_in_any_case(tmp_path):
    names = ["1.PNG", "2.Jpg", "3.JPEG", "4.webp", "5.tif", "6.TIFF", "7.bmp", "8.ppm", "9.pgm"]
    found = scan(write(tmp_path, {**{f"cat/{name}": True for name in names}, "dog/x.png": True}))
    assert len(found.entries) == 10


def test_other_files_are_named_once(tmp_path):
    files = {**PLAIN, "cat/a.txt": "x", "cat/b.txt": "x", "dog/c.gif": "x", "README.md": "x"}
    hidden = {".DS_Store": "x", "cat/.DS_Store": "x", "cat/Thumbs.db": "x", "cat/._1.png": "x", ".augmint/x.png": True}
    found = scan(write(tmp_path, {**files, **hidden}))
    assert len(found.entries) == 3
    assert found.warnings == ("3 files of other types left alone: .txt (2), .gif (1)",)


def test_empty_class_is_kept(tmp_path):
    write(tmp_path, PLAIN)
    (tmp_path / "bird").mkdir()
    found = scan(tmp_path)
    assert found.classes == ("bird", "cat", "dog")
    assert found.warnings == ("1 empty classes: 'bird'",)


def test_one_class_is_said(tmp_path):
    assert scan(write(tmp_path, {"cat/1.png": True})).warnings == ("there is only one class",)


def test_class_list_gives_the_order(tmp_path):
    found = scan(write(tmp_path, {**PLAIN, "classes.txt": "\ufeffdog\r\ncat\r\n"}))
    assert found.classes == ("dog", "cat")


# Metadata


@pytest.mark.parametrize("folder", ["", "train/"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv(tmp_path, folder, bom, end):
    text = bom + end.join(["file_name,label,extra", "a.png,cat,1", "", '"b, c.png","the ""dog""",2', ""])
    found = scan(write(tmp_path, {f"{folder}a.png": True, f"{folder}b, c.png": True, f"{folder}metadata.csv": text}))
    assert [(e.id, e.target) for e in found.entries] == [(f"{folder}a.png", "cat"), (f"{folder}b, c.png", 'the "dog"')]
    assert found.layout.startswith("metadata: 2 classes")


def test_jsonl_with_number_labels_and_groups(tmp_path):
    text = rows({"file_name": "./x/a.png", "label": 10, "group": 7}, {"file_name": "x//b.png", "label": 9})
    found = scan(write(tmp_path, {"x/a.png": True, "x/b.png": True, "metadata.jsonl": text}))
    assert [(e.id, e.target, e.group) for e in found.entries] == [("x/a.png", "10", "7"), ("x/b.png", "9", "")]


def test_named_columns(tmp_path):
    write(tmp_path, {**TABLE, "metadata.csv": "file_name,species,patient\na.png,cat,p1\nb.png,dog,p2\n"})
    found = scan(tmp_path, label="species", group="patient")
    assert [(e.target, e.group) for e in found.entries] == [("cat", "p1"), ("dog", "p2")]


def test_groups_beside_class_folders(tmp_path):
    text = "file_name,patient\ncat/1.png,p\ncat/2.png,q\ndog/1.png,p\n"
    found = scan(write(tmp_path, {**PLAIN, "metadata.csv": text}), group="patient")
    assert [(e.target, e.group) for e in found.entries] == [("cat", "p"), ("cat", "q"), ("dog", "p")]


def test_root_metadata_over_splits(tmp_path):
    text = "file_name,label\ntrain/a.png,cat\ntest/b.png,cat\n"
    found = scan(write(tmp_path, {"train/a.png": True, "test/b.png": True, "metadata.csv": text}))
    assert [(e.id, e.split) for e in found.entries] == [("test/b.png", "test"), ("train/a.png", "train")]


def test_metadata_in_train_and_folders_in_test(tmp_path):
    files = {"train/images/a.png": True, "train/metadata.csv": "file_name,label\nimages/a.png,cat\n"}
    found = scan(write(tmp_path, {**files, "test/cat/b.png": True}))
    assert [(e.split, e.target) for e in found.entries] == [("test", "cat"), ("train", "cat")]
    assert found.classes == ("cat",)


def test_our_own_output_is_an_input(tmp_path):
    """Class folders with a metadata file that says the same, and everything else that a run writes."""
    made = rows(
        {"file_name": "cat/1.png", "label": "cat", "is_synthetic": False, "refs": []},
        {"file_name": "dog/1.png", "label": "dog", "is_synthetic": True, "refs": ["data:cat/1.png"]},
    )
    files = {"train/cat/1.png": True, "train/dog/1.png": True, "train/metadata.jsonl": made, "test/cat/7.png": True}
    state = {".augmint/units/000001.json": "{}", ".augmint/rejects/x.png": True, "report/index.html": "<html>"}
    words = ("README.md", "config.yaml", "run.json", "rejects.jsonl", "skipped.jsonl", "SHA256SUMS")
    write(tmp_path, {**files, **state, "classes.txt": "dog\ncat\n", **dict.fromkeys(words, "x")})
    (tmp_path / "train/empty").mkdir()
    (tmp_path / "classes.txt").write_text("dog\nempty\ncat\n")
    found = scan(tmp_path)
    assert found.classes == ("dog", "empty", "cat")
    assert [e.id for e in found.entries] == ["test/cat/7.png", "train/cat/1.png", "train/dog/1.png"]
    assert found.warnings == ("1 empty classes: 'empty'",)


def test_label_names_are_free_of_folder_rules(tmp_path):
    text = rows({"file_name": "a.png", "label": "cat/dog"}, {"file_name": "b.png", "label": "..\n"})
    found = scan(write(tmp_path, {**TABLE, "metadata.jsonl": text}))
    assert found.classes == ("..\n", "cat/dog")


# Names

ODD = [
    "a b",
    "new\nline",
    'quo"te',
    "com,ma",
    "emoji 🐈",
    "‮rtl עברית",
    "-dash",
    "..x",
    "CON",
    "é",
    "x" * 251,
    "'",
    "%41",
    "#",
]


@pytest.mark.parametrize("name", ODD, ids=ascii)
def test_odd_names(tmp_path, name):
    """Any name a file system takes comes back as it is, by folder and by either kind of metadata."""
    folder, picture = name[:200], f"{name}.png"
    files = {f"{folder}/{picture}": True, "plain/a.png": True}
    found = scan(write(tmp_path / "plain", files))
    assert {(e.id, e.target) for e in found.entries} == {(f"{folder}/{picture}", folder), ("plain/a.png", "plain")}
    cell = picture.replace('"', '""')
    write(tmp_path / "csv", {picture: True, "metadata.csv": f'file_name,label\n"{cell}","{cell}"\n'})
    write(tmp_path / "jsonl", {picture: True, "metadata.jsonl": rows({"file_name": picture, "label": picture})})
    for kind in ("csv", "jsonl"):
        (entry,) = scan(tmp_path / kind).entries
        assert (entry.id, entry.target) == (picture, picture)
        assert Folders().load(entry).content.shape == (4, 5, 3)


LETTERS = st.characters(exclude_characters="/\0", exclude_categories=("Cs",))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(LETTERS, min_size=1, max_size=40))
def test_any_name_round_trips(tmp_path, name):
    root = tmp_path / "set"
    shutil.rmtree(root, ignore_errors=True)
    name = ("n" + name) if name[0] == "." else name
    if name.lower() in ("thumbs.db", "desktop.ini", "metadata"):
        return
    write(root, {f"{name}/{name}.png": True, "zz-other/a.png": True})
    entry = next(e for e in scan(root).entries if not e.id.startswith("zz-other"))
    assert entry.id == f"{name}/{name}.png" and entry.target == name


@pytest.mark.parametrize("pair", [("Cat", "cat"), ("\u00e9", "e\u0301"), ("STRASSE", "straße")], ids=ascii)
def test_twins(tmp_path, pair):
    for folder, files in {
        "classes": {f"{name}/1.png": True for name in pair},
        "files": {f"k/{name}.png": True for name in pair},
    }.items():
        error = fault(write(tmp_path / folder, files), "twins")
        assert all(ascii(name)[1:-1] in error.got for name in pair)
    text = rows(*({"file_name": f"{n}.png", "label": name} for n, name in enumerate(pair)))
    fault(write(tmp_path / "labels", {"0.png": True, "1.png": True, "metadata.jsonl": text}), "twins")


def test_names_that_are_not_utf8_are_listed(tmp_path):
    write(tmp_path, PLAIN)
    for number in range(7):
        with open(os.fsencode(tmp_path / "cat") + b"/caf\xe9%d.png" % number, "wb") as file:  # noqa: PTH123
            file.write(b"x")
    error = fault(tmp_path, "bad-name")
    assert r"b'cat/caf\xe90.png'" in error.got and error.got.endswith("and 2 more") and "convmv" in error.do


# Faults of the whole


def test_no_picture(tmp_path):
    (tmp_path / "empty").mkdir()
    assert "no files" in fault(tmp_path / "empty", "no-images").got
    error = fault(write(tmp_path / "gifs", {"cat/a.gif": "x", "cat/b.gif": "x"}), "no-images")
    assert ".gif (2)" in error.got
    error = fault(write(tmp_path / "untrained", {"train/cat/a.txt": "x", "test/cat/b.png": True}), "no-images")
    assert "untrained/train': no picture" in error.got


def test_missing_path_names_the_nearest(tmp_path):
    (tmp_path / "photos").mkdir()
    error = fault(tmp_path / "photo", "missing-path")
    assert "did you mean" in error.do and "photos" in error.do


def test_pictures_without_class(tmp_path):
    error = fault(write(tmp_path, {**PLAIN, "stray.png": True}), "unlabelled")
    assert "stray.png" in error.got and "1 such" in error.got and "metadata.csv" in error.do


NESTED = {
    "beside": {"train/cat/1.png": True, "extra/cat/1.png": True},
    "inside": {"cat/train/1.png": True, "cat/test/1.png": True, "dog/train/1.png": True},
    "above": {"photos/cat/1.png": True, "photos/dog/1.png": True},
    "two-sets": {"a/train/cat/1.png": True, "b/train/cat/1.png": True},
    "other-names": {"training/cat/1.png": True, "training/dog/1.png": True, "testing/cat/1.png": True},
}


@pytest.mark.parametrize("name", NESTED)
def test_nested_sets_are_refused(tmp_path, name):
    error = fault(write(tmp_path, NESTED[name]), "nested")
    assert str(tmp_path) in error.got


def test_split_faults(tmp_path):
    assert "no 'train'" in fault(write(tmp_path / "a", {"test/cat/1.png": True, "val/cat/1.png": True}), "no-train").got
    both = {"train/cat/1.png": True, "val/cat/1.png": True, "valid/cat/1.png": True}
    fault(write(tmp_path / "b", both), "two-splits")
    fault(write(tmp_path / "c", {"train/1.png": True, "train/2.png": True}), "unlabelled")
    unknown = {"train/cat/1.png": True, "train/dog/1.png": True, "test/cow/1.png": True}
    error = fault(write(tmp_path / "d", unknown), "unknown-class")
    assert "'cow'" in error.got and "cat, dog" in error.expected and "train/cow" in error.do


@pytest.mark.parametrize(("text", "what"), [("cat\n", "'dog' is not listed"), ("cat\ndog\nelk\n", "'elk' is listed")])
def test_class_list_must_fit(tmp_path, text, what):
    assert what in fault(write(tmp_path, {**PLAIN, "classes.txt": text}), "class-list").got


def test_class_list_faults(tmp_path):
    error = fault(write(tmp_path, {**PLAIN, "classes.txt": "cat\ncat\n"}), "duplicate-class")
    assert error.got.startswith(f"{tmp_path}/classes.txt:2: ")
    fault(write(tmp_path, {**PLAIN, "classes.txt": b"caf\xe9\n"}), "bad-encoding")


# name -> (code, metadata file, text, pattern of got, pattern of expected, pattern of do)
TABLE_FAULTS = {
    "missing file": ("missing-file", "csv", "file_name,label\na.png,cat\nb.png,cat\nc.pgn,cat\n",
                     r":4: file_name 'c.pgn', which does not exist", "picture", "correct the row"),
    "near miss": ("missing-file", "csv", "file_name,label\na.png,cat\nB.png,cat\n",
                  r":3: file_name 'B.png'", "", "'b.png' is there"),
    "backslash": ("missing-file", "csv", "file_name,label\nx\\a.png,cat\n", r":2: ", "", "write '/'"),
    "no row": ("no-row", "csv", "file_name,label\na.png,cat\n", r"b\.png': no row", "a row for each", "add the rows"),
    "duplicate": ("duplicate-row", "csv", "file_name,label\na.png,cat\nb.png,cat\n./a.png,dog\n",
                  r":4: file_name 'a.png' a second time \(first in .*:2\)", "one row", "delete"),
    "no label column": ("missing-column", "csv", "file_name,lable\na.png,cat\nb.png,dog\n",
                        r":1: no column 'label'; the columns are 'file_name', 'lable'|:2: no column 'label'", "'label'",
                        "did you mean 'lable'.*--label"),
    "no file column": ("missing-column", "csv", "filename,label\na.png,cat\n", "no column 'file_name'", "",
                       "rename the column 'filename'"),
    "empty label": ("empty-label", "csv", "file_name,label\na.png,cat\nb.png, \n", ":3: an empty 'label'", "class",
                    "label the picture"),
    "null label": ("empty-label", "jsonl", rows({"file_name": "a.png", "label": None}), ":1: an empty", "", ""),
    "two labels": ("bad-label", "jsonl", rows({"file_name": "a.png", "label": ["x", "y"]}), "several labels", "", ""),
    "float label": ("bad-label", "jsonl", rows({"file_name": "a.png", "label": 0.5}), ":1: .* type float", "", ""),
    "bool label": ("bad-label", "jsonl", rows({"file_name": "a.png", "label": True}), "type bool", "", ""),
    "half a letter": ("bad-label", "jsonl", '{"file_name": "a.png", "label": "\\ud800"}\n', ":1: ", "", ""),
    "mixed types": ("bad-label", "jsonl",
                    rows({"file_name": "a.png", "label": "1"}, {"file_name": "b.png", "label": 1}),
                    r":2: 'label' = 1 \(int\)", "str, as in the rows before", "same way"),
    "missing key": ("missing-column", "jsonl", rows({"file_name": "a.png", "label": "x"}, {"file_name": "b.png"}),
                    ":2: no column 'label'", "", "add it to this row"),
    "broken json": ("bad-json", "jsonl", '{"file_name": "a.png", "label": "x"}\n{"file_name": \n',
                    ":2: broken JSON", "one JSON object a line", "correct the line"),
    "json list": ("bad-json", "jsonl", '["a.png", "x"]\n', ":1: JSON of type list", "", ""),
    "deep json": ("bad-json", "jsonl", "[" * 100_000 + "\n", ":1: broken JSON", "", ""),
    "too many cells": ("bad-csv", "csv", "file_name,label\na.png,cat,x\n", ":2: 3 cells", "2: file_name", "quote"),
    "too few cells": ("bad-csv", "csv", "file_name,label\na.png\n", ":2: 1 cells", "", ""),
    "line after break": ("bad-csv", "csv", 'file_name,label\n"a.png","c\nat"\nb.png\n', ":4: 1 cells", "", ""),
    "open quote": ("bad-csv", "csv", 'file_name,label\na.png,"cat\nb.png,dog\n', ":2: broken CSV", "quotes closed", ""),
    "semicolons": ("bad-csv", "csv", "file_name;label\na.png;cat\n", ":1: one column", "commas", "save it as CSV"),
    "column twice": ("bad-csv", "csv", "file_name,label,label\na.png,x,y\n", ":1: column 'label' twice", "", ""),
    "not utf-8": ("bad-encoding", "csv", "file_name,label\na.png,caf\xe9\n".encode("latin1"),
                  ":2: byte 0xe9 at column 10", "UTF-8", "iconv"),
    "utf-16": ("bad-encoding", "csv", "file_name,label\n".encode("utf-16"), ":1: byte 0xff", "UTF-8", ""),
    "no rows": ("empty-metadata", "csv", "file_name,label\n", "without rows", "", "delete it"),
    "empty": ("empty-metadata", "jsonl", "\n\n", "without rows", "", ""),
    "long line": ("bad-csv", "jsonl", " " * (1 << 24) + "\n", ":1: a line of more than 16 MiB", "", ""),
    "odd group": ("bad-group", "jsonl", rows({"file_name": "a.png", "label": 1, "group": [1]}), ":1: 'group'", "", ""),
    "number as name": ("bad-file-name", "jsonl", rows({"file_name": 5, "label": "x"}), ":1: file_name 5", "", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE_FAULTS)
def test_metadata_fault(tmp_path, name):
    code, kind, text, got, expected, do = TABLE_FAULTS[name]
    error = fault(write(tmp_path, {**TABLE, f"metadata.{kind}": text}), code)
    assert re.search(got, error.got), error.got
    assert re.search(expected, error.expected) and re.search(do, error.do)


OUTSIDE = [
    "../a.png",
    "x/../../a.png",
    "/etc/passwd",
    "file:///etc/passwd",
    "https://x.org/a.png",
    "C:\\a.png",
    "c:/a",
    ".",
]


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_names_outside_the_set(tmp_path, name, kind):
    (tmp_path / "a.png").write_bytes(encode(noise((4, 4)), "PNG"))
    text = f"file_name,label\n{name},x\n" if kind == "csv" else rows({"file_name": name, "label": "x"})
    error = fault(write(tmp_path / "set", {**TABLE, f"metadata.{kind}": text}), "outside")
    assert f"metadata.{kind}:{2 if kind == 'csv' else 1}: " in error.got


def test_metadata_and_folders_must_agree(tmp_path):
    text = "file_name,label\ncat/1.png,cat\ncat/2.png,dgo\ndog/1.png,dog\n"
    error = fault(write(tmp_path, {**PLAIN, "metadata.csv": text}), "label-mismatch")
    assert error.got == f"{tmp_path}/metadata.csv:3: label 'dgo' for 'cat/2.png'"
    assert error.expected == "'cat', the folder it is in" and "did you mean 'dog'?" in error.do


@pytest.mark.parametrize("name", ["cat/metadata.csv", "metadata.tsv", "metadata.parquet", "Metadata.xlsx"])
def test_no_metadata_file_is_ignored(tmp_path, name):
    error = fault(write(tmp_path, {**PLAIN, name: "file_name,label\n1.png,cat\n"}), "ignored-metadata")
    assert name in error.got and "ignored" in error.got


def test_two_metadata_files(tmp_path):
    text = "file_name,label\na.png,x\nb.png,x\n"
    fault(write(tmp_path / "a", {**TABLE, "metadata.csv": text, "metadata.jsonl": ""}), "ignored-metadata")
    files = {"Train/a.png": True, "Train/metadata.csv": "file_name,label\na.png,x\n"}
    fault(write(tmp_path / "b", {**files, "metadata.csv": "file_name,label\nTrain/a.png,x\n"}), "ignored-metadata")


def test_options_that_need_metadata(tmp_path):
    write(tmp_path, PLAIN)
    assert "--group patient" in fault(tmp_path, "no-metadata", group="patient").got
    assert "--label kind" in fault(tmp_path, "no-metadata", label="kind").got
    (tmp_path / "metadata.csv").write_text("file_name,label,patients\ncat/1.png,cat,1\n")
    assert "did you mean 'patients'?" in fault(tmp_path, "missing-column", group="patient").do


def test_group_missing_in_a_row(tmp_path):
    text = rows({"file_name": "a.png", "label": "x", "who": "p"}, {"file_name": "b.png", "label": "x"})
    assert (
        ":2: no column 'who'"
        in fault(write(tmp_path, {**TABLE, "metadata.jsonl": text}), "missing-column", group="who").got
    )


# Links and odd files


def test_link_inside_is_a_file(tmp_path):
    write(tmp_path, PLAIN)
    (tmp_path / "dog/link.png").symlink_to("../cat/1.png")
    assert len(scan(tmp_path).entries) == 4


@pytest.mark.parametrize("kind", ["file", "folder", "broken"])
def test_link_outside(tmp_path, kind):
    root = write(tmp_path / "set", PLAIN)
    write(tmp_path / "other", {"x.png": True})
    target = {"file": "other/x.png", "folder": "other", "broken": "nowhere.png"}[kind]
    (root / ("cat/link" if kind == "folder" else "cat/link.png")).symlink_to(tmp_path / target)
    error = fault(root, "outside")
    assert "link" in error.got and str(tmp_path / target) in error.got


def test_link_in_a_circle(tmp_path):
    write(tmp_path, PLAIN)
    (tmp_path / "cat/again").symlink_to(tmp_path)
    fault(tmp_path, "loop")
    (tmp_path / "cat/again").unlink()
    (tmp_path / "cow").symlink_to("cat")
    fault(tmp_path, "loop")


def test_files_that_cannot_be_opened_are_listed(tmp_path):
    write(tmp_path, PLAIN)
    os.mkfifo(tmp_path / "cat/pipe.png")
    (tmp_path / "cat/gone.png").symlink_to(tmp_path / "cat/nothing.png")
    found = scan(tmp_path)
    assert found.unreadable == (("cat/gone.png", "broken link"), ("cat/pipe.png", "not a regular file"))
    assert len(found.entries) == 3


# Loading and dumping


def test_load(tmp_path):
    text = "file_name,label,group\na.png,cat,p1\nb.jpg,cat,p2\n"
    stored = encode(noise((6, 7, 3)), "JPEG")
    write(tmp_path, {"a.png": encode(noise((6, 7), np.uint16), "PNG"), "b.jpg": stored, "metadata.csv": text})
    first, second = Folders().read(tmp_path, ReadOptions())
    assert np.array_equal(first.content, noise((6, 7), np.uint16)) and first.content.dtype == np.uint16
    assert (first.id, first.target, first.group, first.split) == ("a.png", "cat", "p1", "train")
    assert first.info == {"format": "PNG", "mode": "I;16", "bits": 16}
    assert second.raw == stored and second.info["format"] == "JPEG"


def test_bad_files_stay_single(tmp_path):
    bad = {"cat/cut.png": encode(noise((32, 32, 3)), "PNG")[:500], "cat/empty.png": b"", "cat/bomb.png": png_bomb()}
    found = scan(write(tmp_path, {**PLAIN, **bad, "cat/text.png": "hello"}))
    reasons = {}
    for entry in found.entries:
        try:
            Folders().load(entry)
        except SampleError as error:
            reasons[entry.id] = error.reason
    assert reasons == {
        "cat/cut.png": "cut short",
        "cat/empty.png": "empty file",
        "cat/bomb.png": "too large (bomb?)",
        "cat/text.png": "not a picture",
    }


def test_vanished_file(tmp_path):
    entry = scan(write(tmp_path, PLAIN)).entries[0]
    entry.source.unlink()
    with pytest.raises(SampleError, match="cannot be opened: No such file"):
        Folders().load(entry)


def test_huge_file_is_not_read(tmp_path):
    entry = scan(write(tmp_path, PLAIN)).entries[0]
    with entry.source.open("wb") as file:
        file.truncate((1 << 30) + 1)
    with pytest.raises(SampleError, match="too large"):
        Folders().load(entry)


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 2), (5, 7, 3), (5, 7, 4)])
def test_dump_then_load(tmp_path, shape):
    data = Folders().dump(Sample("x", noise(shape)))
    assert np.array_equal(read_image(data)[0], noise(shape))
    (loaded,) = Folders().read(write(tmp_path, {"cat/x.png": data}), ReadOptions())
    assert np.array_equal(loaded.content, noise(shape)) and Folders().dump(loaded) == data


def test_inputs_are_not_touched(tmp_path):
    write(tmp_path, PLAIN)
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in tmp_path.rglob("*.png")}
    list(Folders().read(tmp_path, ReadOptions()))
    assert before == {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in tmp_path.rglob("*.png")}
