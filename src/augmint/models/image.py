"""Images in and out of pretrained networks: any size and depth, squashed to one working size, and back."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from augmint.core.protocols import Codec, Encoder
from augmint.core.types import F32, Sample
from augmint.models import hub
from augmint.models.cards import Card
from augmint.models.devices import pick_device
from augmint.models.inputs import BATCH, Items, as_samples, run
from augmint.numerics.frames import to_frames, unfit
from augmint.numerics.pixels import colour_channels, planes_of

Net = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class ImageEncoder(Encoder):
    """Images to rows.

    Attributes:
        name: name of the model and first digits of its weights' hash.
        size: working size in pixels; the whole frame is squashed to (size, size).
        embed: (n, 3, size, size) RGB 0..1 -> (n, *shape).
        device: where ``embed`` lives.
    """

    name: str
    size: int
    embed: Net = field(repr=False)
    device: str = "cpu"

    @property
    def space(self) -> str:
        """``name@hash/size``."""
        return f"{self.name}/{self.size}"

    def encode(self, samples: Items) -> F32:
        """(n, *shape) float32 rows, bitwise independent of their neighbours in the batch.

        Raises DataError for content that is not an image of 1 to 4 channels, uint8 or uint16.
        """
        return encode_images(self.embed, samples, self.size, self.device)


@dataclass(frozen=True, eq=False)
class ImageCodec(Codec):
    """Images to latent maps and back.

    Attributes:
        name: name of the model and first digits of its weights' hash.
        size: working size in pixels, a multiple of the network's stride.
        embed: (n, 3, size, size) RGB 0..1 -> (n, C, h, w).
        paint: (n, C, h, w) -> (n, 3, size, size) RGB 0..1.
        device: where both live.
    """

    name: str
    size: int
    embed: Net = field(repr=False)
    paint: Net = field(repr=False)
    device: str = "cpu"

    @property
    def space(self) -> str:
        """``name@hash/size``."""
        return f"{self.name}/{self.size}"

    def encode(self, samples: Items) -> F32:
        """(n, C, h, w) float32 latents, bitwise independent of their neighbours in the batch.

        Raises DataError for content that is not an image of 1 to 4 channels, uint8 or uint16.
        """
        return encode_images(self.embed, samples, self.size, self.device)

    def decode(self, z: F32, like: Items) -> list[Sample]:
        """One child for each row of z (n, C, h, w), of the height, width, channels and depth of its anchor.

        Grey anchors get the mean of the channels; alpha is the anchor's own. A child keeps the anchor's target,
        group and split; its id is "" for the caller to fill, its ``info`` is empty.
        Raises ValueError when z has other rows than ``like`` or is not finite.
        """
        anchors = as_samples(like)
        if len(z) != len(anchors) or not np.isfinite(z).all():
            raise ValueError(f"z: expected {len(anchors)} finite rows, one for each anchor, got shape {z.shape}")
        children = []
        for start in range(0, len(anchors), BATCH):
            rows = torch.from_numpy(np.ascontiguousarray(z[start : start + BATCH], dtype=np.float32))
            frames = run(self.paint, rows, self.device)
            pairs = zip(frames, anchors[start : start + BATCH], strict=True)
            children += [make_child(frame, anchor) for frame, anchor in pairs]
        return children


def encode_images(embed: Net, samples: Items, size: int, device: str) -> F32:
    """(n, *shape) float32 rows of ``embed``; no samples give (0, *shape)."""
    rows = as_samples(samples)
    starts = range(0, max(len(rows), 1), BATCH)
    return np.concatenate([run(embed, to_frames(rows[at : at + BATCH], size), device) for at in starts])


def make_child(frame: F32, anchor: Sample) -> Sample:
    """The sample painted as ``frame`` (3, h, w) RGB 0..1, in the shape and depth of its anchor's image."""
    like: npt.NDArray[Any] = anchor.content
    planes = planes_of(anchor)
    colours = colour_channels(planes.shape[2])
    image = unfit(torch.from_numpy(frame)[None], *planes.shape[:2])[0]
    image = image.mean(0, keepdim=True) if colours == 1 else image
    top = np.iinfo(like.dtype).max
    levels = np.rint(image.numpy().transpose(1, 2, 0) * np.float32(top)).astype(like.dtype)
    pixels = np.ascontiguousarray(np.concatenate([levels, planes[:, :, colours:]], axis=2)).reshape(like.shape)
    return Sample("", pixels, target=anchor.target, group=anchor.group, split=anchor.split)


def load_image(card: Card, size: int, *, path: str | None, device: str) -> Encoder:
    """The encoder or codec of an image card at this working size; raises what `load_encoder` does."""
    device = pick_device(device)
    net: Any = build(card, hub.find(card, path)[card.weights.name]).to(device)
    embed: Net = getattr(net, card.space.call)
    if card.kind == "encoder":
        return ImageEncoder(card.tag, size, embed, device)
    return ImageCodec(card.tag, size, embed, net.decode, device)


def load_features(card: Card, *, path: str | None) -> tuple[nn.Module, int]:
    """The network of an image encoder's card as images -> features, and how many; raises ModelError for weights."""
    net = build(card, hub.find(card, path)[card.weights.name])
    return Features(net, card.space.call), card.space.dims


class Features(nn.Module):
    """A network whose ``forward`` gives the features: (n, 3, s, s) RGB 0..1 -> (n, d)."""

    def __init__(self, net: nn.Module, call: str) -> None:
        super().__init__()
        self.net, self.call = net, call

    def forward(self, x: Tensor) -> Tensor:
        """(n, d)."""
        out: Tensor = getattr(self.net, self.call)(x)
        return out


def build(card: Card, weights: Path) -> nn.Module:
    """The card's network with these weights, in float32 (they may be stored as float16), for inference."""
    module, _, name = card.architecture.partition(":")
    net: nn.Module = getattr(importlib.import_module(module), name)()
    net.load_state_dict({key: value.float() for key, value in load_file(weights).items()})
    return net.eval().requires_grad_(False)
