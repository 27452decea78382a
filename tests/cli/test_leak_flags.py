"""--heldout, --against, --near and --group on the command line."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from near_copies import plant
from support import digit_images, pixels_of, save

FAST = ("--set", "size=64", "--gate", "none", "--no-progress")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("cli-leaks")
    for label in (0, 1):
        for i, image in enumerate(digit_images(label, 40)):
            large = np.kron(image, np.ones((3, 3), np.uint8))
            save(root / ("in/train" if i < 8 else "in/test") / str(label) / f"{i:02d}.png", large)
    return root / "in"


def test_run_and_verify_against(augmint, data, tmp_path):
    train, apart = data / "train", data / "test"
    answer = augmint("run", train, "-o", tmp_path / "o", "--heldout", apart, "--factor", 1.25, *FAST)
    assert answer.code == 0 and "leak check: 4 children compared with 64 held-out pictures" in answer.out
    again = augmint("verify", tmp_path / "o", "--against", apart)
    assert again.code == 0 and "4 children compared with 64 held-out pictures, 0 near copies" in again.out
    # What was made is planted among the held-out pictures, mirrored.
    child = next((tmp_path / "o/train/1").glob("syn-*.png"))
    leaked = Path(shutil.copytree(apart, tmp_path / "leaked"))

    save(leaked / "leaked.png", plant("flip", pixels_of(child), np.random.default_rng(0)))
    found = augmint("verify", tmp_path / "o", "--against", leaked)
    assert found.code == 1 and f"LEAK: {child.stem} is a near copy of heldout:leaked.png" in found.err
    as_json = augmint("verify", tmp_path / "o", "--against", leaked, "--json").json
    assert as_json["exit_code"] == 1 and as_json["problems"] == []
    assert [(row["id"], row["nearest"]) for row in as_json["against"]["leaks"]] == [(child.stem, "heldout:leaked.png")]


def test_inspect_near(augmint, data, tmp_path):
    copied = Path(shutil.copytree(data, tmp_path / "in"))
    save(copied / "train/0/copy.png", plant("crop", *_first(copied / "test/0")))
    quiet = augmint("inspect", copied, "--json").json
    assert quiet["near"] == [] and quiet["exit_code"] == 0
    found = augmint("inspect", copied, "--near", "--json").json
    assert [(row["id"], row["nearest"]) for row in found["near"]] == [("train/0/copy.png", "test/0/08.png")]
    assert found["exit_code"] == 0
    assert "near copy: train/0/copy.png of test/0/08.png" in augmint("inspect", copied, "--near").out


def _first(folder: Path) -> tuple[np.ndarray, np.random.Generator]:

    return pixels_of(min(folder.iterdir())), np.random.default_rng(0)


def test_a_group_in_two_splits_is_exit_2_in_every_command(augmint, data, tmp_path):
    grouped = Path(shutil.copytree(data, tmp_path / "in"))
    for split, name in (("train", "ann"), ("test", "ann")):
        lines = [f"{p.relative_to(grouped / split)},{name}" for p in sorted((grouped / split).rglob("*.png"))]
        (grouped / split / "metadata.csv").write_text("file_name,patient\n" + "\n".join(lines) + "\n")
    for command in ("run", "evaluate", "tune"):
        answer = augmint(command, grouped, "-o", tmp_path / command, "--group", "patient", "--json")
        assert answer.code == 2 and answer.json["error"]["code"] == "group-leak", command
        assert "'ann' in test and train" in answer.json["error"]["got"]
        assert not (tmp_path / command / "train").exists()
