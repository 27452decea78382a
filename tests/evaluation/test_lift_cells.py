"""Rows of the big table (benchmarks/lift_cells.py): what is measured on holds every class as often."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.mark.shared
@pytest.mark.parametrize("name", ["cifar10", "digits"])
def test_measured_rows_hold_every_class_alike(name: str, shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from lift_cells import task

    pairs = [task(name, 5, pair) for pair in (0, 19)]
    for pair in pairs:
        assert np.bincount(pair.y_test).tolist() == [100] * 10
        assert np.bincount(pair.y).tolist() == [5] * 10
        assert len(np.unique(np.concatenate([pair.train, pair.pool, pair.test]))) == 50 + 2000 + 1000
    assert np.array_equal(pairs[0].test, pairs[1].test)


def test_even_takes_so_many_of_each_class_of_sorted_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from lift_cells import even

    labels = np.repeat([0, 1, 2], [7, 4, 5])
    taken = even(labels, 3)
    assert np.bincount(labels[taken]).tolist() == [3, 3, 3]
    assert len(np.unique(taken)) == 9


def test_an_arm_of_some_pairs_is_measured_on_these_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from lift_stats import few

    def arm(right: list[int]) -> dict[str, Any]:
        bits = np.packbits(np.array(right, np.uint8)).tobytes().hex()
        return {"right": bits, "rows": 4, "scores": {"accuracy": sum(right) / 4}, "minted": 0, "seconds": 0.0}

    pairs: list[dict[str, Any]] = [
        {"shared": 0.0, "same_test": False, "arms": {"none": arm([1, 0, 0, 0]), "all": arm([1, 1, 0, 0])}}
        for _ in range(4)
    ]
    for pair, right in zip(pairs[:3], ([1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]), strict=True):
        pair["arms"]["some"] = arm(right)
    pairs[0]["arms"]["once"] = arm([1, 1, 1, 1])
    found = few(pairs, ["none", "all", "some", "once", "never"])
    assert list(found) == ["some"]
    assert found["some"]["lift"]["pairs"] == 3
    assert found["some"]["lift"]["mean"] == pytest.approx(0.5)


def cell(pairs: int, **gains: float) -> dict[str, Any]:
    """A cell of the results whose arms gain so much, with noise, over none."""
    rng = np.random.default_rng(3)
    none = rng.uniform(0.4, 0.6, pairs)
    arms: dict[str, Any] = {"none": {"values": none.tolist()}}
    for name, gain in gains.items():
        p = float(np.exp(-1000.0 * gain))
        lift = {"mean": gain, "low": gain - 0.01, "high": gain + 0.01, "p_value": p, "pairs": pairs}
        arms[name] = {"values": (none + gain).tolist(), "lift": lift}
    return {"name": "one", "pairs": pairs, "shared": 0.0, "arms": arms}


def test_an_arm_measured_later_joins_its_cell_and_is_counted_among_the_comparisons(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from lift_stats import merged

    old, new = cell(6, a=0.02), cell(6, b=0.003)
    found = merged(old, new, ["none", "b", "a"])
    assert list(found["arms"]) == ["none", "b", "a"] and found["pairs"] == 6
    first, second = (found["arms"][name]["lift"]["p_adjusted"] for name in ("a", "b"))
    assert first == pytest.approx(2 * np.exp(-20.0), abs=1e-5)  # Holm: the smaller of two counts twice
    assert second == pytest.approx(np.exp(-3.0), abs=1e-5)
    few = merged(old, cell(4, b=0.003), ["none", "a", "b"])
    assert few["arms"]["b"]["pairs"] == 4 and "p_adjusted" not in few["arms"]["b"]["lift"]
    assert merged({}, new, ["none", "b"]) == new
    assert merged(old, {"name": "one", "arms": {}}, ["none"]) == old


def test_arms_whose_none_is_another_do_not_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from lift_stats import merged

    old, new = cell(6, a=0.02), cell(6, b=0.003)
    near, far = cell(6, b=0.003), cell(4, b=0.003)
    near["arms"]["none"]["values"][2] += 0.002
    far["arms"]["none"]["values"][2] += 0.02
    assert set(merged(old, near, ["none", "a", "b"])["arms"]) == {"none", "a", "b"}
    assert merged(old, near, ["none", "a", "b"])["arms"]["none"] == old["arms"]["none"]
    assert merged(old, far, ["none", "a", "b"]) == old  # fewer pairs of something else
    new["arms"]["none"]["values"][0] += 0.02
    assert merged(old, new, ["none", "a", "b"]) == new


def test_the_best_arm_is_scored_where_it_was_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from lift_stats import crossed, oracle, whole

    arms = {
        "none": {"values": [0.5, 0.5, 0.5, 0.5]},
        "even": {"values": [0.9, 0.1, 0.9, 0.2]},
        "odd": {"values": [0.3, 0.8, 0.4, 0.8]},
    }
    scores, chosen = crossed(arms, ["even", "odd"])
    assert chosen == ["odd", "even"]  # for the even pairs by the odd ones, and the other way round
    assert scores.tolist() == [0.3, 0.1, 0.4, 0.2]
    assert oracle(arms, ["even", "odd"])["gain"] == pytest.approx(0.25 - 0.5)
    assert whole({"pairs": 4, "arms": {**arms, "few": {"values": [1.0]}}}, ["few", "odd", "never"]) == ["odd"]


def test_what_auto_does_is_summed_up_over_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from lift_stats import auto, autos

    good, idle = cell(6, auto=0.04, best=0.05), cell(6, auto=0.0, best=0.04)
    for one, ships in ((good, 0.5), (idle, 0.0)):
        one["arms"]["auto"]["ships"] = ships
    idle["arms"]["auto"]["lift"]["low"] = -0.011
    rows = {"good": auto(good, ["best"], 0.01), "idle": auto(idle, ["best"], 0.01)}
    assert (rows["good"]["safe"], rows["idle"]["safe"]) == (True, False)
    found = autos(rows, 0.03)
    assert (found["safe_cells"], found["cells_where_oracle_gains"], found["of_these_it_ships_in"]) == (1, 2, 1)
    assert found["abstention_rate"] == pytest.approx(0.75)
    assert autos({}, 0.03) == {}
