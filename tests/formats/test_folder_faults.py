"""Class folders and metadata files: every fault of the whole with its place, its reason and its cure."""

from __future__ import annotations

import re

import pytest
from listing import PLAIN, TABLE, fault, rows

from pictures import encode, noise, write

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
    "utf-16": ("bad-encoding", "csv", "file_name,label\n".encode("utf-16"), "text in UTF-16", "UTF-8", ""),
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
