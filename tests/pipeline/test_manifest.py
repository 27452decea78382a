from __future__ import annotations

import errno
import itertools
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from augmint.core.errors import RunError, UsageError
from augmint.pipeline.manifest import Manifest, dump_json, file_sha256

ROWS = [{"id": "a\nb", "x": 1.5}, {"id": "\u2028é"}]
ARRAYS = {"z": np.arange(6, dtype=np.float32).reshape(2, 3), "n": np.array([], np.int64)}


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    found = Manifest(tmp_path / "out")
    found.open()
    return found


def unit_file(manifest: Manifest, unit: str = "u") -> Path:
    return manifest.home / "units" / f"{unit}.safetensors"


def receipt_file(manifest: Manifest, unit: str = "u") -> Path:
    return manifest.home / "receipts" / f"{unit}.json"


def test_a_unit_reads_back_as_it_was_written(manifest):
    manifest.commit("u", ARRAYS, ROWS)
    assert manifest.finished("u")
    unit = manifest.load("u")
    assert unit.rows == ROWS
    assert set(unit.arrays()) == {"z", "n"}
    assert (unit.array("z") == ARRAYS["z"]).all() and unit.array("z").dtype == np.float32
    assert not list((manifest.home / "tmp").iterdir())


def test_an_array_reads_back_whatever_its_order_in_memory(manifest):
    square = np.arange(12, dtype=np.float32).reshape(4, 3)
    kinds = {
        "fortran": np.asfortranarray(square),
        "strided": square[:, ::2],
        "picked": square[:, [2, 0]],
        "turned": square.T,
    }
    manifest.commit("u", kinds, [])
    for name, array in kinds.items():
        assert np.array_equal(manifest.load("u").array(name), array), name


def test_the_same_unit_has_the_same_bytes(manifest):
    manifest.commit("u", ARRAYS, ROWS)
    first = unit_file(manifest).read_bytes(), receipt_file(manifest).read_bytes()
    manifest.commit("u", dict(reversed(ARRAYS.items())), [dict(reversed(row.items())) for row in ROWS])
    assert first == (unit_file(manifest).read_bytes(), receipt_file(manifest).read_bytes())


def test_what_was_never_written_is_not_finished(manifest):
    assert not manifest.finished("u")


@pytest.mark.parametrize("place", range(0, 400, 37))
def test_a_flipped_bit_in_a_unit_is_noticed(manifest, place):
    manifest.commit("u", ARRAYS, ROWS)
    path = unit_file(manifest)
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= 1 << (place % 8)
    path.write_bytes(data)
    assert not manifest.finished("u")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"sha256": "0"}', '{"sha256": "0", "bytes": "9"}', '{"bytes": 1}', "\xff"]
)
def test_a_damaged_receipt_is_noticed(manifest, text):
    manifest.commit("u", ARRAYS, ROWS)
    receipt_file(manifest).write_text(text, encoding="latin-1")
    assert not manifest.finished("u")


def test_a_lost_or_cut_unit_is_noticed(manifest):
    manifest.commit("u", ARRAYS, ROWS)
    path = unit_file(manifest)
    path.write_bytes(path.read_bytes()[:-1])
    assert not manifest.finished("u")
    path.unlink()
    assert not manifest.finished("u")


class PowerCut(BaseException):
    """The process ends here: no handler runs, but for those that a real death would not run either."""


def crash_at(monkeypatch: pytest.MonkeyPatch, step: int) -> list[str]:
    """Ends the process before the ``step``-th of all writes, fsyncs and renames; returns the steps taken."""
    taken: list[str] = []

    def cut(name: str, real):
        def call(*args, **kwargs):
            if len(taken) == step:
                raise PowerCut
            taken.append(name)
            return real(*args, **kwargs)

        return call

    monkeypatch.setattr(os, "fsync", cut("fsync", os.fsync))
    monkeypatch.setattr(Path, "replace", cut("replace", Path.replace))
    real_open = Path.open

    def open_and_cut(path: Path, mode: str = "r", *args, **kwargs):
        if "w" not in mode:
            return real_open(path, mode, *args, **kwargs)
        file = cut("open", real_open)(path, mode, *args, **kwargs)
        return _CutWrites(file, cut)

    monkeypatch.setattr(Path, "open", open_and_cut)
    return taken


class _CutWrites:
    """A file whose writes reach the disk by halves, each of which may be the last."""

    def __init__(self, file, cut):
        self.file, self.cut = file, cut

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()

    def __getattr__(self, name):
        return getattr(self.file, name)

    def write(self, data):
        for part in (data[: len(data) // 2], data[len(data) // 2 :]):
            self.cut("write", self.file.write)(part)
            self.file.flush()


NEW = {"z": np.full((4, 3), 7.0, np.float32)}


@pytest.mark.parametrize("before", ["nothing", "older unit"])
def test_a_crash_at_any_step_leaves_old_or_new(tmp_path, before):
    for step in itertools.count():
        manifest = Manifest(tmp_path / f"out{step}")
        manifest.open()
        if before == "older unit":
            manifest.commit("u", ARRAYS, ROWS)
        with pytest.MonkeyPatch.context() as monkeypatch:
            taken = crash_at(monkeypatch, step)
            try:
                manifest.commit("u", NEW, [{"id": "new"}])
                crashed = False
            except PowerCut:
                crashed = True
        receipt = receipt_file(manifest)
        if manifest.finished("u"):
            ids = [row["id"] for row in manifest.load("u").rows]
            assert ids in ([["new"]] if before == "nothing" else [["new"], [row["id"] for row in ROWS]])
            assert json.loads(receipt.read_bytes())["sha256"] == file_sha256(unit_file(manifest))
        elif before == "nothing":
            assert not receipt.exists(), f"a receipt without its file after {taken}"
        manifest.open()  # what the next run does first
        assert not list((manifest.home / "tmp").iterdir())
        manifest.commit("u", NEW, [{"id": "new"}])
        assert manifest.finished("u") and manifest.load("u").rows == [{"id": "new"}]
        if not crashed:
            break
    assert step == len(taken) == 12  # twice: open, two half writes, fsync, replace, fsync the folder
    assert taken[:6] == ["open", "write", "write", "fsync", "replace", "fsync"]


def test_a_file_of_the_data_set_is_never_half_there(tmp_path):
    for step in itertools.count():
        manifest = Manifest(tmp_path / f"out{step}")
        manifest.open()
        target = manifest.out / "train" / "x.png"
        manifest.write(target, b"old" * 100)
        with pytest.MonkeyPatch.context() as monkeypatch:
            crash_at(monkeypatch, step)
            try:
                manifest.write(target, b"new" * 100)
                break
            except PowerCut:
                assert target.read_bytes() in (b"old" * 100, b"new" * 100)
    assert target.read_bytes() == b"new" * 100
    assert step == 6


@pytest.mark.parametrize("broken", ["fsync", "replace", "write"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_a_full_or_failing_disk_is_a_resumable_error(manifest, monkeypatch, broken, code):
    def fail(*args, **kwargs):
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        if broken == "fsync":
            patch.setattr(os, "fsync", fail)
        elif broken == "replace":
            patch.setattr(Path, "replace", fail)
        else:
            patch.setattr(Path, "open", fail)
        with pytest.raises(RunError) as caught:
            manifest.commit("u", ARRAYS, ROWS)
    assert caught.value.exit_code == 3
    assert str(unit_file(manifest)) in caught.value.got
    assert os.strerror(code) in caught.value.got
    assert "bytes" in caught.value.got
    assert not manifest.finished("u")
    assert not list((manifest.home / "tmp").iterdir())
    manifest.commit("u", ARRAYS, ROWS)
    assert manifest.finished("u")


def test_a_log_that_cannot_be_written_is_a_resumable_error_too(manifest, monkeypatch):
    real = Path.open

    def fail(path, mode="r", *args, **kwargs):
        if path.name == "events.jsonl":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, mode, *args, **kwargs)

    monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(RunError, match=r"events\.jsonl"):
        manifest.commit("u", ARRAYS, ROWS)


def test_a_real_limit_on_file_size(tmp_path):
    # In a process of its own: a limit cannot be raised again.
    script = (
        "import resource, sys, numpy as np; from pathlib import Path; from augmint.core.errors import RunError\n"
        "from augmint.pipeline.manifest import Manifest\n"
        "m = Manifest(Path(sys.argv[1])); m.open(); m.commit('small', {'z': np.zeros(4)}, [])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "try: m.commit('large', {'z': np.zeros(100_000)}, [])\n"
        "except RunError as error: print(error.exit_code, error.got)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "o"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("3 cannot write")
    assert "File too large" in done.stdout
    manifest = Manifest(tmp_path / "o")
    assert manifest.finished("small") and not manifest.finished("large")
    assert not unit_file(manifest, "large").exists()
    assert not list((manifest.home / "tmp").iterdir())


@pytest.mark.parametrize("name", ["x" * 251 + ".png", "\U0001f600" * 62 + ".png", "a\nb'\".png", "-rf.png"])
def test_names_as_long_and_odd_as_names_can_be(manifest, name):
    manifest.write(manifest.out / "train" / name, b"data")
    assert (manifest.out / "train" / name).read_bytes() == b"data"


def test_second_lock_is_refused_and_names_the_process(manifest):
    with manifest.lock():
        with pytest.raises(UsageError) as caught, Manifest(manifest.out).lock():
            pytest.fail("two runs in one folder")
        assert caught.value.code == "locked"
        assert str(os.getpid()) in caught.value.got
    with manifest.lock():
        pass


def test_the_lock_of_a_dead_process_is_free(tmp_path):
    script = (
        "import os, sys; from pathlib import Path; from augmint.pipeline.manifest import Manifest\n"
        "context = Manifest(Path(sys.argv[1])).lock(); context.__enter__(); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "o"], check=False)
    assert done.returncode == -9
    assert (tmp_path / "o/.augmint/lock").read_text()
    with Manifest(tmp_path / "o").lock():
        assert str(os.getpid()) in (tmp_path / "o/.augmint/lock").read_text()


def test_a_folder_that_cannot_be_written_is_a_usage_error(tmp_path, monkeypatch):
    def refuse(path, *args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(UsageError, match="Permission denied"), Manifest(tmp_path).lock():
        pass


def test_json_has_one_spelling_and_no_nan():
    assert dump_json({"b": 1, "a": "é\u2028"}) == '{"a":"é\u2028","b":1}'
    with pytest.raises(ValueError):
        dump_json({"a": float("nan")})


def test_this_process_has_no_limit_left_over():
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
