"""What the tests of tables share: tables written by other libraries, and output sets written by ours."""

from __future__ import annotations

import csv
import gzip
import io
import json

import pytest

from augmint.core.errors import DataError
from augmint.core.types import ReadOptions, Sample
from augmint.formats import detect
from augmint.formats.table_writing import layout_of, open_writer
from augmint.formats.tables import Tables

KINDS = ["csv", "tsv", "jsonl", "ndjson", "csv.gz", "jsonl.gz", "parquet"]


def dump(kind, rows):
    """The bytes of a table."""
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
    """A file of rows, or of these bytes."""
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


def copy(path, out, child="a child", child_spans=(), **options):
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
                writer.child(Sample("", child, spans=child_spans), found.classes[0], facts_of("syn-1", made=True))
            writer.close()
    return out


def facts(samples):
    return [(s.content, s.target, s.group, s.split, s.spans) for s in samples]
