"""Data sets of every form and state, through a whole run."""

from __future__ import annotations

import io
import shutil
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

import augmint as am
from augmint.core.errors import DataError, UsageError
from augmint.core.types import ReadOptions
from augmint.formats.folders import Folders
from augmint.pipeline.verify import verify
from support import PLAIN, child_bytes, children, jsonl, metadata, pattern, pixels_of, save, snapshot, write_digits


def by_id(out):
    return {row["id"]: row for row in metadata(out)}


# bad files


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty"), (b"hello, I am text", "picture"), ("cut", "cut short"), ("flipped", "")],
)
def test_a_bad_file_is_listed_once_and_changes_nothing_else(tmp_path, content, reason):
    data = write_digits(tmp_path / "in", {"0": 10, "1": 10})
    clean = am.augment(data, tmp_path / "clean", **PLAIN)
    good = (data / "0" / "0001.png").read_bytes()
    if content == "cut":
        content = good[: len(good) // 2]
    elif content == "flipped":
        content = good[:20] + bytes([good[20] ^ 0xFF]) + good[21:]
    (data / "0" / "0005a.png").write_bytes(content)
    result = am.augment(data, tmp_path / "o", **PLAIN, max_skipped=0.05)
    assert result.exit_code == 0 and result.total == 21  # 1 of 21 is 4.8 %
    (row,) = jsonl(tmp_path / "o/skipped.jsonl")
    assert row["id"] == "0/0005a.png" and reason in row["skipped"]
    assert result.skipped == (("0/0005a.png", row["skipped"]),)
    assert child_bytes(tmp_path / "o") == child_bytes(clean.out)
    assert (tmp_path / "o/train/metadata.jsonl").read_bytes() == (clean.out / "train/metadata.jsonl").read_bytes()
    assert not (tmp_path / "o/train/0/0005a.png").exists()


def test_too_many_bad_files_end_with_one(tmp_path):
    data = write_digits(tmp_path / "in", {"0": 10, "1": 10})
    (data / "0" / "bad.png").write_bytes(b"\x89PNG")
    at_five = am.augment(data, tmp_path / "o", **PLAIN, max_skipped=0.05)
    at_four = am.augment(data, tmp_path / "o", **PLAIN, max_skipped=0.04)
    assert (at_five.exit_code, at_four.exit_code) == (0, 1)
    assert at_four.problems == ("1 of 21 inputs skipped (4.8% > 4.0%)",)
    assert len(jsonl(tmp_path / "o/skipped.jsonl")) == 1
    assert verify(tmp_path / "o").exit_code == 0


def test_a_class_whose_files_are_all_bad_is_kept_and_empty(tmp_path):
    data = write_digits(tmp_path / "in", {"0": 3, "1": 4})
    (data / "5").mkdir()
    (data / "5" / "x.png").write_bytes(b"")
    result = am.augment(data, tmp_path / "o", **PLAIN, max_skipped=0.5, strategy="auto")
    assert result.before == {"0": 3, "1": 4, "5": 0} and result.made == {"0": 1, "1": 0, "5": 0}
    assert (tmp_path / "o/classes.txt").read_text().split() == ["0", "1", "5"]


# splits


@pytest.fixture
def split_data(tmp_path):
    root = tmp_path / "in"
    write_digits(root / "train", {"0": 4, "1": 5})
    write_digits(root / "val", {"0": 2})
    write_digits(root / "test", {"0": 1, "1": 3})
    return root


def test_held_out_splits_pass_through_and_nothing_learns_from_them(split_data, tmp_path):
    plain = write_digits(tmp_path / "plain", {"0": 4, "1": 5})
    result = am.augment(split_data, tmp_path / "o", **PLAIN)
    assert result.before == {"0": 4, "1": 5} == result.made
    for split, count in (("val", 2), ("test", 4)):
        rows = metadata(tmp_path / "o", split)
        assert len(rows) == count and not any(row["is_synthetic"] for row in rows)
        for row in rows:
            path = tmp_path / "o" / split / row["file_name"]
            assert path.read_bytes() == (split_data / split / row["file_name"]).read_bytes()
            assert row["id"] == f"{split}/{row['file_name']}" and row["label"] == row["file_name"][0]
    # They are read after everything is drawn, for units of their own: for the leak check and for the scores.
    files = [
        path for path in (tmp_path / "o/.augmint/units").iterdir() if not path.name.startswith(("heldout-", "prints-"))
    ]
    units = b"".join(path.read_bytes() for path in files)
    assert b"train/0/0000.png" in units and b"val/" not in units and b"test/" not in units
    # What is held out has no influence on what is made.
    alone = am.augment(plain, tmp_path / "p", **PLAIN)
    assert sorted(child_bytes(alone.out).values()) == sorted(child_bytes(tmp_path / "o").values())


def test_a_bad_file_of_a_held_out_split_is_skipped_too(split_data, tmp_path):
    (split_data / "test" / "1" / "bad.png").write_bytes(b"not a picture")
    result = am.augment(split_data, tmp_path / "o", **PLAIN)
    assert [id_ for id_, _ in result.skipped] == ["test/1/bad.png"]
    assert result.total == 9 + 6 + 1 and result.exit_code == 1  # 1 of 16 is more than 5 %
    assert [row["id"] for row in jsonl(tmp_path / "o/skipped.jsonl")] == ["test/1/bad.png"]
    assert len(metadata(tmp_path / "o", "test")) == 4
    assert verify(tmp_path / "o").exit_code == 0


def test_a_held_out_split_with_a_metadata_file_passes_through(split_data, tmp_path):
    shutil.rmtree(split_data / "test")
    rows = ["file_name,label"]
    for i, image in enumerate([pattern((9, 9), i) for i in range(3)]):
        save(split_data / "test" / f"{i}.png", image)
        rows.append(f"{i}.png,0")
    (split_data / "test/metadata.csv").write_text("\n".join(rows))
    am.augment(split_data, tmp_path / "o", **PLAIN)
    assert [row["file_name"] for row in metadata(tmp_path / "o", "test")] == ["0/0.png", "0/1.png", "0/2.png"]


# other forms


def test_npz(tmp_path):
    images = np.stack([pattern((8, 10, 3), i) for i in range(9)])
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1])
    np.savez(tmp_path / "d.npz", images=images, labels=labels, classes=np.array(["ant", "bee"]))
    result = am.augment(tmp_path / "d.npz", tmp_path / "o", **PLAIN, strategy="auto")
    assert result.before == {"ant": 4, "bee": 5} and result.made == {"ant": 1, "bee": 0}
    for row in metadata(tmp_path / "o"):
        pixels = pixels_of(tmp_path / "o/train" / row["file_name"])
        assert pixels.shape == (8, 10, 3)
        if not row["is_synthetic"]:
            assert row["label"] == ["ant", "bee"][labels[int(row["id"])]]
            assert (pixels == images[int(row["id"])]).all()
    again = am.augment(tmp_path / "d.npz", tmp_path / "o", **PLAIN, strategy="auto")
    assert again.made == result.made


def test_npz_that_changed_is_refused(tmp_path):
    images = np.stack([pattern((8, 8), i) for i in range(6)])
    np.savez(tmp_path / "d.npz", images=images, labels=[0, 0, 0, 1, 1, 1])
    am.augment(tmp_path / "d.npz", tmp_path / "o", **PLAIN)
    images[3, 0, 0] ^= 1
    np.savez(tmp_path / "d.npz", images=images, labels=[0, 0, 0, 1, 1, 1])
    with pytest.raises(am.AugmintError) as caught:
        am.augment(tmp_path / "d.npz", tmp_path / "o", **PLAIN)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("name", ["metadata.csv", "metadata.jsonl"])
def test_labels_and_groups_from_a_metadata_file(tmp_path, name):
    rows = []
    for i in range(8):
        save(tmp_path / "in" / "images" / f"{i}.png", pattern((8, 8), i))
        rows.append((f"images/{i}.png", "cat" if i < 3 else "dog", f"p{i % 2}"))
    if name.endswith("csv"):
        text = "file_name,species,patient\n" + "".join(",".join(row) + "\n" for row in rows)
    else:
        text = "".join(f'{{"file_name": "{a}", "species": "{b}", "patient": "{c}"}}\n' for a, b, c in rows)
    (tmp_path / "in" / name).write_text(text)
    result = am.augment(tmp_path / "in", tmp_path / "o", **PLAIN, label="species", group="patient")
    assert result.made == {"cat": 3, "dog": 5}
    real = by_id(tmp_path / "o")
    for path, label, group in rows:
        assert (real[path]["label"], real[path]["group"]) == (label, group)
        assert (tmp_path / "o/train" / real[path]["file_name"]).exists()
    for row in children(tmp_path / "o"):
        # A child belongs to the groups of all its parents.
        assert row["group"] == " + ".join(sorted({real[ref.removeprefix("data:")]["group"] for ref in row["refs"]}))


def test_files_of_one_name_in_different_folders_stay_apart(tmp_path):
    rows = ["file_name,label"]
    for slide in ("slide1", "slide2"):
        for folder in ("cat", "dog"):
            for i in range(2):
                save(tmp_path / "in" / slide / folder / f"{i}.png", pattern((8, 8), len(rows)))
                rows.append(f"{slide}/{folder}/{i}.png,{folder}")
    (tmp_path / "in/metadata.csv").write_text("\n".join(rows))
    result = am.augment(tmp_path / "in", tmp_path / "o", **PLAIN)
    assert result.before == {"cat": 4, "dog": 4}
    found = metadata(tmp_path / "o")
    assert len({row["file_name"] for row in found}) == len(found) == 16
    for row in found:
        if not row["is_synthetic"]:
            assert (tmp_path / "o/train" / row["file_name"]).read_bytes() == (tmp_path / "in" / row["id"]).read_bytes()


def test_deeper_folders_of_a_class_keep_their_paths(tmp_path):
    for name in ("0/a/x.png", "0/b/x.png", "0/0/x.png", "0/x.png", "1/x.png", "1/1.png/x.png"):
        save(tmp_path / "in" / name, pattern((8, 8), len(name)))
    am.augment(tmp_path / "in", tmp_path / "o", **PLAIN)
    real = [row for row in metadata(tmp_path / "o") if not row["is_synthetic"]]
    assert sorted(row["file_name"] for row in real) == sorted(
        ["0/a/x.png", "0/b/x.png", "0/0/x.png", "0/x.png", "1/x.png", "1/1.png/x.png"]
    )


# pixels


def odd_pictures(root):
    """One class each of the pixel types; the shape and mode that a child of it must have."""
    wanted = {}
    for i in range(2):
        grey, colour = pattern((12, 17), i), pattern((12, 17, 3), i)
        alpha = np.dstack([colour, pattern((12, 17), i + 9)])
        save(root / "grey" / f"{i}.png", grey)
        save(root / "rgb" / f"{i}.png", colour)
        save(root / "rgba" / f"{i}.png", alpha)
        save(root / "la" / f"{i}.png", alpha[:, :, [0, 3]])
        save(root / "deep" / f"{i}.png", pattern((12, 17), i, np.uint16))
        (root / "cmyk").mkdir(parents=True, exist_ok=True)
        Image.fromarray(colour).convert("CMYK").save(root / "cmyk" / f"{i}.jpg", quality=95)
        (root / "palette").mkdir(parents=True, exist_ok=True)
        Image.fromarray(colour).quantize(16).save(root / "palette" / f"{i}.png")
        save(root / "tall" / f"{i}.png", pattern((40, 3, 3), i))
        save(root / "dot" / f"{i}.png", pattern((1, 1, 3), i))
    wanted = {"grey": "L", "rgb": "RGB", "rgba": "RGBA", "la": "LA", "deep": "I;16", "cmyk": "RGB", "palette": "RGB"}
    sizes = dict.fromkeys(wanted, (17, 12)) | {"tall": (3, 40), "dot": (1, 1)}
    return sizes, wanted | {"tall": "RGB", "dot": "RGB"}


def test_children_have_size_and_mode_of_their_anchor(tmp_path):
    sizes, modes = odd_pictures(tmp_path / "in")
    result = am.augment(tmp_path / "in", tmp_path / "o", **PLAIN)
    assert not result.skipped and result.made == dict.fromkeys(sorted(sizes), 2)
    for row in children(tmp_path / "o"):
        with Image.open(tmp_path / "o/train" / row["file_name"]) as image:
            assert (image.size, image.mode) == (sizes[row["label"]], modes[row["label"]]), row["label"]
            assert image.format == "PNG" and not image.info.keys() - {"transparency"}
    for path in (tmp_path / "in").rglob("*.*"):
        kept = tmp_path / "o/train" / path.relative_to(tmp_path / "in")
        assert (pixels_of(kept) == pixels_of(path)).all()


# names

ODD_NAMES = [
    "with space.png",
    "line\nbreak.png",
    "quote'\".png",
    "back\\slash.png",
    "comma,semi;.png",
    "emoji \U0001f600.png",
    "\u05d0\u05d1.png",
    "sep\u2028\u0085.png",
    "-rf.png",
    "..x.png",
    "nul.png",
    "%41$HOME`id`.png",
    "<img onerror=1>.png",
    "x" * 251 + ".png",
    "\U0001f600" * 62 + "abc.png",
]


def test_odd_names_go_through_and_back(tmp_path):
    for label in ("a class\nof 'two' lines \U0001f600", "-b"):
        for i, name in enumerate(ODD_NAMES):
            save(tmp_path / "in" / label / name, pattern((8, 8), i + len(label)))
    result = am.augment(tmp_path / "in", tmp_path / "o", **PLAIN, factor=1.2)
    assert result.before == {"-b": 15, "a class\nof 'two' lines \U0001f600": 15}
    originals = snapshot(tmp_path / "in")
    written = snapshot(tmp_path / "o/train", {"metadata.jsonl"})
    assert originals.items() <= written.items()
    assert verify(tmp_path / "o").problems == ()
    assert {row["file_name"] for row in metadata(tmp_path / "o")} == set(written)
    again = Folders().scan(tmp_path / "o", ReadOptions())
    assert {entry.id for entry in again.entries} == {f"train/{name}" for name in written}
    assert again.classes == ("-b", "a class\nof 'two' lines \U0001f600")
    victim = tmp_path / "o/train/-b" / ODD_NAMES[1]
    victim.write_bytes(victim.read_bytes() + b"x")
    assert verify(tmp_path / "o").problems == ((f"train/-b/{ODD_NAMES[1]}", "changed"),)


@pytest.mark.parametrize("pair", [("x.png", "X.png"), ("\u00e9.png", "e\u0301.png")])
def test_twins_are_refused(tmp_path, pair):
    for i, name in enumerate(pair):
        save(tmp_path / "in" / "a" / name, pattern((8, 8), i))
    with pytest.raises(DataError) as caught:
        am.augment(tmp_path / "in", tmp_path / "o", **PLAIN)
    assert caught.value.code == "twins" and not (tmp_path / "o").exists()


# secrets


def test_planted_names_do_not_reach_the_output(tmp_path):
    secrets = [b"Jane-Q-Patient", b"ward-7-secret", b"52.5N13.4E", b"trailing-secret"]
    root = tmp_path / "in" / "a"
    root.mkdir(parents=True)
    exif = Image.Exif()
    exif[0x013B], exif[0x010E], exif[0x0112] = "Jane-Q-Patient", "ward-7-secret", 6
    for i in range(2):
        image = Image.fromarray(pattern((10, 16, 3), i))
        image.save(root / f"{i}.jpg", exif=exif, comment=b"52.5N13.4E")
        with (root / f"{i}.jpg").open("ab") as file:
            file.write(b"trailing-secret")
        from PIL.PngImagePlugin import PngInfo

        text = PngInfo()
        text.add_text("Author", "Jane-Q-Patient")
        image.save(root / f"{i}.png", pnginfo=text, exif=exif)
        image.save(root / f"{i}.webp", exif=exif, lossless=True)
        image.save(root / f"{i}.tif", description="ward-7-secret", artist="Jane-Q-Patient")
    planted = b"".join(path.read_bytes() for path in root.iterdir())
    assert all(secret in planted for secret in secrets)
    am.augment(tmp_path / "in", tmp_path / "o", **PLAIN)
    for path in (tmp_path / "o").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert not [secret for secret in secrets if secret in data], path
    reader = Folders()
    for entry in reader.scan(tmp_path / "in", ReadOptions()).entries:
        # What was turned by EXIF is turned still.
        stripped = entry.__class__(entry.id, tmp_path / "o/train" / entry.id)
        assert (reader.load(stripped).content == reader.load(entry).content).all()
    am.augment(tmp_path / "in", tmp_path / "k", **PLAIN, keep_metadata=True)
    assert (tmp_path / "k/train/a/0.jpg").read_bytes() == (root / "0.jpg").read_bytes()


def test_the_input_path_is_in_run_json_alone(tmp_path):
    data = write_digits(tmp_path / "very-private-folder" / "in", {"0": 2, "1": 2})
    am.augment(data, tmp_path / "o", **PLAIN)
    holders = [p.name for p in (tmp_path / "o").rglob("*") if p.is_file() and b"very-private" in p.read_bytes()]
    assert holders == ["run.json"]


def test_an_animated_picture_and_a_bomb_are_skipped(tmp_path):
    data = write_digits(tmp_path / "in", {"0": 4, "1": 4})
    frames = [Image.fromarray(pattern((8, 8, 3), i)) for i in range(3)]
    frames[0].save(data / "0" / "moving.png", save_all=True, append_images=frames[1:])
    buffer = io.BytesIO()
    Image.new("L", (1, 1)).save(buffer, "PNG")
    bomb = bytearray(buffer.getvalue())
    bomb[16:24] = struct.pack(">II", 30_000, 30_000)
    bomb[29:33] = struct.pack(">I", zlib.crc32(bomb[12:29]))
    (data / "1" / "bomb.png").write_bytes(bomb)
    result = am.augment(data, tmp_path / "o", **PLAIN, max_skipped=0.5)
    reasons = dict(result.skipped)
    assert set(reasons) == {"0/moving.png", "1/bomb.png"}
    assert "animated" in reasons["0/moving.png"] and "too large" in reasons["1/bomb.png"]


@pytest.mark.parametrize("call", [am.augment, am.evaluate])
def test_rows_in_memory_are_no_path(call, tmp_path):
    for rows in ({"text": ["a"], "label": ["b"]}, np.zeros(3)):
        with pytest.raises(UsageError, match="data = ") as caught:
            call(rows, tmp_path / "out")
        assert "FeatureAugmenter" in caught.value.do and not (tmp_path / "out").exists()
