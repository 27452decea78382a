"""``augmint inspect`` on tables: counts, lengths, twins after normalisation, leaks, broken rows."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from augmint.cli import main
from augmint.pipeline.inspect import inspect
from augmint.pipeline.twins import Twins
from support import MEMORY


@pytest.fixture
def reviews(tmp_path):
    rows = ["text,label,author", "One two three,a,ann", "one  TWO three,b,bob", "four,a,ann", ",a,bob", "x,a,y,z"]
    (tmp_path / "reviews.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return tmp_path / "reviews.csv"


def test_a_table(reviews):
    found = inspect(reviews)
    assert found.counts == {"train": {"a": 2, "b": 1}} and found.imbalance == 2.0 and found.modality == "text"
    assert found.lengths == {
        "words": {"min": 1, "median": 3.0, "max": 3},
        "characters": {"min": 4, "median": 13.0, "max": 14},
    }
    assert found.duplicates == found.conflicts == (("reviews.csv:2", "reviews.csv:3"),)
    assert found.leaks == () and found.exit_code == 0 and found.shapes == {}
    assert [where for where, _ in found.bad] == ["reviews.csv:5", "reviews.csv:6"]


def test_leaks_between_tables(tmp_path):
    (tmp_path / "train.jsonl").write_text('{"text": "\\uff41\\u00a0B", "label": "x", "who": 1}\n' * 2, encoding="utf-8")
    (tmp_path / "test.jsonl").write_text(
        '{"text": "A b", "label": "x", "who": 2}\n{"text": "c", "label": "x", "who": 1}\n', encoding="utf-8"
    )
    found = inspect(tmp_path)
    assert found.leaks == (("train.jsonl:1", "train.jsonl:2", "test.jsonl:1"),) and found.exit_code == 1
    grouped = inspect(tmp_path, group="who")
    assert ("train.jsonl:1", "train.jsonl:2", "test.jsonl:2") in grouped.leaks and len(grouped.leaks) == 2


def test_pairs_have_the_length_of_each_text(tmp_path):
    (tmp_path / "a.tsv").write_text("q\ta\tlabel\none\ttwo words\tx\nthree\tmany more words\tx\n", encoding="utf-8")
    found = inspect(tmp_path / "a.tsv", text="q,a")
    assert found.lengths["words of q"] == {"min": 1, "median": 1.0, "max": 1}
    assert found.lengths["words of a"] == {"min": 2, "median": 2.5, "max": 3}


def test_the_command(reviews, capsys):
    assert main(["inspect", str(reviews), "--text", "text", "--label", "label"]) == 0
    told = capsys.readouterr().out
    for words in ("csv: text 'text', label 'label': 2 classes", "words 1 to 3, median 3", "characters 4 to 14"):
        assert words in told
    assert "unusable: reviews.csv:5: empty text" in told
    assert "unusable: reviews.csv:6: wrong number of cells: 4 cells, the header has 3" in told
    assert main(["inspect", str(reviews), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["lengths"]["words"]["max"] == 3 and facts["bad"][0][0] == "reviews.csv:5"
    assert main(["inspect", str(reviews), "--text", "txt"]) == 2
    assert "no column 'txt'" in (wrong := capsys.readouterr().err) and "did you mean 'text'" in wrong


def test_near_copies_between_tables(tmp_path):
    words = "the plot is thin but the actors play it with so much joy that nobody minds at all"
    held = [words, "another one that has nothing to do with it"]
    mine = [words.replace("joy", "glee"), "something else that nobody has said before"]
    for name, texts in (("test", held), ("train", mine)):
        rows = [{"text": text, "label": "x"} for text in texts]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    found = inspect(tmp_path, near=True)
    assert [(pair.id, pair.nearest) for pair in found.near] == [("train.jsonl:1", "test.jsonl:1")]
    assert found.leaks == () and found.exit_code == 0


def test_twins_are_those_with_one_key():
    rng = np.random.default_rng(0)
    keys = rng.integers(0, 40, 100)
    twins = Twins()
    for number, key in enumerate(keys):
        twins.add(number, str(key).encode())
    expected = sorted(np.flatnonzero(keys == key).tolist() for key in range(40) if (keys == key).sum() > 1)
    assert sorted(twins.groups()) == expected and len(expected) > 20
    assert list(Twins().groups()) == []


LOOK = (
    MEMORY
    + """
import sys
from augmint.pipeline.inspect import inspect
import augmint.formats.tables
before = memory("VmHWM")
found = inspect(sys.argv[1])
print(found.counts["train"]["a"], len(found.bad), memory("VmHWM") - before)
"""
)


def test_memory_does_not_grow_with_the_rows(tmp_path):
    """50,000 rows of 160 characters in 25 MB above what the imports take."""
    path = tmp_path / "many.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for i in range(50_000):
            file.write(json.dumps({"text": f"{i} {'word ' * 30}", "label": "ab"[i % 2]}) + "\n")
        file.write("{broken\n")
    done = subprocess.run(
        [sys.executable, "-c", LOOK, str(path)], capture_output=True, text=True, check=True, env={**os.environ}
    )
    count, bad, grown = map(int, done.stdout.split())
    assert count == 25_000 and bad == 1
    assert grown < 25 * 2**20
