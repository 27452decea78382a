"""The embedded weights and SqueezeNet: is each wired the way it was trained?"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file

from augmint.core.protocols import Codec
from augmint.core.types import Sample
from augmint.models import get_card, load_encoder
from augmint.models.image import ImageEncoder, build


def scene(side: int = 64) -> np.ndarray:
    """A coloured gradient with a disc: (side, side, 3) uint8."""
    y, x = np.mgrid[0:side, 0:side] / side
    disc = (y - 0.4) ** 2 + (x - 0.6) ** 2 < 0.05
    return (np.stack([np.where(disc, 0.9, x), np.where(disc, 0.1, y), 0.2 + 0 * x], axis=2) * 255).astype(np.uint8)


def test_tiny_image_gives_back_what_it_was_shown() -> None:
    codec = load_encoder("tiny-image")
    assert isinstance(codec, Codec)
    shown = scene()
    (child,) = codec.decode(codec.encode([Sample("a", shown)]), [Sample("a", shown)])
    error = np.square(child.content / 255 - shown / 255).mean()
    assert error < 0.25 * np.var(shown / 255, axis=(0, 1)).mean(), "closer than the mean colour by far"
    swapped = np.square(child.content[:, :, ::-1] / 255 - shown / 255).mean()
    assert error < swapped / 4


@pytest.mark.parametrize("name", ["tiny-image", "tiny-judge"])
def test_real_weights_keep_the_batch_law(name: str) -> None:
    encoder = load_encoder(name)
    images = np.stack([np.roll(scene(), step, axis=1) for step in range(11)])
    rows = encoder.encode(images)
    assert rows.tobytes() == np.concatenate([encoder.encode(image[None]) for image in images]).tobytes()
    assert np.isfinite(rows).all() and np.ptp(rows, axis=0).max() > 0.1


SQUEEZENET = "weights/squeezenet1_1_imagenet_fp16.safetensors"


def photos(root: Path, count: int) -> list[np.ndarray]:
    with np.load(root / "images/imagenet_sample_1000_224.npz") as archive:
        data, off = archive["bytes"], archive["off"]
    step = (len(off) - 1) // count
    blobs = [data[off[i] : off[i + 1]].tobytes() for i in range(0, step * count, step)]
    return [np.asarray(Image.open(io.BytesIO(blob)).convert("RGB")) for blob in blobs]


@pytest.mark.shared
def test_squeezenet_against_its_definition_in_numpy(data_root: Path) -> None:
    encoder = load_encoder("squeezenet1_1", path=str(data_root / SQUEEZENET))
    assert encoder.space == "squeezenet1_1@e87295d99e99/128"
    (photo,) = photos(data_root, 1)
    planes = [Image.fromarray(photo[:, :, c].astype(np.float32)) for c in (2, 1, 0)]
    bgr = np.stack([np.asarray(plane.resize((128, 128), Image.Resampling.BICUBIC)) for plane in planes]).clip(0, 255)
    x = bgr - np.array([104, 117, 123], np.float32)[:, None, None]
    weights = {key: value.astype(np.float32) for key, value in load_file(data_root / SQUEEZENET).items()}

    def conv(x: np.ndarray, name: str, stride: int = 1) -> np.ndarray:
        kernel, bias = weights[f"features.{name}.weight"], weights[f"features.{name}.bias"]
        edge = kernel.shape[2] // 2 if "expand3x3" in name else 0
        x = np.pad(x, ((0, 0), (edge, edge), (edge, edge)))
        windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[2:], axis=(1, 2))[:, ::stride, ::stride]
        return np.maximum(np.einsum("chwij,ocij->ohw", windows, kernel, optimize=True) + bias[:, None, None], 0)

    def pool(x: np.ndarray) -> np.ndarray:
        beyond = [(0, 0), *((0, (side - 3) % 2) for side in x.shape[1:])]  # ceil_mode
        x = np.pad(x, beyond, constant_values=-np.inf)
        return np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))[:, ::2, ::2].max((3, 4))

    def fire(x: np.ndarray, number: int) -> np.ndarray:
        x = conv(x, f"{number}.squeeze")
        return np.concatenate([conv(x, f"{number}.expand1x1"), conv(x, f"{number}.expand3x3")])

    x = pool(conv(x, "0", stride=2))
    x = pool(fire(fire(x, 3), 4))
    x = pool(fire(fire(x, 6), 7))
    for number in (9, 10, 11, 12):
        x = fire(x, number)
    np.testing.assert_allclose(encoder.encode([Sample("a", photo)])[0], x.mean((1, 2)), rtol=1e-3, atol=1e-3)


@pytest.mark.shared
def test_squeezenet_wants_the_colours_in_our_order(data_root: Path) -> None:
    net = build(get_card("squeezenet1_1"), data_root / SQUEEZENET)
    classifier = ImageEncoder("logits@0", 224, net)
    images = photos(data_root, 100)
    truth = np.arange(100) * 10  # one photo of each class, in class order

    def top1(channels: slice) -> float:
        logits = classifier.encode([Sample("a", image[:, :, channels]) for image in images])
        return float((logits.argmax(1) == truth).mean())

    right, swapped = top1(slice(None)), top1(slice(None, None, -1))
    assert right > 0.55 and swapped < right - 0.15


@pytest.mark.shared
def test_squeezenet_rows_do_not_depend_on_their_neighbours(data_root: Path) -> None:
    encoder = load_encoder("squeezenet1_1", size=64, path=str(data_root / SQUEEZENET))
    images = photos(data_root, 10)
    together = encoder.encode(images)
    assert together.shape == (10, 512)
    assert together.tobytes() == np.concatenate([encoder.encode([image]) for image in images]).tobytes()


def test_weights_are_stored_small_and_run_in_float32() -> None:
    from augmint.models import hub

    card = get_card("tiny-image")
    path = hub.find(card)[card.weights.name]
    assert {str(value.dtype) for value in load_file(path).values() if value.size > 64} == {"float16"}
    assert {parameter.dtype for parameter in build(card, path).parameters()} == {torch.float32}
