"""Class folders and metadata files: what is recognised, names, links, loading and dumping."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from listing import PLAIN, TABLE, fault, rows, scan

from augmint.core.errors import SampleError
from augmint.core.types import ReadOptions, Sample
from augmint.formats.folders import Folders
from augmint.formats.images import read_image
from pictures import encode, noise, png_bomb, write

# Layouts


def test_class_folders(tmp_path):
    found = scan(write(tmp_path, PLAIN))
    assert [(e.id, e.target, e.split, e.row) for e in found.entries] == [
        ("cat/1.png", "cat", "train", -1),
        ("cat/2.png", "cat", "train", -1),
        ("dog/1.png", "dog", "train", -1),
    ]
    assert found.classes == ("cat", "dog") and found.root == tmp_path
    assert found.layout == "class folders: 2 classes, pictures: 3 in all" and not found.warnings


@pytest.mark.parametrize(
    ("folder", "split"), [("val", "val"), ("valid", "val"), ("validation", "val"), ("Test", "test")]
)
def test_splits(tmp_path, folder, split):
    found = scan(write(tmp_path, {"train/cat/1.png": True, "train/dog/1.png": True, f"{folder}/cat/9.png": True}))
    assert {e.id: e.split for e in found.entries}[f"{folder}/cat/9.png"] == split
    assert found.classes == ("cat", "dog")
    assert [e.id for e in found.entries] == sorted(e.id for e in found.entries)


def test_class_called_train(tmp_path):
    found = scan(write(tmp_path, {"bus/1.png": True, "car/1.png": True, "train/1.png": True}))
    assert found.classes == ("bus", "car", "train")


def test_classes_sort_as_imagefolder(tmp_path):
    found = scan(write(tmp_path, {f"{name}/1.png": True for name in ("b", "B2", "10", "9", "é", "a b")}))
    assert found.classes == tuple(sorted(("b", "B2", "10", "9", "é", "a b")))


def test_nested_folders_belong_to_the_class(tmp_path):
    found = scan(write(tmp_path, {**PLAIN, "dog/left/deep/7.png": True}))
    assert {e.id: e.target for e in found.entries}["dog/left/deep/7.png"] == "dog"


def test_suffixes_in_any_case(tmp_path):
    names = ["1.PNG", "2.Jpg", "3.JPEG", "4.webp", "5.tif", "6.TIFF", "7.bmp", "8.ppm", "9.pgm"]
    found = scan(write(tmp_path, {**{f"cat/{name}": True for name in names}, "dog/x.png": True}))
    assert len(found.entries) == 10


def test_other_files_are_named_once(tmp_path):
    files = {**PLAIN, "cat/a.txt": "x", "cat/b.txt": "x", "dog/c.gif": "x", "README.md": "x"}
    hidden = {".DS_Store": "x", "cat/.DS_Store": "x", "cat/Thumbs.db": "x", "cat/._1.png": "x", ".augmint/x.png": True}
    found = scan(write(tmp_path, {**files, **hidden}))
    assert len(found.entries) == 3
    assert found.warnings == ("3 files of other types left alone: .txt (2), .gif (1)",)


def test_empty_class_is_kept(tmp_path):
    write(tmp_path, PLAIN)
    (tmp_path / "bird").mkdir()
    found = scan(tmp_path)
    assert found.classes == ("bird", "cat", "dog")
    assert found.warnings == ("1 empty classes: 'bird'",)


def test_one_class_is_said(tmp_path):
    assert scan(write(tmp_path, {"cat/1.png": True})).warnings == ("there is only one class",)


def test_class_list_gives_the_order(tmp_path):
    found = scan(write(tmp_path, {**PLAIN, "classes.txt": "\ufeffdog\r\ncat\r\n"}))
    assert found.classes == ("dog", "cat")


# Metadata


@pytest.mark.parametrize("folder", ["", "train/"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv(tmp_path, folder, bom, end):
    text = bom + end.join(["file_name,label,extra", "a.png,cat,1", "", '"b, c.png","the ""dog""",2', ""])
    found = scan(write(tmp_path, {f"{folder}a.png": True, f"{folder}b, c.png": True, f"{folder}metadata.csv": text}))
    assert [(e.id, e.target) for e in found.entries] == [(f"{folder}a.png", "cat"), (f"{folder}b, c.png", 'the "dog"')]
    assert found.layout.startswith("metadata: 2 classes")


def test_jsonl_with_number_labels_and_groups(tmp_path):
    text = rows({"file_name": "./x/a.png", "label": 10, "group": 7}, {"file_name": "x//b.png", "label": 9})
    found = scan(write(tmp_path, {"x/a.png": True, "x/b.png": True, "metadata.jsonl": text}))
    assert [(e.id, e.target, e.group) for e in found.entries] == [("x/a.png", "10", "7"), ("x/b.png", "9", "")]


def test_named_columns(tmp_path):
    write(tmp_path, {**TABLE, "metadata.csv": "file_name,species,patient\na.png,cat,p1\nb.png,dog,p2\n"})
    found = scan(tmp_path, label="species", group="patient")
    assert [(e.target, e.group) for e in found.entries] == [("cat", "p1"), ("dog", "p2")]


def test_groups_beside_class_folders(tmp_path):
    text = "file_name,patient\ncat/1.png,p\ncat/2.png,q\ndog/1.png,p\n"
    found = scan(write(tmp_path, {**PLAIN, "metadata.csv": text}), group="patient")
    assert [(e.target, e.group) for e in found.entries] == [("cat", "p"), ("cat", "q"), ("dog", "p")]


def test_root_metadata_over_splits(tmp_path):
    text = "file_name,label\ntrain/a.png,cat\ntest/b.png,cat\n"
    found = scan(write(tmp_path, {"train/a.png": True, "test/b.png": True, "metadata.csv": text}))
    assert [(e.id, e.split) for e in found.entries] == [("test/b.png", "test"), ("train/a.png", "train")]


def test_metadata_in_train_and_folders_in_test(tmp_path):
    files = {"train/images/a.png": True, "train/metadata.csv": "file_name,label\nimages/a.png,cat\n"}
    found = scan(write(tmp_path, {**files, "test/cat/b.png": True}))
    assert [(e.split, e.target) for e in found.entries] == [("test", "cat"), ("train", "cat")]
    assert found.classes == ("cat",)


def test_our_own_output_is_an_input(tmp_path):
    """Class folders with a metadata file that says the same, and everything else that a run writes."""
    made = rows(
        {"file_name": "cat/1.png", "label": "cat", "is_synthetic": False, "refs": []},
        {"file_name": "dog/1.png", "label": "dog", "is_synthetic": True, "refs": ["data:cat/1.png"]},
    )
    files = {"train/cat/1.png": True, "train/dog/1.png": True, "train/metadata.jsonl": made, "test/cat/7.png": True}
    state = {".augmint/units/000001.json": "{}", ".augmint/rejects/x.png": True, "report/index.html": "<html>"}
    words = ("README.md", "config.yaml", "run.json", "rejects.jsonl", "skipped.jsonl", "SHA256SUMS")
    write(tmp_path, {**files, **state, "classes.txt": "dog\ncat\n", **dict.fromkeys(words, "x")})
    (tmp_path / "train/empty").mkdir()
    (tmp_path / "classes.txt").write_text("dog\nempty\ncat\n")
    found = scan(tmp_path)
    assert found.classes == ("dog", "empty", "cat")
    assert [e.id for e in found.entries] == ["test/cat/7.png", "train/cat/1.png", "train/dog/1.png"]
    assert found.warnings == ("1 empty classes: 'empty'",)


def test_label_names_are_free_of_folder_rules(tmp_path):
    text = rows({"file_name": "a.png", "label": "cat/dog"}, {"file_name": "b.png", "label": "..\n"})
    found = scan(write(tmp_path, {**TABLE, "metadata.jsonl": text}))
    assert found.classes == ("..\n", "cat/dog")


# Names

ODD = [
    "a b",
    "new\nline",
    'quo"te',
    "com,ma",
    "emoji 🐈",
    "‮rtl עברית",
    "-dash",
    "..x",
    "CON",
    "é",
    "x" * 251,
    "'",
    "%41",
    "#",
]


@pytest.mark.parametrize("name", ODD, ids=ascii)
def test_odd_names(tmp_path, name):
    """Any name a file system takes comes back as it is, by folder and by either kind of metadata."""
    folder, picture = name[:200], f"{name}.png"
    files = {f"{folder}/{picture}": True, "plain/a.png": True}
    found = scan(write(tmp_path / "plain", files))
    assert {(e.id, e.target) for e in found.entries} == {(f"{folder}/{picture}", folder), ("plain/a.png", "plain")}
    cell = picture.replace('"', '""')
    write(tmp_path / "csv", {picture: True, "metadata.csv": f'file_name,label\n"{cell}","{cell}"\n'})
    write(tmp_path / "jsonl", {picture: True, "metadata.jsonl": rows({"file_name": picture, "label": picture})})
    for kind in ("csv", "jsonl"):
        (entry,) = scan(tmp_path / kind).entries
        assert (entry.id, entry.target) == (picture, picture)
        assert Folders().load(entry).content.shape == (4, 5, 3)


LETTERS = st.characters(exclude_characters="/\0", exclude_categories=("Cs",))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(LETTERS, min_size=1, max_size=40))
def test_any_name_round_trips(tmp_path, name):
    root = tmp_path / "set"
    shutil.rmtree(root, ignore_errors=True)
    name = ("n" + name) if name[0] == "." else name
    if name.lower() in ("thumbs.db", "desktop.ini", "metadata"):
        return
    write(root, {f"{name}/{name}.png": True, "zz-other/a.png": True})
    entry = next(e for e in scan(root).entries if not e.id.startswith("zz-other"))
    assert entry.id == f"{name}/{name}.png" and entry.target == name


@pytest.mark.parametrize("pair", [("Cat", "cat"), ("\u00e9", "e\u0301"), ("STRASSE", "straße")], ids=ascii)
def test_twins(tmp_path, pair):
    for folder, files in {
        "classes": {f"{name}/1.png": True for name in pair},
        "files": {f"k/{name}.png": True for name in pair},
    }.items():
        error = fault(write(tmp_path / folder, files), "twins")
        assert all(ascii(name)[1:-1] in error.got for name in pair)
    text = rows(*({"file_name": f"{n}.png", "label": name} for n, name in enumerate(pair)))
    fault(write(tmp_path / "labels", {"0.png": True, "1.png": True, "metadata.jsonl": text}), "twins")


def test_names_that_are_not_utf8_are_listed(tmp_path):
    write(tmp_path, PLAIN)
    for number in range(7):
        with open(os.fsencode(tmp_path / "cat") + b"/caf\xe9%d.png" % number, "wb") as file:  # noqa: PTH123
            file.write(b"x")
    error = fault(tmp_path, "bad-name")
    assert r"b'cat/caf\xe90.png'" in error.got and error.got.endswith("and 2 more") and "convmv" in error.do


# Links and odd files


def test_link_inside_is_a_file(tmp_path):
    write(tmp_path, PLAIN)
    (tmp_path / "dog/link.png").symlink_to("../cat/1.png")
    assert len(scan(tmp_path).entries) == 4


@pytest.mark.parametrize("kind", ["file", "folder", "broken"])
def test_link_outside(tmp_path, kind):
    root = write(tmp_path / "set", PLAIN)
    write(tmp_path / "other", {"x.png": True})
    target = {"file": "other/x.png", "folder": "other", "broken": "nowhere.png"}[kind]
    (root / ("cat/link" if kind == "folder" else "cat/link.png")).symlink_to(tmp_path / target)
    error = fault(root, "outside")
    assert "link" in error.got and str(tmp_path / target) in error.got


def test_link_in_a_circle(tmp_path):
    write(tmp_path, PLAIN)
    (tmp_path / "cat/again").symlink_to(tmp_path)
    fault(tmp_path, "loop")
    (tmp_path / "cat/again").unlink()
    (tmp_path / "cow").symlink_to("cat")
    fault(tmp_path, "loop")


def test_files_that_cannot_be_opened_are_listed(tmp_path):
    write(tmp_path, PLAIN)
    os.mkfifo(tmp_path / "cat/pipe.png")
    (tmp_path / "cat/gone.png").symlink_to(tmp_path / "cat/nothing.png")
    found = scan(tmp_path)
    assert found.unreadable == (("cat/gone.png", "broken link"), ("cat/pipe.png", "not a regular file"))
    assert len(found.entries) == 3


# Loading and dumping


def test_load(tmp_path):
    text = "file_name,label,group\na.png,cat,p1\nb.jpg,cat,p2\n"
    stored = encode(noise((6, 7, 3)), "JPEG")
    write(tmp_path, {"a.png": encode(noise((6, 7), np.uint16), "PNG"), "b.jpg": stored, "metadata.csv": text})
    first, second = Folders().read(tmp_path, ReadOptions())
    assert np.array_equal(first.content, noise((6, 7), np.uint16)) and first.content.dtype == np.uint16
    assert (first.id, first.target, first.group, first.split) == ("a.png", "cat", "p1", "train")
    assert first.info == {"format": "PNG", "mode": "I;16", "bits": 16}
    assert second.raw == stored and second.info["format"] == "JPEG"


def test_bad_files_stay_single(tmp_path):
    bad = {"cat/cut.png": encode(noise((32, 32, 3)), "PNG")[:500], "cat/empty.png": b"", "cat/bomb.png": png_bomb()}
    found = scan(write(tmp_path, {**PLAIN, **bad, "cat/text.png": "hello"}))
    reasons = {}
    for entry in found.entries:
        try:
            Folders().load(entry)
        except SampleError as error:
            reasons[entry.id] = error.reason
    assert reasons == {
        "cat/cut.png": "cut short",
        "cat/empty.png": "empty file",
        "cat/bomb.png": "too large (bomb?)",
        "cat/text.png": "not a picture",
    }


def test_vanished_file(tmp_path):
    entry = scan(write(tmp_path, PLAIN)).entries[0]
    entry.source.unlink()
    with pytest.raises(SampleError, match="cannot be opened: No such file"):
        Folders().load(entry)


def test_huge_file_is_not_read(tmp_path):
    entry = scan(write(tmp_path, PLAIN)).entries[0]
    with entry.source.open("wb") as file:
        file.truncate((1 << 30) + 1)
    with pytest.raises(SampleError, match="too large"):
        Folders().load(entry)


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 2), (5, 7, 3), (5, 7, 4)])
def test_dump_then_load(tmp_path, shape):
    data = Folders().dump(Sample("x", noise(shape)))
    assert np.array_equal(read_image(data)[0], noise(shape))
    (loaded,) = Folders().read(write(tmp_path, {"cat/x.png": data}), ReadOptions())
    assert np.array_equal(loaded.content, noise(shape)) and Folders().dump(loaded) == data


def test_inputs_are_not_touched(tmp_path):
    write(tmp_path, PLAIN)
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in tmp_path.rglob("*.png")}
    list(Folders().read(tmp_path, ReadOptions()))
    assert before == {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in tmp_path.rglob("*.png")}
