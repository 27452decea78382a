"""The leak guard and the report on texts, with a method that leaks on purpose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest
from text_tables import read, texts, write_csv

import augmint as am
from augmint.core.errors import DataError
from augmint.core.protocols import Modality, Rewriter
from augmint.numerics.texts import with_texts
from augmint.pipeline.finished import Finished
from augmint.pipeline.inspect import inspect
from augmint.pipeline.progress import Progress
from augmint.pipeline.reporting import gather
from augmint.pipeline.verify import verify
from augmint.rewriters import TABLE as REBUILD
from support import jsonl, pattern, save

SECRET = "every second evening the lighthouse keeper paints another gull upon the kitchen door"


@pytest.fixture
def data(tmp_path):
    return write_csv(tmp_path / "in/reviews.csv", texts(10))


@dataclass
class Parrot(Rewriter):
    """A method that leaks: half of its children are a text that it should never have seen, with a word changed."""

    modalities: ClassVar[frozenset[Modality]] = frozenset({"text"})

    def fit(self, samples, rng):
        return self

    def rewrite(self, samples, rngs):
        return [with_texts(s, [self.said(s, rng)]) for s, rng in zip(samples, rngs, strict=True)]

    @staticmethod
    def said(sample, rng):
        number = int(rng.integers(10**6))
        return SECRET.replace("another", f"{number}") if number % 2 else f"{sample.content} {number}"


@pytest.fixture
def parrot(monkeypatch):
    monkeypatch.setitem(REBUILD, "parrot", f"{__name__}:Parrot")
    return {"method": "parrot", "gates": [], "unit_size": 4}


def test_held_out_rows_that_cannot_be_read_are_told(data, tmp_path):
    held = tmp_path / "held.jsonl"
    held.write_bytes(
        b'{"text": "one that is fine"}\n{"text": "caf\xe9"}\n{"text": 7}\nno json\n{"text": "and another"}\n'
    )
    told = []
    watcher = Progress()
    watcher.say = told.append
    result = am.augment(data, tmp_path / "out", heldout=held, method="classic", gates=[], progress=watcher)
    assert result.leak_check["held_out"] == 2 and result.skipped == ()
    assert "warning: heldout: 3 samples cannot be used; see skipped.jsonl" in told
    rows = jsonl(tmp_path / "out/skipped.jsonl")
    assert [row["source"] for row in rows] == ["heldout"] * 3 and rows[0]["id"] == "held.jsonl:2"
    told.clear()
    verify(tmp_path / "out", against=held, progress=watcher)
    assert any("--against: 3 samples cannot be used" in line for line in told)


def test_near_copies_of_held_out_texts_are_dropped_and_drawn_again(data, tmp_path, parrot):
    held = tmp_path / "held.csv"
    recipes = [
        (f"recipe {i} asks for {i + 3} spoons of {['salt', 'sugar', 'yeast'][i % 3]}", "tell") for i in range(18)
    ]
    write_csv(held, [(SECRET, "tell"), *recipes])
    result = am.augment(data, tmp_path / "out", heldout=held, factor=4, **parrot)
    assert result.exit_code == 0 and sum(result.made.values()) == 30
    counts = result.leak_check
    assert counts["held_out"] == 19 and counts["flagged"] >= 5
    assert not any("lighthouse" in row["text"] for row in read(result.out / "train.csv"))
    leaks = [row for row in jsonl(result.out / "rejects.jsonl") if row["gate"] == "leak"]
    assert len(leaks) == counts["flagged"] and {row["nearest"] for row in leaks} == {"heldout:held.csv:2"}
    assert "held-out texts" in (result.out / "README.md").read_text()
    assert verify(result.out, against=held).exit_code == 0


def test_verify_finds_the_copies_that_nobody_looked_for(data, tmp_path, parrot):
    held = write_csv(tmp_path / "held.csv", [(SECRET, "tell")])
    out = am.augment(data, tmp_path / "out", factor=4, **parrot).out
    copies = {row["id"] for row in read(out / "train.csv") if "lighthouse" in row["text"]}
    found = verify(out, against=held).against
    assert copies and {leak.id for leak in found.leaks} == copies and found.compared == 30
    with pytest.raises(DataError, match="pictures, and the children are texts"):
        verify(out, against=save(tmp_path / "a/0.png", pattern((8, 8))).parent)


def test_test_rows_are_held_out_too(tmp_path, parrot):
    write_csv(tmp_path / "in/train.csv", texts(10))
    write_csv(tmp_path / "in/test.csv", [(SECRET, "tell"), *texts(14)[10:]], first=10)
    result = am.augment(tmp_path / "in", tmp_path / "out", **parrot)
    assert result.leak_check["held_out"] == 5
    assert not any("lighthouse" in row["text"] for row in read(result.out / "train.csv"))
    before, after = read(tmp_path / "in/test.csv"), read(result.out / "test.csv")
    assert [{key: row[key] for key in before[0]} for row in after] == before
    assert [near.nearest for near in inspect(result.out, near=True).near] == []


def test_inspect_finds_near_copies_between_splits(tmp_path):
    write_csv(tmp_path / "in/train.csv", [*texts(10), (SECRET.replace("second", "third"), "tell")])
    write_csv(tmp_path / "in/test.csv", [(SECRET, "tell"), *texts(14)[11:]], first=10)
    (found,) = inspect(tmp_path / "in", near=True).near
    assert (found.id, found.nearest) == ("train.csv:12", "test.csv:2")


def test_the_report_shows_parents_and_children_word_by_word(data, tmp_path, parrot):
    held = write_csv(tmp_path / "h.csv", [(SECRET, "tell")])
    out = am.augment(data, tmp_path / "out", factor=3, heldout=held, **parrot).out
    data.unlink()  # a report opens no input
    facts = gather(out, Finished(out))
    real = {f"data:reviews.csv:{i}": text for i, (text, _) in enumerate(texts(10), start=2)}
    assert len(facts.strips) == 16 and facts.strips_total == 20 and facts.rejections
    for strip in facts.strips:
        ((parent, weight),) = strip.parents
        assert parent.texts == (("", real[parent.name]),) and weight == 1.0
        ((_, text),) = strip.child.texts
        assert text.startswith(real[parent.name])
    assert "lighthouse" in facts.rejections[0].strip.child.texts[0][1]
    assert [(row.before, row.asked, row.made) for row in facts.classes] == [(5, 10, 10), (5, 10, 10)]
    page = (out / "report/index.html").read_text()
    assert "where does the river" in page and "data:image/png" not in page
