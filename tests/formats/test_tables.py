"""Tables of texts: what is recognised, ids, classes, splits, groups, spans, and the round trip of every kind."""

from __future__ import annotations

import csv
import gzip
import io
import json
import pickle

import pytest

from augmint.core.errors import DataError
from augmint.core.types import ReadOptions, Sample
from augmint.formats import detect
from augmint.formats.table_writing import layout_of, open_writer
from augmint.formats.tables import Tables

ROWS = [
    {"text": 'a "good" film,\nreally', "label": "pos", "stars": 5},
    {"text": "=bad(1)", "label": "neg", "stars": 1},
    {"text": "naïve \u2028 café", "label": "pos", "stars": 4},
    {"text": " spaced ", "label": "neg", "stars": None},
]
KINDS = ["csv", "tsv", "jsonl", "ndjson", "csv.gz", "jsonl.gz", "parquet"]


def dump(kind, rows):
    """The bytes of a table, written by other libraries than ours."""
    if kind == "parquet":
        pa = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        out = io.BytesIO()
        parquet.write_table(pa.Table.from_pylist(rows), out)
        return out.getvalue()
    if kind.endswith(".gz"):
        return gzip.compress(dump(kind.removesuffix(".gz"), rows))
    if kind in ("jsonl", "ndjson"):
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), delimiter="\t" if kind == "tsv" else ",")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def put(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(rows if isinstance(rows, bytes) else dump(path.name.split(".", 1)[1], rows))
    return path


def scan(path, **options):
    assert detect(path) == Tables()
    return Tables().scan(path, ReadOptions(**options))


def read(path, **options):
    return [Tables().load(entry) for entry in scan(path, **options).entries]


def fault(path, code, **options):
    with pytest.raises(DataError) as caught:
        scan(path, **options)
    assert caught.value.code == code and caught.value.exit_code == 2 and caught.value.expected and caught.value.do
    return caught.value


def facts_of(id_, group="", made=False):
    facts = dict.fromkeys(("label_by", "scores", "note", "method", "model"), "")
    return facts | {"is_synthetic": made, "id": id_, "group": group, "refs": [f"data:{id_}"], "label_weights": [1.0]}


def copy(path, out, child='a child, "made"', **options):
    """An output set: all rows as they were, and one child below those of train."""
    found = scan(path, **options)
    out.mkdir()
    for split in found.splits:
        entries = found.of(split)
        layout = layout_of(entries, soft=False)
        with (out / layout.file).open("wb") as file:
            writer = open_writer(file, layout)
            for entry in entries:
                writer.original(Tables().load(entry), facts_of(entry.id, entry.group))
            if split == "train" and child:
                writer.child(Sample("", child), found.classes[0], facts_of("syn-1", made=True))
            writer.close()
    return out


def facts(samples):
    return [(s.content, s.target, s.group, s.split, s.spans) for s in samples]


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
    out = copy(path, tmp_path / "out")
    again = read(out)
    assert facts(again[:-1]) == facts(read(path)) and [s.id for s in again[:-1]] == [s.id for s in read(path)]
    assert (again[-1].content, again[-1].target, again[-1].id) == ('a child, "made"', "neg", "syn-1")
    twice = copy(out, tmp_path / "twice", child="")
    assert facts(read(twice)) == facts(again)
    # The same bytes each time, and augmint's own columns are not doubled.
    name = next(out.iterdir()).name
    assert (copy(path, tmp_path / "third") / name).read_bytes() == (out / name).read_bytes()
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
