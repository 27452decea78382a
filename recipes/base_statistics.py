"""Base statistics of tiny-image: means and covariances of the 200 classes of tiny-ImageNet in its space.

Run after every change of tiny_image.safetensors (two minutes on one core): python recipes/base_statistics.py
It writes tiny_image_base.safetensors beside the weights and seals both in cards.yaml.
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

MODEL, SIZE, BLOCK = "tiny-image", 128, 500
SEAL = [sys.executable, str(Path(__file__).with_name("seal_cards.py"))]


def encoded() -> Latents:
    """The training rows of tiny-ImageNet; its classes have no names here, so they are numbered."""
    images, labels = tiny_imagenet()
    encoder = load_encoder(MODEL, size=SIZE)
    pixels = images.permute(0, 2, 3, 1).contiguous().numpy()
    z = np.concatenate([encoder.encode(list(pixels[at : at + BLOCK])) for at in range(0, len(pixels), BLOCK)])
    names = tuple(f"tiny-imagenet-{c:03d}" for c in range(int(labels.max()) + 1))
    y = np.eye(len(names), dtype=np.float32)[labels.numpy()]
    return Latents(text_array(range(len(z))), z, y, names, space=encoder.space)


def main() -> None:
    """Encode, measure, write, seal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    torch.set_num_threads(1)
    # The weights may be newer than their card: seal them first, so that they load and the space has its final name.
    subprocess.run(SEAL, check=True)
    rows = encoded()
    found = base_statistics(rows)
    header = {"space": found.space, "classes": json.dumps(found.classes)}
    path = WEIGHTS / "tiny_image_base.safetensors"
    save_file({key: np.ascontiguousarray(value) for key, value in found.arrays().items()}, path, header)
    subprocess.run(SEAL, check=True)
    caught = np.square(found.factor).sum(axis=(1, 2)).mean()
    shared = caught + found.along.sum()
    total = shared + found.beside.sum()
    print(f"{path.name}: {path.stat().st_size} bytes, {len(found.classes)} classes, space {found.space}")
    print(f"variance within classes: {caught / total:.0%} in their factors, {shared / total:.0%} in shared directions")


if __name__ == "__main__":
    main()
