"""The leak stage of a run, on a method that is made to leak: a pool with near copies of held-out pictures in it."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import augmint as am
from augmint.core.errors import DataError, UsageError
from augmint.core.types import ReadOptions
from augmint.formats.folders import Folders
from augmint.pipeline.judged import minted_rows
from augmint.pipeline.manifest import Manifest
from augmint.pipeline.progress import Progress
from augmint.pipeline.replay import replay
from augmint.pipeline.sources import Inputs
from augmint.pipeline.verify import verify
from near_copies import plant
from support import PLAIN, Run, children, digit_images, jsonl, save, snapshot, sums

KINDS = ("crop", "flip", "jpeg", "noise")
LEAKY = {
    **PLAIN,
    "method": "retrieval",
    "method_options": {"confidence": 0.0},
    "label_by": "parents",
    "factor": 3.5,
    "unit_size": 8,
}
FEW = {**PLAIN, "factor": 1.25}


class Told(Progress):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, message: str) -> None:
        self.lines.append(message)


def large(label: int, start: int, stop: int) -> list[np.ndarray]:
    return [np.kron(image, np.ones((3, 3), np.uint8)) for image in digit_images(label, stop)[start:]]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    """Eight digits of each of three classes, sixty held out, and a pool of 12 near copies of these and 48 others."""
    root = tmp_path_factory.mktemp("guarded")
    for label in (0, 1, 2):
        for i, image in enumerate(large(label, 0, 8)):
            save(root / "data" / str(label) / f"{i}.png", image)
        for i, image in enumerate(large(label, 8, 28)):
            save(root / "apart" / f"{label}-{i:02d}.png", image)
            if i < 4:
                copy = plant(KINDS[i], image, np.random.default_rng(i))
                save(root / "pool" / f"copy-{label}-{i:02d}.png", copy)
        for i, image in enumerate(large(label, 28, 44)):
            save(root / "pool" / f"new-{label}-{i:02d}.png", image)
    return Inputs(root / "data", root / "pool", heldout=root / "apart")


@pytest.fixture(scope="module")
def guarded(inputs: Inputs, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("guarded-run") / "out"
    return Run(inputs.data, out, am.augment(inputs.data, out, pool=inputs.pool, heldout=inputs.heldout, **LEAKY))


@pytest.fixture(scope="module")
def leaky(inputs: Inputs, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same run with nothing held out."""
    out = tmp_path_factory.mktemp("leaky-run") / "out"
    return Run(inputs.data, out, am.augment(inputs.data, out, pool=inputs.pool, **LEAKY))


def copies_in(rows: list[dict]) -> set[str]:
    return {ref for row in rows for ref in row["refs"] if ref.startswith("pool:copy-")}


def test_near_copies_are_dropped_and_said_and_others_take_their_places(guarded: Run, leaky: Run) -> None:
    assert len(copies_in(children(leaky.out))) == 12
    rejects = jsonl(guarded.out / "rejects.jsonl")
    leaks = {row["refs"][0]: row for row in rejects if row["gate"] == "leak"}
    planted = copies_in(rejects)
    assert (
        len(planted) >= 11
        and copies_in(children(guarded.out))
        == {f"pool:copy-{label}-{i:02d}.png" for label in (0, 1, 2) for i in range(4)} - planted
    )
    for ref in planted:
        row = leaks[ref]
        assert row["nearest"] == f"heldout:{ref.removeprefix('pool:copy-')}" and row["score"] < row["threshold"]
    counts = json.loads((guarded.out / "run.json").read_bytes())["leak_check"]
    assert counts == guarded.result.leak_check
    assert counts["flagged"] == len(leaks) and counts["held_out"] == 60 and 0 < counts["bar"] <= 0.4
    assert counts["children"] == len(children(guarded.out)) + len(leaks)
    assert f"{len(leaks)} near copies dropped" in (guarded.out / "README.md").read_text()
    # A place that a copy had goes to another row as long as there are any.
    assert sum(guarded.result.made.values()) == 60 - len(leaks) == len(children(guarded.out))


def test_verify_against_held_out_data(guarded: Run, leaky: Run, inputs: Inputs) -> None:
    assert inputs.heldout is not None
    clean = verify(guarded.out, inputs.heldout)
    assert clean.exit_code == 0 and clean.against is not None
    assert (clean.against.compared, clean.against.held_out) == (len(children(guarded.out)), 60)
    found = verify(leaky.out, inputs.heldout)
    assert found.exit_code == 1 and not found.problems and found.against is not None
    by_id = {row["id"]: row["refs"][0] for row in children(leaky.out)}
    right = [leak for leak in found.against.leaks if by_id[leak.id].startswith("pool:copy-")]
    assert len(right) >= 11
    for leak in right:
        assert leak.nearest == f"heldout:{by_id[leak.id].removeprefix('pool:copy-')}" and leak.score < leak.threshold
    assert verify(leaky.out).exit_code == 0 and verify(leaky.out).against is None


def test_no_held_out_file_is_opened_before_there_are_children(inputs: Inputs, tmp_path: Path) -> None:
    opened: list[tuple[str, int]] = []
    watching = True
    units = tmp_path / "o/.augmint/receipts"

    def hook(event: str, args: tuple) -> None:
        if watching and event == "open" and isinstance(args[0], str) and str(inputs.heldout) in args[0]:
            opened.append((args[0], len(list(units.glob("draw-00-*")))))

    sys.addaudithook(hook)
    try:
        am.augment(inputs.data, tmp_path / "o", heldout=inputs.heldout, **FEW)
    finally:
        watching = False
    first_round = len(list(units.glob("draw-00-*")))
    assert {Path(name).name for name, _ in opened} == {path.name for path in inputs.heldout.iterdir()}
    assert first_round > 0 and all(drawn == first_round for _, drawn in opened)


def test_held_out_data_change_nothing_but_what_is_dropped(inputs: Inputs, tmp_path: Path) -> None:
    with_them = am.augment(inputs.data, tmp_path / "a", heldout=inputs.heldout, **FEW)
    without = am.augment(inputs.data, tmp_path / "b", **FEW)
    assert with_them.leak_check["flagged"] == 0 and without.leak_check == "none"
    assert snapshot(tmp_path / "a/train") == snapshot(tmp_path / "b/train")


def test_the_same_bytes_after_an_interruption_in_the_leak_stage(guarded: Run, inputs: Inputs, tmp_path: Path) -> None:
    want = snapshot(guarded.out)
    units = [row["unit"] for row in jsonl(guarded.out / ".augmint/events.jsonl") if row["event"] == "unit"]

    class Stop(BaseException):
        pass

    real = Manifest.commit
    for word in ("prints-bar", "leak-00"):
        out, target = tmp_path / word, next(unit for unit in units if unit.startswith(word))

        def commit(self, name, *args, target=target):  # type: ignore[no-untyped-def]
            if name == target:
                raise Stop
            return real(self, name, *args)

        with pytest.MonkeyPatch.context() as patch, pytest.raises(Stop):
            patch.setattr(Manifest, "commit", commit)
            am.augment(inputs.data, out, pool=inputs.pool, heldout=inputs.heldout, **LEAKY)
        am.augment(inputs.data, out, pool=inputs.pool, heldout=inputs.heldout, **LEAKY)
        assert snapshot(out) == want, word


def test_children_replay_without_the_held_out_data(guarded: Run, inputs: Inputs, tmp_path: Path) -> None:
    out = Path(shutil.copytree(guarded.out, tmp_path / "o"))
    facts = json.loads((out / "run.json").read_bytes())
    assert facts["heldout"] == str(inputs.heldout.resolve())
    (out / "run.json").write_text(json.dumps({**facts, "heldout": "/nowhere"}))
    leak = next(row for row in jsonl(out / "rejects.jsonl") if row["gate"] == "leak")
    assert replay(out, children(out)[0]["id"]).identical and replay(out, leak["id"]).identical


def test_a_resumed_run_notices_other_held_out_data(inputs: Inputs, tmp_path: Path) -> None:
    apart = Path(shutil.copytree(inputs.heldout, tmp_path / "apart"))
    am.augment(inputs.data, tmp_path / "o", heldout=apart, **FEW)
    save(apart / "0-00.png", large(2, 50, 51)[0])
    with pytest.raises(DataError) as caught:
        am.augment(inputs.data, tmp_path / "o", heldout=apart, **FEW)
    assert caught.value.code == "input-changed" and "0-00.png" in caught.value.got
    save(apart / "more.png", large(2, 50, 51)[0])
    with pytest.raises(UsageError) as refused:
        am.augment(inputs.data, tmp_path / "o", heldout=apart, **FEW)
    assert refused.value.code == "other-run" and "heldout" in refused.value.got


def test_nothing_held_out_is_said_once(inputs: Inputs, tmp_path: Path) -> None:
    told = Told()
    am.augment(inputs.data, tmp_path / "o", progress=told, **FEW)
    assert sum("leak_check: none" in line for line in told.lines) == 1
    assert json.loads((tmp_path / "o/run.json").read_bytes())["leak_check"] == "none"
    assert "leak_check: none" in (tmp_path / "o/README.md").read_text()


def test_own_test_part_is_held_out_without_asking(inputs: Inputs, tmp_path: Path) -> None:
    data = Path(shutil.copytree(inputs.data, tmp_path / "in/train")).parent
    for label in (0, 1, 2):
        for i, image in enumerate(large(label, 8, 28)):
            save(data / "test" / str(label) / f"{i:02d}.png", image)
    told = Told()
    result = am.augment(data, tmp_path / "o", pool=inputs.pool, progress=told, **LEAKY)
    assert not any("leak_check: none" in line for line in told.lines)
    assert result.leak_check["held_out"] == 60 and result.leak_check["flagged"] >= 11
    assert all(row["nearest"].startswith("data:test/") for row in jsonl(tmp_path / "o/rejects.jsonl"))
    assert sums(tmp_path / "o")


def test_what_cannot_be_read_is_listed_and_nothing_to_read_is_refused(inputs: Inputs, tmp_path: Path) -> None:
    apart = Path(shutil.copytree(inputs.heldout, tmp_path / "apart"))
    (apart / "broken.png").write_bytes(b"not a picture")
    told = Told()
    result = am.augment(inputs.data, tmp_path / "o", heldout=apart, progress=told, **FEW)
    skipped = jsonl(tmp_path / "o/skipped.jsonl")
    assert [(row["id"], row["source"]) for row in skipped] == [("broken.png", "heldout")] and not result.problems
    assert any("heldout: 1 samples cannot be used" in line for line in told.lines)
    for make, code in (
        (lambda path: None, "missing-path"),
        (lambda path: path.mkdir(), "no-images"),
        (lambda path: (path.mkdir(), (path / "a.png").write_bytes(b"x")), "no-samples"),
    ):
        path = tmp_path / code
        make(path)
        with pytest.raises(DataError) as caught:
            am.augment(inputs.data, tmp_path / f"o-{code}", heldout=path, **FEW)
        assert caught.value.code == code and caught.value.exit_code == 2
    with pytest.raises(UsageError, match="lie inside each other"):
        am.augment(inputs.data, inputs.heldout / "o", heldout=inputs.heldout, **FEW)


def test_an_array_file_can_be_held_out(inputs: Inputs, leaky: Run, tmp_path: Path) -> None:
    images = np.stack(
        [
            Folders().load(entry).content
            for entry in Folders().scan(inputs.heldout, ReadOptions(unlabelled=True)).entries
        ]
    )
    np.savez(tmp_path / "apart.npz", images=images)
    found = verify(leaky.out, tmp_path / "apart.npz")
    assert found.against is not None and len(found.against.leaks) >= 11
    assert found.against.leaks[0].nearest.startswith("heldout:0000")


def test_scores_and_report_see_no_flagged_child(guarded: Run) -> None:
    minted = minted_rows(Manifest(guarded.out))
    assert sorted(minted.words("id")) == sorted(row["id"] for row in children(guarded.out))
