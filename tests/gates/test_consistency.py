from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from augmint.checks import example_latents
from augmint.gates.consistency import Consistency

REAL = example_latents((40, 40, 40), (6,), seed=1)
FRESH = REAL.take(np.arange(1, 120, 2))
TAUGHT = REAL.take(np.arange(0, 120, 2))


def test_right_labels_pass_and_wrong_ones_do_not() -> None:
    gate = Consistency().fit(TAUGHT)
    wrong = dataclasses.replace(FRESH, y=np.roll(FRESH.y, 1, axis=1))
    assert gate.keep(FRESH).mean() >= 0.9
    assert gate.keep(wrong).mean() <= 0.1


def test_a_stray_row_scores_less() -> None:
    gate = Consistency().fit(TAUGHT)
    own, other = FRESH.z[FRESH.labels == 0], FRESH.z[FRESH.labels == 1].mean(axis=0)
    scores = []
    for share in (0.0, 0.5, 1.0):
        moved = dataclasses.replace(FRESH.take(FRESH.labels == 0), z=(own + share * (other - own)).astype(np.float32))
        scores.append(gate.score(moved).mean())
    assert scores == sorted(scores, reverse=True)


def test_the_threshold_never_exceeds_a_half() -> None:
    assert (Consistency().fit(TAUGHT).threshold_ <= 0.5).all()


@pytest.mark.parametrize(("counts", "expected"), [((5, 5), 0.5), ((2,) * 5, 0.3), ((1,) * 10, 0.15), ((3,), 0.5)])
def test_small_classes_ask_for_more_than_chance(counts: tuple[int, ...], expected: float) -> None:
    assert Consistency().fit(example_latents(counts)).threshold_ == pytest.approx(expected)


def test_a_class_without_rows_is_rejected() -> None:
    gate = Consistency().fit(example_latents((5, 0, 5)))
    assert not gate.keep(example_latents((0, 3, 0), seed=2)).any()


def test_a_judge_that_knows_nothing_is_told() -> None:
    assert Consistency().fit(TAUGHT).told() == []
    rng = np.random.default_rng(0)
    noise = dataclasses.replace(TAUGHT.take(np.arange(12)), z=rng.normal(size=(12, 6)).astype(np.float32))
    labels = np.eye(3, dtype=np.float32)[np.arange(12) % 3]
    gate = Consistency().fit(dataclasses.replace(noise, y=labels))
    (told,) = gate.told()
    assert told.startswith("warning: the judge would reject") and f"of {gate.missed_[1]} real rows" in told
    assert Consistency().load(gate.state()).told() == [told]
    old = {name: value for name, value in gate.state().items() if name != "missed"}
    assert Consistency().load(old).told() == []
