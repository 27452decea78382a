"""A run that stops anywhere goes on as if it had not."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import pytest

import augmint as am
from augmint.core.errors import DataError, RunError, UsageError
from augmint.pipeline import manifest as manifest_module
from augmint.pipeline.manifest import Manifest
from augmint.pipeline.progress import Progress
from support import MIXED, PLAIN, jsonl, pixels_of, save, snapshot, sums


class Stop(BaseException):
    """Like Ctrl-C."""


def commits(out: Path) -> list[str]:
    """Units in the order in which the run wrote them."""
    return [row["unit"] for row in jsonl(out / ".augmint/events.jsonl") if row["event"] == "unit"]


def stop_after(monkeypatch: pytest.MonkeyPatch, method: str, count: int) -> list[str]:
    """Stops before call ``count`` of a method of the manifest."""
    done: list[str] = []
    real = getattr(Manifest, method)

    def counted(self, name, *args, **kwargs):
        if len(done) == count:
            raise Stop
        done.append(str(name))
        return real(self, name, *args, **kwargs)

    monkeypatch.setattr(Manifest, method, counted)
    return done


def test_interrupted_after_any_number_of_units(first_run, tmp_path):
    units = commits(first_run.out)
    stages = {unit.rsplit("-", 1)[0] if unit.startswith("barrier") else unit.split("-")[0] for unit in units}
    assert stages >= {"encode", "fit", "draw", "barrier"}
    assert any(unit.startswith("draw-01") for unit in units)  # a refill round is among them
    want = snapshot(first_run.out)
    for count in range(len(units)):
        out = tmp_path / f"after-{count}"
        with pytest.MonkeyPatch.context() as monkeypatch, pytest.raises(Stop):
            stop_after(monkeypatch, "commit", count)
            am.augment(first_run.data, out, **MIXED)
        assert commits(out) == units[:count]
        am.augment(first_run.data, out, **MIXED)
        assert commits(out) == units  # each unit was done once, none again
        assert snapshot(out) == want, f"after {count} units ({units[:count][-1:]})"
        shutil.rmtree(out)


class Impatient(Progress):
    """Stops the run when a stage has come so far."""

    def __init__(self, stage: str, share: float) -> None:
        self.wanted, self.share, self.name = stage, share, ""

    def stage(self, name, total, unit):
        self.name, self.total, self.done = name, total, 0.0

    def advance(self, steps):
        self.done += steps
        if self.name == self.wanted and self.done >= self.share * self.total > 0:
            raise Stop


@pytest.mark.parametrize("stage", ["encode", "fit", "mint", "write"])
def test_interrupted_in_the_middle_of_a_stage(digits, tmp_path, stage):
    plan = {**PLAIN, "method": "gan", "method_options": {"steps": 40}}
    with pytest.raises(Stop):
        am.augment(digits, tmp_path / "o", **plan, progress=Impatient(stage, 0.3))
    assert not (tmp_path / "o/SHA256SUMS").exists()
    am.augment(digits, tmp_path / "o", **plan)
    assert snapshot(tmp_path / "o") == snapshot(am.augment(digits, tmp_path / "clean", **plan).out)


def test_interrupted_while_the_data_set_is_written(finished, first_run):
    """Stops between any two files of the output, then between the last sums and the end."""
    want = snapshot(first_run.out)
    for path in finished.out.iterdir():
        if path.name != ".augmint":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.MonkeyPatch.context() as monkeypatch:
        total = stop_after(monkeypatch, "write", 10**9)
        am.augment(finished.data, finished.out, **MIXED)
    assert snapshot(finished.out) == want
    assert len(total) > 30
    for count in (*range(1, len(total) - 9, 7), *range(len(total) - 9, len(total))):
        for name in ("train", "report"):
            shutil.rmtree(finished.out / name)
        for name in ("SHA256SUMS", ".augmint/SHA256SUMS", "README.md", "run.json", ".augmint/run.sha256"):
            (finished.out / name).unlink(missing_ok=True)
        with pytest.MonkeyPatch.context() as monkeypatch, pytest.raises(Stop):
            stop_after(monkeypatch, "write", count)
            am.augment(finished.data, finished.out, **MIXED)
        if "SHA256SUMS" not in {Path(name).name for name in total[:count]}:
            assert not (finished.out / "SHA256SUMS").exists()  # it marks the data set as whole
        am.augment(finished.data, finished.out, **MIXED)
        assert snapshot(finished.out) == want, f"stopped before {total[count]}"


def test_any_one_receipt_or_unit_lost_is_made_again(finished, first_run):
    want = snapshot(first_run.out)
    victims = sorted((finished.out / ".augmint/receipts").iterdir()) + sorted(
        (finished.out / ".augmint/units").iterdir()
    )
    assert len(victims) > 20
    for victim in victims[::2]:
        victim.unlink()
    am.augment(finished.data, finished.out, **MIXED)
    assert snapshot(finished.out) == want
    for victim in victims[1::2]:
        victim.unlink()
    am.augment(finished.data, finished.out, **MIXED)
    assert snapshot(finished.out) == want


@pytest.mark.parametrize("unit", ["encode-0001-00000", "fit", "draw-00-0000-00000", "barrier-00"])
def test_a_damaged_unit_is_made_again(finished, first_run, unit):
    path = finished.out / f".augmint/units/{unit}.safetensors"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    am.augment(finished.data, finished.out, **MIXED)
    assert snapshot(finished.out) == snapshot(first_run.out)


def test_a_finished_run_does_nothing_again(finished, first_run):
    before = commits(finished.out)
    result = am.augment(finished.data, finished.out, **MIXED)
    assert commits(finished.out) == before
    assert (result.made, result.rejected) == (first_run.result.made, first_run.result.rejected)
    assert result.problems == first_run.result.problems


def test_what_a_killed_process_left_is_swept_away(finished, first_run):
    (finished.out / ".augmint/tmp/0123abc").write_bytes(b"half")
    am.augment(finished.data, finished.out, **MIXED)
    assert not list((finished.out / ".augmint/tmp").iterdir())
    assert snapshot(finished.out) == snapshot(first_run.out)


def test_full_disk_then_room(digits, first_run, tmp_path, monkeypatch):
    """Writes fail from the n-th on, at several n; the message names path and bytes, and the same call goes on."""
    out = tmp_path / "o"
    real = manifest_module.os.fsync
    for allowed in (0, 5, 9, 14, 30):
        left = [allowed]

        def fsync(handle, left=left):
            left[0] -= 1
            if left[0] < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(handle)

        with monkeypatch.context() as patch:
            patch.setattr(manifest_module.os, "fsync", fsync)
            with pytest.raises(RunError) as caught:
                am.augment(digits, out, **MIXED)
        assert caught.value.exit_code == 3
        assert "No space left" in caught.value.got and "bytes" in caught.value.got and str(out) in caught.value.got
        assert not list((out / ".augmint/tmp").iterdir())
    am.augment(digits, out, **MIXED)
    assert snapshot(out) == snapshot(first_run.out)


def stopped_run(data: Path, out: Path, count: int = 5, **values) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch, pytest.raises(Stop):
        stop_after(monkeypatch, "commit", count)
        am.augment(data, out, **{**PLAIN, **values})


@pytest.mark.parametrize("count", [2, 4, 6])
def test_a_changed_input_is_refused(copy_of, digits, tmp_path, count):
    data = copy_of(digits)
    stopped_run(data, tmp_path / "o", count)
    path = data / "0" / "0002.png"
    before = path.read_bytes()
    save(path, 255 - pixels_of(path))
    with pytest.raises(DataError) as caught:
        am.augment(data, tmp_path / "o", **PLAIN)
    assert caught.value.code == "input-changed" and caught.value.exit_code == 2
    assert "0/0002.png" in caught.value.got
    path.write_bytes(before)
    am.augment(data, tmp_path / "o", **PLAIN)
    clean = am.augment(data, tmp_path / "clean", **PLAIN)
    assert snapshot(tmp_path / "o") == snapshot(clean.out)


def test_an_input_that_changes_while_the_run_goes_on_is_refused(copy_of, digits, tmp_path):
    data = copy_of(digits)
    stopped_run(data, tmp_path / "o", count=10)  # all drawn, nothing written yet
    path = data / "1" / "0000.png"
    before = path.read_bytes()
    real = Manifest.load

    def load_and_meddle(self, unit):
        if unit == "fit":  # after the inputs were checked
            path.write_bytes(before + b"\0")
        return real(self, unit)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(Manifest, "load", load_and_meddle)
        with pytest.raises(DataError, match=r"1/0000\.png"):
            am.augment(data, tmp_path / "o", **PLAIN)
    assert not (tmp_path / "o/SHA256SUMS").exists()


@pytest.mark.parametrize("change", ["added", "removed", "renamed", "moved to another class"])
def test_another_data_set_is_refused(copy_of, digits, tmp_path, change):
    data = copy_of(digits)
    stopped_run(data, tmp_path / "o")
    path = data / "2" / "0003.png"
    if change == "added":
        shutil.copyfile(path, data / "2" / "9999.png")
    elif change == "removed":
        path.unlink()
    else:
        path.rename(data / "2" / "n.png" if change == "renamed" else data / "1" / "n.png")
    with pytest.raises(UsageError) as caught:
        am.augment(data, tmp_path / "o", **PLAIN)
    assert caught.value.code == "other-run" and "data:" in caught.value.got


def test_another_plan_is_refused_by_the_keys_that_differ(digits, tmp_path):
    stopped_run(digits, tmp_path / "o", seed=3)
    before = snapshot(tmp_path / "o")
    with pytest.raises(UsageError) as caught:
        am.augment(digits, tmp_path / "o", **PLAIN, seed=4, method="noise")
    assert caught.value.code == "other-run" and caught.value.exit_code == 2
    assert "seed: 3 -> 4" in caught.value.got and "method: 'interpolation' -> 'noise'" in caught.value.got
    assert "unit_size" not in caught.value.got
    assert "--fresh" in caught.value.do
    assert snapshot(tmp_path / "o") == before


@pytest.mark.parametrize("values", [{"workers": 1, "device": "cpu"}, {"max_skipped": 1.0}])
def test_how_it_runs_is_no_part_of_the_plan(digits, tmp_path, values):
    stopped_run(digits, tmp_path / "o")
    assert am.augment(digits, tmp_path / "o", **PLAIN, **values).exit_code == 0


def test_a_damaged_plan_is_refused_and_fresh_mends_it(digits, tmp_path):
    stopped_run(digits, tmp_path / "o")
    (tmp_path / "o/.augmint/plan.json").write_text("{")
    with pytest.raises(UsageError):
        am.augment(digits, tmp_path / "o", **PLAIN)
    am.augment(digits, tmp_path / "o", **PLAIN, fresh=True)
    assert json.loads((tmp_path / "o/.augmint/plan.json").read_text())["seed"] == 0


def test_fresh_starts_over_and_removes_only_what_is_ours(finished, tmp_path):
    (finished.out / "notes.txt").write_text("mine")
    am.augment(finished.data, finished.out, **PLAIN, seed=7, fresh=True)
    clean = am.augment(finished.data, tmp_path / "clean", **PLAIN, seed=7)
    assert (finished.out / "notes.txt").read_text() == "mine"
    (finished.out / "notes.txt").unlink()
    assert {name for name in snapshot(finished.out) if "notes" not in name} == set(snapshot(clean.out))
    assert (clean.out / "train/metadata.jsonl").read_bytes() == (finished.out / "train/metadata.jsonl").read_bytes()


def test_a_second_run_in_the_folder_is_refused_and_harms_nothing(finished, first_run):
    with Manifest(finished.out).lock(), pytest.raises(UsageError) as caught:
        am.augment(finished.data, finished.out, **PLAIN, seed=9, fresh=True)
    assert caught.value.code == "locked" and str(os.getpid()) in caught.value.got
    assert snapshot(finished.out) == snapshot(first_run.out)
    assert sums(finished.out) == sums(first_run.out)
