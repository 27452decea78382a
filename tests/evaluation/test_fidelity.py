from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from clouds import clouds

from augmint.core.errors import DataError, UsageError
from augmint.evaluation import balls, diversity, frechet, kernel
from augmint.evaluation.balls import ball_scores
from augmint.evaluation.diversity import vendi_score
from augmint.evaluation.fidelity import fidelity, label_agreement
from augmint.evaluation.frechet import frechet_distance
from augmint.evaluation.kernel import kernel_distance
from augmint.evaluation.memorization import CopyFinder, guess_area
from augmint.numerics import candidates

NAMES = ["frechet", "kernel", "precision", "recall", "density", "coverage"]


def test_each_score_says_how_to_read_it() -> None:
    scores = fidelity(clouds(200, seed=1), clouds(150, seed=2))
    assert list(scores) == NAMES
    for name, score in scores.items():
        assert score.name == name and score.n == 150 and not score.note
        assert score.low <= score.value <= score.high
        assert np.isfinite([score.reference, score.matched]).all()
        assert score.better == ("smaller" if name in ("frechet", "kernel") else "larger")
        if score.interval:
            assert score.interval[0] <= score.value <= score.interval[1]
        assert name in str(score) and "is better" in str(score) and "real against real" in str(score)


def test_rows_like_the_real_ones_score_like_the_reference() -> None:
    scores = fidelity(clouds(600, seed=1), clouds(600, seed=2))
    assert scores["frechet"].matched == pytest.approx(scores["frechet"].reference, rel=0.5)
    for name in NAMES[2:]:
        assert scores[name].matched == pytest.approx(scores[name].reference, abs=0.1)
    # a bare value on more rows would flatter: this is why it is not what is compared
    assert scores["frechet"].value < 0.7 * scores["frechet"].matched


def test_worse_rows_score_worse_than_the_reference() -> None:
    real = clouds(500, seed=1)
    noisy = clouds(500, seed=2) + 3 * np.random.default_rng(0).standard_normal((500, 16)).astype(np.float32)
    for name, score in fidelity(real, noisy).items():
        if name != "recall":
            gap = score.matched - score.reference
            assert gap > 0 if score.better == "smaller" else gap < 0, name


def test_same_seed_same_scores_and_no_reference_on_request() -> None:
    real, minted = clouds(80, seed=1), clouds(60, seed=2)
    assert fidelity(real, minted, seed=3) == fidelity(real, minted, seed=3)
    assert np.isnan(fidelity(real, minted, splits=0)["recall"].reference)


@pytest.mark.parametrize(("m", "n"), [(0, 5), (5, 0), (1, 5), (5, 1)])
def test_too_few_rows_say_so(m: int, n: int) -> None:
    for score in fidelity(clouds(m), clouds(n)).values():
        assert np.isnan(score.value) and score.note == "not enough data" and score.interval is None
        assert "not enough data" in str(score)


def test_two_rows_have_a_value_and_no_reference() -> None:
    score = fidelity(clouds(2), clouds(2, seed=1))["frechet"]
    assert np.isfinite(score.value) and np.isnan(score.reference)


def test_refuses() -> None:
    with pytest.raises(UsageError, match="shape"):
        fidelity(clouds(5, 8), clouds(5, 9))
    with pytest.raises(UsageError, match="shape"):
        fidelity(clouds(5).reshape(5, 4, 4), clouds(5))
    bad = clouds(5)
    bad[1, 1] = np.nan
    with pytest.raises(DataError, match="1 row"):
        fidelity(clouds(5), bad)
    with pytest.raises(UsageError, match="k 0"):
        fidelity(clouds(5), clouds(5), k=0)
    for odd in (clouds(5) + 1j, np.array([["1", "2"]] * 5)):
        with pytest.raises(UsageError, match="of type"):
            fidelity(odd, odd)


def test_agreement_by_hand() -> None:
    probability = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]])
    score = label_agreement(probability, np.array([0, 1, 1, 1]))
    assert score.value == 0.75 and score.n == 4 and score.interval == pytest.approx((0.3006, 0.9544), abs=1e-4)
    soft = np.array([[0.6, 0.4], [0.1, 0.9], [0.2, 0.8], [0.4, 0.6]])
    assert label_agreement(probability, soft, real=(probability[:2], np.array([0, 1]))).reference == 1.0
    assert label_agreement(probability[:0], soft[:0]).note == "not enough data"
    with pytest.raises(ValueError, match="labels"):
        label_agreement(probability, np.array([0]))
    untold = np.where(probability == 0.9, np.nan, probability)  # its place would be class 0, which is its own
    assert label_agreement(untold, np.array([0, 1, 1, 1])).value == 0.5
    unknown = np.where(probability == 0.1, -np.inf, probability)  # a class that the judge does not know
    assert label_agreement(unknown, np.array([0, 1, 1, 1])).value == 0.75


def test_children_of_one_parent_count_as_far_as_they_differ() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 10)

    def width(right: np.ndarray) -> float:
        score = label_agreement(np.stack([right, 1 - right], axis=1), np.zeros(400, int), groups=groups)
        assert score.interval is not None
        return score.interval[1] - score.interval[0]

    same = np.repeat(rng.random(40) < 0.7, 10).astype(float)
    free = (rng.random(400) < 0.7).astype(float)
    assert width(same) > 2.5 * width(free)
    assert width(np.ones(400)) == pytest.approx(1 - 40 / (40 + 1.96**2), abs=1e-4)  # forty parents, not 400 rows


MEASURES = {
    "balls": ball_scores,
    "frechet": frechet_distance,
    "kernel": kernel_distance,
    "vendi": lambda a, b: vendi_score(b),
    "copies": lambda a, b: CopyFinder(a).find(b),
    "membership": lambda a, b: guess_area(a[::2], a[1::2], b),
}


def peak_of(measure: Callable[[np.ndarray, np.ndarray], object], n: int, d: int) -> int:
    a, b = clouds(n, d, 1), clouds(n, d, 2)
    tracemalloc.start()
    measure(a, b)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("name", MEASURES)
def test_memory_is_a_few_blocks(name: str) -> None:
    """A whole matrix of distances would take 196 MB in float32."""
    assert peak_of(MEASURES[name], 7000, 8) < 120e6


@pytest.mark.parametrize("name", MEASURES)
def test_memory_is_flat(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With small blocks, more rows add at most twice what they take themselves."""
    for module in (balls, kernel):
        monkeypatch.setattr(module, "BLOCK_ROWS", 128)
    for module in (frechet, diversity, candidates):
        monkeypatch.setattr(module, "BLOCK_NUMBERS", 1 << 17)
    monkeypatch.setattr(balls, "BLOCK_COLUMNS", 128)
    monkeypatch.setattr(candidates, "HELD_PAIRS", 1 << 12)
    small, large = (peak_of(MEASURES[name], n, 512) for n in (1500, 3000))
    assert large - small <= 2 * 2 * 1500 * 512 * 4  # 12 MB; a matrix of distances adds 27
