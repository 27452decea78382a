"""Base statistics of tiny-image: means and covariances of the 200 classes of tiny-ImageNet in its space.

Run after every change of tiny_image.safetensors (four minutes on one core): python recipes/base_statistics.py
It writes tiny_image_base_128.safetensors and tiny_image_base_256.safetensors beside the weights and seals all in
cards.yaml. Latents are folded 2 x 2, and for 256 px every second picture is looked at: time and size.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file

from augmint.core.types import Latents
from augmint.models import load_encoder
from augmint.models.hub import WEIGHTS
from augmint.numerics.base_statistics import base_statistics
from augmint.numerics.rows import text_array
from pictures import tiny_imagenet

MODEL, FOLD, BLOCK = "tiny-image", 2, 500
EVERY = {128: 1, 256: 2}
"""Working sizes, and one of how many pictures is looked at."""

SEAL = [sys.executable, str(Path(__file__).with_name("seal_cards.py"))]


def encoded(size: int) -> Latents:
    """The training rows of tiny-ImageNet; its classes have no names here, so they are numbered."""
    images, labels = (part[:: EVERY[size]] for part in tiny_imagenet())
    encoder = load_encoder(MODEL, size=size)
    pixels = images.permute(0, 2, 3, 1).contiguous().numpy()
    z = np.concatenate([encoder.encode(list(pixels[at : at + BLOCK])) for at in range(0, len(pixels), BLOCK)])
    names = tuple(f"tiny-imagenet-{c:03d}" for c in range(int(labels.max()) + 1))
    y = np.eye(len(names), dtype=np.float32)[labels.numpy()]
    return Latents(text_array(range(len(z))), z, y, names, space=encoder.space)


def write(size: int) -> None:
    """Encode, measure, store."""
    found = base_statistics(encoded(size), fold=FOLD)
    header = {"space": found.space, "classes": json.dumps(found.classes)}
    path = WEIGHTS / f"tiny_image_base_{size}.safetensors"
    save_file({key: np.ascontiguousarray(value) for key, value in found.arrays().items()}, path, header)
    path.chmod(0o644)
    caught = np.square(found.factor).sum(axis=(1, 2)).mean()
    shared = caught + found.along.sum()
    total = shared + found.beside.sum()
    print(f"{path.name}: {path.stat().st_size} bytes, {found.count.min()} rows a class, space {found.space}")
    print(f"variance within classes: {caught / total:.0%} in their factors, {shared / total:.0%} in shared directions")


def main() -> None:
    """Seal the weights, write both files, seal them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    torch.set_num_threads(1)
    # The weights may be newer than their card: seal them first, so that they load and the space has its final name.
    subprocess.run(SEAL, check=True)
    for size in EVERY:
        write(size)
    subprocess.run(SEAL, check=True)


if __name__ == "__main__":
    main()
