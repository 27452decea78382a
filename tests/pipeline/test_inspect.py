from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from augmint.core.errors import DataError
from augmint.pipeline.inspect import inspect
from support import pattern, save, write_digits


@pytest.fixture
def data(tmp_path):
    root = tmp_path / "in"
    write_digits(root / "train", {"0": 6, "1": 3})
    write_digits(root / "test", {"2": 2})
    for name in ("0", "1"):
        (root / "test" / name).mkdir()
    (root / "train" / "2").mkdir()
    return root


def test_a_clean_data_set(data):
    found = inspect(data)
    assert found.counts == {"test": {"0": 0, "1": 0, "2": 2}, "train": {"0": 6, "1": 3, "2": 0}}
    assert found.imbalance == 2.0
    assert found.shapes == {"8x8": 11}
    assert found.duplicates == found.conflicts == found.leaks == found.bad == ()
    assert any("empty" in warning for warning in found.warnings)
    assert found.exit_code == 0


def test_the_same_picture_twice_is_a_duplicate_however_it_is_stored(data):
    with Image.open(data / "train/0/0000.png") as image:
        image.save(data / "train/0/again.bmp")
    found = inspect(data)
    assert found.duplicates == (("train/0/0000.png", "train/0/again.bmp"),)
    assert found.conflicts == found.leaks == () and found.exit_code == 0


def test_the_same_picture_under_two_labels_is_a_conflict(data):
    shutil.copyfile(data / "train/0/0000.png", data / "train/1/other.png")
    found = inspect(data)
    assert found.conflicts == (("train/0/0000.png", "train/1/other.png"),)
    assert found.duplicates == found.conflicts and found.exit_code == 0


def test_the_same_picture_in_two_splits_is_a_leak(data):
    shutil.copyfile(data / "train/0/0003.png", data / "test/0/copy.png")
    found = inspect(data)
    assert found.leaks == (("test/0/copy.png", "train/0/0003.png"),)
    assert found.duplicates == () and found.exit_code == 1


def test_pixels_of_another_shape_are_another_picture(tmp_path):
    save(tmp_path / "in/a/1.png", np.zeros((4, 9), np.uint8))
    save(tmp_path / "in/a/2.png", np.zeros((9, 4), np.uint8))
    save(tmp_path / "in/a/3.png", np.zeros((6, 6), np.uint8))
    assert inspect(tmp_path / "in").duplicates == ()


def test_a_group_in_two_splits_is_a_leak(tmp_path):
    for split, groups in (("train", ["ann", "ann", "bob"]), ("test", ["bob", "eve"])):
        rows = ["file_name,label,patient"]
        for i, group in enumerate(groups):
            save(tmp_path / "in" / split / f"{i}.png", pattern((8, 8), i + 10 * len(split)))
            rows.append(f"{i}.png,x,{group}")
        (tmp_path / "in" / split / "metadata.csv").write_text("\n".join(rows))
    found = inspect(tmp_path / "in", group="patient")
    assert found.leaks == (("test/0.png", "train/2.png"),) and found.exit_code == 1
    assert found.crossing == {"bob": ("test/0.png", "train/2.png")}
    assert inspect(tmp_path / "in").exit_code == 0


def test_bad_files_are_listed_with_their_reason(data):
    (data / "train/0/cut.png").write_bytes((data / "train/0/0000.png").read_bytes()[:60])
    (data / "test/2/empty.png").write_bytes(b"")
    (data / "train/1/link.png").symlink_to(data / "train/1/nowhere.png")
    found = inspect(data)
    reasons = dict(found.bad)
    assert set(reasons) == {"train/0/cut.png", "test/2/empty.png", "train/1/link.png"}
    assert "cut" in reasons["train/0/cut.png"] and "empty" in reasons["test/2/empty.png"]
    assert "link" in reasons["train/1/link.png"]
    assert found.counts["train"]["0"] == 6 and found.exit_code == 0


def test_missing_data(tmp_path):
    with pytest.raises(DataError):
        inspect(tmp_path / "nothing")
