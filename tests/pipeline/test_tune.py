"""Choosing among candidates, or abstaining: what helps ships, what does not does not, and no row is seen twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from linear import CLASSES, Linear, cloud

from augmint.core.types import Budget, Sample, TrainingSet
from augmint.pipeline.arms import NONE, Arm
from augmint.pipeline.lift_data import rows_of
from augmint.pipeline.minting import Children, Fold, training_set
from augmint.pipeline.splits import deal
from augmint.pipeline.tune import Choice, Scheme, choose
from augmint.pipeline.validation import Validator, provable

BUDGET = Budget(updates=60)
SCHEME = Scheme()


def mint(arm: Arm, fold: Fold, rng: np.random.Generator) -> TrainingSet:
    """What the arm's name says: true rows, copies, or copies of which 40 % carry another label."""
    new: tuple[Sample, ...] = ()
    if arm.name.startswith("true"):
        new = cloud(np.random.default_rng(5), 40)
    if arm.name.startswith("copies"):
        new = fold.real * 5
    if arm.name.startswith("wrong"):
        flips = [(rng.random() < 0.4, int(rng.integers(1, 4))) for _ in fold.real * 5]
        new = tuple(
            replace(s, target=CLASSES[(CLASSES.index(s.target) + by) % 4]) if flip else s
            for s, (flip, by) in zip(fold.real * 5, flips, strict=True)
        )
    y = np.array([[s.target == name for name in CLASSES] for s in new], np.float32).reshape(-1, 4)
    parents = tuple([("pool:x", 1.0)] for _ in new)
    return training_set(arm, fold, Children(new, y, parents), rng)


def chosen(names: str, seed: int, shots: int = 12, scheme: Scheme = SCHEME) -> Choice:
    fold = Fold(cloud(np.random.default_rng([seed, 1]), shots), CLASSES)
    arms = [Arm(name) for name in names.split()]
    return choose(arms, fold, Linear, BUDGET, mint, np.random.default_rng(seed), scheme=scheme)


@pytest.mark.parametrize("seed", range(3))
def test_true_rows_ship(seed: int) -> None:
    found = chosen("copies true wrong", seed)
    assert found.arm is not None and found.arm.name == "true"
    assert found.verdict is not None and found.verdict.hits.mean > 0
    assert found.reason.startswith("true: +")


def test_copies_and_wrong_labels_do_not() -> None:
    shipped = [found.arm.name for seed in range(20) if (found := chosen("copies wrong copies2", seed)).arm]
    assert len(shipped) <= 2 and "wrong" not in shipped


def test_the_same_seed_makes_the_same_choice() -> None:
    assert chosen("copies true", 4) == chosen("copies true", 4)


def test_costs_what_it_says() -> None:
    # The reference and three candidates on one fold; four folds with and without; the second repeat with hope only.
    assert chosen("copies true wrong", 0, scheme=Scheme(folds=5, repeats=1)).fits == 4 + 8
    assert chosen("true", 0, scheme=Scheme(folds=5, repeats=2)).fits == 20
    assert chosen("wrong", 0, scheme=Scheme(folds=5, repeats=3)).fits == 10


def test_rows_of_the_choice_have_no_part_in_the_proof() -> None:
    asked: list[tuple[str, frozenset[str]]] = []

    def watching(arm: Arm, fold: Fold, rng: np.random.Generator) -> TrainingSet:
        asked.append((arm.name, frozenset(sample.id for sample in fold.real)))
        return mint(arm, fold, rng)

    everything = cloud(np.random.default_rng(0), 12)
    ids = frozenset(sample.id for sample in everything)
    arms = [Arm("copies"), Arm("true")]
    choose(arms, Fold(everything, CLASSES), Linear, BUDGET, watching, np.random.default_rng(0))
    choice = ids - asked[0][1]
    assert {seen for _, seen in asked[:3]} == {ids - choice} and len(choice) >= 8
    assert all(choice <= seen for _, seen in asked[3:])  # trained on, not tested on
    proved = [ids - seen for name, seen in asked[3:] if name == "none"]
    assert sorted(id_ for fold in proved[:3] for id_ in fold) == sorted(ids - choice)


def test_one_row_of_a_class_cannot_be_validated() -> None:
    found = chosen("true", 0, shots=1)
    assert found.arm is None and "too few" in found.reason and found.fits == 0
    assert chosen("", 0).reason == "no candidate"


def test_groups_stay_together() -> None:
    samples = [replace(s, group=f"g{i // 3}") for i, s in enumerate(cloud(np.random.default_rng(0), 12))]
    rows = rows_of(samples, CLASSES)
    fold = deal(rows, provable(rows), 4, np.random.default_rng(1))
    units = np.unique(rows.units)
    assert len(units) == 16
    assert all(len({int(fold[i]) for i in np.flatnonzero(rows.units == unit)}) == 1 for unit in units)


def test_a_candidate_and_the_reference_meet_the_same_luck() -> None:
    """An arm that mints nothing is the reference under another name, to the last bit."""
    bench = Validator(Fold(cloud(np.random.default_rng(0), 6), CLASSES), Linear, BUDGET, mint, 3)
    at = provable(bench.rows)
    one, two = (bench.out_of_fold(arm, at, 3, 0) for arm in (NONE, Arm("nothing")))
    np.testing.assert_array_equal(one.probability, two.probability)
    again = bench.out_of_fold(NONE, at, 3, 1)
    assert not np.array_equal(one.fold, again.fold)
