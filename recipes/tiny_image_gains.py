"""Set tiny-image's contrast gains: midpoints of training photos get their parents' contrast at every scale.

The last step, after `tiny_image.py --move`: three numbers, fitted on same-class pairs of tiny-ImageNet's train rows.

Run: python recipes/tiny_image_gains.py --weights IN.safetensors --out OUT.safetensors
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from pictures import grow, soften, tiny_imagenet

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from augmint.models.tiny_image import TinyImage, amplify, shortness
from realism import energy

PULL = 0.005
"""Weight of the squared gains in the fit: no more contrast than the parents ask for."""


def midpoints(codec: TinyImage, pairs: int) -> tuple[Tensor, Tensor, Tensor]:
    """Painted midpoints without gains, their shortness, and the energy wanted; half the pairs as blurry as 32 px."""
    g = torch.Generator().manual_seed(11)
    images, labels = tiny_imagenet()
    order = torch.argsort(labels + torch.rand(len(labels), generator=g))  # neighbours share a class
    first = order[torch.randint(len(order) // 2, (pairs,), generator=g) * 2]
    second = order[(torch.argsort(order)[first] + 1) % len(order)]
    x = images[torch.cat([first, second])].float() / 255
    x[::2] = soften(x[::2], 32)
    x = grow(x, 128, sharp=True)
    with torch.no_grad():
        a, b = torch.cat([codec.encode(part) * codec.std + codec.mean for part in torch.split(x, 20)]).chunk(2)
        middle = (a + b) / 2
        painted = [codec.paint((part - codec.mean) / codec.std) for part in torch.split(middle, 20)]
    ea, eb = energy(x).chunk(2)
    return torch.cat(painted), shortness(middle), (ea + eb) / 2


def fit_gains(codec: TinyImage, pairs: int = 120, steps: int = 60) -> Tensor:
    """Gains (3,) that bring the mean log contrast of midpoints to their parents' at five scales."""
    codec.gains.zero_()
    painted, short, wanted = midpoints(codec, pairs)
    gains = torch.zeros(3, requires_grad=True)
    optimizer = torch.optim.Adam([gains], lr=0.1)
    for step in range(steps):
        gap = (energy(amplify(painted, short, gains)) - wanted).mean(0)
        loss = gap.square().mean() + PULL * gains.square().sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step % 20 in (0, 19):
            print(step, [round(v, 3) for v in gains.tolist()], [round(v, 3) for v in gap.tolist()], flush=True)
    return gains.detach()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    codec = TinyImage().eval()
    codec.load_state_dict({k: v.float() for k, v in load_file(args.weights).items()})
    codec.gains.copy_(fit_gains(codec))
    save_file({k: v.half().contiguous() for k, v in codec.state_dict().items()}, args.out)


if __name__ == "__main__":
    main()
