"""The scores of a finished run: what is compared with what, and that planted faults are seen."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import augmint as am
from augmint.pipeline import quality, setup
from augmint.pipeline.judged import minted_rows, parents_of, real_rows
from augmint.pipeline.manifest import Manifest
from augmint.pipeline.quality import SCORES, measure, same_shares, write_scores
from augmint.pipeline.verify import verify
from support import PLAIN, Run, children, digit_images, save, write_digits

FIELDS = {"value", "better", "low", "high", "n", "interval", "reference", "matched", "note"}
NEAR, AGREEMENT = "near copies of training rows", "label agreement"


def scores_of(out: Path) -> dict:
    return json.loads((out / SCORES).read_text(encoding="utf-8"))


def test_a_run_ends_with_scores(first_run: Run) -> None:
    found = scores_of(first_run.out)
    assert found["rows"] == {"real": 21, "minted": len(children(first_run.out)), "held-out": 0}
    assert found["judge"] == "independent" and found["compared_with"] == "training rows"
    assert found["space"].startswith("tiny-judge@")
    for name in (
        "frechet",
        "kernel",
        "precision",
        "recall",
        "density",
        "coverage",
        "vendi",
        AGREEMENT,
        NEAR,
        "membership",
    ):
        score = found["scores"][name]
        assert set(score) == FIELDS and score["better"] in ("larger", "smaller")
        assert score["value"] is None or score["low"] is None or score["value"] >= score["low"]
    assert found["scores"]["membership"]["value"] is None
    assert found["scores"]["membership"]["note"].startswith("not enough data: 21 members, 0 non-members")
    assert "has seen these" in found["scores"]["coverage"]["note"]
    assert "consistency" not in found["scores"][AGREEMENT]["note"]  # that gate was not used
    assert verify(first_run.out).exit_code == 0
    card = (first_run.out / "README.md").read_text(encoding="utf-8")
    coverage = found["scores"]["coverage"]
    assert f"| coverage | {coverage['matched']:.3g} | {coverage['reference']:.3g} | larger |" in card
    assert "| membership | not enough data: 21 members" in card


def test_the_same_run_has_the_same_scores(finished: Run) -> None:
    before = (finished.out / SCORES).read_bytes()
    (finished.out / SCORES).unlink()
    write_scores(Manifest(finished.out), shared=False)
    assert (finished.out / SCORES).read_bytes() == before


def test_rows_are_those_of_the_output(first_run: Run) -> None:
    manifest = Manifest(first_run.out)
    real, minted = real_rows(manifest), minted_rows(manifest)
    rows = {row["id"]: row for row in children(first_run.out)}
    assert {row["id"] for row in minted.facts} == set(rows) and len(minted) == len(rows)
    for row, parents, label in zip(minted.facts, parents_of(minted, real), minted.y, strict=True):
        assert [f"data:{real.facts[i]['id']}" for i in parents] == rows[row["id"]]["refs"]
        assert rows[row["id"]]["label"] == str(label)
    assert minted.x.shape == (len(rows), real.x.shape[1])


def test_copies_are_seen(tmp_path: Path) -> None:
    data = write_digits(tmp_path / "in", {"0": 15, "1": 15})
    near = am.augment(data, tmp_path / "near", method="noise", method_options={"strength": 1e-4}, **PLAIN)
    far = am.augment(data, tmp_path / "far", method="noise", method_options={"strength": 3.0}, **PLAIN)
    near_scores, far_scores = (scores_of(result.out)["scores"] for result in (near, far))
    assert near_scores[NEAR]["value"] > 0.9 and far_scores[NEAR]["value"] < 0.2
    assert near_scores["frechet"]["matched"] < far_scores["frechet"]["matched"]


def test_wrong_labels_are_seen_though_the_children_are_near_their_parents(tmp_path: Path) -> None:
    data = write_digits(tmp_path / "in", {"0": 16, "1": 16})
    for i in range(0, 16, 2):
        zero, one = (data / name / f"{i:04d}.png" for name in ("0", "1"))
        picture = zero.read_bytes()
        zero.write_bytes(one.read_bytes())
        one.write_bytes(picture)
    am.augment(data, tmp_path / "out", method="noise", method_options={"strength": 1e-4}, **PLAIN)
    score = scores_of(tmp_path / "out")["scores"][AGREEMENT]
    assert score["value"] < 0.8 and score["reference"] < 0.8


def test_a_shared_judge_makes_no_headline(tmp_path: Path) -> None:
    data = write_digits(tmp_path / "in", {"0": 4, "1": 4})
    am.augment(data, tmp_path / "out", judge="tiny-image", **PLAIN)
    found = scores_of(tmp_path / "out")
    assert found["judge"] == "shared" and found["headline"].startswith("no fidelity headline: the judge shares")
    assert "The judge shares its weights with the codec" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")


def test_nothing_minted_nothing_measured(tmp_path: Path) -> None:
    data = write_digits(tmp_path / "in", {"0": 3, "1": 3})
    am.augment(data, tmp_path / "out", factor=1.0, **PLAIN)
    assert measure(Manifest(tmp_path / "out"), shared=False) is None and not (tmp_path / "out" / SCORES).exists()


def test_one_class_has_no_label_to_agree_with(tmp_path: Path) -> None:
    data = write_digits(tmp_path / "in", {"0": 6})
    am.augment(data, tmp_path / "out", **PLAIN)
    assert scores_of(tmp_path / "out")["scores"][AGREEMENT]["note"] == "not enough data"


@pytest.mark.parametrize(
    ("real", "minted", "most", "expected"),
    [
        ((10, 20), (20, 40), 1000, ((10, 20), (20, 40))),  # factor 3: all are used
        ((10, 20), (5, 10), 1000, ((10, 20), (5, 10))),  # factor 1.5
        ((20, 100, 500), (480, 400, 0), 1000, ((20, 100, 0), (80, 400, 0))),  # balanced: the common class got nothing
        ((20, 0), (10, 10), 1000, ((20, 0), (10, 0))),
        ((1000, 1000), (3000, 3000), 100, ((50, 50), (50, 50))),
        ((0, 5), (5, 0), 1000, ((0, 0), (0, 0))),
    ],
)
def test_same_shares(real: tuple, minted: tuple, most: int, expected: tuple) -> None:
    y, z = (np.repeat(np.arange(len(count)), count) for count in (real, minted))
    found = same_shares(y, z, most, seed=0)
    assert [tuple(np.bincount(own[at], minlength=len(real))) for own, at in zip((y, z), found, strict=True)] == list(
        expected
    )
    assert all(len(set(at)) == len(at) for at in found)


def test_caps_are_kept_and_told(first_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "COMPARED", 8)
    monkeypatch.setattr(quality, "SEARCHED", 10)
    found = measure(Manifest(first_run.out), shared=False)
    assert found is not None and found.rows["minted"] > 10
    assert found.scores["coverage"].n <= 8 and found.scores[NEAR].n == 10
    assert found == measure(Manifest(first_run.out), shared=False)


def test_held_out_rows_are_what_fidelity_and_membership_are_measured_against(tmp_path: Path) -> None:
    data = tmp_path / "in"
    for label in ("0", "1"):
        for i, picture in enumerate(digit_images(int(label), 90)):
            save(data / ("train" if i < 30 else "test" if i < 60 else "val") / label / f"{i:03d}.png", picture)
    am.augment(data, tmp_path / "out", method="noise", method_options={"strength": 1e-4}, **PLAIN)
    found = scores_of(tmp_path / "out")
    assert found["compared_with"] == "held-out rows" and found["rows"]["held-out"] == 120
    assert "held-out" in found["scores"]["coverage"]["note"] and "seen" not in found["scores"]["coverage"]["note"]
    guess, leak = found["scores"]["membership"], found["scores"]["copies of held-out rows"]
    assert guess["value"] > 0.8 and guess["interval"][0] > 0.7 and leak["value"] < 0.05


def test_held_out_rows_are_some_of_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "HELD_OUT", 5)
    data = tmp_path / "in"
    write_digits(data / "train", {"0": 4, "1": 4})
    write_digits(data / "test", {"0": 9, "1": 9})
    result = am.augment(data, tmp_path / "out", **PLAIN)
    found = scores_of(result.out)
    assert found["rows"]["held-out"] == 5 and found["compared_with"] == "training rows"
    assert len(list((result.out / "test").rglob("*.png"))) == 18
