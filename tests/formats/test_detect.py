"""What a path holds is told cheaply, and what is not read is refused by name."""

from __future__ import annotations

import re

import numpy as np
import pytest

from augmint.core.errors import DataError
from augmint.core.registry import describe
from augmint.formats import TABLE, detect
from augmint.formats.arrays import Arrays
from augmint.formats.folders import Folders
from augmint.formats.tables import Tables
from pictures import encode, noise, write

PICTURE = encode(noise((4, 4)), "PNG")


def test_known_formats(tmp_path):
    np.savez(tmp_path / "d.npz", x=noise((2, 4, 4)), y=np.arange(2))
    assert detect(tmp_path / "d.npz") == Arrays()
    assert detect(write(tmp_path / "set", {"cat/1.png": True})) == Folders()
    assert detect(str(tmp_path / "set")) == Folders()
    assert [row["name"] for row in describe("formats", "format", TABLE)] == ["folders", "arrays", "tables"]


FILES = {
    "photo.JPG": ("a single picture", "pass the folder"),
    "x.npy": ("an array without labels", "np.savez"),
    "scan.nii.gz": ("medical volumes", "slices"),
    "scan.dcm": ("medical volumes", "slices"),
    "instances.json": ("COCO", "crop"),
    "metadata.csv": ("a metadata file alone", "pass the folder"),
    "data.zip": ("an archive", "unpack"),
    "data.tar.gz": ("an archive", "unpack"),
    "data.pkl": ("a pickle", "npz"),
    "data.h5": ("HDF5", "npz"),
    "movie.mp4": (r"a file of type '.mp4'", "convert"),
}


@pytest.mark.parametrize("name", FILES)
def test_single_files(tmp_path, name):
    write(tmp_path, {name: PICTURE})
    refused(tmp_path / name, *FILES[name])


FOLDERS = {
    "coco": ({"train/1.png": True, "annotations/instances_train.json": "{}"}, "COCO.*boxes", "crop"),
    "coco-own": ({"images/1.png": True, "annotations.json": "{}"}, "COCO.*boxes", "crop"),
    "roboflow": ({"train/1.png": True, "train/_annotations.coco.json": "{}"}, "COCO.*boxes", "crop"),
    "yolo": ({"images/1.png": True, "labels/1.txt": "0 0 0 1 1"}, "YOLO.*boxes", "crop"),
    "yolo-split": ({"data.yaml": "x", "train/images/1.png": True, "train/labels/1.txt": "0"}, "YOLO.*boxes", "crop"),
    "voc": ({"JPEGImages/1.jpg": True, "Annotations/1.xml": "<x/>"}, "Pascal VOC.*boxes", "crop"),
    "masks": ({"images/1.png": True, "masks/1.png": True}, "masks are not supported", "classify"),
    "nifti": ({"cat/1.nii.gz": "x"}, "medical volumes", "slices"),
    "a table inside": ({"reviews.csv": "x"}, r"folder of tables \(reviews.csv\)", r"pass '.*reviews\.csv'.*train\.csv"),
    "npz inside": ({"a.npz": "x"}, "folder of .npz", r"pass '.*a\.npz'"),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_folders_of_other_kinds(tmp_path, name):
    files, got, do = FOLDERS[name]
    refused(write(tmp_path / "set", files), got, do)


@pytest.mark.parametrize("name", ["a.csv", "a.TSV", "a.jsonl", "a.ndjson", "a.csv.gz", "a.jsonl.gz", "a.parquet"])
def test_tables_by_name(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    assert detect(tmp_path / name) == Tables()


SETS = {
    "splits": ({"train.csv": "x", "test.csv": "x"}, Tables),
    "parts": ({"train-00000-of-00002.parquet": "x", "README.md": "x"}, Tables),
    "saved": ({"dataset_info.json": "{}", "state.json": "{}", "data-0.arrow": "x"}, Tables),
    "saved splits": ({"dataset_dict.json": "{}", "train/data.arrow": "x"}, Tables),
    "our output": ({"train.csv": "x", "report/a.png": True, ".augmint/plan.json": "{}"}, Tables),
    "a list of pictures": ({"train.csv": "x", "train/1.png": True}, Folders),
    "metadata in a split": ({"train/1.png": True, "train/metadata.csv": "file_name,label"}, Folders),
}


@pytest.mark.parametrize("name", SETS)
def test_folders_of_tables(tmp_path, name):
    files, kind = SETS[name]
    assert detect(write(tmp_path / "set", files)) == kind()


def test_missing_path(tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(DataError) as caught:
        detect(tmp_path / "fotos")
    assert caught.value.code == "missing-path" and "photos" in caught.value.do
    with pytest.raises(DataError, match="does not exist"):
        detect(tmp_path / "no/such/place")


def refused(path, got, do):
    with pytest.raises(DataError) as caught:
        detect(path)
    assert caught.value.code == "unsupported"
    assert re.search(got, caught.value.got) and re.search(do, caught.value.do) and "npz" in caught.value.expected
