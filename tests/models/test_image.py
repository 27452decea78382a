from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from augmint.core.errors import DataError
from augmint.core.types import Sample
from augmint.models import load_encoder
from augmint.models.cards import choose_size
from augmint.models.image import ImageCodec, ImageEncoder, make_child
from augmint.models.inputs import BATCH, as_samples
from augmint.models.tiny_image import TinyImage
from augmint.numerics.frames import to_frames, to_rgb

MakeImage = Callable[..., Sample]
KINDS = [(channels, dtype) for channels in (None, 1, 2, 3, 4) for dtype in (np.uint8, np.uint16)]


def bits(a: np.ndarray) -> bytes:
    return np.ascontiguousarray(a).tobytes()


@pytest.fixture
def mixed(make_image: MakeImage) -> list[Sample]:
    sides = [(8, 8), (8, 1024), (31, 17), (64, 64), (100, 333), (1024, 768)]
    return [make_image(*sides[i % 6], *kind) for i, kind in enumerate(KINDS * 2)]


def test_rows_do_not_depend_on_their_neighbours(codec: ImageCodec, mixed: list[Sample]) -> None:
    together = codec.encode(mixed)
    assert together.shape == (20, 64, 4, 4) and together.dtype == np.float32
    assert bits(together) == bits(np.concatenate([codec.encode([sample]) for sample in mixed]))
    order = np.random.default_rng(1).permutation(20)
    assert bits(codec.encode([mixed[i] for i in order])) == bits(together[order])
    children = codec.decode(together, mixed)
    for i, child in enumerate(children):
        assert bits(child.content) == bits(codec.decode(together[i : i + 1], mixed[i : i + 1])[0].content)


def test_two_runs_are_the_same(codec: ImageCodec, mixed: list[Sample]) -> None:
    first, second = codec.encode(mixed), codec.encode(mixed)
    assert bits(first) == bits(second)
    for a, b in zip(codec.decode(first, mixed), codec.decode(second, mixed), strict=True):
        assert bits(a.content) == bits(b.content)


def test_children_look_like_their_anchors(codec: ImageCodec, mixed: list[Sample]) -> None:
    before = [sample.content.copy() for sample in mixed]
    children = codec.decode(codec.encode(mixed)[::-1], mixed)
    for child, anchor, content in zip(children, mixed, before, strict=True):
        assert child.content.shape == anchor.content.shape and child.content.dtype == anchor.content.dtype
        assert (child.id, child.target, child.group, child.split) == ("", "cat", "g1", "train")
        assert child.raw is None and child.spans == () and not child.info
        assert np.array_equal(anchor.content, content), "the input was changed"
        if content.ndim == 3 and content.shape[2] in (2, 4):
            assert np.array_equal(child.content[:, :, -1], content[:, :, -1]), "alpha is the anchor's"
        assert not np.array_equal(child.content, content)


@settings(max_examples=30, deadline=None)
@given(
    height=st.integers(8, 300), width=st.integers(8, 300), kind=st.sampled_from(KINDS), seed=st.integers(0, 2**32 - 1)
)
def test_any_size_and_depth(
    codec: ImageCodec, height: int, width: int, kind: tuple[int | None, type], seed: int
) -> None:
    channels, dtype = kind
    shape = (height, width) if channels is None else (height, width, channels)
    pixels = np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)
    z = codec.encode([Sample("a", pixels)])
    (child,) = codec.decode(z, [Sample("a", pixels)])
    assert z.shape == (1, 64, 4, 4) and np.isfinite(z).all()
    assert child.content.shape == shape and child.content.dtype == dtype and child.content.flags.c_contiguous


@pytest.mark.parametrize("side", [1, 2, 7])
def test_images_of_a_few_pixels(codec: ImageCodec, make_image: MakeImage, side: int) -> None:
    sample = make_image(side, 3)
    assert codec.decode(codec.encode([sample]), [sample])[0].content.shape == (side, 3, 3)


def test_grey_alpha_and_depth_mean_the_same(codec: ImageCodec, make_image: MakeImage) -> None:
    grey = make_image(40, 50, None).content
    rgb = np.repeat(grey[:, :, None], 3, axis=2)
    alpha = make_image(40, 50, 1).content
    same = [
        grey, grey[:, :, None], np.concatenate([grey[:, :, None], alpha], axis=2), rgb,
        np.concatenate([rgb, alpha], axis=2), grey.astype(np.uint16) * 257,
        grey[:, ::-1][:, ::-1], np.asfortranarray(rgb),
    ]  # fmt: skip
    rows = codec.encode([Sample(str(i), image) for i, image in enumerate(same)])
    assert all(bits(row) == bits(rows[0]) for row in rows)


def cubic(into: int, outof: int) -> np.ndarray:
    """(into, outof) matrix that samples at new pixel centres: Keys' cubic kernel with a = -0.75, borders repeated."""
    matrix = np.zeros((into, outof))
    for row in range(into):
        at = (row + 0.5) * outof / into - 0.5
        for tap in range(int(np.floor(at)) - 1, int(np.floor(at)) + 3):
            far = abs(at - tap)
            near = 1.25 * far**3 - 2.25 * far**2 + 1
            weight = near if far <= 1 else -0.75 * (far**3 - 5 * far**2 + 8 * far - 4)
            matrix[row, min(max(tap, 0), outof - 1)] += weight
    return matrix


def test_small_images_grow_by_the_definition(make_image: MakeImage) -> None:
    for height, width in ((64, 64), (20, 33), (1, 5)):
        sample = make_image(height, width)
        planes = sample.content.transpose(2, 0, 1) / 255
        wanted = (cubic(64, height) @ planes @ cubic(64, width).T).clip(0, 1)
        np.testing.assert_allclose(to_frames([sample], 64)[0].numpy(), wanted, atol=3e-6)


def test_large_images_shrink_as_in_pillow(make_image: MakeImage) -> None:
    for height, width in ((300, 90), (65, 64), (1024, 8)):
        sample = make_image(height, width)
        planes = [Image.fromarray(sample.content[:, :, c].astype(np.float32)) for c in range(3)]
        wanted = np.stack([np.asarray(p.resize((64, 64), Image.Resampling.BICUBIC)) for p in planes]) / 255
        np.testing.assert_allclose(to_frames([sample], 64)[0].numpy(), wanted.clip(0, 1), atol=3e-6)


def test_frame_to_child_by_the_definition(make_image: MakeImage) -> None:
    frame = np.random.default_rng(3).random((3, 64, 64), dtype=np.float32)
    for height, width in ((30, 45), (64, 64), (200, 9)):
        wanted = (cubic(height, 64) @ frame @ cubic(width, 64).T).clip(0, 1).transpose(1, 2, 0)
        for dtype in (np.uint8, np.uint16):
            top = np.iinfo(dtype).max
            colour = make_child(frame, make_image(height, width, 3, dtype)).content
            assert abs(colour - wanted * top).max() <= 0.5 + top * 1e-5
            grey = make_child(frame, make_image(height, width, None, dtype)).content
            assert abs(grey - wanted.mean(2) * top).max() <= 0.5 + top * 1e-5


@pytest.mark.parametrize("side", [20, 28, 32, 50, 64])
def test_resizing_alone_loses_nothing_of_small_images(side: int) -> None:
    """Edges of one pixel come back through a perfect network: children of small images are not blurred."""
    glyph = np.zeros((side, side), np.uint8)
    glyph[side // 4 : -side // 4, side // 2] = glyph[side // 3, side // 4 : -side // 4] = 255
    frame = to_frames([Sample("a", glyph)], 64)[0].numpy()
    error = np.square(make_child(frame, Sample("a", glyph)).content / 255 - glyph / 255).mean()
    assert -10 * np.log10(error + 1e-12) > 30


@pytest.mark.parametrize(
    ("level", "stored"), [(-0.2, 0), (0.0, 0), (0.49 / 255, 0), (0.51 / 255, 1), (1.0, 255), (3.0, 255)]
)
def test_levels_are_rounded_and_stay_in_range(make_image: MakeImage, level: float, stored: int) -> None:
    frame = np.full((3, 64, 64), level, np.float32)
    assert np.unique(make_child(frame, make_image(9, 9)).content).tolist() == [stored]


def test_full_range_survives(make_image: MakeImage) -> None:
    for dtype in (np.uint8, np.uint16):
        ends = np.array([[0, np.iinfo(dtype).max]], dtype)
        assert to_rgb(Sample("a", ends))[0].tolist() == [[0.0, 1.0]]
        child = make_child(np.repeat(np.array([[[0.0, 1.0]]], np.float32), 3, 0), Sample("a", ends))
        assert np.array_equal(child.content, ends)


@pytest.mark.parametrize(
    "content",
    ["photo.png", None, np.zeros((4, 4)), np.zeros((4, 4), bool), np.zeros((4, 4, 5), np.uint8), np.zeros(4, np.uint8),
     np.zeros((0, 4), np.uint8), np.zeros((2, 4, 4, 3), np.uint8)],
)  # fmt: skip
def test_content_that_is_no_image_is_refused_by_name(codec: ImageCodec, content: object) -> None:
    with pytest.raises(DataError, match=r"sample 'bad\.png'"):
        codec.encode([Sample("bad.png", content)])


def test_plain_arrays_are_samples(codec: ImageCodec, make_image: MakeImage) -> None:
    images = [make_image(20, 30).content for _ in range(3)]
    rows = codec.encode([Sample(str(i), image) for i, image in enumerate(images)])
    assert bits(codec.encode(np.stack(images))) == bits(rows) == bits(codec.encode(images))
    grey = np.stack(images)[..., 0]
    assert codec.encode(grey).shape == rows.shape
    assert codec.decode(rows, np.stack(images))[0].content.shape == (20, 30, 3)
    assert [sample.id for sample in as_samples(images)] == ["0", "1", "2"]


@pytest.mark.parametrize(
    "single", ["text", np.zeros((3, 3), np.uint8), np.zeros((1, 2, 3, 4, 5), np.uint8), Sample("a", 1)]
)
def test_a_single_content_is_no_list(codec: ImageCodec, single: object) -> None:
    with pytest.raises(DataError, match="list"):
        codec.encode(single)  # type: ignore[arg-type]


def test_nothing_in_nothing_out(codec: ImageCodec) -> None:
    assert codec.encode([]).shape == (0, 64, 4, 4)
    assert codec.decode(codec.encode([]), []) == []


@pytest.mark.parametrize("z", [np.zeros((1, 64, 4, 4)), np.full((2, 64, 4, 4), np.nan), np.full((2, 64, 4, 4), np.inf)])
def test_wrong_rows_are_not_painted(codec: ImageCodec, make_image: MakeImage, z: np.ndarray) -> None:
    with pytest.raises(ValueError, match="2 finite rows"):
        codec.decode(z.astype(np.float32), [make_image(9, 9), make_image(9, 9)])


def test_the_network_never_sees_another_batch_size() -> None:
    seen = []
    encoder = ImageEncoder("n@0", 32, lambda x: (seen.append(tuple(x.shape)), x.mean((2, 3)))[1])
    encoder.encode(np.zeros((2 * BATCH + 1, 5, 5, 3), np.uint8))
    assert seen == [(BATCH, 3, 32, 32)] * 3
    assert encoder.space == "n@0/32"


def test_no_gradients_and_no_global_random_numbers(net: TinyImage, codec: ImageCodec, make_image: MakeImage) -> None:
    states = torch.get_rng_state(), np.random.get_state()[1].tobytes()
    codec.decode(codec.encode([make_image(9, 9)]), [make_image(9, 9)])
    assert torch.equal(states[0], torch.get_rng_state()) and states[1] == np.random.get_state()[1].tobytes()
    assert all(parameter.grad is None for parameter in net.parameters())


@pytest.mark.parametrize(
    ("sides", "size"),
    [
        ([], 128),
        ([8], 128),
        ([32], 128),
        ([33], 256),
        ([28, 28, 900], 128),
        ([64] * 3, 256),
        ([1024], 256),
    ],
)
def test_choose_size(sides: list[int], size: int) -> None:
    assert choose_size(sides) == size


def test_sizes_of_one_model_are_different_spaces(net: TinyImage, make_image: MakeImage) -> None:
    for size in (64, 128, 256):
        codec = ImageCodec("stand-in@0", size, net.encode, net.decode)
        sample = make_image(70, 40)
        z = codec.encode([sample])
        assert z.shape == (1, 64, size // 16, size // 16) and codec.space == f"stand-in@0/{size}"
        assert codec.decode(z, [sample])[0].content.shape == (70, 40, 3)


def test_loading_draws_nothing_from_the_global_generator() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    load_encoder("tiny-image", size=128)
    assert torch.equal(torch.get_rng_state(), before)
