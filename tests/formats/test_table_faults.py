"""Broken tables: every faulty row is named by file and line, the others stay; faults of the whole set end it all."""

from __future__ import annotations

import gzip
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from table_data import dump, fault, put, read, scan

from augmint.core.errors import DataError, ModelError, SampleError
from augmint.core.types import ReadOptions
from augmint.formats import columnar, npz, tables
from augmint.formats.byte_lines import MAX_LINE_BYTES
from augmint.formats.inflating import Inflated
from augmint.formats.tables import Tables

GOOD = [{"text": f"text {i}", "label": "ab"[i % 2]} for i in range(4)]
LONG = "x" * 1_000_001


def line(**cells):
    return json.dumps(cells, ensure_ascii=False).encode() + b"\n"


JSON = {
    "bad UTF-8": (b'{"text": "caf\xe9", "label": "a"}\n', "not UTF-8: byte 0xe9 at column 14"),
    "no JSON": (b"{text: x}\n", "broken JSON"),
    "cut": (b'{"text": "x", "la\n', "broken JSON"),
    "deep": (b'{"text": ' + b"[" * 100_000 + b"\n", "broken JSON"),
    "a list": (b'["x", "a"]\n', "not a JSON object: JSON of type list"),
    "no text": (line(label="a"), "no such column: 'text'"),
    "null text": (line(text=None, label="a"), "an empty cell: 'text'"),
    "empty text": (line(text="", label="a"), "empty text"),
    "blank text": (line(text=" \u00a0\n", label="a"), "empty text"),
    "a number": (line(text=5, label="a"), "not a text: 'text' is of type int"),
    "nested": (line(text={"en": "x"}, label="a"), "not a text: 'text' is of type dict"),
    "long": (line(text=LONG, label="a"), "text over 1 MB: 1000001 bytes"),
    "long in bytes": (line(text="é" * 500_001, label="a"), "text over 1 MB: 1000002 bytes"),
    "NUL": (b'{"text": "a\\u0000b", "label": "a"}\n', "a NUL character"),
    "half a pair": (b'{"text": "a\\ud800", "label": "a"}\n', "not Unicode text"),
    "no label": (line(text="x"), "no such column: 'label'"),
    "empty label": (line(text="x", label=" "), "no label"),
    "labels": (line(text="x", label=["a", "b"]), "a label that is no class: 'label': several labels"),
    "a share": (line(text="x", label=0.5), "a label that is no class: 'label': a label of type float"),
    "a group that is a list": (line(text="x", label="a", group=[1]), "a name of another type"),
    "over 16 MiB": (line(text="x", label="a", more="y" * MAX_LINE_BYTES), "a line of more than 16 MiB"),
}


@pytest.mark.parametrize("name", JSON)
def test_broken_rows_of_json(tmp_path, name):
    bad, reason = JSON[name]
    good = dump("jsonl", GOOD).splitlines(keepends=True)
    path = put(tmp_path / "a.jsonl", b"".join([*good[:2], bad, b"\n", *good[2:]]))
    found = scan(path)
    [(where, why)] = found.unreadable
    assert where == "a.jsonl:3" and why.startswith(reason)
    assert [s.content for s in read(path)] == [row["text"] for row in GOOD]
    assert [entry.id for entry in found.entries] == [f"a.jsonl:{n}" for n in (1, 2, 5, 6)]


CSV = {
    "bad UTF-8": (b"caf\xe9,a\n", {4: "not UTF-8: byte 0xe9 at column 4"}),
    "too few cells": (b"x\n", {4: "wrong number of cells: 1 cells, the header has 2"}),
    "too many cells": (b"x,y,a\n", {4: "wrong number of cells: 3 cells, the header has 2"}),
    "empty text": (b",a\n", {4: "empty text"}),
    "empty label": (b"x,\n", {4: "no label"}),
    "NUL": (b"x\0y,a\n", {4: "a NUL character"}),
    "a quote too many": (b'"x"y,a\n', {4: "broken CSV: ',' expected after '\"'"}),
    "never closed": (b'"x,a\n', {4: "broken CSV: a quote that is never closed"}),
    "closed on another line": (b'"x,a\n"y",b\n', {4: "broken CSV: ',' expected after '\"'"}),
    "swallows a row": (b'"x,a\ny"",b",a,c\n', {4: "wrong number of cells", 5: "wrong number of cells"}),
    "long": (LONG.encode() + b",a\n", {4: "text over 1 MB"}),
    "over 16 MiB": (b"x" * (MAX_LINE_BYTES + 5) + b",a\n", {4: "a line of more than 16 MiB"}),
    "a bare CR": (b"x\ry,a\n", {4: "broken CSV"}),
}


@pytest.mark.parametrize("name", CSV)
def test_broken_rows_of_csv(tmp_path, name):
    bad, reasons = CSV[name]
    path = put(tmp_path / "a.csv", b"text,label\ntext 0,a\ntext 1,b\n" + bad + b"text 2,a\n\ntext 3,b\n")
    found = scan(path)
    assert [where for where, _ in found.unreadable] == [f"a.csv:{n}" for n in reasons]
    for (_, why), reason in zip(found.unreadable, reasons.values(), strict=True):
        assert why.startswith(reason)
    contents = [s.content for s in read(path)]
    assert contents == [row["text"] for row in GOOD] or (name == "closed on another line" and "y" in contents)


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize("form", ["bom", "crlf", "both", "no last line end"])
def test_bytes_that_are_accepted(tmp_path, kind, form):
    data = dump(kind, GOOD).replace(b"\r\n", b"\n")
    if form in ("crlf", "both"):
        data = data.replace(b"\n", b"\r\n")
    if form in ("bom", "both"):
        data = b"\xef\xbb\xbf" + data
    if form == "no last line end":
        data = data.rstrip(b"\n")
    path = put(tmp_path / f"a.{kind}", data)
    assert [(s.content, s.target) for s in read(path)] == [(row["text"], row["label"]) for row in GOOD]
    assert not scan(path).unreadable and all(
        s.raw and s.raw.strip() == s.raw.strip(b"\xef\xbb\xbf\r\n") for s in read(path)
    )


WHOLE = {
    "empty": ("a.csv", b"", "empty-file", "an empty file"),
    "blank": ("a.jsonl", b"\n \n", "empty-file", "an empty file"),
    "header only": ("a.csv", b"text,label\n", "no-rows", "no rows"),
    "UTF-16": ("a.csv", "text,label\nx,a\n".encode("utf-16"), "bad-encoding", "UTF-16"),
    "UTF-16 without a mark": ("a.csv", "text,label\nx,a\n".encode("utf-16-le"), "bad-encoding", "UTF-16"),
    "latin-1 header": ("a.csv", "téxt,label\nx,a\n".encode("latin-1"), "bad-encoding", "a.csv:1"),
    "a name twice": ("a.csv", b"text,text,label\nx,y,a\n", "bad-csv", "column 'text' twice"),
    "semicolons": ("a.csv", b"text;label\nx;a\n", "bad-csv", "one column 'text;label'"),
    "commas in tsv": ("a.tsv", b"text,label\nx,a\n", "bad-csv", "one column 'text,label'"),
    "broken header": ("a.csv", b'"text"x,label\nx,a\n', "bad-csv", "a.csv:1"),
    "old Mac": ("a.csv", b"text,label\rx,a\ry,b\r", "bad-csv", "a.csv:1"),
    "no row is good": ("a.csv", b"text,label\n,a\n,b\n", "no-rows", "2 rows, none of which"),
    "mixed labels": ("a.jsonl", line(text="x", label=1) + line(text="y", label="1"), "bad-label", "a.jsonl:2"),
    "not gzip": ("a.csv.gz", b"text,label\n", "gzip", "damaged gzip"),
    "cut gzip": ("a.csv.gz", gzip.compress(random.Random(0).randbytes(999))[:-9], "gzip", "ends too early"),
    "not parquet": ("a.parquet", b"text,label\n", "parquet", "cannot be read"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_faults_of_the_whole_set(tmp_path, name):
    file, data, code, got = WHOLE[name]
    assert got in fault(put(tmp_path / file, data), code).got


def test_a_label_that_training_lacks(tmp_path):
    put(tmp_path / "set/train.csv", GOOD)
    path = put(tmp_path / "set/test.csv", [{"text": "x", "label": "a"}, {"text": "y", "label": "A"}])
    wrong = fault(tmp_path / "set", "unknown-class")
    assert f"{path}:3: label 'A', which no training row has" in wrong.got and "did you mean 'a'" in wrong.do


FOLDERS = {
    "two forms": ({"train.csv": GOOD, "train.jsonl": GOOD}, "two-splits", "'train.csv' and 'train.jsonl'"),
    "two words": ({"train.csv": GOOD, "val.csv": GOOD, "dev.csv": GOOD}, "two-splits", "same split"),
    "other columns": ({"train.csv": GOOD, "test.csv": [{"text": "x"}]}, "missing-column", "no column 'label'"),
    "parts that differ": (
        {"train-0-of-2.csv": GOOD, "train-1-of-2.csv": [{"more": 1, **row} for row in GOOD]},
        "missing-column",
        "'more'",
    ),
    "parts with other labels": (
        {"train-0-of-2.jsonl": line(text="x", label=1), "train-1-of-2.jsonl": line(text="y", label="1")},
        "bad-label",
        "train-1-of-2.jsonl:1",
    ),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_faults_of_folders(tmp_path, name):
    files, code, got = FOLDERS[name]
    for file, rows in files.items():
        put(tmp_path / "set" / file, rows)
    assert got in fault(tmp_path / "set", code).got


def test_parts_with_other_types(tmp_path):
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    for part, kind in enumerate((pa.int64(), pa.int32())):  # a row of the one cannot be read as a row of the other
        table = pa.table({"text": ["x", "y"], "label": pa.array([0, 1], kind)})
        parquet.write_table(table, tmp_path / f"train-{part}-of-2.parquet")
    wrong = fault(tmp_path, "column-type")
    assert "train-1-of-2.parquet" in wrong.got and "'label' of type int32" in wrong.got and "int64" in wrong.expected


@pytest.mark.parametrize("odd", [{"$oid": "5"}, 0.5, True, [1]])
def test_a_column_of_ids_that_are_none_costs_no_row(tmp_path, odd):
    path = put(tmp_path / "a.jsonl", [{"id": odd, **row} for row in GOOD])
    assert [entry.id for entry in scan(path).entries] == [f"a.jsonl:{1 + i}" for i in range(len(GOOD))]


def test_the_first_twins_are_named(tmp_path):
    """Not those whose hashes come first, which are others in each process."""
    path = put(tmp_path / "a.csv", [{"id": f"i{i % 50}", "text": "x", "label": "y"} for i in range(100)])
    [told] = [warning for warning in scan(path).warnings if "is the id of" in warning]
    assert told.startswith("'i0' is the id of") and "a.csv:2 and" in told and "a.csv:52:" in told


def test_no_row_is_lost_to_a_quote(tmp_path):
    """A stray quote at the start of every third row costs that row alone."""
    rows = [f"{chr(34) if i % 3 == 0 else ''}text {i},{'ab'[i % 2]}\n" for i in range(60)]
    path = put(tmp_path / "a.csv", ("text,label\n" + "".join(rows)).encode())
    found = scan(path)
    assert [where for where, _ in found.unreadable] == [f"a.csv:{i + 2}" for i in range(0, 60, 3)]
    assert [s.content for s in read(path)] == [f"text {i}" for i in range(60) if i % 3]


def test_rows_of_tsv_that_look_like_one_cell_are_told(tmp_path):
    data = b'text\tlabel\n"hello there\t0\nplain\t1\nsay "\t1\nlast\t0\n'
    found = scan(put(tmp_path / "a.tsv", data))
    assert len(found.entries) == 2 and any("tabs and line breaks" in w and "a.tsv:2" in w for w in found.warnings)
    assert not scan(put(tmp_path / "b.tsv", b'text\tlabel\n"a\nb"\t0\n"a\tb"\t1\n')).warnings


def test_formulas_are_read_as_they_are(tmp_path):
    texts = ["=1+1", "+1", "-1", "@SUM(A1)", "fine"]
    path = put(tmp_path / "a.csv", [{"text": text, "label": "a"} for text in texts])
    assert [s.content for s in read(path)] == texts
    assert any("4 texts begin with" in warning for warning in scan(path).warnings)


def test_a_row_that_changed_after_the_scan(tmp_path):
    path = put(tmp_path / "a.jsonl", GOOD)
    entries = scan(path).entries
    put(path, [{"text": "a longer text", "label": "a"}, *GOOD])
    with pytest.raises(SampleError):
        Tables().load(entries[1])
    path.unlink()
    with pytest.raises(SampleError, match="cannot be opened"):
        Tables().load(entries[0])
    gone = put(tmp_path / "b.csv", GOOD)
    entries = scan(gone).entries
    put(gone, GOOD[:1])
    with pytest.raises(SampleError, match="row is gone"):
        Tables().load(entries[3])


def test_a_packed_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr("augmint.formats.inflating.MAX_UNCHECKED_BYTES", 1 << 21)
    assert npz.MAX_RATIO == 200
    data = b'{"text": "x", "label": "a"}\n' + b" " * (1 << 22) + b"\n"
    wrong = fault(put(tmp_path / "a.jsonl.gz", gzip.compress(data)), "bomb")
    assert "200 times" in wrong.expected


def test_packed_bytes_from_any_place(tmp_path):
    """Against zlib's own answer; several members, blocks read in any order."""
    rng = random.Random(0)
    data = b"".join(rng.choice([b"abc", b"\n", rng.randbytes(9)]) * rng.randrange(50) for _ in range(60_000))
    path = put(tmp_path / "a.gz", gzip.compress(data[:1_500_001]) + gzip.compress(data[1_500_001:]) + b"\0" * 99)
    file = Inflated(path)
    assert len(data) > 3 << 20
    for _ in range(200):
        at, length = rng.randrange(len(data) + 10), rng.randrange(200_000)
        file.seek(at)
        found = b"".join(iter(lambda want=at + length: file.read(want - file.tell()), b""))
        assert found == data[at : at + length]


def test_without_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ModelError, match=r"augmint\[tables\]"):
        columnar.arrow()


@pytest.fixture
def schema(tmp_path):
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")

    def write(**columns):
        path = tmp_path / "a.parquet"
        parquet.write_table(pa.table(columns), path, row_group_size=2)
        return path

    return pa, write


def test_parquet_with_nulls_and_bad_bytes(schema):
    pa, write = schema
    text = pa.array([b"a", b"caf\xe9", None, b"d", b""], pa.binary()).view(pa.string())
    path = write(text=text, label=pa.array(["x", "x", "x", None, "x"]).dictionary_encode())
    found = scan(path)
    assert dict(found.unreadable) == {
        "a.parquet:1": "not UTF-8",
        "a.parquet:2": "an empty cell: 'text'",
        "a.parquet:3": "an empty cell: 'label'",
        "a.parquet:4": "empty text: 'text' is empty",
    }
    assert [(s.id, s.content, s.target) for s in read(path)] == [("a.parquet:0", "a", "x")]


def test_parquet_with_a_column_name_of_bad_bytes(schema):
    """pyarrow decodes the names itself, and raises what is no error of its own."""
    pa, write = schema
    path = write(text=pa.array(["a"]), label=pa.array(["x"]))
    path.write_bytes(path.read_bytes().replace(b"label", b"lab\x80l"))
    assert "'utf-8' codec" in fault(path, "parquet").got


def test_parquet_without_text(schema):
    pa, write = schema
    assert "'n'" in fault(write(n=pa.array([1, 2]), label=pa.array(["x", "y"])), "missing-column").got
    path = write(text=pa.array([1, 2]), label=pa.array(["x", "y"]))
    assert "not a text: 'text' is of type int" in fault(path, "no-rows").got
    path = write(text=pa.array(["a", "b"]), label=pa.array([0.5, 1.5]))
    assert "a label of type float" in fault(path, "no-rows").got


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet", "csv.gz"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_bytes_crash_the_reader(tmp_path_factory, kind, data):
    """Whatever a file holds, there is a listing or a DataError, and every listed row can be loaded."""
    whole = bytearray(dump(kind, GOOD))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole)))
        whole[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    path = put(tmp_path_factory.mktemp("fuzz") / f"a.{kind}", bytes(whole))
    try:
        found = tables.Tables().scan(path, ReadOptions())
    except DataError as error:
        assert str(path) in error.got
        return
    for entry in found.entries:
        assert Tables().load(entry).content
