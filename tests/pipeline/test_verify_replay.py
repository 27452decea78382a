from __future__ import annotations

import json
import random
import shutil

import numpy as np
import pytest

import augmint as am
from augmint.core.errors import DataError
from augmint.pipeline.replay import replay
from augmint.pipeline.verify import verify
from support import MIXED, children, jsonl, save, write_digits


def flip(path, place: float = 0.5, bit: int = 2) -> None:
    data = bytearray(path.read_bytes())
    data[int(place * (len(data) - 1))] ^= 1 << bit
    path.write_bytes(data)


def test_a_good_folder_is_good(first_run):
    found = verify(first_run.out)
    assert found.exit_code == 0 and found.problems == ()
    files = [path for path in first_run.out.rglob("*") if path.is_file()]
    unsummed = {"SHA256SUMS", "events.jsonl", "lock", "run.sha256"}
    assert found.files == len([path for path in files if path.name not in unsummed])


ONE_OF_EACH = [
    "train/0/0000.png",
    "train/metadata.jsonl",
    "README.md",
    "config.yaml",
    "classes.txt",
    "skipped.jsonl",
    "rejects.jsonl",
    "run.json",
    "report/contact_sheet.png",
    ".augmint/plan.json",
    ".augmint/units/fit.safetensors",
    ".augmint/units/encode-0000-00000.safetensors",
    ".augmint/receipts/draw-00-0000-00000.json",
]


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_one_flipped_bit_is_found_and_named(finished, name):
    path = finished.out / name
    if path.stat().st_size == 0:
        path.write_bytes(b"\n")
    else:
        flip(path)
    found = verify(finished.out)
    assert found.exit_code == 1
    assert found.problems == ((name, "changed"),)


def test_a_flipped_bit_in_a_child_is_found_and_named(finished):
    row = children(finished.out)[0]
    flip(finished.out / "train" / row["file_name"])
    assert verify(finished.out).problems == ((f"train/{row['file_name']}", "changed"),)


@pytest.mark.parametrize("name", ["SHA256SUMS", ".augmint/SHA256SUMS", ".augmint/run.sha256"])
def test_any_flipped_bit_in_a_list_of_sums_is_found(finished, name):
    path = finished.out / name
    good, rng = path.read_bytes(), random.Random(0)
    for _ in range(60):
        data = bytearray(good)
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
        assert verify(finished.out).exit_code == 1, bytes(data)
    path.write_bytes(good)
    assert verify(finished.out).exit_code == 0


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_a_missing_file_is_named(finished, name):
    (finished.out / name).unlink()
    assert verify(finished.out).problems == ((name, "missing"),)


@pytest.mark.parametrize(
    "name", ["extra.txt", "train/0/new.png", "train/new/x.png", "test/0/x.png", "report/x", ".augmint/units/x"]
)
def test_a_file_too_many_is_named(finished, name):
    path = finished.out / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    ((found, problem),) = verify(finished.out).problems
    assert found == name and "added" in problem


def test_log_and_lock_are_free_to_change(finished):
    with (finished.out / ".augmint/events.jsonl").open("a") as file:
        file.write("{}\n")
    (finished.out / ".augmint/lock").write_text("1 on a")
    assert verify(finished.out).exit_code == 0


@pytest.mark.parametrize("lost", ["SHA256SUMS", ".augmint/SHA256SUMS", ".augmint/run.sha256"])
def test_an_unfinished_run_is_no_run(finished, lost):
    (finished.out / lost).unlink()
    with pytest.raises(DataError) as caught:
        verify(finished.out)
    assert caught.value.code == "not-a-run" and lost in caught.value.got


def test_a_folder_of_something_else_is_no_run(tmp_path):
    with pytest.raises(DataError):
        verify(tmp_path)
    with pytest.raises(DataError):
        verify(tmp_path / "nothing")


def test_twenty_children_replay_to_their_bytes(first_run):
    rows = children(first_run.out)
    for row in random.Random(1).sample(rows, min(20, len(rows))):
        again = replay(first_run.out, row["id"])
        assert again.identical and again.exit_code == 0
        assert again.data == (first_run.out / "train" / row["file_name"]).read_bytes()
        assert again.facts["refs"] == row["refs"] and again.facts["scores"] == json.loads(row["scores"])
    assert verify(first_run.out).exit_code == 0  # looking changes nothing


def test_a_reject_of_the_set_gate_can_be_replayed(first_run):
    row = [row for row in jsonl(first_run.out / "rejects.jsonl") if row["gate"] == "diversity"][-1]
    again = replay(first_run.out, row["id"])
    assert again.identical and again.path == "" and again.data.startswith(b"\x89PNG")


def test_a_run_that_keeps_nothing_is_whole_and_its_rejects_can_be_replayed(tmp_path):
    data = write_digits(tmp_path / "in", {"0": 3, "1": 4})
    strict = {"gates": ["novelty"], "gate_options": {"novelty": {"floor": 1e6, "closest": 1e6}}}
    result = am.augment(data, tmp_path / "o", **strict, max_tries=2, max_rounds=3)
    assert result.made == {"0": 0, "1": 0} and result.exit_code == 1
    # Each place is tried twice in each of three rounds.
    assert result.rejected == {"0": {"novelty": 18}, "1": {"novelty": 24}}
    rows = jsonl(tmp_path / "o/rejects.jsonl")
    assert len({row["id"] for row in rows}) == 42
    for row in random.Random(0).sample(rows, 4):
        assert row["gate"] == "novelty" and row["score"] < row["threshold"]
        assert replay(tmp_path / "o", row["id"]).identical
    assert verify(tmp_path / "o").exit_code == 0


def test_a_damaged_child_is_not_identical(finished):
    row = children(finished.out)[0]
    flip(finished.out / "train" / row["file_name"])
    again = replay(finished.out, row["id"])
    assert not again.identical and again.exit_code == 1


def test_replay_of_an_unknown_child(first_run):
    known = children(first_run.out)[0]["id"]
    with pytest.raises(DataError) as caught:
        replay(first_run.out, known[:-1] + "_")
    assert caught.value.code == "unknown-sample" and "did you mean 'syn-" in caught.value.do


def test_replay_of_something_that_is_no_run(tmp_path):
    with pytest.raises(DataError):
        replay(tmp_path, "syn-0")


@pytest.fixture
def own(tmp_path):
    """A run whose input may be changed."""
    data = write_digits(tmp_path / "in", {"0": 4, "1": 4})
    am.augment(data, tmp_path / "o", **MIXED)
    return data, tmp_path / "o"


def test_replay_refuses_a_changed_input(own):
    data, out = own
    for path in data.rglob("*.png"):
        save(path, np.zeros((8, 8), np.uint8))
    with pytest.raises(DataError) as caught:
        replay(out, children(out)[0]["id"])
    assert caught.value.code == "input-changed"


def test_replay_refuses_another_listing(own):
    data, out = own
    (data / "0" / "0000.png").unlink()
    with pytest.raises(DataError) as caught:
        replay(out, children(out)[0]["id"])
    assert caught.value.code == "other-run" and "data" in caught.value.got


def test_replay_of_moved_input_with_its_new_place(own, tmp_path):
    data, out = own
    sample = children(out)[0]["id"]
    shutil.move(data, tmp_path / "moved")
    with pytest.raises(DataError, match="is gone") as caught:
        replay(out, sample)
    assert "--data" in caught.value.do
    assert replay(out, sample, tmp_path / "moved").identical


def test_replay_of_moved_output(own, tmp_path):
    _, out = own
    shutil.move(out, tmp_path / "elsewhere")
    assert replay(tmp_path / "elsewhere", children(tmp_path / "elsewhere")[0]["id"]).identical


def test_replay_of_a_damaged_unit_is_a_fault_of_the_data(finished):
    child = next((finished.out / "train").rglob("syn-*.png"))
    for unit in (finished.out / ".augmint" / "units").glob("draw-*"):
        unit.write_bytes(unit.read_bytes()[:40])
    with pytest.raises(DataError) as caught:
        replay(finished.out, child.stem)
    assert caught.value.code == "damaged-unit" and "again" in caught.value.do
