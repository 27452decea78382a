"""The report of a run on texts shows the very texts of its table, beside those of their parents."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

import augmint as am
from augmint.core.types import ReadOptions
from augmint.formats.tables import originals
from augmint.pipeline.finished import Finished
from augmint.pipeline.reporting import gather

PLAIN = {"method": "classic", "gates": [], "unit_size": 3}
ROWS = [
    ("what is the capital of Peru, please?", "ask"), ("the train to Oslo leaves at noon", "tell"),
    ("where does the river Nile begin", "ask"), ("she sent a letter from Quito <today>", "tell"),
    ("which town lies near Cairo", "ask"), ("I have never been to Perth before", "tell"),
]  # fmt: skip


def write(path: Path, names: list[str], rows: list[tuple[str, ...]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(names)
        table.writerows(rows)
    return path


def rows_of(out: Path, name: str = "train.csv") -> list[dict[str, str]]:
    with (out / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("texts")
    data = write(folder / "said.csv", ["utter", "label"], ROWS)
    return am.augment(data, folder / "out", factor=3, text="utter", **PLAIN).out


def test_strips_show_the_very_texts(out):
    table = {row["id"]: row for row in rows_of(out)}
    facts = gather(out, Finished(out))
    assert len(facts.strips) == facts.strips_total == 12
    for strip in facts.strips:
        row = table[strip.child.name]
        assert strip.child.texts == (("", row["utter"]),) and strip.label == row["label"]
        assert [shown.name for shown, _ in strip.parents] == json.loads(row["refs"])
        for shown, weight in strip.parents:
            assert shown.texts == (("", table[shown.name.removeprefix("data:")]["utter"]),) and weight == 1


def test_the_page_has_texts_and_no_pictures(out):
    page = (out / "report/index.html").read_text(encoding="utf-8")
    assert "<ins>" in page and "<del>" in page and "<img" not in page and "&lt;today&gt;" in page
    assert not (out / "report/contact_sheet.png").exists()
    assert "From one sample to another" in page and "texts are not decoded" in page


def test_a_draw_comes_out_of_its_unit(out):
    run = Finished(out)
    row = next(iter(run.children()))
    assert run.drawn(row).texts == run.child(row).texts != ()
    assert run.drawn({**row, "id": "syn-none"}).texts == ()


def test_pairs_are_shown_by_column_and_children_alone_by_name(tmp_path):
    rows = [(question, "a line " * 3 + question, label) for question, label in ROWS]
    data = write(tmp_path / "pairs.csv", ["question", "answer", "label"], rows)
    made = am.augment(data, tmp_path / "both", text="question,answer", **PLAIN).out
    strip = gather(made, Finished(made)).strips[0]
    assert [column for column, _ in strip.child.texts] == ["question", "answer"]
    assert [column for column, _ in strip.parents[0][0].texts] == ["question", "answer"]
    alone = am.augment(data, tmp_path / "alone", text="question,answer", synthetic_only=True, **PLAIN).out
    strip = gather(alone, Finished(alone)).strips[0]
    assert strip.child.texts and strip.parents[0][0].texts == () and strip.parents[0][0].name.startswith("data:")


def test_originals_are_found_without_reading_on(out):
    table = rows_of(out)
    found = originals(out, {table[0]["id"], "nobody"}, ReadOptions(text="utter"))
    assert found == {table[0]["id"]: table[0]["utter"]}
    assert originals(out, set(), ReadOptions(text="utter")) == {}
