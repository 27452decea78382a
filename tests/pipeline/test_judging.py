from __future__ import annotations

import numpy as np
import pytest

from augmint.checks import example_latents
from augmint.gates.novelty import Novelty
from augmint.numerics.probe import Probe
from augmint.pipeline.judging import Bench

REAL = example_latents((20, 20, 20))
LABELS = {f"data:{name}": y for name, y in zip(REAL.ids, REAL.y, strict=True)}


def bench(probe: Probe | None = None, gates: bool = False) -> Bench:
    return Bench(REAL.classes, LABELS, {"novelty": Novelty().fit(REAL)} if gates else {}, probe, "example")


def test_a_label_is_the_mean_of_the_parents_labels() -> None:
    same, mixed, borrowed = bench().judge(
        ["a", "b", "c"],
        REAL.z[:3],
        [
            [("data:row 000.png", 0.3), ("data:row 001.png", 0.7)],
            [("data:row 000.png", 0.6), ("data:row 059.png", 0.4)],
            [("data:row 059.png", 1.0), ("base:cats", 0.0), ("pool:x", 0.0)],
        ],
    )
    assert same["label"] == "class 0" and "label_probs" not in same
    assert mixed["label"] == "class 0" and mixed["label_probs"] == pytest.approx([0.6, 0.0, 0.4])
    assert borrowed["label"] == "class 2" and "label_probs" not in borrowed
    assert {row["label_by"] for row in (same, mixed, borrowed)} == {"parents"}


def test_the_judge_labels_and_a_row_it_gives_to_another_class_is_rejected() -> None:
    probe = Probe().fit(REAL.flat, REAL.y)
    features = REAL.z[[0, 30]]
    agrees, differs = bench(probe).judge(["a", "b"], features, [[("data:row 000.png", 1.0)]] * 2)
    expected = probe.predict_proba(features)
    assert agrees["kept"] and agrees["label"] == "class 0" and agrees["label_by"] == "judge"
    np.testing.assert_allclose(agrees["label_probs"], expected[0], atol=1e-6)
    assert not differs["kept"] and differs["gate"] == "label" and differs["label"] == "class 0"
    assert differs["score"] == pytest.approx(expected[1, 0], abs=1e-6)
    assert differs["threshold"] == pytest.approx(expected[1].max(), abs=1e-6)


def test_a_gate_that_fails_first_is_the_one_that_is_named() -> None:
    probe = Probe().fit(REAL.flat, REAL.y)
    (verdict,) = bench(probe, gates=True).judge(["a"], REAL.z[[30]], [[("data:row 000.png", 1.0)]])
    assert not verdict["kept"] and verdict["gate"] == "novelty" and set(verdict["scores"]) == {"novelty"}
