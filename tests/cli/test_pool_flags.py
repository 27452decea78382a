"""``--pool``, ``--base`` and ``--label-by`` on the command line."""

from __future__ import annotations

import shutil

import pytest

from support import children, digit_images, save, write_digits

FAST = ["--gate", "none", "--size", "64", "--method", "retrieval", "--set", "method_options.confidence=0.0"]


@pytest.fixture
def pool(tmp_path):
    for label in (0, 1, 2):
        for i, image in enumerate(digit_images(label, 20)[10:]):
            save(tmp_path / "pool" / f"{label}-{i}.png", image)
    return tmp_path / "pool"


def test_run_dry_run_and_replay(augmint, digits, pool, tmp_path):
    out = tmp_path / "o"
    words = ["run", digits, "-o", out, "--pool", pool, "--label-by", "parents", "--factor", "1.5", *FAST]
    forecast = augmint(*words, "--dry-run")
    assert forecast.code == 0 and "pool: 30 samples" in forecast.out and not out.exists()
    assert augmint(*words, "--dry-run", "--json").json["second"] == {"pool": 30}
    answer = augmint(*words, "--json")
    assert answer.code == 0 and answer.json["made"] == {"0": 3, "1": 4, "2": 4} and answer.json["exhausted"] == {}
    moved = shutil.move(pool, tmp_path / "moved")
    child = children(out)[0]["id"]
    gone = augmint("replay", out, child)
    assert gone.code == 2 and "--pool DIR" in gone.err
    again = augmint("replay", out, child, "--pool", moved, "--save", tmp_path / "again.png")
    assert again.code == 0 and "identical" in again.out and "pool:" in again.out
    assert (tmp_path / "again.png").read_bytes() == (out / "train" / children(out)[0]["file_name"]).read_bytes()


def test_a_pool_that_runs_out_ends_with_one(augmint, digits, pool, tmp_path):
    answer = augmint("run", digits, "-o", tmp_path / "o", "--pool", pool, "--factor", "9", *FAST, "--json")
    assert answer.code == 1 and answer.json["exhausted"]
    assert "the pool has no further row for it" in answer.err


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        ([], "no-pool"),
        (["--pool", "nowhere"], "missing-path"),
        (["--pool", "EMPTY"], "no-images"),
        (["--label-by", "jury"], "unknown-label_by"),
    ],
)
@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_mistakes(augmint, digits, tmp_path, flags, code, dry):
    (tmp_path / "EMPTY").mkdir()
    words = [tmp_path / word if word == "EMPTY" else word for word in flags]
    answer = augmint("run", digits, "-o", tmp_path / "o", *FAST, *words, *dry, "--json")
    assert answer.code == 2 and answer.json["error"]["code"] == code and not (tmp_path / "o").exists()
    assert answer.json["error"]["expected"] and answer.json["error"]["do"]


def test_a_pool_that_is_ignored_is_told(augmint, tmp_path, pool):
    data = write_digits(tmp_path / "in", {"0": 3, "1": 3})
    words = ["run", data, "-o", tmp_path / "o", "--pool", pool, "--gate", "none", "--size", "64", "--dry-run"]
    answer = augmint(*words)
    assert answer.code == 0 and "is ignored: method 'interpolation' uses no pool" in answer.err
