from __future__ import annotations

import numpy as np
import pytest
from clouds import clouds

from augmint.evaluation import diversity as module
from augmint.evaluation.diversity import diversity, effective_number, vendi_score


def by_definition(rows: np.ndarray) -> float:
    x = rows.astype(np.float64)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    own = np.linalg.eigvalsh(x @ x.T / len(x))
    own = own[own > 1e-12]
    return float(np.exp(-(own * np.log(own)).sum()))


@pytest.mark.parametrize(("n", "d"), [(5, 20), (60, 20), (20, 20), (1, 3)])
def test_equals_the_whole_kernel_matrix(n: int, d: int) -> None:
    assert vendi_score(clouds(n, d)) == pytest.approx(by_definition(clouds(n, d)), rel=1e-8)


def test_by_hand() -> None:
    eye = np.eye(4, dtype=np.float32)
    assert vendi_score(eye) == pytest.approx(4.0)
    assert vendi_score(np.repeat(eye[:2], 10, axis=0)) == pytest.approx(2.0)  # copies add nothing
    assert vendi_score(7.0 * np.repeat(eye[:1], 9, axis=0)) == pytest.approx(1.0)
    assert effective_number(np.array([0.5, 0.25, 0.25, 0.0])) == pytest.approx(2.0**1.5)
    assert vendi_score(np.zeros((3, 5), np.float32)) == pytest.approx(3.0)
    assert vendi_score(np.zeros((6, 5), np.float32)) == pytest.approx(6.0)


def test_blocks_and_order_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = clouds(300, 12)
    expected = vendi_score(rows)
    assert vendi_score(rows[::-1].copy()) == pytest.approx(expected, rel=1e-10)
    monkeypatch.setattr(module, "BLOCK_NUMBERS", 100)
    assert vendi_score(rows) == pytest.approx(expected, rel=1e-10)


def test_direction_and_reference() -> None:
    real, like, narrow = clouds(300, 12, 1), clouds(200, 12, 2), clouds(200, 12, 3, clusters=2)
    wide, few = diversity(like, real), diversity(narrow, real)
    assert wide.matched == pytest.approx(wide.reference, rel=0.05) and wide.better == "larger"
    assert few.matched < 0.8 * few.reference
    assert wide.low <= wide.value <= wide.high == 12
    half = np.concatenate([clouds(5, 2), np.zeros((5, 2), np.float32)])  # rows of zeros: each stands for itself
    assert 5 < diversity(half).value <= diversity(half).high == 7
    assert np.isnan(diversity(like).reference) and diversity(like[:0]).note == "not enough data"
