from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from augmint.core.types import Draw, Latents, Sample


def rows(n: int = 3, **changes) -> Latents:
    y = np.eye(3, dtype=np.float32)[np.arange(n) % 3]
    facts = {"ids": np.array([f"r{i}" for i in range(n)]), "z": np.arange(n * 8.0, dtype=np.float32).reshape(n, 2, 4)}
    return Latents(**{**facts, "y": y, "classes": ("a", "b", "c"), **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"ids": np.array(["only"])},
        {"z": np.zeros((4, 2), np.float32)},
        {"y": np.zeros((2, 3), np.float32)},
        {"length": np.array([1, 2])},
        {"groups": np.array(["g"])},
    ],
)
def test_unequal_rows_are_refused(changes):
    with pytest.raises(ValueError, match="unequal rows"):
        rows(**changes)


def test_labels_without_columns_are_refused():
    with pytest.raises(ValueError, match=r"\(n, k\)"):
        rows(y=np.zeros(3, np.float32))


def test_views_of_latents():
    latents = rows()
    assert len(latents) == 3
    assert latents.shape == (2, 4)
    assert latents.flat.shape == (3, 8)
    assert latents.flat[1].tolist() == [8, 9, 10, 11, 12, 13, 14, 15]
    assert latents.labels.tolist() == [0, 1, 2]


def test_labels_are_the_heaviest():
    soft = np.array([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3], [0.0, 0.0, 1.0]], np.float32)
    assert rows(y=soft, target="soft").labels.tolist() == [1, 0, 2]


def test_take_by_position_and_by_mask_takes_every_column():
    latents = rows(length=np.array([1, 2, 3]), groups=np.array(["g", "h", "i"]))
    for taken in (latents.take(np.array([2, 0])), latents.take(np.array([True, False, True])).take(np.array([1, 0]))):
        assert taken.ids.tolist() == ["r2", "r0"]
        assert taken.z[:, 0, 0].tolist() == [16, 0]
        assert taken.labels.tolist() == [2, 0]
        assert taken.length is not None and taken.length.tolist() == [3, 1]
        assert taken.groups is not None and taken.groups.tolist() == ["i", "g"]
        assert taken.classes == ("a", "b", "c")


def test_no_rows_keep_their_shape():
    empty = rows().take(np.zeros(0, np.int64))
    assert (len(empty), empty.shape, empty.flat.shape) == (0, (2, 4), (0, 8))


@pytest.mark.parametrize("thing", [Sample("a", 1), rows(), Draw(np.zeros((1, 2)), np.array([["a"]]), np.ones((1, 1)))])
def test_nouns_cannot_be_changed(thing):
    with pytest.raises(dataclasses.FrozenInstanceError):
        thing.z = None
    assert len(thing) in (1, 3) if not isinstance(thing, Sample) else thing.split == "train"
