"""ClassicImage: laws, forms, the two uses of one set of strengths."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from augmint.checks import check_rewriter
from augmint.classic import TABLE
from augmint.classic.image import ClassicImage
from augmint.classic.strengths import PRESETS, Strengths
from augmint.core.errors import DataError, ModelError, UsageError
from augmint.core.registry import build
from augmint.core.types import Sample
from support import digit_images, pattern

FORMS = [((12, 9), np.uint8), ((7, 8), np.uint16), ((6, 6, 1), np.uint8), ((8, 5, 2), np.uint8), ((9, 16, 3), np.uint8),
         ((5, 7, 4), np.uint8), ((1, 1), np.uint8), ((1, 6, 3), np.uint8)]  # fmt: skip
NOTHING = {"flip": "none", "crop": 0, "scale": 0, "rotate": 0, "colour": 0, "noise": 0, "operations": 0}


def samples() -> list[Sample]:
    return [
        Sample(f"{i}.png", pattern(shape, i, dtype), target=f"class {i % 2}", group=f"g{i}", split="train", raw=b"x")
        for i, (shape, dtype) in enumerate(FORMS)
    ]


def one(pixels: np.ndarray, seed: int = 0, **options) -> np.ndarray:
    rewriter = ClassicImage(**{"flip": "horizontal"} | options)
    return rewriter.rewrite([Sample("a", pixels)], [np.random.default_rng(seed)])[0].content


@pytest.mark.parametrize("preset", PRESETS)
def test_laws(preset):
    check_rewriter(lambda: ClassicImage(preset), samples())


@pytest.mark.parametrize("preset", PRESETS)
def test_no_strength_gives_the_same_pixels(preset):
    for sample in samples():
        assert (one(sample.content, preset=preset, **NOTHING) == sample.content).all()
    batch = torch.rand(3, 3, 8, 8)
    assert torch.equal(ClassicImage(preset, **NOTHING).transform()(batch, np.random.default_rng(0)), batch)


@pytest.mark.parametrize(("shape", "dtype"), FORMS)
def test_a_flip_gives_the_picture_or_its_mirror_to_the_last_bit(shape, dtype):
    picture = pattern(shape, 3, dtype)
    seen = {one(picture, seed, **{**NOTHING, "flip": "horizontal"}).tobytes() for seed in range(20)}
    assert seen == {picture.tobytes(), picture[:, ::-1].tobytes()}
    turned = {one(picture, seed, **{**NOTHING, "flip": "vertical"}).tobytes() for seed in range(20)}
    assert turned == {picture.tobytes(), picture[::-1].tobytes()}


def test_a_flip_of_a_wide_16_bit_picture_is_exact():
    picture = np.random.default_rng(0).integers(0, 65536, (2, 3000), dtype=np.uint16)
    seen = {one(picture, seed, **{**NOTHING, "flip": "both"}).tobytes() for seed in range(30)}
    assert seen == {p.tobytes() for p in (picture, picture[::-1], picture[:, ::-1], picture[::-1, ::-1])}


def test_a_crop_copies_pixels_and_mirrors_the_edge():
    picture = np.arange(64, dtype=np.uint8).reshape(8, 8) * 3
    wide = np.pad(picture, 2, mode="symmetric")
    windows = {wide[y : y + 8, x : x + 8].tobytes() for y in range(5) for x in range(5)}
    seen = {one(picture, seed, **{**NOTHING, "crop": 0.25}).tobytes() for seed in range(60)}
    assert seen <= windows and len(seen) > 12


def test_alpha_moves_with_its_picture_and_takes_no_colour():
    rgba = pattern((8, 8, 4), 1)
    rgba[:, :, 3] = rgba[:, :, 0]
    moved = one(rgba, 5, **{**NOTHING, "crop": 0.4, "rotate": 30.0, "scale": 0.3})
    assert (moved[:, :, 3] == moved[:, :, 0]).all() and (moved != rgba).any()
    tinted = one(rgba, 5, **{**NOTHING, "colour": 0.9, "noise": 0.3})
    assert (tinted[:, :, 3] == rgba[:, :, 3]).all() and (tinted[:, :, :3] != rgba[:, :, :3]).any()


def test_light_and_standard_do_not_need_kornia(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "kornia", None)
    monkeypatch.delitem(sys.modules, "augmint.classic.randaugment", raising=False)
    for preset in ("light", "standard"):
        ClassicImage(preset, flip="horizontal").transform()(torch.rand(2, 3, 8, 8), np.random.default_rng(0))
    with pytest.raises(ModelError, match=r"augmint\[classic\]"):
        ClassicImage("randaugment")


@pytest.mark.parametrize("preset", PRESETS)
def test_the_transform_changes_each_picture_in_its_own_way_and_is_repeatable(preset):
    change = ClassicImage(preset, flip="horizontal").transform()
    batch = torch.rand(1, 3, 16, 16).repeat(12, 1, 1, 1)
    state = torch.random.get_rng_state()
    made = change(batch, np.random.default_rng(0))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert made.shape == batch.shape and made.dtype == batch.dtype
    assert made.min() >= 0 and made.max() <= 1
    assert len({row.numpy().tobytes() for row in made}) >= 8
    assert torch.equal(pickle.loads(pickle.dumps(change))(batch, np.random.default_rng(0)), made)  # noqa: S301
    assert not torch.equal(change(batch, np.random.default_rng(1)), made)


def test_both_uses_change_a_picture_in_the_same_way():
    picture = pattern((16, 16, 3), 2)
    batch = torch.from_numpy(picture.transpose(2, 0, 1)[None] / np.float32(255))
    fly = (
        ClassicImage(flip="horizontal", noise=0.0)
        .transform()(batch, np.random.default_rng(4))[0]
        .permute(1, 2, 0)
        .numpy()
        * 255
    )
    written = one(picture, 4, noise=0.0)
    assert np.abs(fly - picture).mean() > 10
    assert np.abs(fly - written).mean() < 3  # bilinear and bicubic


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from([0, 1, 2, 3, 4]), st.sampled_from(sorted(PRESETS)))
def test_any_size_and_any_channels(height, width, channels, preset):
    shape = (height, width, channels) if channels else (height, width)
    picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    made = one(picture, preset=preset)
    assert made.shape == shape and made.dtype == np.uint8


@pytest.mark.parametrize("preset", PRESETS)
def test_a_ribbon(preset):
    for shape in ((3000, 2), (2, 3000, 3), (1, 1)):
        picture = np.full(shape, 77, np.uint8)
        made = one(picture, preset=preset, colour=0.0, noise=0.0, operations=0)
        assert (made == 77).all()  # moving one colour gives one colour: nothing comes in from outside


def test_what_is_given_wins_over_the_preset():
    assert ClassicImage().asked == PRESETS["standard"]
    assert ClassicImage("light", flip="none", noise=0.1).strengths == Strengths(crop=0.125, noise=0.1)
    assert (
        ClassicImage("standard", crop=0.0, **{k: v for k, v in NOTHING.items() if k != "crop"}).strengths == Strengths()
    )


@pytest.mark.parametrize(
    "options",
    [{"preset": "heavy"}, {"flip": "sideways"}, {"crop": 0.6}, {"crop": -0.1}, {"rotate": 181}, {"noise": float("nan")},
     {"colour": "much"}, {"scale": True}, {"operations": 1.5}, {"operations": 15}, {"magnitude": 31}, {"zoom": 1.0}],
)  # fmt: skip
def test_an_option_out_of_range_is_refused(options):
    with pytest.raises(UsageError):
        build("classic", "method", TABLE, "classic", options)


@pytest.mark.parametrize(
    "content", ["text", np.zeros((3, 3)), np.zeros((0, 3), np.uint8), np.zeros((2, 2, 5), np.uint8)]
)
def test_other_content_is_refused(content):
    with pytest.raises(DataError, match="image"):
        one(content)


def test_as_many_generators_as_samples():
    with pytest.raises(ValueError, match="zip"):
        ClassicImage(flip="none").rewrite(samples(), [np.random.default_rng(0)])


def fitted(rewriter, samples):
    return rewriter.fit(samples, np.random.default_rng(0))


def test_auto_needs_a_fit_and_is_what_the_fit_says():
    rewriter = ClassicImage()
    for use in (rewriter.transform, lambda: rewriter.rewrite(samples(), [None] * len(FORMS))):
        with pytest.raises(UsageError, match="flip: auto"):
            use()
    digits = [Sample("", image, target=str(label)) for label in (3, 7) for image in digit_images(label, 12)]
    assert fitted(rewriter, digits).strengths == dataclasses.replace(PRESETS["standard"], flip="none")
    both = [Sample("", turn(s.content), target=s.target) for s in digits for turn in (np.asarray, np.fliplr)]
    assert fitted(rewriter, both).strengths == dataclasses.replace(PRESETS["standard"], flip="horizontal")
    assert fitted(ClassicImage(flip="horizontal"), digits).state() == {}
