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
