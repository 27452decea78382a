from __future__ import annotations

from pathlib import Path

import pytest

import augmint as am
from augmint.core.errors import DataError
from augmint.core.types import Entry
from augmint.pipeline.groups import check_groups, join_groups, joined_groups
from augmint.pipeline.progress import Progress
from support import PLAIN, children, digit_images, metadata, save


class Told(Progress):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, message: str) -> None:
        self.lines.append(message)


def write_grouped(root: Path, splits: dict[str, list[str]], column: str = "patient") -> Path:
    """Zeros and ones in splits, one picture of each for every name of a group."""
    for part, groups in splits.items():
        rows = [f"file_name,label,{column}"]
        for i, group in enumerate(groups):
            for label in (0, 1):
                save(root / part / f"{label}-{i}.png", digit_images(label, 60)[i + 8 * len(part)])
                rows.append(f"{label}-{i}.png,{label},{group}")
        (root / part / "metadata.csv").write_text("\n".join(rows) + "\n")
    return root


def test_groups_are_joined_each_once_and_in_order():
    assert join_groups(["b", "a", "", "b"]) == "a + b"
    assert join_groups(["a + c", "b"]) == "a + b + c"
    assert join_groups([""]) == join_groups([]) == ""


def test_groups_that_a_child_joined_are_one():
    found = joined_groups(["a", "b", "c + a", "d", "d + e", "", "f"])
    assert found["a"] == found["c + a"] and found["d"] == found["d + e"]
    assert len({found[name] for name in ("a", "b", "d", "f", "")}) == 5
    assert len({joined_groups(["a + b", "b + c", "c + d"])[name] for name in ("a + b", "b + c", "c + d")}) == 1


def entries(split: str, *groups: str) -> list[Entry]:
    return [Entry(f"{split}/{i}", Path("x"), group=group, split=split) for i, group in enumerate(groups)]


def test_what_is_refused_and_what_is_not():
    check_groups([*entries("train", "a", "b", ""), *entries("test", "c", "")], entries("train", "c", "d", ""))
    with pytest.raises(DataError) as caught:
        check_groups([*entries("train", "a", "b"), *entries("val", "c"), *entries("test", "b", "c")])
    assert caught.value.code == "group-leak" and caught.value.exit_code == 2
    assert "2 groups" in caught.value.got and "'b' in test and train, 'c' in test and val" in caught.value.got
    # A child of an earlier run belongs to both its groups.
    with pytest.raises(DataError, match="'b' in heldout and train"):
        check_groups(entries("train", "a + b"), entries("train", "b"))
    with pytest.raises(DataError, match=r"15 groups .* and 5 more"):
        many = [f"p{i:02d}" for i in range(15)]
        check_groups([*entries("train", *many), *entries("test", *many)])


def test_a_run_refuses_a_group_in_two_splits_and_writes_nothing(tmp_path):
    data = write_grouped(tmp_path / "in", {"train": ["ann", "bob", "cem"], "test": ["bob", "eve"]})
    with pytest.raises(DataError) as caught:
        am.augment(data, tmp_path / "o", group="patient", **PLAIN)
    assert caught.value.code == "group-leak" and "'bob' in test and train" in caught.value.got
    assert not (tmp_path / "o").exists()


def test_a_run_refuses_a_group_that_is_held_out_too(tmp_path):
    data = write_grouped(tmp_path / "in", {"train": ["ann", "bob", "cem"]})
    apart = write_grouped(tmp_path / "apart", {"train": ["dan", "cem"]})
    with pytest.raises(DataError, match="'cem' in heldout and train"):
        am.augment(data, tmp_path / "o", group="patient", heldout=apart, **PLAIN)


def test_a_child_of_two_groups_is_given_to_neither_side(tmp_path):
    data = write_grouped(tmp_path / "in", {"train": ["ann", "bob", "cem", "dan"], "test": ["eve"]})
    told = Told()
    am.augment(data, tmp_path / "o", group="patient", factor=3, progress=told, **PLAIN)
    real = {row["id"]: row["group"] for row in metadata(tmp_path / "o") if not row["is_synthetic"]}
    made = children(tmp_path / "o")
    for row in made:
        assert row["group"] == " + ".join(sorted({real[ref.removeprefix("data:")] for ref in row["refs"]}))
    joint = {row["group"] for row in made} - set(real.values())
    assert joint and all(" + " in group for group in joint)
    count = sum(" + " in row["group"] for row in made)
    assert any(f"{count} children have parents of several groups" in line for line in told.lines)
    # In the output both names still count: what is made from it cannot meet one of them held out.
    apart = write_grouped(tmp_path / "apart", {"train": ["ann"]}, column="group")
    with pytest.raises(DataError, match="'ann' in heldout and train"):
        am.augment(tmp_path / "o", tmp_path / "p", heldout=apart, **PLAIN)
