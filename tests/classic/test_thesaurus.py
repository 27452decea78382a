"""Thesauri in all their forms, and regular English endings."""

from __future__ import annotations

import gzip
import json
import sys
import types
from pathlib import Path

import pytest

from augmint.classic.inflections import forms_of, gerund, past, plural, third_person
from augmint.classic.thesaurus import OWN, Thesaurus, load_thesaurus, read_thesaurus
from augmint.classic.wording import STOP_WORDS
from augmint.core.errors import DataError, ModelError, UsageError

SYNSETS = [
    ["n", ["movie", "film", "moving picture", "pic"], []],
    ["n", ["film", "photographic film"], [0]],
    ["v", ["film", "shoot", "take"], []],
    ["v", ["stop", "halt"], []],
    ["a", ["big", "large"], []],
]
LEMMAS = {
    "movie": {"n": [0]}, "film": {"n": [0, 1], "v": [2]}, "pic": {"n": [0]}, "shoot": {"v": [2]}, "take": {"v": [2]},
    "stop": {"v": [3]}, "halt": {"v": [3]}, "big": {"a": [4]}, "large": {"a": [4]}, "moving picture": {"n": [0]},
}  # fmt: skip


def write_database(root: Path) -> Path:
    """A WordNet database of the synsets above, as wndb(5WN) says."""
    root.mkdir(parents=True)
    names = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}
    offsets: dict[int, int] = {}
    for part, name in names.items():
        data = b"  1 This software and database is being provided\n"
        for number, (kind, words, _) in enumerate(SYNSETS):
            if kind == part:
                offsets[number] = len(data)
                members = " ".join(f"{word.replace(' ', '_')} 0" for word in words)
                data += f"{len(data):08d} 03 {part} {len(words):02x} {members} 000 | a gloss\n".encode()
        (root / f"data.{name}").write_bytes(data)
        lines = ["  1 This software and database is being provided"]
        for lemma, parts in sorted(LEMMAS.items()):
            if part in parts:
                at = " ".join(f"{offsets[number]:08d}" for number in parts[part])
                count = len(parts[part])
                lines.append(f"{lemma.replace(' ', '_')} {part} {count} 1 @ {count} 0 {at}  ")
        (root / f"index.{name}").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


@pytest.fixture(params=["json", "json.gz", "database"])
def wordnet(request, tmp_path) -> Thesaurus:
    text = json.dumps({"synsets": SYNSETS, "lemmas": LEMMAS})
    if request.param == "database":
        return read_thesaurus(write_database(tmp_path / "dict"))
    path = tmp_path / f"wordnet.{request.param}"
    path.write_bytes(gzip.compress(text.encode()) if request.param.endswith("gz") else text.encode())
    return read_thesaurus(path)


def test_every_form_of_a_wordnet_says_the_same(wordnet):
    assert set(wordnet.synonyms("movie")) == {"film", "pic"}  # one word each
    assert set(wordnet.synonyms("movies")) == {"films", "pics"}
    assert set(wordnet.synonyms("film")) == {"movie", "pic", "shoot", "take"}  # the first sense of each part of speech
    assert wordnet.synonyms("filmed") == ()  # shot, took: no regular form
    assert wordnet.synonyms("stopped") == ("halted",) and wordnet.synonyms("stopping") == ("halting",)
    assert wordnet.synonyms("halts") == ("stops",) and wordnet.synonyms("big") == ("large",)
    assert wordnet.synonyms("bigs") == () and wordnet.synonyms("zebra") == ()
    assert len(wordnet.sha256) == 64


def test_a_list_is_taken_as_it_is(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes("\ufeff# remark\r\n\r\nAuto\tWagen, PKW\r\nschön\thübsch\n".encode())
    found = read_thesaurus(path)
    assert found.synonyms("auto") == ("Wagen", "PKW") and found.synonyms("schön") == ("hübsch",)
    assert found.synonyms("autos") == ()  # no endings of another language


def test_nltk_is_read_where_it_is(tmp_path, monkeypatch):
    root = write_database(tmp_path / "corpora" / "wordnet")

    class Pointer:
        def __init__(self, path: Path) -> None:
            self.path = path

        def join(self, name: str) -> Pointer:
            return Pointer(self.path / name)

        def open(self):
            return self.path.open("rb")

    def find(name: str) -> Pointer:
        if name != "corpora/wordnet.zip/wordnet/":
            raise LookupError(name)
        return Pointer(root)

    nltk, data = types.ModuleType("nltk"), types.ModuleType("nltk.data")
    data.find = find  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "nltk", nltk)
    monkeypatch.setitem(sys.modules, "nltk.data", data)
    load_thesaurus.__globals__["_nltk"].cache_clear()
    found = load_thesaurus("nltk")
    load_thesaurus.__globals__["_nltk"].cache_clear()
    assert found is not None and set(found.synonyms("movie")) == {"film", "pic"}
    assert found.sha256 == read_thesaurus(root).sha256


def test_nltk_that_is_not_there_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "nltk.data", None)
    monkeypatch.setitem(sys.modules, "nltk", None)
    load_thesaurus.__globals__["_nltk"].cache_clear()
    with pytest.raises(ModelError, match="not installed"):
        load_thesaurus("nltk")


BROKEN = {
    "no tab": b"film movie\n",
    "no synonym": b"film\t , \n",
    "another JSON": b'{"words": []}',
    "cut JSON": b'{"synsets": [',
    "synset out of range": b'{"synsets": [], "lemmas": {"a": {"n": [4]}}}',
    "cut gz": gzip.compress(b"film\tmovie\n" * 50)[:20],
    "not text": b"\xff\xfe\x00film",
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_thesaurus_is_said(what, tmp_path):
    path = tmp_path / "t"
    path.write_bytes(BROKEN[what])
    with pytest.raises(DataError, match="thesaurus"):
        read_thesaurus(path)


def test_a_broken_database_is_said(tmp_path):
    root = write_database(tmp_path / "dict")
    (root / "index.verb").write_text("film v one 1 @ 1 0 zero\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 1"):
        read_thesaurus(root)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UsageError, match="No such file"):
        read_thesaurus(empty)


def test_our_own_list():
    assert OWN.stat().st_size < 1_000_000
    text = gzip.decompress(OWN.read_bytes()).decode()
    assert "CC BY 4.0" in text and "Princeton University" in text
    found = read_thesaurus(OWN)
    assert len(found.entries) > 3000 and not STOP_WORDS & set(found.entries)
    assert "film" in found.synonyms("movie") and "films" in found.synonyms("movies")
    words = {word for entries in found.entries.values() for _, others in entries for word in others}
    assert all(word.isalpha() and word.islower() for word in words) and not STOP_WORDS & words


@pytest.mark.parametrize(
    ("inflect", "pairs"),
    [
        (
            plural,
            "film films;city cities;day days;box boxes;church churches;hero heroes;radio radios;man None;life None",
        ),
        (third_person, "play plays;try tries;miss misses;go goes;have None"),
        (past, "play played;try tried;love loved;stop stopped;visit visited;show None;fix fixed;go None"),
        (gerund, "play playing;love loving;stop stopping;see seeing;die dying;fix fixing;be being;dye dyeing"),
    ],
)
def test_endings(inflect, pairs):
    for pair in pairs.split(";"):
        word, form = pair.split()
        assert inflect(word) == (None if form == "None" else form)


@pytest.mark.parametrize(
    ("word", "lemma"),
    [("movies", "movie"), ("cities", "city"), ("boxes", "box"), ("rated", "rate"), ("stopped", "stop"),
     ("tried", "try"), ("making", "make"), ("dying", "die"), ("visiting", "visit")],
)  # fmt: skip
def test_a_word_is_a_form_of_its_lemma(word, lemma):
    found = [one for one, _, _ in forms_of(word)]
    assert found[0] == word and lemma in found and "rat" not in found
