"""Train tiny-judge: features that judge the codec's output, learned without the codec and without its teacher.

Three tasks at once: the 200 tiny-ImageNet classes, telling pairs of views of a photo from other photos, and telling
pairs of drawings of one procedural character (or one scene of discs) from other drawings.

Run: python recipes/tiny_judge.py --out /tmp/tiny/judge --minutes 60
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from drawings import drawn_pairs
from pictures import look, photos, random_view, soften, tiny_imagenet
from progress import Progress

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from augmint.models.tiny_judge import FEATURES, TinyJudge

TEMPERATURE = 0.15


def photo_pairs(g: torch.Generator, images: Tensor) -> tuple[Tensor, Tensor]:
    """Two strongly different views of each image, some grey, some as blurry as small pictures."""
    pair = []
    for _ in range(2):
        x = look(images, random_view(g, len(images), (0.45, 1.0), 0.2, 0.25), 64)
        grey = torch.rand(len(x), 1, 1, 1, generator=g) < 0.15
        x = torch.where(grey, x.mean(1, keepdim=True), x)
        blurry = len(x) // 3
        pair.append(torch.cat([soften(x[:blurry], 32), x[blurry:]]))
    return pair[0], pair[1]


def contrast(a: Tensor, b: Tensor) -> Tensor:
    """Normalised-temperature cross entropy (SimCLR): row i of a belongs to row i of b and to no other row."""
    z = F.normalize(torch.cat([a, b]), dim=1)
    logits = z @ z.T / TEMPERATURE
    logits.fill_diagonal_(-1e9)
    n = len(a)
    return F.cross_entropy(logits, torch.arange(2 * n).roll(n))


class Lesson(nn.Module):
    """The judge with a projector for the pairs and a linear classifier for the names."""

    def __init__(self) -> None:
        super().__init__()
        self.judge = TinyJudge()
        self.project = nn.Sequential(nn.Linear(FEATURES, 256), nn.ReLU(), nn.Linear(256, 96))
        self.names = nn.Sequential(nn.Dropout(0.3), nn.Linear(FEATURES, 200))

    def losses(self, g: torch.Generator, images: Tensor, labels: Tensor, drawn: tuple[int, int]) -> dict[str, Tensor]:
        """Names over both views (label -100: no name known), pairs of photos, pairs of drawings."""
        a, b = photo_pairs(g, images)
        size = 28 if torch.rand(1, generator=g) < 0.5 else 32
        c, d = (F.interpolate(x, size=64, mode="bilinear") for x in drawn_pairs(g, *drawn, size))
        features = self.judge(torch.cat([a, c, b, d]).contiguous(memory_format=torch.channels_last))
        first, second = self.project(features).chunk(2)
        n, s = len(a), drawn[0]
        fa, fb = features[:n], features[len(features) // 2 :][:n]
        names = self.names(torch.cat([fa, fb]))
        return {
            "names": F.cross_entropy(names, labels.repeat(2), label_smoothing=0.1),
            "photos": 0.5 * contrast(first[:n], second[:n]),
            "strokes": 0.5 * contrast(first[n : n + s], second[n : n + s]),
            "discs": 0.25 * contrast(first[n + s :], second[n + s :]),
        }


def export(judge: nn.Module, path: Path) -> None:
    """Save the judge alone, fp16."""
    state = {k: v.half() for k, v in judge.state_dict().items() if not k.endswith("num_batches_tracked")}
    save_file({k: v.contiguous() for k, v in state.items()}, path)


def material() -> tuple[Tensor, Tensor]:
    """Images at 64 px and labels, -100 for the photos beside tiny-ImageNet."""
    tiny, labels = tiny_imagenet()
    extra = photos(64)
    return torch.cat([tiny, extra]), torch.cat([labels, torch.full((len(extra),), -100)])


def train(args: argparse.Namespace) -> None:
    """Steps until `--steps` or `--minutes` is used up, whichever is first."""
    g = torch.Generator().manual_seed(args.seed)
    torch.manual_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    images, labels = material()
    lesson = Lesson()
    lesson.judge.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = AveragedModel(lesson, multi_avg_fn=get_ema_multi_avg_fn(0.998), use_buffers=True)
    optimizer = torch.optim.AdamW(lesson.parameters(), lr=args.rate, weight_decay=0.05)
    assert isinstance(average.module, Lesson)
    progress = Progress(args.steps, args.minutes, save_every=120)
    for step, done in progress:
        rate = args.rate * min(1, step / 100 + 0.01) * (0.01 + 0.5 * (1 + math.cos(math.pi * done)))
        optimizer.param_groups[0]["lr"] = rate
        pick = torch.randint(len(images), (48,), generator=g)
        losses = lesson.losses(g, images[pick], labels[pick], (14, 6))
        optimizer.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        optimizer.step()
        average.update_parameters(lesson)
        progress.note(step, losses)
        if progress.save_is_due():
            export(average.module.judge, args.out / "tiny_judge.safetensors")
    export(average.module.judge, args.out / "tiny_judge.safetensors")
    torch.save(average.module.state_dict(), args.out / "last.pt")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the exported weights")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--steps", type=int, default=10**6)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    train(args)


if __name__ == "__main__":
    main()
