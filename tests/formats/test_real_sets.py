"""Real sets and real photos go through the readers unchanged."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from augmint.core.errors import SampleError
from augmint.core.types import ReadOptions
from augmint.formats import detect
from augmint.formats.folders import Folders
from augmint.formats.images import read_image, strip_metadata
from pictures import encode, noise, png_bomb, write
from support import peak_growth


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "layout", "last"),
    [
        ("bccd_cells_64", "3 classes, 1133 pictures (64, 64, 3) uint8", "001132"),
        ("mnist_5k_10k", "10 classes, 15000 pictures (28, 28) uint8", "train/004999"),
        ("omniglot_small_28", "242 classes, 4840 pictures (28, 28) uint8", "004839"),
    ],
)
def test_npz_sets(shared_data, name, layout, last):
    path = shared_data / "images" / f"{name}.npz"
    found = detect(path).scan(path, ReadOptions())
    assert found.layout == f"npz: {layout}" and found.entries[-1].id == last
    stored = np.load(path)["x_train" if "train/" in last else "x"]
    assert np.array_equal(detect(path).load(found.entries[-1]).content, stored[-1])


@pytest.mark.shared
def test_photos_lose_metadata_only(shared_data):
    with np.load(shared_data / "images/imagenet_sample_1000_224.npz") as archive:
        data, ends = archive["bytes"].tobytes(), archive["off"]
    for start, end in itertools.pairwise(ends[:101]):
        photo = data[start:end]
        clean = strip_metadata(photo)
        assert np.array_equal(read_image(photo)[0], read_image(clean)[0]) and len(clean) <= len(photo)


def test_bad_files_among_good_ones(tmp_path):
    """A thousand good files and forty bad ones: each bad one by itself, the good ones as without them."""
    good = {f"cat/{n:04d}.png": encode(noise((8, 8, 3), seed=n), "PNG") for n in range(1000)}
    cut = encode(noise((64, 64, 3)), "PNG")[:4000]
    bad = [b"", cut, b"just text", b"%!PS-Adobe-3.0", png_bomb(), cut[:60], b"GIF89a", b"\xff\xd8\xff\xe0"]
    write(tmp_path, {**good, **{f"cat/{100 * n + 50:04d}-bad.png": bad[n % len(bad)] for n in range(40)}})
    read, skipped = {}, {}

    def load() -> None:
        for entry in Folders().scan(tmp_path, ReadOptions()).entries:
            try:
                read[entry.id] = Folders().load(entry)
            except SampleError as error:
                skipped[entry.id] = error.reason

    assert peak_growth(load) < 100_000_000
    assert {id: sample.raw for id, sample in read.items()} == good
    assert len(skipped) == 40 and all(skipped.values()) and len(set(skipped.values())) >= 5
