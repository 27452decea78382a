"""Gates on the contents of texts: copies, what has drifted from its parent, and what reads badly."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("transformers")

from augmint.checks import check_content_gate
from augmint.core.types import Latents, Sample
from augmint.gates.copy import Copy
from augmint.gates.fluency import Fluency
from augmint.gates.meaning import Meaning
from augmint.models import load_lm
from tiny_folders import write_folder

TEXTS = ("The cat sat.", "A dog ran, far away", "...", "", "it was hungry; it ate", "Straße nach Rom")


def samples(texts: tuple[object, ...]) -> list[Sample]:
    return [Sample(f"t{i}", text) for i, text in enumerate(texts)]


def rows(z: list[list[float]]) -> Latents:
    n = len(z)
    return Latents(np.array([f"t{i}" for i in range(n)]), np.array(z, np.float32), np.ones((n, 2), np.float32) / 2)


def copied(*children: object, real: tuple[object, ...] = TEXTS) -> list[float]:
    gate = Copy().fit(samples(real), rows([[1.0]] * len(real)))
    assert gate.threshold_.tolist() == [0.5, 0.5]
    new = samples(children)
    return gate.score(new, rows([[1.0]] * len(new)), [["data:t0"]] * len(new)).tolist()


def test_a_real_text_in_another_dress_is_a_copy() -> None:
    assert copied("the CAT sat", " The  cat\nsat!!", "a dog ran far away.", "...", "STRASSE NACH ROM") == [0.0] * 5


def test_new_texts_are_none() -> None:
    assert copied("The cat sat down", "sat the cat", "A dog ran", "....", "catsat the") == [1.0] * 5


def test_an_empty_text_is_no_sample() -> None:
    assert copied("", " \n", real=("rain",)) == [0.0, 0.0]
    assert copied({"a": "", "b": " "}, {"a": "", "b": "x"}, real=({"a": "r", "b": "s"},)) == [0.0, 1.0]


def test_pairs_are_copies_column_by_column() -> None:
    real = ({"a": "It rains.", "b": "It is wet."},)
    assert copied({"a": "it rains", "b": "IT IS WET"}, {"a": "it is wet", "b": "it rains"}, real=real) == [0.0, 1.0]


def test_meaning_is_the_cosine_with_the_nearest_parent() -> None:
    gate = Meaning().fit(samples(("a", "b")), rows([[2.0, 0.0], [0.0, 1.0]]))
    children, fake = samples(("x", "y", "z", "w")), rows([[3.0, 4.0], [3.0, 4.0], [-1.0, 0.0], [float("nan"), 0.0]])
    refs = [["data:t0"], ["data:t0", "data:t1"], ["pool:p"], ["data:t0"]]
    np.testing.assert_allclose(gate.score(children, fake, refs), [0.6, 0.8, 1.0, -1.0], rtol=1e-6)


def test_meaning_asks_for_more_than_two_real_texts_have_in_common() -> None:
    angles = np.array([0.0, 10.0, 60.0, 150.0])
    z = np.stack([np.cos(np.deg2rad(angles)), np.sin(np.deg2rad(angles))], 1)
    apart = [np.cos(np.deg2rad(abs(a - b))) for i, a in enumerate(angles) for j, b in enumerate(angles) if i != j]
    for quantile in (0.0, 0.5, 0.95):
        gate = Meaning(quantile=quantile).fit(samples(("a",) * 4), rows(z.tolist()))
        np.testing.assert_allclose(gate.threshold_, np.quantile(apart, quantile), atol=1e-6)
    alone = Meaning().fit(samples(("a",)), rows([[1.0, 0.0]]))
    assert alone.threshold_.tolist() == [0.0, 0.0]


def test_meaning_looks_at_some_pairs_of_many_rows() -> None:
    z = np.random.default_rng(0).standard_normal((600, 8))
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    every = (unit @ unit.T)[~np.eye(600, dtype=bool)]
    found = Meaning().fit(samples(("a",) * 600), rows(z.tolist())).threshold_[0]
    assert found == pytest.approx(np.quantile(every, 0.95), abs=0.02)


def test_a_quantile_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="quantile"):
        Meaning(quantile=1.0)


class OneWordModel:
    """A masked language model of four tokens that knows one probability each, whatever stands around; counts passes."""

    mask = 9
    words = ("the", "cat", "sat", "zq")

    def __init__(self) -> None:
        self.shown: list[list[int]] = []

    def cut(self, texts: list[str], room: int = 0) -> list[tuple[list[int], list[tuple[int, int]]]]:
        found = []
        for text in texts:
            tokens, spans, at = [8], [(0, 0)], 0
            for word in text.split():
                at = text.index(word, at)
                tokens.append(self.words.index(word))
                spans.append((at, at + len(word)))
                at += len(word)
            found.append(([*tokens, 8], [*spans, (0, 0)]))
        return found

    def logits(self, rows: list[list[int]], places: list[list[int]]) -> list[np.ndarray]:
        self.shown += rows
        assert all(row[at] == self.mask for row, own in zip(rows, places, strict=True) for at in own)
        odds = np.log(np.array([4.0, 2.0, 1.0, 1.0], np.float32))
        return [np.tile(odds + 3, (len(own), 1)) for own in places]


def test_fluency_is_the_mean_log_probability_of_hidden_tokens() -> None:
    lm = OneWordModel()
    gate = Fluency(passes=2, quantile=0.5, lm=lm).fit(samples(("the", "cat", "zq")), rows([[1.0]] * 3))
    np.testing.assert_allclose(gate.threshold_, np.log([0.25, 0.25]), rtol=1e-5)
    lm.shown.clear()
    found = gate.score(samples(("the cat sat", "zq", "", {"a": "the", "b": "zq"})), rows([[1.0]] * 4), [[]] * 4)
    logs = [(np.log(0.5) + np.log(0.25) + np.log(0.125)) / 3, np.log(0.125), -50, (np.log(0.5) + np.log(0.125)) / 2]
    np.testing.assert_allclose(found, logs, rtol=1e-5)
    assert lm.shown == [[8, 9, 1, 9, 8], [8, 0, 9, 2, 8], [8, 9, 8], [8, 9, 8], [8, 9, 8]], "every second one at once"


def test_fluency_reads_some_of_many_texts() -> None:
    lm = OneWordModel()
    Fluency(most=4, lm=lm).fit(samples(("the",) * 10), rows([[1.0]] * 10))
    assert len(lm.shown) == 4
    for wrong in ({"passes": 1}, {"quantile": 1.0}, {"most": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Fluency(**wrong)


def test_fluency_keeps_the_laws(tmp_path: Path) -> None:
    lm = load_lm(str(write_folder("bert-masked-lm", tmp_path / "tiny")), kind="masked-lm")
    check_content_gate(lambda: Fluency(lm=lm), samples(("the cat sat", "a dog ran far", "...", "", "it was", "red")))


@pytest.mark.shared
def test_shuffled_words_read_worse(shared_data: Path) -> None:
    rng, gate, worse, caught = np.random.default_rng(0), Fluency(lm=load_lm("tiny-text")), list[bool](), list[bool]()
    for name in ("sst2", "trec6", "snips", "banking77"):
        with gzip.open(shared_data / "text" / f"{name}.jsonl.gz", "rt", encoding="utf8") as lines:
            own = [row["text"] for row in map(json.loads, lines) if row["split"] == "test"]
        texts = [text for text in own[:: len(own) // 15] if len(text.split()) > 4]
        mixed = [" ".join(rng.permutation(text.split())) for text in texts]
        gate.fit(samples(tuple(texts)), rows([[1.0]] * len(texts)))
        before, after = (gate.score(samples(tuple(some)), rows([[1.0]] * len(some)), []) for some in (texts, mixed))
        worse += (after < before).tolist()
        caught += (after < gate.threshold_[0]).tolist()
    assert len(worse) > 50 and np.mean(worse) >= 0.95
    assert np.mean(caught) > 0.4


def test_pairs_of_many_texts_are_not_all_written_down() -> None:
    m = 4000
    z = np.random.default_rng(0).standard_normal((m, 4)).astype(np.float32).tolist()
    tracemalloc.start()
    Meaning().fit([], rows(z))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10e6, "16 million pairs as numbers of 8 bytes would be 128 MB"
