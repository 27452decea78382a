"""``.npz`` sets: what is recognised, hostile archives, and every fault with its cure."""

from __future__ import annotations

import io
import pickle
import re
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from augmint.core.errors import DataError, SampleError
from augmint.core.types import ReadOptions
from augmint.formats import arrays
from augmint.formats.arrays import Arrays
from augmint.formats.images import read_image
from pictures import noise

X, Y = noise((6, 5, 4, 3)), np.array([0, 1, 2, 0, 1, 2])


def save(tmp_path, compressed=False, **members):
    path = tmp_path / "data.npz"
    (np.savez_compressed if compressed else np.savez)(path, **members)
    return path


def scan(path, label="", group=""):
    return Arrays().scan(path, ReadOptions(label, group))


def fault(path, code, **options):
    with pytest.raises(DataError) as caught:
        scan(path, **options)
    assert caught.value.code == code and caught.value.expected and caught.value.do
    assert str(path) in caught.value.got
    return caught.value


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("keys", [("images", "labels"), ("x", "y"), ("X", "y")])
def test_one_pair(tmp_path, keys, compressed):
    path = save(tmp_path, compressed, **dict(zip(keys, (X, Y), strict=True)))
    found = scan(path)
    assert found.classes == ("0", "1", "2") and not found.warnings
    assert [e.id for e in found.entries] == [f"{n:06d}" for n in range(6)]
    assert found.layout == "npz: 3 classes, 6 pictures (5, 4, 3) uint8"
    for row, sample in enumerate(Arrays().read(path, ReadOptions())):
        assert np.array_equal(sample.content, X[row]) and sample.target == str(Y[row])
        assert sample.raw is None and sample.split == "train"
        assert sample.content.flags.owndata and sample.content.flags.writeable


@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "y_train", "x_val", "y_val", "x_test", "y_test"),
        ("train_images", "train_labels", "val_images", "val_labels", "test_images", "test_labels"),
    ],
)
def test_split_pairs(tmp_path, names):
    values = (X, Y[:, None], X[:2], Y[:2, None], X[2:5], Y[2:5, None])
    found = scan(save(tmp_path, **dict(zip(names, values, strict=True)), classes=np.array(["a", "b", "c"])))
    assert [e.id for e in found.entries] == sorted(e.id for e in found.entries)
    assert len(found.entries) == 11 and found.classes == ("a", "b", "c")
    entry = next(e for e in found.entries if e.id == "test/000001")
    assert (entry.split, entry.row, entry.target) == ("test", 1, "a")
    assert np.array_equal(Arrays().load(entry).content, X[3])


def test_split_classes_and_groups(tmp_path):
    split = np.array(["train", "train", "train", "valid", "test", "test"])
    path = save(tmp_path, x=X, y=Y, classes=np.array(["z", "a", "m", "none"]), split=split, groups=np.arange(6) // 2)
    found = scan(path)
    assert found.classes == ("z", "a", "m", "none")
    assert [(e.split, e.group, e.target) for e in found.entries][2:4] == [("train", "1", "m"), ("val", "1", "z")]
    assert found.warnings == ("1 empty classes: 'none'",)


def test_string_and_byte_labels(tmp_path):
    for labels in (np.array(["b", "é", "a", "b", "b", "a"]), np.char.encode(["b", "é", "a", "b", "b", "a"], "utf-8")):
        found = scan(save(tmp_path, x=X, y=labels))
        assert found.classes == ("a", "b", "é") and found.entries[1].target == "é"


def test_number_classes_sort_by_value(tmp_path):
    assert scan(save(tmp_path, x=X, y=np.array([10, 9, -1, 10, 9, 2]))).classes == ("-1", "2", "9", "10")


def test_options_name_keys(tmp_path):
    path = save(tmp_path, x=X, kind=np.array(list("aabbcc")), slide=np.array(list("pqpqpq")))
    found = scan(path, label="kind", group="slide")
    assert found.classes == ("a", "b", "c") and found.entries[1].group == "q"
    assert "did you mean 'kind'?" in fault(path, "missing-key", label="kin").do


def test_unused_keys_are_said(tmp_path):
    assert scan(save(tmp_path, x=X, y=Y, extra=Y)).warnings == ("keys left alone: extra",)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2"])
def test_memory_orders(tmp_path, order, compressed, dtype):
    pixels = noise((6, 5, 4), np.uint16 if dtype != "u1" else np.uint8)
    path = save(tmp_path, compressed, x=np.asarray(pixels.astype(dtype), order=order), y=Y)
    for row, sample in enumerate(Arrays().read(path, ReadOptions())):
        assert np.array_equal(sample.content, pixels[row]) and sample.content.dtype == pixels.dtype
        assert np.array_equal(read_image(Arrays().dump(sample))[0], sample.content)


def test_floats_become_bytes(tmp_path):
    path = save(tmp_path, x=(X / 255).astype(np.float32), y=Y)
    sample = next(Arrays().read(path, ReadOptions()))
    assert np.array_equal(sample.content, X[0]) and sample.info["reduced"] == "floats read as 8 bits"


def test_bad_floats(tmp_path):
    values = (X / 255).astype(np.float32)
    values[2, 0, 0, 0], values[3, 0, 0, 0] = np.nan, 1.5
    found = scan(save(tmp_path, x=values, y=Y))
    assert Arrays().load(found.entries[1])
    with pytest.raises(SampleError, match=r"floats that are not in 0..1: NaN"):
        Arrays().load(found.entries[2])
    with pytest.raises(SampleError, match=r"floats that are not in 0..1$"):
        Arrays().load(found.entries[3])
    assert "astype(np.uint8)" in fault(save(tmp_path, x=X.astype(np.float32), y=Y), "dtype").do


def test_a_file_that_changes_under_us(tmp_path):
    path = save(tmp_path, x=X, y=Y)
    last = scan(path).entries[-1]
    np.savez(path, x=X[:3], y=Y[:3])
    with pytest.raises(SampleError, match="the row is gone"):
        Arrays().load(last)
    path.unlink()
    with pytest.raises(SampleError, match="cannot be opened: No such file"):
        Arrays().load(last)


@settings(max_examples=100, deadline=None)
@given(
    st.data(),
    st.sampled_from([(), (1,), (2,), (3,), (4,)]),
    st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 6)),
)
def test_load_then_dump_round_trip(tmp_path_factory, data, channels, shape):
    pixels = data.draw(hnp.arrays(np.uint8, (*shape, *channels)))
    path = save(tmp_path_factory.mktemp("npz"), x=pixels, y=np.zeros(shape[0], int))
    for row, sample in enumerate(Arrays().read(path, ReadOptions())):
        assert np.array_equal(sample.content.reshape(pixels[row].shape), pixels[row])
        assert np.array_equal(read_image(Arrays().dump(sample))[0], sample.content)


@pytest.mark.parametrize("compressed", [False, True])
def test_the_array_is_opened_once(tmp_path, monkeypatch, compressed):
    calls = []
    opened = arrays.open_npz
    monkeypatch.setattr(arrays, "open_npz", lambda path: calls.append(path) or opened(path))
    path = save(tmp_path, compressed, x=X, y=Y)
    assert len(list(Arrays().read(path, ReadOptions()))) == 6
    assert len(calls) == 2  # once to list, once to load
    np.savez(path, x=X[::-1], y=Y)
    assert np.array_equal(next(Arrays().read(path, ReadOptions())).content, X[-1])


CHW = np.zeros((6, 3, 32, 30), np.uint8)
# name -> (code, members, pattern of got, pattern of expected, pattern of do)
FAULTS = {
    "no images": ("missing-key", {"photos": X, "labels": Y}, "keys 'photos', 'labels'", "images and labels", "savez"),
    "no labels": ("missing-key", {"images": X, "lables": Y}, "no key 'labels'", "'labels'", "did you mean 'lables'"),
    "channels first": ("shape", {"x": CHW, "y": Y}, r"\(6, 3, 32, 30\)", "channels last", "transpose"),
    "two axes": ("shape", {"x": X.reshape(6, -1), "y": Y}, r"\(6, 60\)", r"\(n, H, W\)", "reshape"),
    "nothing": ("shape", {"x": X[:0], "y": Y[:0]}, r"\(0, 5, 4, 3\)", "at least one", ""),
    "wide integers": ("dtype", {"x": X.astype(np.int64), "y": Y}, "int64", "uint8", "astype"),
    "deep colour": ("dtype", {"x": X.astype(np.uint16), "y": Y}, "uint16", "grey only", ">> 8"),
    "unequal": ("labels", {"x": X, "y": Y[:5]}, r"\(5,\)", "6 labels", "check"),
    "one-hot": ("labels", {"x": X, "y": np.eye(3)[Y]}, r"\(6, 3\)", "one class", "argmax"),
    "float labels": ("labels", {"x": X, "y": Y / 2}, "float64", "whole numbers", "astype"),
    "empty label": ("labels", {"x": X, "y": np.array(["a", "", "a", "a", "a", "a"])}, r"y\[1\] is empty", "a name", ""),
    "unknown class": ("unknown-class", {"x": X, "y": Y, "classes": np.array(["a", "b"])}, r"y\[2\] = 2", "0 to 1", ""),
    "unknown name": ("unknown-class", {"x": X, "y": np.array(list("aabbbc")), "classes": np.array(["a", "b"])},
                     "label 'c' of row 5", "'a', 'b'", "correct"),
    "class twice": ("classes", {"x": X, "y": Y, "classes": np.array(["a", "b", "a"])}, "'a' twice", "once", ""),
    "twins": ("twins", {"x": X, "y": np.array(["a", "A", "a", "a", "a", "a"])}, "'a'", "", ""),
    "split word": ("split", {"x": X, "y": Y, "split": np.array(["train"] * 5 + ["tset"])}, r"split\[5\] = 'tset'",
                   "train, val or test", "did you mean 'test'"),
    "no train": ("split", {"x": X, "y": Y, "split": np.array(["test"] * 6)}, "no row of split 'train'", "", ""),
    "only in test": ("unknown-class", {"x_train": X, "y_train": Y, "x_test": X[:1], "y_test": Y[:1] + 7},
                     "label '7' of row 0", "'0', '1', '2'", ""),
    "groups and pairs": ("groups", {"x_train": X, "y_train": Y, "groups": Y}, "beside 'x_train'", "one row each", ""),
    "groups short": ("groups", {"x": X, "y": Y, "groups": Y[:3]}, r"\(3,\)", r"\(6,\)", ""),
    "objects": ("pickle", {"x": X, "y": np.array(["a", 1, None, 2, 3, 4], object)}, "pickle", "fixed-length", "savez"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_fault(tmp_path, name):
    code, members, got, expected, do = FAULTS[name]
    error = fault(save(tmp_path, **members), code)
    assert re.search(got, error.got), error.got
    assert re.search(expected, error.expected) and re.search(do, error.do)


class Boom:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_pickles_are_never_run(tmp_path):
    mark = tmp_path / "mark"
    path = save(tmp_path, images=X, labels=np.array([Boom(mark)] * 6, object))
    fault(path, "pickle")
    path.write_bytes(pickle.dumps(Boom(mark)))
    fault(path, "npz")
    assert not mark.exists()


def header(shape, descr="|u1"):
    target = io.BytesIO()
    np.lib.format.write_array_header_1_0(target, {"descr": descr, "fortran_order": False, "shape": shape})
    return target.getvalue()


def archive(path, members, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


@pytest.mark.parametrize("shape", [(10**6, 10**4, 10**4), (6, -5, 4), (3, 5, 4)])
def test_header_must_fit_the_bytes(tmp_path, shape):
    path = archive(tmp_path / "data.npz", {"x.npy": header(shape) + bytes(120), "y.npy": header((6,)) + bytes(6)})
    error = fault(path, "npz")
    assert "'x'" in error.got


def test_inflating_bomb(tmp_path):
    target = tmp_path / "data.npz"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file, file.open("x.npy", "w") as member:
        member.write(header((100, 1000, 1000)))
        for _ in range(100):
            member.write(bytes(10**6))
    assert target.stat().st_size < 200_000
    assert "inflate" in fault(target, "bomb").got


@pytest.mark.parametrize("damage", ["cut", "middle", "text", "empty", "npy", "entry"])
def test_damaged_archive(tmp_path, damage):
    path = save(tmp_path, True, images=X, labels=Y)
    data = path.read_bytes()
    if damage == "entry":
        archive(path, {"readme.txt": b"hello"})
    else:
        changed = {"cut": data[:-40], "middle": data.replace(b"\x93NUMPY", b"xxxxxx"), "text": b"a,b\n", "empty": b"",
                   "npy": header((6,)) + bytes(6)}[damage]  # fmt: skip
        path.write_bytes(changed if damage != "middle" else data[:60] + b"\xff" * 40 + data[100:])
    fault(path, "npz")


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 255))
def test_one_wrong_byte_raises_nothing_else(tmp_path_factory, place, value):
    path = save(tmp_path_factory.mktemp("npz"), True, images=X, labels=Y)
    data = bytearray(path.read_bytes())
    data[place % len(data)] = value
    path.write_bytes(data)
    try:
        for entry in scan(path).entries:
            Arrays().load(entry)
    except (DataError, SampleError) as error:
        assert str(error)


def test_floats_in_fortran_order(tmp_path):
    path = save(tmp_path, x=np.asfortranarray((X / 255).astype(np.float32)), y=Y)
    assert np.array_equal(next(Arrays().read(path, ReadOptions())).content, X[0])


def test_archives_numpy_does_not_write(tmp_path):
    packed = archive(tmp_path / "a.npz", {"x.npy": header((1, 2, 2)) + bytes(4)}, zipfile.ZIP_LZMA)
    assert "compression method 14" in fault(packed, "npz").got
    newer = b"\x93NUMPY\x03\0" + header((1, 2, 2))[8:10] + b"\0\0" + header((1, 2, 2))[10:] + bytes(4)
    assert "version (3, 0)" in fault(archive(tmp_path / "b.npz", {"x.npy": newer}), "npz").got


@pytest.mark.parametrize("key", ["label", "group"])
def test_columns_of_the_wrong_kind(tmp_path, key):
    two = save(tmp_path, x_train=X, y_train=Y, x_test=X, y_test=Y)
    fault(two, "missing-key" if key == "label" else "groups", **{key: "y_train"})
    fault(save(tmp_path, x=X, y=Y, classes=Y), "classes")
    fault(save(tmp_path, x=X, y=np.array([b"caf\xe9"] * 6)), "labels")


def test_no_class_names(tmp_path):
    assert scan(save(tmp_path, x=X, y=Y, classes=np.array([], dtype=str))).classes == ("0", "1", "2")


def test_overlapping_entries(tmp_path):
    path = save(tmp_path, images=X, labels=Y)
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x01\x02")
    struct.pack_into("<II", data, at + 20, 10**9, 10**9)
    path.write_bytes(data)
    fault(path, "bomb")
