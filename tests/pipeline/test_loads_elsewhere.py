"""The output opens in other people's readers with the names, counts and rows of ours."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest
import yaml

import augmint as am
from augmint.core.types import ReadOptions
from augmint.formats.folders import Folders
from support import PLAIN, metadata, write_digits


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    root = tmp_path_factory.mktemp("elsewhere")
    write_digits(root / "in/train", {"0": 4, "1": 5})
    (root / "in/train/7 empty").mkdir()
    write_digits(root / "in/test", {"0": 2, "1": 1})
    am.augment(root / "in", root / "o", **PLAIN)
    return root / "o"


def image_folder(directory):
    """What torchvision's ImageFolder does: find_classes and make_dataset, written anew from its documentation."""
    classes = sorted(entry.name for entry in directory.iterdir() if entry.is_dir())
    suffixes = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
    samples = []
    for index, name in enumerate(classes):
        for folder, _, files in sorted(os.walk(directory / name, followlinks=True)):
            pictures = [file for file in sorted(files) if file.lower().endswith(suffixes)]
            samples += [(str(Path(folder) / file), index) for file in pictures]
    return classes, samples


def test_image_folder(out):
    classes, samples = image_folder(out / "train")
    assert classes == (out / "classes.txt").read_text().splitlines() == ["0", "1", "7 empty"]
    rows = metadata(out)
    ours = {str(out / "train" / row["file_name"]): row["label"] for row in rows}
    assert {path: classes[index] for path, index in samples} == ours
    assert len(samples) == len(rows) == 18
    assert Counter(index for _, index in samples) == {0: 8, 1: 10}
    assert len(image_folder(out / "test")[1]) == 3


def test_load_dataset(out):
    datasets = pytest.importorskip("datasets", reason="the package datasets is not installed")
    loaded = datasets.load_dataset(str(out), cache_dir=str(out.parent / "cache"))
    assert {name: len(split) for name, split in loaded.items()} == {"train": 18, "test": 3}
    for split in ("train", "test"):
        rows = {row["id"]: row for row in metadata(out, split)}
        assert len(loaded[split]) == len(rows)
        for row in loaded[split]:
            ours = rows[row["id"]]
            assert (row["label"], row["is_synthetic"], row["refs"]) == tuple(
                ours[key] for key in ("label", "is_synthetic", "refs")
            )
            assert row["image"].size == (8, 8)


def test_our_own_reader(out):
    listing = Folders().scan(out, ReadOptions())
    assert listing.classes == ("0", "1", "7 empty") and not listing.unreadable
    for split in ("train", "test"):
        entries = {entry.id: entry.target for entry in listing.entries if entry.split == split}
        assert entries == {f"{split}/{row['file_name']}": row["label"] for row in metadata(out, split)}
    for entry in listing.entries:
        assert Folders().load(entry).content.shape == (8, 8)


def test_every_row_has_the_same_columns_with_the_same_types(out):
    # Readers that infer a schema from the first rows must not be surprised by later ones.
    rows = [row for split in ("train", "test") for row in metadata(out, split)]
    assert len({tuple(row) for row in rows}) == 1
    for key in rows[0]:
        kinds = {type(row[key]) for row in rows}
        assert len(kinds) == 1, (key, kinds)
        assert kinds != {list} or all(row[key] for row in rows), f"an empty {key} has no element type"


def test_front_matter_of_the_card(out):
    _, front, _ = (out / "README.md").read_text().split("---\n", 2)
    config = yaml.safe_load(front)["configs"][0]
    assert config["data_files"] == [{"split": "train", "path": "train/**"}, {"split": "test", "path": "test/**"}]


def not_json(word):
    pytest.fail(f"{word} is no JSON")


def test_json_files_are_json(out):
    for path in out.rglob("*.json*"):
        text = path.read_text(encoding="utf-8")
        for line in text.split("\n")[:-1] if path.suffix == ".jsonl" else [text]:
            json.loads(line, parse_constant=not_json)
