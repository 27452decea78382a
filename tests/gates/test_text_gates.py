"""Gates on the contents of texts: copies, and what has drifted from its parent."""

from __future__ import annotations

import numpy as np
import pytest

from augmint.core.types import Latents, Sample
from augmint.gates.copy import Copy
from augmint.gates.meaning import Meaning

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
