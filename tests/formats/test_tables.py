"""Tables of texts: what is recognised, ids, classes, splits, groups, spans, and the round trip of every kind."""

from __future__ import annotations

import gzip
import json
import pickle

import numpy as np
import pytest
from table_data import KINDS, copy, facts, fault, put, read, scan

from augmint.core.types import ReadOptions, Sample
from augmint.formats.tables import Tables, restore

ROWS = [
    {"text": 'a "good" film,\nreally', "label": "pos", "stars": 5},
    {"text": "=bad(1)", "label": "neg", "stars": 1},
    {"text": "naïve \u2028 café", "label": "pos", "stars": 4},
    {"text": " spaced ", "label": "neg", "stars": None},
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file(tmp_path, kind):
    path = put(tmp_path / f"reviews.{kind}", ROWS)
    found = scan(path)
    assert found.classes == ("neg", "pos") and not found.unreadable and len(found.entries) == 4
    assert [entry.target for entry in found.entries] == ["pos", "neg", "pos", "neg"]
    assert list(found.entries.codes) == [1, 0, 1, 0]
    assert [s.content for s in Tables().read(path, ReadOptions())] == [row["text"] for row in ROWS]
    # A worker gets entries by pickle and opens the file anew.
    entries = pickle.loads(pickle.dumps([found.entries[2], found.entries[0]]))  # noqa: S301 - our own
    assert [Tables().load(entry).content for entry in entries] == [ROWS[2]["text"], ROWS[0]["text"]]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_reads_the_same(tmp_path, kind):
    path = put(tmp_path / f"reviews.{kind}", ROWS)
    out = copy(path, tmp_path / "out", 'a child, "made"')
    again = read(out)
    assert facts(again[:-1]) == facts(read(path)) and [s.id for s in again[:-1]] == [s.id for s in read(path)]
    assert (again[-1].content, again[-1].target, again[-1].id) == ('a child, "made"', "neg", "syn-1")
    twice = copy(out, tmp_path / "twice", child="")
    assert facts(read(twice)) == facts(again)
    # The same bytes each time, and augmint's own columns are not doubled.
    name = next(out.iterdir()).name
    assert (copy(path, tmp_path / "third", 'a child, "made"') / name).read_bytes() == (out / name).read_bytes()
    if kind == "csv":
        assert (twice / name).read_text().split("\n")[0] == (out / name).read_text().split("\n")[0]


def test_ids_are_lines_or_a_unique_column(tmp_path):
    path = put(tmp_path / "a.csv", ROWS)
    assert [entry.id for entry in scan(path).entries] == ["a.csv:2", "a.csv:4", "a.csv:5", "a.csv:6"]
    named = [{"id": name, **row} for name, row in zip("wxyz", ROWS, strict=True)]
    assert [entry.id for entry in scan(put(tmp_path / "b.jsonl", named)).entries] == list("wxyz")
    named[3]["id"] = "x"
    found = scan(put(tmp_path / "c.jsonl", named))
    assert [entry.id for entry in found.entries] == [f"c.jsonl:{n}" for n in (1, 2, 3, 4)]
    assert "'x' is the id of" in found.warnings[0] and "c.jsonl:2" in found.warnings[0]


def test_splits_by_file_and_by_column(tmp_path):
    folder = tmp_path / "set"
    for name in ("train", "dev", "test"):
        put(folder / f"{name}.tsv", ROWS)
    found = scan(folder)
    assert found.splits == ("train", "val", "test") and len(found.of("val")) == 4
    assert found.of("val")[0].id == "dev.tsv:2" and found.of("train")[0].split == "train"
    rows = [{**row, "split": part} for row, part in zip(ROWS, ("test", "train", "train", "Validation"), strict=True)]
    one = scan(put(tmp_path / "one.jsonl", rows))
    assert [(entry.id, entry.split) for entry in one.entries] == [
        ("one.jsonl:2", "train"),
        ("one.jsonl:3", "train"),
        ("one.jsonl:4", "val"),
        ("one.jsonl:1", "test"),
    ]
    out = copy(tmp_path / "one.jsonl", tmp_path / "out")
    assert sorted(path.name for path in out.iterdir()) == ["test.jsonl", "train.jsonl", "val.jsonl"]
    assert facts(read(out))[:2] == facts(read(tmp_path / "one.jsonl"))[:2]
    rows[1]["split"] = "trian"
    assert "bad.jsonl:2" in (wrong := fault(put(tmp_path / "bad.jsonl", rows), "split")).got
    assert "train" in wrong.do
    assert "train.jsonl:1" in fault(put(tmp_path / "x/train.jsonl", rows).parent, "split").got


def test_a_pair_of_texts(tmp_path):
    rows = [{"premise": f"p{i}", "hypothesis": f"h{i}", "label": i % 2} for i in range(3)]
    path = put(tmp_path / "nli.csv", rows)
    assert "'premise', 'hypothesis'" in (wrong := fault(path, "ambiguous-column")).got
    assert "--text premise,hypothesis" in wrong.do
    pairs = read(path, text="hypothesis,premise")
    assert list(pairs[1].content.items()) == [("hypothesis", "h1"), ("premise", "p1")]
    out = copy(path, tmp_path / "out", {"hypothesis": "new h", "premise": "new p"}, text="premise,hypothesis")
    again = read(out, text="premise,hypothesis")
    assert again[3].content == {"premise": "new p", "hypothesis": "new h"} and again[0].content == pairs[0].content


COLUMNS = {
    "only text": (["id", "stars", "words", "label"], "", "words"),
    "in any case": (["Text", "Label"], "", "Text"),
    "text before others": (["sentence", "text", "label"], "", "text"),
    "as the user says": (["sentence", "text", "label"], "sentence", "sentence"),
    "with a comma in its name": (["a,b", "text", "label"], "a,b", "a,b"),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_the_column_of_the_text(tmp_path, name):
    columns, text, expected = COLUMNS[name]
    rows = [{column: str(i) if column in ("id", "stars") else f"{column} {i}" for column in columns} for i in range(3)]
    path = put(tmp_path / "a.csv", rows)
    assert [s.content for s in read(path, text=text)] == [f"{expected} {i}" for i in range(3)]


@pytest.mark.parametrize(
    ("columns", "options", "code", "got", "do"),
    [
        (["sentence", "review", "label"], {}, "ambiguous-column", "'sentence', 'review'", "--text COLUMN"),
        (["foo", "bar", "label"], {}, "ambiguous-column", "'foo', 'bar'", "--text COLUMN"),
        (["text", "intent", "topic"], {}, "ambiguous-column", "'intent', 'topic'", "--label COLUMN"),
        (["text", "mood"], {}, "missing-column", "'text', 'mood'", "--label COLUMN"),
        (["text", "mood"], {"label": "moods"}, "missing-column", "'moods'", "did you mean 'mood'"),
        (["text", "label"], {"text": "texts"}, "missing-column", "'texts'", "did you mean 'text'"),
        (["text", "label"], {"text": "label", "label": "label"}, "ambiguous-column", "'label'", "--text"),
        (["text", "label"], {"text": "text,text"}, "ambiguous-column", "twice", "correct"),
        (["text", "label"], {"group": "author"}, "missing-column", "'author'", "--group COLUMN"),
        (["text", "label"], {"spans": "tags"}, "missing-column", "'tags'", "--spans COLUMN"),
    ],
)
def test_columns_that_are_not_clear_are_refused(tmp_path, columns, options, code, got, do):
    path = put(tmp_path / "a.csv", [{column: f"{column} {i}" for column in columns} for i in range(3)])
    wrong = fault(path, code, **options)
    assert got in wrong.got and do in wrong.do and ("a.csv" in wrong.got or "--text" in wrong.got)


LABELS = {
    "whole numbers": ([2, 10, 2], ["2", "10"], int),
    "truth values": ([True, False, True], ["False", "True"], bool),
    "strings": (["b", "a", "b"], ["a", "b"], str),
}


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
@pytest.mark.parametrize("name", LABELS)
def test_labels_keep_their_type(tmp_path, name, kind):
    labels, classes, cell = LABELS[name]
    path = put(tmp_path / f"a.{kind}", [{"text": f"t{i}", "label": label} for i, label in enumerate(labels)])
    assert list(scan(path).classes) == classes
    out = copy(path, tmp_path / "out")
    assert [s.target for s in read(out)] == [*map(str, labels), classes[0]]
    if kind == "jsonl":
        last = json.loads((out / "train.jsonl").read_text().splitlines()[-1])
        assert type(last["label"]) is cell and str(last["label"]) == classes[0]


def test_whole_numbers_that_pandas_made_floats_of(tmp_path):
    rows = [{"text": f"t{i}", "label": label} for i, label in enumerate([1.0, 0.0, None])]
    found = scan(put(tmp_path / "a.parquet", rows))
    assert found.classes == ("0", "1") and found.unreadable == (("a.parquet:2", "an empty cell: 'label'"),)
    assert [s.target for s in read(copy(tmp_path / "a.parquet", tmp_path / "out"))] == ["1", "0", "0"]


def test_class_order_beside_the_tables(tmp_path):
    folder = put(tmp_path / "set" / "train.jsonl", [{"text": "a", "label": "y"}, {"text": "b", "label": "x"}]).parent
    assert scan(folder).classes == ("x", "y")
    (folder / "classes.txt").write_text("z\ny\nx\n")
    found = scan(folder)
    assert found.classes == ("z", "y", "x") and "1 empty classes: 'z'" in found.warnings
    assert [entry.target for entry in found.entries] == ["y", "x"] and list(found.entries.codes) == [1, 2]
    (folder / "classes.txt").write_text("y\n")
    assert "'x' is not listed" in fault(folder, "class-list").got


def test_whole_numbers_are_classes_in_their_order(tmp_path):
    """So that ``label_probs[label]`` is the weight of the row's own class."""
    labels = [10, 9, 2, 0, 11, -1]
    rows = [{"text": f"row {label}", "label": label} for label in labels]
    ordered = ("-1", "0", "2", "9", "10", "11")
    assert scan(put(tmp_path / "a.jsonl", rows)).classes == ordered
    assert scan(put(tmp_path / "a.csv", rows)).classes == ordered
    huge = "1" * 5000  # more digits than int() reads
    assert scan(put(tmp_path / "b.jsonl", [{**rows[0], "label": name} for name in (huge, "2")])).classes == (huge, "2")
    rows[0]["label"] = "x"
    assert scan(put(tmp_path / "b.csv", rows)).classes == ("-1", "0", "11", "2", "9", "x")
    rows[0]["label"] = "010"
    assert scan(put(tmp_path / "c.csv", rows)).classes == ("-1", "0", "010", "11", "2", "9")


def test_groups(tmp_path):
    rows = [{"text": f"t{i}", "label": "ab"[i % 2], "group": f"g{i // 2}", "author": 7} for i in range(4)]
    path = put(tmp_path / "a.jsonl", rows)
    assert [s.group for s in read(path)] == ["g0", "g0", "g1", "g1"]
    assert [s.group for s in read(path, group="author")] == ["7"] * 4
    again = copy(path, tmp_path / "out")
    assert facts(read(again))[:4] == facts(read(path))
    # Numbers stay numbers, and what children are of is beside them, in a column of ours.
    out = copy(path, tmp_path / "numbers", group="author")
    first = json.loads((out / "train.jsonl").read_text().splitlines()[0])
    assert first["author"] == 7 and first["augmint_group"] == "7" and first["group"] == "g0"
    assert [s.group for s in read(out)] == ["7"] * 4 + [""]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_spans(tmp_path, kind):
    tags = [{"start": 0, "end": 3, "label": "X"}]
    cells = [json.dumps(tags), "[]"] if kind == "csv" else [tags, []]
    rows = [{"text": f"abc {i}", "label": "l", "tags": cell} for i, cell in enumerate(cells)]
    path = put(tmp_path / f"a.{kind}", rows)
    assert [s.spans for s in read(path, spans="tags")] == [((0, 3, "X"),), ()]
    assert [s.spans for s in read(path)] == [(), ()]
    out = copy(path, tmp_path / "out", "new abc", ((4, 7, "X"),), spans="tags")
    assert [s.spans for s in read(out, spans="tags")] == [((0, 3, "X"),), (), ((4, 7, "X"),)]


def test_a_stored_child_is_restored(tmp_path):
    for sample in (Sample("", "a\n\u2028b", spans=((0, 1, "X"),)), Sample("", {"b": "x", "a": "y"})):
        again = restore(Tables().dump(sample))
        assert (again.content, again.spans) == (sample.content, sample.spans)
    assert Tables().dump(Sample("x", "é", "t")) == '{"content": "é"}\n'.encode()


def test_a_pool_needs_no_label_and_no_split(tmp_path):
    rows = [{"sentence": f"t{i}", "split": "whatever"} for i in range(3)]
    found = scan(put(tmp_path / "pool.csv", rows), unlabelled=True)
    assert [entry.target for entry in found.entries] == [None] * 3 and not found.classes
    assert found.splits == ("train",) and list(found.entries.codes) == [-1] * 3


@pytest.mark.parametrize("name", ["pool.txt", "pool.txt.gz"])
def test_a_pool_of_lines(tmp_path, name):
    data = "first text\n\n  second é \n".encode()
    path = put(tmp_path / name, gzip.compress(data) if name.endswith("gz") else data)
    assert [(s.id, s.content) for s in read(path, unlabelled=True)] == [
        (f"{name}:1", "first text"),
        (f"{name}:3", "second é"),
    ]
    assert "no column 'label'" in fault(path, "missing-column").got


def test_a_part_of_the_entries(tmp_path):
    entries = scan(put(tmp_path / "a.csv", ROWS)).entries
    assert [entry.id for entry in entries[1:3]] == [entry.id for entry in list(entries)[1:3]]
    assert entries[-1].id == "a.csv:6" and len(entries[::2]) == 2
    assert [entry.id for entry in entries.take(np.array([3, 0]))] == ["a.csv:6", "a.csv:2"]
    with pytest.raises(IndexError):
        entries[4]
