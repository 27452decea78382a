"""The probe: which C it takes, what it encodes, and that it is no other thing than a logistic regression."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from augmint.checks import example_training
from augmint.core.errors import DataError
from augmint.core.protocols import Encoder
from augmint.core.types import F32, Budget, Sample, TrainingSet
from augmint.students.probe import LinearProbe


def rows_of(x: np.ndarray, y: np.ndarray, minted: np.ndarray | None = None, prefix: str = "r") -> TrainingSet:
    samples = tuple(Sample(f"{prefix}{i}", row.astype(np.float32)) for i, row in enumerate(x))
    one = np.eye(int(y.max()) + 1, dtype=np.float32)[y]
    made = np.zeros(len(x), np.bool_) if minted is None else minted
    return TrainingSet(samples, one, np.ones(len(x), np.float32), made, tuple(map(str, range(one.shape[1]))))


def cloud(n: int, d: int = 8, classes: int = 3, noise: float = 1.5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.arange(n) % classes
    centers = np.random.default_rng(99).standard_normal((classes, d)) * 2
    return centers[y] + noise * rng.standard_normal((n, d)), y


def fit(train: TrainingSet, trials: int = 1, **fields: float) -> LinearProbe:
    return LinearProbe(**fields).fit(train, Budget(500, trials=trials), np.random.default_rng(0))  # type: ignore[arg-type]


def test_is_scikit_learns_logistic_regression() -> None:
    x, y = cloud(60)
    train = rows_of(x, y)
    ours = fit(train, c=2.0, clip=1.5).predict_proba(train.samples)
    z = np.clip((x - x.mean(axis=0)) / x.std(axis=0), -1.5, 1.5) / np.sqrt(8)
    model = LogisticRegression(C=2.0, tol=1e-8, max_iter=2000).fit(z, y)
    np.testing.assert_allclose(ours, model.predict_proba(z), atol=3e-3)


def test_standardises_by_real_rows_alone() -> None:
    x, y = cloud(30)
    far = np.concatenate([x, 1000.0 + x[:6]])
    train = rows_of(far, np.concatenate([y, y[:6]]), np.arange(36) >= 30)
    probe = fit(train)
    np.testing.assert_allclose(probe.mean_, x.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(probe.scale_, x.std(axis=0), rtol=1e-5)


def test_a_number_that_few_rows_do_not_vary_in_does_not_drown_the_others() -> None:
    """By chance the real rows are all alike in one number; the rows met later are not, and it says nothing."""
    rng = np.random.default_rng(3)
    x, y = cloud(300)
    x = np.concatenate([x, rng.standard_normal((300, 1))], axis=1)
    few = x[:15].copy()
    few[:, -1] = 1e-4 * few[:, -1]
    real = rows_of(np.concatenate([few, x[15:150]]), y[:150], np.arange(150) >= 15)
    found = fit(real).predict_proba(rows_of(x[150:], y[150:]).samples).argmax(axis=1)
    assert np.mean(found == y[150:]) > 0.9


def test_units_do_not_matter() -> None:
    """Grams or tonnes: a number means the same. No number borrows the scale of another."""
    x, y = cloud(60)
    units = 10.0 ** np.arange(-3, 5)
    p = fit(rows_of(x, y)).predict_proba(rows_of(x, y).samples)
    q = fit(rows_of(x * units, y)).predict_proba(rows_of(x * units, y).samples)
    np.testing.assert_allclose(p, q, atol=1e-3)


def test_minted_rows_change_no_penalty() -> None:
    """Minted copies of every row say nothing new, whatever C is."""
    x, y = cloud(30)
    plain, copied = rows_of(x, y), rows_of(np.concatenate([x, x]), np.concatenate([y, y]), np.arange(60) >= 30)
    p, q = fit(plain).predict_proba(plain.samples), fit(copied).predict_proba(plain.samples)
    np.testing.assert_allclose(p, q, atol=2e-3)


def test_strong_penalty_where_labels_are_noise_and_weak_where_they_are_not() -> None:
    x, y = cloud(90, noise=0.1)
    clean = fit(rows_of(x, y), trials=3)
    noise = fit(rows_of(x, np.random.default_rng(1).integers(0, 3, 90)), trials=3)
    assert clean.c_ == pytest.approx(100.0) and noise.c_ == pytest.approx(1.0)
    assert fit(rows_of(x, y)).c_ == 10.0


def test_c_is_chosen_by_the_same_real_rows_whatever_is_minted(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = cloud(30)
    wrong = rows_of(np.concatenate([x, x]), np.concatenate([y, (y + 1) % 3]), np.arange(60) >= 30)
    scored: list[tuple[int, ...]] = []

    def spy(probability: F32, labels: F32, weight: F32) -> float:
        scored.append((len(labels), *labels.argmax(axis=1)))
        return float(len(scored))

    monkeypatch.setattr("augmint.students.convex.cross_entropy", spy)
    fit(rows_of(x, y), trials=2)
    alone = list(scored)
    scored.clear()
    fit(wrong, trials=2)
    assert scored == alone and sum(row[0] for row in alone[:3]) == 30


class Counting(Encoder):
    """Mean and spread of brightness, and which ids were asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    @property
    def space(self) -> str:
        return "counting"

    def encode(self, samples: Sequence[Sample]) -> F32:
        self.asked += [sample.id for sample in samples]
        if not samples:
            return np.zeros((0, 2), np.float32)
        scale = [np.iinfo(s.content.dtype).max for s in samples]
        means = [[s.content.mean() / top, s.content.std() / top] for s, top in zip(samples, scale, strict=True)]
        return np.array(means, np.float32)


def test_each_sample_is_encoded_once_without_a_transform() -> None:
    train, encoder = example_training("images"), Counting()
    LinearProbe(encoder).fit(train, Budget(trials=3), np.random.default_rng(0))
    assert encoder.asked == [sample.id for sample in train.samples]


@pytest.mark.parametrize(("most_rows", "views"), [(2000, 8), (100, 4), (10, 2)])
def test_a_transform_is_met_as_a_number_of_views(most_rows: int, views: int) -> None:
    train, encoder = example_training("images"), Counting()
    train = dataclasses.replace(train, transform=lambda batch, rng: batch + 0.01)
    LinearProbe(encoder, most_rows=most_rows).fit(train, Budget(trials=3), np.random.default_rng(0))
    assert len(encoder.asked) == views * len(train)
    assert encoder.asked.count("") == (views - 1) * len(train)  # a changed view is no sample that could be remembered


def test_views_of_a_held_out_row_are_held_out_too() -> None:
    """Labels are noise and each view is its row: views on the other side would give the answer away."""
    rng = np.random.default_rng(0)
    train = rows_of(rng.standard_normal((60, 40)), rng.integers(0, 3, 60))
    changed = dataclasses.replace(train, transform=lambda batch, rng: batch)
    assert fit(train, trials=3).c_ == fit(changed, trials=3).c_ == pytest.approx(1.0)


def test_mixed_rows_lie_between_rows() -> None:
    x, y = cloud(40, noise=0.3)
    train = rows_of(x, y)
    plain, mixed = fit(train, c=100.0), fit(dataclasses.replace(train, mixup=1.0), c=100.0)
    p, q = (probe.predict_proba(train.samples).max(axis=1) for probe in (plain, mixed))
    assert 1 - q.mean() > 5 * (1 - p.mean())  # half-and-half labels make it less sure
    assert (mixed.predict_proba(train.samples).argmax(axis=1) == y).mean() > 0.95


def test_updates_bound_the_steps() -> None:
    x, y = cloud(60, noise=0.1)
    train = rows_of(x, y)
    few = LinearProbe(c=1e4).fit(train, Budget(2), np.random.default_rng(0)).predict_proba(train.samples)
    many = LinearProbe(c=1e4).fit(train, Budget(200), np.random.default_rng(0)).predict_proba(train.samples)
    assert many.max(axis=1).mean() > few.max(axis=1).mean()


def test_a_feature_without_spread_does_no_harm() -> None:
    x, y = cloud(30)
    x[:, 0] = 5.0
    probe = fit(rows_of(x, y))
    shifted = x.copy()
    shifted[:, 0] = 6.0
    assert np.isfinite(probe.predict_proba(rows_of(shifted, y).samples)).all()


@pytest.mark.parametrize("content", ["text", np.zeros((2, 2), np.uint8), np.full(8, np.nan), np.zeros(5)])
def test_contents_that_are_no_rows_are_refused(content: object) -> None:
    train = rows_of(*cloud(9))
    with pytest.raises(DataError, match="'odd'"):
        fit(train).predict_proba([Sample("odd", content)])


def test_a_number_that_was_rare_in_training_does_not_decide() -> None:
    """One training row has a spike of 1 where all others have 0; a test row has a spike of 5."""
    x, y = cloud(60, noise=0.5)
    x[:, 0] = 0.0
    x[0, 0] = 1.0
    odd = x[1:2].copy()
    odd[0, 0] = 5.0
    tame = fit(rows_of(x, y), c=100.0).predict_proba(rows_of(odd, y[1:2]).samples)[0]
    wild = fit(rows_of(x, y), c=100.0, clip=1e9).predict_proba(rows_of(odd, y[1:2]).samples)[0]
    assert tame[y[1]] > 0.9 > wild[y[1]]
