"""Text files of an output set: stable, and read back as they were written."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from augmint.core.errors import DataError
from augmint.core.types import ReadOptions
from augmint.formats.folders import Folders
from augmint.formats.writing import check_class_names, dump_classes, dump_row, parse_classes
from pictures import write

NAMES = st.text(st.characters(exclude_categories=("Cs",)), min_size=1)


def test_declared_columns_come_first():
    row = {"zeta": 1, "refs": ["data:a"], "label": "é", "alpha": None, "file_name": "a\nb.png", "is_synthetic": True}
    assert dump_row(row) == (
        '{"file_name": "a\\nb.png", "label": "é", "is_synthetic": true, "refs": ["data:a"], "alpha": null, "zeta": 1}\n'
    )
    assert dump_row(dict(reversed(row.items()))) == dump_row(row)


@given(st.dictionaries(NAMES, NAMES | st.integers() | st.lists(NAMES)))
def test_rows_read_back(row):
    text = dump_row(row)
    assert json.loads(text) == row
    assert len(text.splitlines()) == 1


def test_no_nan():
    with pytest.raises(ValueError, match="JSON"):
        dump_row({"score": math.nan})


@given(st.lists(NAMES, unique=True))
def test_class_list_reads_back(names):
    text = dump_classes(names)
    assert parse_classes(text, "classes.txt") == names
    assert len(text.splitlines()) == len(names)


def test_plain_names_stay_plain():
    assert dump_classes(["cat", "chien é", "a b"]) == "cat\nchien é\na b\n"


def test_broken_class_list():
    with pytest.raises(DataError) as caught:
        parse_classes('cat\n"dog\n', "classes.txt")
    assert caught.value.got == "classes.txt:2: '\"dog'" and caught.value.code == "bad-json"
    with pytest.raises(DataError):
        parse_classes('"5" 6\n', "classes.txt")


GOOD = ["cat", "a b", "..x", "CON", "-x", "new\nline", "🐈", "x" * 255]
BAD = ["", ".", "..", "a/b", "/etc", "nul\0", ".hidden", "x" * 256, "é" * 128, "\ud800", "Thumbs.db"]


def test_class_folder_names():
    check_class_names(GOOD)
    for name in BAD:
        with pytest.raises(DataError) as caught:
            check_class_names([*GOOD, name])
        assert caught.value.code == "unsafe-class" and ascii(name) in caught.value.got
    with pytest.raises(DataError, match="differ only in case"):
        check_class_names(["cat", "Cat"])


@pytest.mark.parametrize("name", GOOD, ids=ascii)
def test_written_set_reads_back(tmp_path, name):
    files = {f"train/{name}/x.png": True, "train/zzz/y.png": True, "classes.txt": dump_classes(["zzz", name])}
    rows = [{"file_name": f"{name}/x.png", "label": name}, {"file_name": "zzz/y.png", "label": "zzz"}]
    found = Folders().scan(
        write(tmp_path, {**files, "train/metadata.jsonl": "".join(map(dump_row, rows))}), ReadOptions()
    )
    assert found.classes == ("zzz", name)
    assert {e.target for e in found.entries} == {"zzz", name}
