"""Lifts: what is there is found, budgets are equal, folds are apart, and a stopped run goes on to the same bytes."""

from __future__ import annotations

import json
import shutil
from collections import Counter

import numpy as np
import pytest
from planted import Quick, Spy, planted_rows

from augmint.core.errors import DataError, UsageError
from augmint.pipeline import workshop
from augmint.pipeline.arms import Arm
from augmint.pipeline.augment import augment
from augmint.pipeline.evaluate import evaluate, seconds_of
from augmint.pipeline.lift_arrays import data_of_arrays
from augmint.pipeline.progress import Progress
from augmint.students import TABLE as STUDENTS
from augmint.synthesizers import TABLE as METHODS
from support import digit_images, save, snapshot

KEYS = {"student": "quick", "gates": [], "updates": 60, "batch": 32, "trials": 1}


class Told(Progress):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, message: str) -> None:
        self.lines.append(message)


@pytest.fixture(autouse=True)
def table(monkeypatch, loaded_once):
    monkeypatch.setitem(STUDENTS, "quick", "planted:Quick")
    for name, target in {"true-rows": "TrueRows", "copies": "Copies", "wrong": "Wrong", "spy": "Spy"}.items():
        monkeypatch.setitem(METHODS, name, f"planted:{target}")
    monkeypatch.setattr(workshop, "load_encoder", lambda name, *, size, device: loaded_once(name, size=size))
    for record in (Quick.budgets, Quick.trained, Quick.predicted, Spy.shown):
        record.clear()


def test_what_is_there_is_found():
    result = evaluate(planted_rows(600), methods="true-rows,copies,wrong", shots=5, pairs=20, factor=11.0, **KEYS)
    (cell,) = result.facts["cells"]
    assert (cell["status"], cell["scheme"], cell["pairs"]) == ("done", "disjoint", 20)
    assert result.lift("true-rows")["verdict"] == "improves" and result.lift("true-rows")["mean"] > 0.1
    assert result.lift("wrong")["verdict"] == "harms"
    assert result.lift("copies")["verdict"] == "no detectable effect" and abs(result.lift("copies")["mean"]) < 0.03
    assert cell["arms"]["true-rows"]["minted"] == 150 and cell["arms"]["none"]["minted"] == 0
    assert result.conclusions[0].startswith("quick, 5 shots: true-rows helps: +")
    assert result.conclusions[0].endswith("among 3 comparisons; harm by wrong") and result.exit_code == 0


def test_the_facts_are_those_of_the_files():
    result = evaluate(planted_rows(100), methods="noise", shots=5, pairs=5, **KEYS)
    (cell,) = result.facts["cells"]
    arm, none = cell["arms"]["noise"], cell["arms"]["none"]
    assert set(arm["scores"]) == set(arm["values"]) == set(arm["lift"]) == {
        "accuracy", "balanced_accuracy", "macro_f1", "auroc", "log_loss", "calibration_error"}  # fmt: skip
    assert "lift" not in none and set(arm["recall"]) == {"0", "1", "2"}
    for metric, sign in (("accuracy", 1), ("log_loss", -1)):
        delta = sign * (np.array(arm["values"][metric]) - none["values"][metric])
        assert arm["lift"][metric]["mean"] == pytest.approx(delta.mean(), abs=1e-8)
        half = 2.776 * delta.std(ddof=1) / np.sqrt(5)
        assert arm["lift"][metric]["high"] - arm["lift"][metric]["low"] == pytest.approx(2 * half, rel=1e-3)
    assert json.dumps(result.facts, allow_nan=False)
    assert result.facts["budget"] == {"updates": 60, "batch": 32, "trials": 1} and result.out is None


def test_every_arm_has_the_same_budget_and_the_same_pairs():
    evaluate(planted_rows(60), methods="copies,class-weights,oversampling,true-rows", shots=4, pairs=5, **KEYS)
    assert len(Quick.budgets) == 5 * 5 and len(set(Quick.budgets)) == 1
    trained, predicted = Counter(map(frozenset, Quick.trained)), Counter(map(frozenset, Quick.predicted))
    assert set(trained.values()) == set(predicted.values()) == {5}  # five arms met each of five draws and test parts
    assert len(trained) == len(predicted) == 5


def test_methods_are_shown_their_fold_and_nothing_else():
    x, y = planted_rows(40)
    groups = np.array([f"p{i // 2}" for i in range(len(y))])
    evaluate((x, y), methods="spy", shots=3, pairs=5, group=groups, **KEYS)
    assert len(Spy.shown) == 5
    tests = [test for i, test in enumerate(Quick.predicted) if i % 2]  # the arms none and spy by turns
    for shown, trained, test in zip(Spy.shown, Quick.trained[1::2], tests, strict=True):
        assert shown == trained and not shown & test
        assert not {groups[int(i)] for i in shown} & {groups[int(i)] for i in test}
    # Not even the cheat that remembers all it was ever shown meets the test rows of a pair before they are scored.
    for j, test in enumerate(tests):
        assert not set.union(*Spy.shown[: j + 1]) & test


def test_a_stopped_run_goes_on_to_the_same_bytes(tmp_path):
    data, keys = planted_rows(80), {"methods": "noise,copies", "shots": "3,5", "pairs": 5, **KEYS}
    whole = evaluate(data, tmp_path / "whole", **keys)
    stopped = evaluate(data, tmp_path / "parts", budget=0, **keys)
    assert [cell["status"] for cell in stopped.facts["cells"]] == ["not run", "not run"]
    assert stopped.exit_code == 1 and "10 pairs" in stopped.problems[0]
    assert stopped.conclusions[0] == "quick, 3 shots: not run" and not Quick.budgets[30:]
    shutil.copytree(tmp_path / "whole" / "cells", tmp_path / "parts" / "cells")
    (tmp_path / "parts/cells/quick-3/002.json").unlink()
    Quick.budgets.clear()
    again = evaluate(data, tmp_path / "parts", **keys)
    assert len(Quick.budgets) == 3  # three arms of one pair
    assert again.facts == whole.facts
    assert snapshot(tmp_path / "parts") == snapshot(tmp_path / "whole")


def test_time_up_between_pairs_leaves_partial_cells(tmp_path, monkeypatch):
    from augmint.pipeline import lift_pairs

    clock = iter(range(100))
    monkeypatch.setattr(lift_pairs.time, "time", lambda: float(next(clock)))
    keys = {"methods": "copies", "shots": "3,5", "pairs": 5, **KEYS}
    result = evaluate(planted_rows(80), tmp_path / "out", budget="4s", **keys)
    first, second = result.facts["cells"]
    assert first["status"] == "partial" and 0 < first["pairs"] < 5 and first["planned"] == 5
    assert second["status"] == "not run" and second["arms"] == {}
    assert "so far" in result.conclusions[0] and result.exit_code == 1


def test_another_plan_or_other_data_are_refused(tmp_path):
    keys = {"methods": "copies", "shots": 3, **KEYS}
    evaluate(planted_rows(40), tmp_path / "out", pairs=5, **keys)
    with pytest.raises(UsageError, match="pairs: 5 -> 6"):
        evaluate(planted_rows(40), tmp_path / "out", pairs=6, **keys)
    with pytest.raises(UsageError, match="data: "):
        evaluate(planted_rows(40, seed=1), tmp_path / "out", pairs=5, **keys)
    assert evaluate(planted_rows(40), tmp_path / "out", pairs=6, fresh=True, **keys).facts["cells"][0]["pairs"] == 6


def write_digits(root, train, test):
    for label in (0, 1):
        for i, image in enumerate(digit_images(label, train + test)):
            save(root / ("train" if i < train else "test") / str(label) / f"{i:03d}.png", image)
    return root


def test_pictures_with_a_test_part_of_their_own(tmp_path):
    data = write_digits(tmp_path / "data", 20, 12)
    told = Told()
    keys = {**KEYS, "shots": 3, "pairs": 5, "size": 64, "progress": told}
    result = evaluate(data, tmp_path / "out", methods="interpolation,spy", **keys)
    (cell,) = result.facts["cells"]
    assert (cell["scheme"], cell["pairs"]) == ("shared test", 5)
    assert all(ids == {f"test/{c}/{i:03d}.png" for c in (0, 1) for i in range(20, 32)} for ids in Quick.predicted)
    assert all(name.startswith("train/") for shown in Spy.shown for name in shown)
    assert result.facts["cells"][0]["arms"]["interpolation"]["minted"] == 12
    # Rows are a sample, too: the interval is that of rows and draws, for the log loss from the stored likelihoods.
    lift, values = (
        cell["arms"]["interpolation"]["lift"]["log_loss"],
        cell["arms"]["interpolation"]["values"]["log_loss"],
    )
    assert lift["mean"] == pytest.approx(
        -np.mean(np.subtract(values, cell["arms"]["none"]["values"]["log_loss"])), abs=1e-4
    )
    assert any("shared test" in line for line in told.lines) and any("first pair took" in line for line in told.lines)


def test_a_test_part_of_fewer_rows_than_pairs(tmp_path):
    data = write_digits(tmp_path / "data", 20, 2)
    result = evaluate(data, methods="interpolation", **{**KEYS, "shots": 2, "pairs": 8, "size": 64})
    lifts = result.facts["cells"][0]["arms"]["interpolation"]["lift"]
    assert lifts["accuracy"]["pairs"] == 8 and "auroc" not in lifts  # a row of a pair has one class alone
    assert json.dumps(result.facts, allow_nan=False)


def test_test_rows_of_a_patient_are_one_piece_of_evidence(tmp_path):
    data = write_digits(tmp_path / "data", 20, 12)
    for part in (data / "train", data / "test"):
        names = sorted(path.relative_to(part).as_posix() for path in part.rglob("*.png"))
        rows = [f"{name},{name[0]},{part.name}-{i // 4}" for i, name in enumerate(names)]
        (part / "metadata.csv").write_text("\n".join(["file_name,label,patient", *rows]))
    keys = {**KEYS, "shots": 3, "pairs": 5, "size": 64}
    results = [evaluate(data, methods="spy", group=group, **keys).facts["cells"][0] for group in ("", "patient")]
    alone, grouped = (cell["arms"]["spy"]["lift"]["log_loss"] for cell in results)
    assert [cell["scheme"] for cell in results] == ["shared test"] * 2 and grouped["pairs"] == 5
    assert np.isfinite(grouped["low"]) and grouped["p_value"] != alone["p_value"]


def test_rows_that_cannot_be_listed_are_told(tmp_path):
    rows = [{"text": f"the {word} number {i}", "label": "ab"[i % 2]} for i, word in enumerate(["cat", "dog"] * 10)]
    lines = [json.dumps(row).encode() for row in rows] + [b'{"text": "caf\xe9", "label": "a"}'] * 3
    (tmp_path / "in.jsonl").write_bytes(b"\n".join(lines))
    (tmp_path / "pool.jsonl").write_bytes(b"\n".join([*lines[:2], b'{"text": "other"}', b'{"text": 7}']))
    told = Told()
    keys = {**KEYS, "student": "scratch", "shots": 2, "pairs": 1, "updates": 2, "progress": told}
    evaluate(tmp_path / "in.jsonl", methods="class-weights", pool=tmp_path / "pool.jsonl", **keys)
    assert any("3 of 23 samples cannot be used, first in.jsonl:21" in line for line in told.lines)
    assert any("pool: 1 of 4 samples cannot be used, first pool.jsonl:4" in line for line in told.lines)


def test_minted_samples_are_no_real_ones(tmp_path):
    data = write_digits(tmp_path / "data", 12, 0)
    out = tmp_path / "out"
    augment(data, out, method="noise", size=64, gates=[], factor=1.5)
    for path in (out, out / "train"):
        with pytest.raises(DataError, match="the output of a run") as caught:
            evaluate(path, methods="noise", **{**KEYS, "shots": 3, "pairs": 2})
        assert str(data) in str(caught.value)
    told = Told()
    augment(out, tmp_path / "again", method="noise", size=64, gates=[], factor=1.5, progress=told)
    assert any("its 12 minted samples count as real ones here" in line for line in told.lines)


def test_a_pool_holds_none_of_the_data(tmp_path):
    data = write_digits(tmp_path / "data", 12, 6)
    images = {label: digit_images(label, 40) for label in (0, 1)}
    for label in (0, 1):
        for i, image in enumerate(images[label][15:]):  # three of them are test pictures
            save(tmp_path / "pool" / f"{label}-{i:02d}.png", image)
    told = Told()
    keys = {**KEYS, "shots": 4, "pairs": 1, "size": 64, "progress": told}
    result = evaluate(data, methods="retrieval", pool=tmp_path / "pool", **keys)
    assert any("pool: 6 of 50 samples are in the data set" in line for line in told.lines)
    assert result.facts["cells"][0]["arms"]["retrieval"]["minted"] > 0
    with pytest.raises(UsageError, match="without a pool"):
        evaluate(data, methods="retrieval", **keys)


def test_rows_of_a_pool():
    x, y = planted_rows(60)
    pool = np.concatenate([planted_rows(20, seed=9)[0], x[:10], x[:10]])
    keys = {**KEYS, "shots": 5, "pairs": 1}
    result = evaluate((x, y), methods="retrieval", pool=pool, **keys)
    assert 0 < result.facts["cells"][0]["arms"]["retrieval"]["minted"] <= 30
    only = evaluate((x, y), methods="retrieval", pool=pool[:1], **keys)
    assert only.facts["cells"][0]["arms"]["retrieval"]["minted"] <= 1


def test_arms_of_one_s_own():
    arms = [Arm("weak noise", "noise", {"strength": 0.01}), Arm("strong noise", "noise", {"strength": 0.9})]
    result = evaluate(planted_rows(60), methods=arms, shots=4, pairs=5, **KEYS)
    assert list(result.facts["cells"][0]["arms"]) == ["none", "weak noise", "strong noise"]


def test_shots_and_arms_are_chosen_where_none_are_named():
    x, y = planted_rows(60)
    result = evaluate((x, y), pairs=8, **KEYS)
    assert result.facts["shots"] == ["5"]  # 60 rows, eight pairs
    assert [arm["name"] for arm in result.facts["arms"]] == ["none", "noise", "interpolation"]
    few = np.r_[0:20, 60:80, 120:130]
    uneven = evaluate((x[few], y[few]), pairs=2, **KEYS)
    assert uneven.facts["shots"] == ["all"] and uneven.facts["cells"][0]["scheme"] == "resampled"
    assert [arm["name"] for arm in uneven.facts["arms"]][1:3] == ["class-weights", "oversampling"]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"metric": "acuracy"}, "did you mean 'accuracy'"),
        ({"student": "quik"}, "did you mean 'quick'"),
        ({"methods": "classic"}, "classic, on rows of numbers"),
        ({"pairs": 0}, "pairs = 0"),
        ({"shots": "5,x"}, "shots 'x'"),
        ({"shots": "5,5"}, "shots '5' twice"),
        ({"budget": "6 weeks"}, "budget '6 weeks'"),
        ({"colour": 1}, "key 'colour'"),
        ({"updates": 0}, "budget updates = 0"),
    ],
)
def test_wrong_settings(keys, message):
    with pytest.raises(UsageError, match=message):
        evaluate(planted_rows(20), **{**KEYS, "shots": 3, **keys})


@pytest.mark.parametrize(
    ("y", "keys", "message"),
    [
        (np.zeros(4), {}, "y of shape"),
        ([0, 1, np.nan], {}, "without a label, first y.2."),
        (np.array(["a", None, "b"], object), {}, "without a label, first y.1."),
        ([0, 1, 0], {"group": [1, 2]}, "groups of shape"),
        ([0, 1, 0], {"group": "patient"}, "group of type str with data of type tuple"),
        ([0, 1, 0], {"pool": np.zeros((5, 3))}, "a pool of shape"),
    ],
)
def test_wrong_arrays(y, keys, message):
    with pytest.raises((DataError, UsageError), match=message):
        evaluate((np.zeros((3, 2)), y), **KEYS, **keys)


def test_a_group_array_for_data_on_disk_is_refused(tmp_path):
    with pytest.raises(UsageError, match="group of type ndarray"):
        evaluate(write_digits(tmp_path / "data", 4, 0), group=np.arange(8), **KEYS)


@pytest.mark.parametrize("none", [None, np.nan, ""])
def test_rows_without_a_group_are_each_alone(none):
    found = data_of_arrays(np.zeros((6, 2)), [0, 1] * 3, np.array([none] * 4 + ["p", "p"], object))
    assert len(set(found.rows.units)) == 5


@pytest.mark.parametrize(("own", "pool"), [("f4", "f8"), ("f8", "f4"), ("i4", "f8"), ("f8", "f8")])
def test_a_pool_of_another_type_holds_none_of_the_data(own, pool):
    x = np.random.default_rng(0).standard_normal((30, 4)) * 10
    x[0] = 0.0
    rows = x.astype(own)
    others = np.concatenate([rows if own == "i4" else x, -np.zeros((1, 4)), x + 40]).astype(pool)
    assert len(data_of_arrays(rows, np.arange(30) % 2, None, others).pool) == 30


def test_pictures_in_memory_are_worked_on_at_the_size_of_files():
    for side, size in ((28, 128), (64, 256)):
        assert data_of_arrays(np.zeros((4, side, side, 3), np.uint8), [0, 1, 0, 1]).size == size


def test_times():
    assert [seconds_of(word) for word in ("6h", "30m", "90s", "12", 7, "")] == [21600, 1800, 90, 12, 7, float("inf")]


def test_the_transfer_fraction_where_scratch_and_probe_ran(monkeypatch):
    monkeypatch.setitem(STUDENTS, "scratch", "planted:Sparse")
    keys = {"shots": 5, "pairs": 12, **KEYS, "student": "scratch,probe"}
    result = evaluate(planted_rows(400), methods="true-rows,copies", factor=9.0, **keys)
    good, copies = result.facts["transfer"]
    assert (good["arm"], copies["arm"], good["shots"], good["pairs"]) == ("true-rows", "copies", "5", 12)
    by = {cell["student"]: {name: arm["scores"]["accuracy"] for name, arm in cell["arms"].items()}
          for cell in result.facts["cells"]}  # fmt: skip
    gap = by["probe"]["none"] - by["scratch"]["none"]
    assert good["gap"] == pytest.approx(gap)
    assert good["fraction"] == pytest.approx((by["scratch"]["true-rows"] - by["scratch"]["none"]) / gap)
    assert good["low"] < good["fraction"] < good["high"] and copies["fraction"] < good["fraction"]
    alone = evaluate(planted_rows(100), methods="copies", shots=5, pairs=5, **KEYS)
    assert alone.facts["transfer"] == []


@pytest.mark.slow
def test_one_process_or_two_give_the_same_bytes(tmp_path):
    # The workers know the house's own students and methods only.
    data, keys = planted_rows(50), {"methods": "noise,class-weights", "shots": 3, "pairs": 5, "student": "probe"}
    for workers in (1, 2):
        evaluate(data, tmp_path / str(workers), workers=workers, updates=20, trials=1, **keys)
    assert snapshot(tmp_path / "1") == snapshot(tmp_path / "2")
