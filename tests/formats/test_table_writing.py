"""What is written, looked at by other libraries: every cell of an original is there unchanged, children lie below."""

from __future__ import annotations

import csv
import gzip
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from table_data import copy, dump, facts, facts_of, put, read, scan

from augmint.core.types import Sample
from augmint.formats.table_columns import PROVENANCE
from augmint.formats.table_folder import open_table
from augmint.formats.table_writing import layout_of, open_writer
from augmint.formats.tables import Tables

# Any text that a file can hold; white space and marks of the formats come up often.
TEXTS = st.text(st.one_of(st.sampled_from('",\n\r\t;|=+-@\\ \u2028\u0085é'), st.characters(exclude_categories=["Cs"])))
GOOD = TEXTS.filter(lambda text: text.strip() and "\0" not in text)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)


def cells(data, delimiter=","):
    return list(csv.reader(io.StringIO(data.decode(), newline=""), delimiter=delimiter, strict=True))


@pytest.mark.parametrize(("kind", "delimiter"), [("csv", ","), ("tsv", "\t"), ("csv.gz", ",")])
@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(GOOD, st.sampled_from("ab"), TEXTS), min_size=1, max_size=5), child=GOOD)
def test_every_cell_of_csv(tmp_path_factory, kind, delimiter, rows, child):
    folder = tmp_path_factory.mktemp("csv")
    data = dump(kind, [{"label": label, "text": text, "more": more} for text, label, more in rows])
    out = copy(put(folder / f"in.{kind}", data), folder / "out", child)
    [path] = out.iterdir()
    assert path.name == f"train.{kind.removesuffix('.gz')}"
    before = cells(gzip.decompress(data) if kind.endswith("gz") else data, delimiter)
    after = cells(path.read_bytes(), delimiter)
    assert [row[:3] for row in after[:-1]] == before
    assert after[-1][:3] == [min(label for _, label, _ in rows), child, ""]
    assert after[0][3:] == list(PROVENANCE[:-1])
    assert [row[3] for row in after[1:]] == ["false"] * len(rows) + ["true"]
    assert facts(read(out))[:-1] == facts(read(folder / f"in.{kind}")) and read(out)[-1].content == child


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(GOOD, VALUES, VALUES), min_size=1, max_size=4), child=GOOD)
def test_every_value_of_json(tmp_path_factory, rows, child):
    folder = tmp_path_factory.mktemp("json")
    stored = [{"x": x, "text": text, "label": "l", "note": y} for text, x, y in rows]
    path = put(folder / "in.jsonl", stored)
    out = copy(path, folder / "out", child)
    lines = (out / "train.jsonl").read_bytes().decode().split("\n")[:-1]
    for line, before, row in zip(lines, path.read_bytes().decode().split("\n"), stored, strict=False):
        assert line.startswith(before[:-1])  # byte for byte
        after = json.loads(line)
        assert {key: after[key] for key in row} == row and list(after)[:4] == list(row)
        assert after["augmint_note"] == "" and after["refs"] == [f"data:{after['id']}"]
    last = json.loads(lines[-1])
    assert (last["text"], last["label"], last["x"], last["note"]) == (child, "l", None, None)
    assert list(last) == list(json.loads(lines[0])) and len(lines) == len(rows) + 1
    again = copy(out, folder / "again", "")
    for line, row in zip((again / "train.jsonl").read_bytes().decode().split("\n"), stored, strict=False):
        assert {key: json.loads(line)[key] for key in row} == row


def test_every_type_of_parquet(tmp_path):
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    from datetime import UTC, datetime
    from decimal import Decimal

    table = pa.table(
        {
            "when": pa.array([1, None, 3], pa.timestamp("ns", "UTC")),
            "text": pa.array(["a", "b", "c"], pa.large_string()),
            "price": pa.array([Decimal("1.50"), None, Decimal("3.00")], pa.decimal128(8, 2)),
            "kind": pa.array(["x", None, "x"]).dictionary_encode(),
            "blob": pa.array([b"\0\xff", b"", None]),
            "tree": pa.array([{"a": [1, None]}, None, {"a": []}]),
            "small": pa.array([1, None, -3], pa.int8()),
            "label": pa.array([7, 8, 7], pa.int16()),
            "last": pa.array([datetime(2020, 1, 1, tzinfo=UTC)] * 3),
        }
    )
    path = tmp_path / "in.parquet"
    parquet.write_table(table, path, row_group_size=2)
    out = copy(path, tmp_path / "out", "made")
    [file] = out.iterdir()
    after = parquet.read_table(file)
    plain = table.set_column(3, "kind", table["kind"].cast(pa.string()))
    assert after.select(table.column_names).slice(0, 3).combine_chunks().equals(plain.combine_chunks())
    child = after.slice(3, 1).to_pylist()[0]
    assert (child["text"], child["label"], child["is_synthetic"]) == ("made", 7, True)
    assert all(child[name] is None for name in ("when", "price", "kind", "blob", "tree", "small", "last"))
    assert after.schema.field("refs").type == pa.list_(pa.string())
    assert parquet.ParquetFile(file, page_checksum_verification=True).read().num_rows == 4
    assert (copy(path, tmp_path / "twice", "made") / file.name).read_bytes() == file.read_bytes()


def test_many_rows_are_written_in_groups(tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr("augmint.formats.table_writing._ROW_GROUP", 4)
    path = put(tmp_path / "in.parquet", [{"text": f"t{i}", "label": "a"} for i in range(10)])
    [file] = copy(path, tmp_path / "out").iterdir()
    assert parquet.ParquetFile(file).metadata.num_row_groups == 3
    assert [s.content for s in read(tmp_path / "out")] == [f"t{i}" for i in range(10)] + ["a child"]
    # Row groups are read again where there is no room for all of them.
    monkeypatch.setattr("augmint.formats.columnar._KEPT_BYTES", 0)
    entries = scan(tmp_path / "out").entries
    file.touch()
    assert [Tables().load(entries[i]).content for i in (9, 0, 5, 9)] == ["t9", "t0", "t5", "t9"]


@pytest.fixture
def saved(tmp_path):
    """Two splits written by Hugging Face's own ``save_to_disk``, and the data set that was saved."""
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    features = datasets.Features(
        text=datasets.Value("string"), label=datasets.ClassLabel(names=["z", "b", "a"]), n=datasets.Value("int32")
    )
    rows = {"text": [f"t{i}" for i in range(5)], "label": [0, 2, -1, 2, 0], "n": list(range(5))}
    made = datasets.Dataset.from_dict(rows, features=features)
    data = datasets.DatasetDict(train=made, validation=made.select([4, 0]))
    data.save_to_disk(str(tmp_path / "hf"), num_shards={"train": 2, "validation": 1})
    return data


def test_a_saved_hugging_face_set(tmp_path, saved):
    found = scan(tmp_path / "hf")
    assert found.classes == ("z", "b", "a") and found.splits == ("train", "val")
    first = "train/data-00000-of-00002.arrow"
    assert found.unreadable == ((f"{first}:2", "no label: 'label' = -1, of 3 classes"),)
    assert [(e.id, e.target) for e in found.entries][:2] == [(f"{first}:0", "z"), (f"{first}:1", "a")]
    assert [s.content for s in read(tmp_path / "hf")] == ["t0", "t1", "t3", "t4", "t4", "t0"]
    out = copy(tmp_path / "hf", tmp_path / "out")
    assert facts(read(out))[:4] == facts(read(tmp_path / "hf"))[:4] and scan(out).classes == ("z", "b", "a")
    (tmp_path / "hf" / "validation").rename(tmp_path / "hf" / "unsupervised")
    assert "splits left alone: unsupervised" in scan(tmp_path / "hf").warnings
    single = scan(tmp_path / "hf" / "unsupervised")
    assert single.splits == ("train",) and len(single.entries) == 2


def test_hugging_face_opens_what_was_written(tmp_path, saved):
    datasets = pytest.importorskip("datasets")
    out = copy(tmp_path / "hf", tmp_path / "out")
    files = {"train": "train.parquet", "validation": "val.parquet"}
    loaded = datasets.load_dataset(str(out), data_files=files, cache_dir=str(tmp_path / "cache"))
    assert loaded["train"].features["label"] == saved["train"].features["label"]
    assert loaded["validation"]["text"][:] == saved["validation"]["text"][:]
    assert loaded["train"][4]["is_synthetic"] and loaded["train"][4]["label"] == 0


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl"])
def test_other_readers_open_what_was_written(tmp_path, kind):
    pandas, datasets = pytest.importorskip("pandas"), pytest.importorskip("datasets")
    rows = [{"text": f'{i} "quoted",\n\u2028 line', "label": "ab"[i % 2], "n": i} for i in range(4)]
    put(tmp_path / f"in/train.{kind}", rows)
    put(tmp_path / f"in/test.{kind}", rows[:2])
    out = copy(tmp_path / "in", tmp_path / "out", "made")
    path = out / f"train.{kind}"
    separator = "\t" if kind == "tsv" else ","
    frame = pandas.read_json(path, lines=True) if kind == "jsonl" else pandas.read_csv(path, sep=separator)
    assert list(frame["text"]) == [row["text"] for row in rows] + ["made"]
    assert list(frame["is_synthetic"]) == [False] * 4 + [True]
    files, cache = {split: f"{split}.{kind}" for split in ("train", "test")}, str(tmp_path / "cache")
    loaded = datasets.load_dataset(str(out), data_files=files, cache_dir=cache)
    assert loaded["train"]["text"][:] == list(frame["text"]) and loaded["test"].num_rows == 2


def test_soft_labels_have_a_column(tmp_path):
    entries = scan(put(tmp_path / "a.jsonl", [{"text": "a", "label": "b"}])).entries
    assert layout_of(entries, soft=True).header[-1] == "label_probs"
    assert "label_probs" not in layout_of(entries, soft=False).header


def test_columns_of_the_same_names_as_ours_stay(tmp_path):
    """A data set may have a ``model``, a ``note`` and numbers as ``id``: ours are called otherwise, and found again."""
    rows = [{"id": i, "text": f"t{i}", "label": "x", "model": "Q", "note": None, "refs": 1} for i in range(3)]
    for kind in ("csv", "jsonl", "parquet"):
        path = put(tmp_path / kind / f"a.{kind}", rows)
        out = copy(path, tmp_path / kind / "out")
        [entry] = scan(out).of("train")[3:]
        assert entry.id == "syn-1" and entry.table.columns[:6] == tuple(rows[0])
        assert "augmint_model" in entry.table.columns and "augmint_id" in entry.table.columns
        again = copy(out, tmp_path / kind / "again", "")
        assert scan(again).entries[0].table.columns == entry.table.columns
        assert [s.id for s in read(again)] == ["0", "1", "2", "syn-1"]


def test_parts_of_a_split_keep_all_their_columns(tmp_path):
    """Only the second part has a ``note`` of its own, which ours must not replace."""
    put(tmp_path / "in/train-0-of-2.jsonl", [{"text": "a", "label": "x"}])
    put(tmp_path / "in/train-1-of-2.jsonl", [{"text": "b", "label": "y", "note": "mine"}])
    out = copy(tmp_path / "in", tmp_path / "out")
    rows = [json.loads(line) for line in (out / "train.jsonl").read_text().splitlines()]
    assert [(row.get("note"), row["augmint_note"]) for row in rows] == [(None, ""), ("mine", ""), (None, "")]


def test_the_group_of_a_child_is_spelled_as_in_the_data(tmp_path):
    for kind, groups in {"csv": ["007", "-3"], "jsonl": [7, -3], "parquet": [7, -3]}.items():
        path = put(tmp_path / f"a.{kind}", [{"text": f"t{g}", "label": "x", "group": g} for g in groups])
        entries = scan(path).entries
        layout = layout_of(entries, soft=False)
        made = [layout.made(Sample("", "c"), "x", facts_of("syn-1", entry.group, made=True)) for entry in entries]
        assert [cells["group"] for cells in made] == groups


def test_a_child_of_several_numbers_has_no_number(tmp_path):
    for kind in ("jsonl", "parquet"):
        path = put(tmp_path / f"a.{kind}", [{"text": f"t{g}", "label": "x", "group": g} for g in (7, -3)])
        layout = layout_of(scan(path).entries, soft=False)
        facts = facts_of("syn-1", "-3 + 7", made=True)
        with (tmp_path / f"out.{kind}").open("wb") as file:
            writer = open_writer(file, layout)
            writer.child(Sample("", "c"), "x", facts)
            writer.close()
        [cells] = [row.cells for row in open_table(tmp_path / f"out.{kind}", kind).rows()]
        assert cells["group"] is None and cells["augmint_group"] == "-3 + 7"


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_splits_have_the_same_columns_whatever_is_empty_in_one(tmp_path, kind):
    rows = [{"text": f"t{i}", "label": "x", "id": f"n{i}", "group": "a"} for i in range(3)]
    put(tmp_path / f"in/train.{kind}", rows)
    put(tmp_path / f"in/test.{kind}", [{**row, "text": f"u{i}", "id": f"{i}"} for i, row in enumerate(rows)])
    empty = [{**row, "text": f"v{i}", "group": None, "id": f"m{i}"} for i, row in enumerate(rows)]
    if kind != "parquet":  # a column of nothing has no type that the others share
        put(tmp_path / f"in/val.{kind}", empty)
    listing = scan(tmp_path / "in")
    headers = {layout_of(listing.of(split), soft=False).header for split in listing.splits}
    assert len(headers) == 1 and ("group" in (header := headers.pop())) and "augmint_group" not in header


def test_children_have_the_word_of_the_data_for_their_split(tmp_path):
    rows = [{"text": f"t{i}", "label": "x", "split": word} for i, word in enumerate(["Train", "Dev", "Train"])]
    listing = scan(put(tmp_path / "a.csv", rows))
    for split, word in {"train": "Train", "val": "Dev"}.items():
        layout = layout_of(listing.of(split), soft=False)
        assert layout.made(Sample("", "c"), "x", facts_of("syn-1", "", made=True))["split"] == word


def test_groups_that_begin_late_are_strings(tmp_path):
    rows = [{"text": "t", "label": "x", "group": None if i < 100 else "7"} for i in range(101)]
    for kind in ("jsonl", "parquet"):
        path = put(tmp_path / f"{kind}/a.{kind}", rows)
        entries = scan(path).entries
        layout = layout_of(entries, soft=False)
        with (tmp_path / f"out.{kind}").open("wb") as file:
            writer = open_writer(file, layout)
            writer.child(Sample("", "c"), "x", facts_of("syn-1", entries[-1].group, made=True))
            writer.close()
        [cells] = [row.cells for row in open_table(tmp_path / f"out.{kind}", kind).rows()]
        assert cells["group"] == "7"


def test_half_a_surrogate_pair_in_a_column_that_is_not_read(tmp_path):
    path = put(tmp_path / "a.jsonl", b'{"text": "a", "label": "x", "k\\ud800": "\\udc01"}\n')
    out = copy(path, tmp_path / "out")
    rows = [json.loads(line) for line in (out / "train.jsonl").read_text().splitlines()]
    assert [row["k\ud800"] for row in rows] == ["\udc01", None]
