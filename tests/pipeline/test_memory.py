"""The corridor on arrays: blocks, anchors, labels."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from augmint.checks import example_latents
from augmint.core.seeds import stream
from augmint.pipeline import memory
from augmint.pipeline.memory import Minted, anchors_in_turn, labels_of, mint, write
from augmint.synthesizers.interpolation import Interpolation
from augmint.synthesizers.noise import Noise


def test_anchors_serve_in_turn():
    members = np.array([3, 5, 8])
    assert list(np.bincount(anchors_in_turn(members, 7, stream(0, "a")), minlength=9)[members]) in (
        [3, 2, 2], [2, 3, 2], [2, 2, 3])  # fmt: skip
    assert len(anchors_in_turn(members, 0, stream(0, "a"))) == 0
    assert set(anchors_in_turn(members, 3, stream(0, "a"))) == {3, 5, 8}


def test_blocks_are_put_together(monkeypatch):
    real = example_latents((9, 6, 2))
    whole, minted = mint(Interpolation(), real, (2, 4, 5), 0, real.z[:0])
    assert list(real.labels[minted.anchors]) == [0] * 2 + [1] * 4 + [2] * 5
    assert minted.refs.shape == minted.label_weights.shape == (11, 2)
    monkeypatch.setattr(memory, "BLOCK_NUMBERS", 14)  # two rows of seven numbers
    parts, again = mint(Interpolation(), real, (2, 4, 5), 0, real.z[:0])
    assert np.array_equal(again.anchors, minted.anchors)
    assert np.array_equal(parts[:2], whole[:2]) and np.isfinite(parts).all()


def test_no_rows_to_make():
    rows, minted = mint(Noise(), example_latents(), (0, 0, 0), 0, np.zeros((0, 7)))
    assert rows.shape == (0, 7) and rows.dtype == np.float64
    assert len(minted.anchors) == len(minted.refs) == len(minted.pick) == 0


def test_labels_from_parents_by_hand():
    refs = np.array([["data:b", "data:a"], ["data:c", ""], ["data:a", "base:x"]])
    weights = np.array([[0.75, 0.25], [1.0, 0.0], [0.5, 0.5]], np.float32)
    none = np.zeros(3, np.int64)
    minted = Minted(none, refs, weights, none - 1, Counter(), np.array(["a", "b", "c"]))
    ids = np.array(["data:a", "data:b", "data:c", "base:x"])
    y = np.array([[1.0, 0.0], [0.0, 1.0], [0.4, 0.6], [0.0, 1.0]])
    assert np.allclose(labels_of(minted, ids, y), [[0.25, 0.75], [0.4, 0.6], [0.5, 0.5]])
    with pytest.raises(KeyError, match="base:x"):
        labels_of(minted, ids[:3], y[:3])


def test_whole_numbers_are_rounded_and_kept_in_range():
    out = np.empty((1, 4), np.uint8)
    write(out, np.array([[-3.0, 1.5, 2.4, 999.0]], np.float32))
    assert list(out[0]) == [0, 2, 2, 255]
    wide = np.empty((1, 2), np.int64)
    write(wide, np.array([[1e30, -1.4]], np.float32))
    assert wide[0, 1] == -1 and wide[0, 0] > 2**62
