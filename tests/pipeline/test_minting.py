"""Minting in memory: the children of a run, nothing but the fold is seen, pictures or rows."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from augmint.core.errors import UsageError
from augmint.core.types import ReadOptions, Sample
from augmint.formats.folders import Folders
from augmint.pipeline.arms import NONE, Arm, parse_arms
from augmint.pipeline.augment import augment
from augmint.pipeline.encodings import Remembered, RowSpace, as_rows
from augmint.pipeline.minting import Children, Fold, Models, mint, training_set
from augmint.pipeline.plan import make_plan
from support import MIXED, PLAIN, children, digit_images, pixels_of, save, write_digits

CLASSES = ("a", "b", "c")


def row_samples(counts=(6, 4, 2), width=5, seed=0, prefix="r"):
    """Samples that are rows, each class around a point of its own."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    rows = 4.0 * np.eye(len(counts), width)[labels] + rng.standard_normal((len(labels), width))
    return tuple(
        Sample(f"{prefix}{i}", row.astype(np.float32), CLASSES[c])
        for i, (row, c) in enumerate(zip(rows, labels, strict=True))
    )


@pytest.fixture
def models(loaded_once):
    return Models(Remembered(loaded_once("tiny-image", size=64)), Remembered(loaded_once("tiny-judge")))


def read(folder, unlabelled=False):
    return tuple(Folders().read(folder, ReadOptions(unlabelled=unlabelled)))


@pytest.mark.parametrize("keys", [PLAIN, {**MIXED, "method": "noise"}], ids=["plain", "gates and refills"])
def test_children_are_those_of_a_run(tmp_path, models, keys):
    data = write_digits(tmp_path / "data", {"0": 6, "1": 3, "7": 5})
    plan = make_plan({**keys, "factor": 3.0, "seed": 3})
    augment(data, tmp_path / "out", factor=3.0, seed=3, **keys)
    on_disk = {row["id"]: row for row in children(tmp_path / "out")}
    made = mint(plan, Fold(read(data), ("0", "1", "7")), models)
    ours = sorted(
        (str(s.target), s.content.tobytes(), tuple(r for r, _ in p))
        for s, p in zip(made.samples, made.parents, strict=True)
    )
    theirs = sorted(
        (row["label"], pixels_of(tmp_path / "out/train" / row["file_name"]).tobytes(), tuple(row["refs"]))
        for row in on_disk.values()
    )
    assert ours == theirs and len(ours) > 0
    assert made.asked == {"0": 12, "1": 6, "7": 10}


def test_picks_are_those_of_a_run(tmp_path, models):
    data = write_digits(tmp_path / "data", {"0": 5, "1": 5})
    for label in (0, 1, 2):
        for i, image in enumerate(digit_images(label, 19)[5:]):
            save(tmp_path / "pool" / f"{label}-{i:02d}.png", image)
    keys = {**PLAIN, "method": "retrieval", "method_options": {"confidence": 0.4}, "unit_size": 3, "factor": 4.0}
    augment(data, tmp_path / "out", pool=tmp_path / "pool", **keys)
    made = mint(make_plan(keys), Fold(read(data), ("0", "1"), read(tmp_path / "pool", True)), models)
    ours = sorted((str(s.target), p[0][0]) for s, p in zip(made.samples, made.parents, strict=True))
    assert ours == sorted((row["label"], row["refs"][0]) for row in children(tmp_path / "out")) and ours
    with pytest.raises(UsageError, match="without a pool"):
        mint(make_plan(keys), Fold(read(data), ("0", "1")), models)


def test_rows_are_minted_in_their_own_space():
    real = row_samples()
    made = mint(make_plan({"factor": 3.0, "gates": ["novelty"]}), Fold(real, CLASSES), Models.of_rows())
    assert len(made) == sum(made.asked.values()) == 24
    assert all(sample.content.shape == (5,) and sample.content.dtype == np.float32 for sample in made.samples)
    assert np.allclose(made.y.sum(axis=1), 1) and [s.target for s in made.samples] == [
        CLASSES[c] for c in made.y.argmax(1)
    ]
    again = mint(make_plan({"factor": 3.0, "gates": ["novelty"]}), Fold(real[::-1], CLASSES), Models.of_rows())
    assert all(np.array_equal(a.content, b.content) for a, b in zip(made.samples, again.samples, strict=True))


def test_nothing_to_make():
    made = mint(make_plan({"factor": 1.0}), Fold(row_samples(), CLASSES), Models.of_rows())
    assert len(made) == 0 and made.y.shape == (0, 3)


def test_remembered_rows_are_the_encoder_s_own():
    seen = []

    class Counting(RowSpace):
        def encode(self, samples):
            seen.append(len(samples))
            return super().encode(samples)

    samples = row_samples()
    encoder = Remembered(Counting(), most_bytes=5 * 4 * 8)
    assert np.array_equal(encoder.encode(samples[:4]), RowSpace().encode(samples[:4]))
    twin = dataclasses.replace(samples[0], id="another name")
    assert np.array_equal(encoder.encode([*samples[:6], twin]), RowSpace().encode([*samples[:6], twin]))
    encoder.encode(samples)
    assert seen == [4, 2, 6]
    encoder.encode(samples[:1])  # forgotten: only eight rows are kept
    assert seen[-1] == 1
    assert encoder.encode([]).shape[0] == 0


def test_an_encoder_that_cannot_decode_says_what_to_do(loaded_once):
    judge = Remembered(loaded_once("tiny-judge"))
    with pytest.raises(UsageError, match="cannot decode"):
        judge.decode(np.zeros((1, 3), np.float32), row_samples()[:1])


def test_as_rows():
    samples = row_samples()
    encoder = dataclasses.replace(RowSpace(), name="other")
    assert [s.id for s in as_rows(samples, encoder)] == [s.id for s in samples]
    assert np.array_equal(as_rows(samples, encoder)[3].content, samples[3].content)


# --- training sets


def test_training_set_by_hand():
    real = row_samples((3, 1, 0))
    child = Children(real[3:], np.array([[0.5, 0.5, 0.0]], np.float32), ((("data:r3", 0.4), ("data:r1", 0.6)),))
    plain = training_set(Arm("x", method="noise"), Fold(real, CLASSES), child, np.random.default_rng(0))
    assert plain.y.tolist() == [[1, 0, 0]] * 3 + [[0, 1, 0], [0.5, 0.5, 0]]
    assert plain.weight.tolist() == [1] * 5 and plain.minted.tolist() == [False] * 4 + [True]
    assert [sample.group for sample in plain.samples] == ["r0", "r1", "r2", "r3", "r1"]


def test_class_weights_make_classes_even():
    real = row_samples((6, 3, 1))
    made = training_set(Arm("w", class_weights=True), Fold(real, CLASSES), Children(y=np.zeros((0, 3), np.float32)),
                        np.random.default_rng(0))  # fmt: skip
    assert np.allclose(made.weight @ made.y, 10 / 3) and np.isclose(made.weight.sum(), 10)


def test_oversampling_repeats_real_rows_until_classes_are_even():
    real = row_samples((6, 3, 0))
    none = Children(y=np.zeros((0, 3), np.float32))
    made = training_set(Arm("o", oversample=True), Fold(real, CLASSES), none, np.random.default_rng(0))
    assert made.y.sum(axis=0).tolist() == [6, 6, 0] and not made.minted.any()
    assert {sample.id for sample in made.samples[9:]} <= {"r6", "r7", "r8"}
    assert all(sample.group == sample.id for sample in made.samples)  # repeats stay beside their original


def test_a_picked_row_is_its_own_group():
    real = row_samples((2, 2, 0))
    pick = Children(real[:1], np.eye(3, dtype=np.float32)[:1], ((("pool:p7", 0.0), ("data:r1", 1.0)),))
    made = training_set(NONE, Fold(real, CLASSES), pick, np.random.default_rng(0))
    assert made.samples[-1].group == "pool:p7"


# --- names


def test_words_of_arms():
    arms = parse_arms("noise, class-weights,noise,retrieval,none,gan+class-weights+on-the-fly", factor=2.0)
    assert [arm.name for arm in arms] == ["none", "noise", "class-weights", "retrieval", "gan+class-weights+on-the-fly"]
    assert arms[0] == NONE and arms[1] == Arm("noise", "noise", factor=2.0)
    assert arms[3].needs_pool and not arms[1].needs_pool
    assert arms[4].method == "gan" and arms[4].class_weights and arms[4].transform == "classic"
    assert arms[4].rewrites and not arms[1].rewrites
    plan = parse_arms(["interpolation"])[1].plan(7, gates=["novelty"])
    assert (plan.method, plan.factor, plan.seed, plan.gates) == ("interpolation", 3.0, 7, ("novelty",))


@pytest.mark.parametrize(
    ("words", "message"),
    [("interpolatoin", "did you mean 'interpolation'"), ("gan+noise", "gan,noise"), ("gan+nise", "arm 'gan.nise'")],
)
def test_wrong_words_of_arms(words, message):
    with pytest.raises(UsageError, match=message):
        parse_arms(words)
