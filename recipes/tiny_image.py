"""Train tiny-image: a codec whose latents can be moved in.

Run: python recipes/tiny_image.py --out /tmp/tiny/image --minutes 90
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from drawings import disc_triples, stroke_triples
from pictures import grow, look, photo_triples, photos, random_view, soften, tiny_imagenet
from progress import Progress
from realism import Critic, Shallow, critic_loss, energy, moments, pretrained

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from augmint.models.tiny_image import CHANNELS, TinyImage

VIEWS, TEACHER_PX, CELLS = 3, 128, 4


def teacher_features(images: Tensor, g: torch.Generator, cache: Path) -> dict[str, Tensor]:
    """SqueezeNet's maps of VIEWS fixed views of each image: view matrices and features (n * VIEWS, 512, 4, 4)."""
    if cache.exists():
        known: dict[str, Tensor] = load_file(cache)
        return known
    net = pretrained()
    matrices, features = [], []
    for batch in torch.split(images, 50):
        for number in range(VIEWS):
            view = random_view(g, len(batch), (0.999, 1.0) if number == 0 else (0.5, 0.95), 0.0, 0.0)
            with torch.inference_mode():
                maps = net.maps(look(batch, view, TEACHER_PX))
            matrices.append(view.matrix)
            features.append(F.adaptive_avg_pool2d(maps, CELLS).half())
    found = {"matrix": torch.cat(matrices), "features": torch.cat(features)}
    save_file(found, cache)
    return found


@dataclass
class Material:
    """All that a step draws from: images, labels, photos at 160 px, the teacher's views, row of each view."""

    tiny: Tensor
    labels: Tensor
    photos: Tensor
    matrix: Tensor
    features: Tensor
    rows: Tensor
    view_of: Tensor
    of_class: list[Tensor]
    center: Tensor
    scale: Tensor

    @classmethod
    def load(cls, cache: Path, g: torch.Generator) -> Material:
        """Read the allowed data and ask the teacher once."""
        tiny, labels = tiny_imagenet()
        known = teacher_features(tiny, g, cache)
        rows = torch.cat([part.repeat(VIEWS) for part in torch.split(torch.arange(len(tiny)), 50)])
        view_of = rows.argsort(stable=True).view(len(tiny), VIEWS)
        of_class = [torch.nonzero(labels == c)[:, 0] for c in range(200)]
        sample = known["features"][::37].float()
        center = sample.mean((0, 2, 3)).view(1, -1, 1, 1)
        scale = sample.std((0, 2, 3)).view(1, -1, 1, 1) + 0.1 * sample.std()
        return cls(
            tiny,
            labels,
            photos(160),
            known["matrix"],
            known["features"],
            rows,
            view_of,
            of_class,
            center,
            scale,
        )

    def taught(self, g: torch.Generator, n: int) -> tuple[Tensor, Tensor]:
        """n images at 64 px with the teacher's standardised features (n, 512, 4, 4)."""
        return self.seen(torch.randint(len(self.rows), (n,), generator=g))

    def taught_pairs(self, g: torch.Generator, n: int) -> tuple[Tensor, Tensor]:
        """As `taught`, 2 n images: row n + i is of the class of row i."""
        first = torch.randint(len(self.tiny), (n,), generator=g)
        second = torch.stack([self.of_class[c][torch.randint(50, (1,), generator=g)[0]] for c in self.labels[first]])
        view = torch.randint(VIEWS, (2 * n,), generator=g)
        return self.seen(self.view_of[torch.cat([first, second]), view])

    def seen(self, pick: Tensor) -> tuple[Tensor, Tensor]:
        """Views by number: pixels and the teacher's standardised features."""
        n = len(pick)
        at = F.affine_grid(self.matrix[pick], [n, 3, 64, 64], align_corners=False)
        x = F.grid_sample(self.tiny[self.rows[pick]].float() / 255, at, align_corners=False)
        return x.clamp(0, 1), (self.features[pick].float() - self.center) / self.scale


def triples(
    g: torch.Generator, data: Material, counts: tuple[int, int, int], size: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Pictures A, B, the true one at t between them (n, 3, size, size), and t (n,): photos, strokes, discs."""
    n_photo, n_stroke, n_disc = counts
    sharp = bool(torch.rand(1, generator=g) < 0.6)
    t = torch.rand(sum(counts), generator=g)
    t = torch.where(torch.rand(len(t), generator=g) < 0.6, 0.5, t)
    t = torch.where(torch.rand(len(t), generator=g) < 0.2, 0.0, t)
    tp, ts, td = torch.split(t, list(counts))
    pick = torch.randint(len(data.tiny), (n_photo,), generator=g)
    pen = 28 if torch.rand(1, generator=g) < 0.5 else 32
    parts = (
        photo_triples(g, data.tiny[pick], tp, 64),
        stroke_triples(g, n_stroke, ts, pen),
        disc_triples(g, n_disc, td, 64),
    )
    a, b, mid = (torch.cat([grow(x, size, sharp) for x in kind]) for kind in zip(*parts, strict=True))
    return a, b, mid, t


def likeness(x: Tensor, y: Tensor) -> Tensor:
    """Pixel loss of x to the wanted y: absolute and squared error, and that of the differences between neighbours.

    Beyond black and white nothing is lost, since decoding clamps: grounds can become exactly black.
    """
    beyond = ((y < 1 / 255) & (x < 0)) | ((y > 254 / 255) & (x > 1))
    error = (x - y).masked_fill(beyond, 0)
    edges = (error[..., 1:] - error[..., :-1]).abs().mean() + (error[..., 1:, :] - error[..., :-1, :]).abs().mean()
    return error.abs().mean() + 4 * error.square().mean() + 0.5 * edges


class Lesson(nn.Module):
    """The codec and the head that reads the teacher's features from its latents, and their losses."""

    def __init__(self) -> None:
        super().__init__()
        self.codec = TinyImage()
        self.head = nn.Conv2d(CHANNELS, 512, 1)

    def teach(self, z: Tensor, target: Tensor) -> Tensor:
        """Squared error to the teacher's maps and to their mean over positions."""
        guess = self.head(z)
        pooled = (guess.mean((2, 3)) - target.mean((2, 3))).square().mean()
        loss: Tensor = (guess - target).square().mean() + 2 * pooled
        return loss

    def losses(self, g: torch.Generator, data: Material, realism: Realism | None, step: int) -> dict[str, Tensor]:
        """What a step is about: crops of 128 px every eighth time, else midpoints."""
        if step % 8 == 7:
            return self.large(g, data)
        return self.move(g, data, realism) if realism else self.small(g, data)

    def large(self, g: torch.Generator, data: Material) -> dict[str, Tensor]:
        """Rebuild crops of 128 px."""
        pick = torch.randint(len(data.photos), (8,), generator=g)
        x = look(data.photos[pick], random_view(g, 8, (0.75, 1.0), 0.1, 0.05), 128)
        return {"rec128": likeness(self.codec.paint(self.codec.encode(x)), x)}

    def small(self, g: torch.Generator, data: Material) -> dict[str, Tensor]:
        """Rebuild, teach and interpolate at 64 px, everything through one pass of each half."""
        x, target = data.taught(g, 16)
        x[:6] = soften(x[:6], 32 if torch.rand(1, generator=g) < 0.7 else 28)
        a, b, mid, t = triples(g, data, (6, 8, 4), 64)
        a[:2], b[:2], mid[:2] = soften(a[:2], 32), soften(b[:2], 32), soften(mid[:2], 32)
        z = self.codec.encode(torch.cat([x, a, b]))
        zx, za, zb = torch.split(z, [len(x), len(a), len(b)])
        noise = torch.randn(zx.shape, generator=g) * torch.rand(len(zx), 1, 1, 1, generator=g) * 0.3
        noise[::2] = 0
        middle = torch.lerp(za, zb, t.view(-1, 1, 1, 1))
        out = self.codec.paint(torch.cat([zx + noise, za, middle]))
        rx, ra, rm = torch.split(out, [len(x), len(a), len(mid)])
        return {
            "rec": likeness(torch.cat([rx, ra]), torch.cat([x, a])),
            "teach": 0.2 * self.teach(F.adaptive_avg_pool2d(zx, CELLS), target),
            "mid": likeness(rm, mid),
        }

    def move(self, g: torch.Generator, data: Material, realism: Realism) -> dict[str, Tensor]:
        """`small` with midpoints of real same-class pairs, which must look real, and trains the critic on the side."""
        pairs, counts, size = random_choice(g, ((10, (4, 10, 4), 64), (3, (1, 2, 2), 128), (3, (1, 2, 2), 128)))
        x, target = data.taught_pairs(g, pairs)
        if torch.rand(1, generator=g) < 0.5:
            x = soften(x, 32, sharp=bool(torch.rand(1, generator=g) < 0.6))
        a, b, mid, t = triples(g, data, counts, size)
        x = grow(x, size, sharp=True)
        z = self.codec.encode(torch.cat([x, a, b]))
        zx, za, zb = torch.split(z, [len(x), len(a), len(b)])
        z1, z2 = zx.chunk(2)
        share = torch.where(
            torch.rand(len(z1), 1, 1, 1, generator=g) < 0.7, 0.5, torch.rand(len(z1), 1, 1, 1, generator=g)
        )
        between, middle = torch.lerp(z1, z2, share), torch.lerp(za, zb, t.view(-1, 1, 1, 1))
        out = self.codec.paint(torch.cat([zx, middle, between]))
        rx, rm, rb = torch.split(out, [len(x), len(a), len(between)])
        losses = {
            "rec": likeness(rx, x),
            "teach": 0.2 * self.teach(F.adaptive_avg_pool2d(zx, CELLS), target),
            "mid": likeness(rm, mid),
        }
        return losses | realism(x, share, mid, rb, rm, rx[::3])


Load = tuple[int, tuple[int, int, int], int]
"""Real pairs of a step, its triples of each kind, and their size in px."""


def random_choice(g: torch.Generator, loads: tuple[Load, ...]) -> Load:
    """One of the loads, each as likely."""
    return loads[int(torch.randint(len(loads), (1,), generator=g))]


class Realism:
    """The critic with its optimizer, and the moments: both see only decoded midpoints as fakes."""

    def __init__(self, data: Material, weight: float) -> None:
        self.shallow, self.critic, self.weight = Shallow(data.tiny[:300].float() / 255), Critic(), weight
        self.optimizer = torch.optim.Adam(self.critic.parameters(), lr=3e-4, betas=(0.0, 0.99))

    def __call__(self, x: Tensor, share: Tensor, mid: Tensor, rb: Tensor, rm: Tensor, rx: Tensor) -> dict[str, Tensor]:
        """Losses of midpoints rb of the photos x (first half with second), rm, whose truth is mid, and rebuilt rx."""
        with torch.no_grad():
            real = self.shallow(torch.cat([x, mid]))
            double = self.shallow((x[: len(rb)] + x[len(rb) :]) / 2)
        made = self.shallow(torch.cat([rb, rm, rx]))
        fake = [m[: len(rb) + len(rm)] for m in made]
        self.study(real, fake, double)
        m1, m2, m3 = torch.split(moments(real), [len(rb), len(rb), len(rm)])
        wanted = torch.cat([torch.lerp(m1, m2, share.flatten(1)), m3])
        e1, e2, e3 = torch.split(energy(torch.cat([x, mid])), [len(rb), len(rb), len(rm)])
        contrast = torch.cat([torch.lerp(e1, e2, share.flatten(1)), e3])
        self.critic.requires_grad_(False)
        fooled = -self.critic(fake).mean()
        self.critic.requires_grad_(True)
        known = [
            (m[len(rb) :] - torch.cat([r[len(x) :], r[: len(x) : 3]])).abs().mean()
            for m, r in zip(made, real, strict=True)
        ]
        return {
            "maps": 0.1 * torch.stack(known).mean(),
            "moments": 0.8 * (moments(fake) - wanted).abs().mean(),
            "contrast": 0.08 * (energy(torch.cat([rb, rm])) - contrast).abs().mean(),
            "critic": self.weight * fooled,
        }

    def study(self, real: list[Tensor], fake: list[Tensor], double: list[Tensor]) -> None:
        """One step of the critic; double exposures count as fakes too."""
        self.optimizer.zero_grad()
        seen = [torch.cat([f.detach(), d]) for f, d in zip(fake, double, strict=True)]
        critic_loss(self.critic, real, seen).backward()
        self.optimizer.step()


def learning_rate(done: float, peak: float) -> float:
    """Warm-up over the first 2 %, then a cosine to a fiftieth."""
    return peak * min(1.0, done / 0.02 + 0.02) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(done, 1.0))))


def export(lesson: Lesson, data: Material, path: Path) -> None:
    """Set the channel moments over training photos and save fp16 weights."""
    codec = TinyImage()
    codec.load_state_dict(lesson.codec.state_dict())
    codec.mean.zero_()
    codec.std.fill_(1)
    with torch.inference_mode():
        z = torch.cat([codec.encode(x.float() / 255) for x in torch.split(data.tiny[::20], 50)])
    codec.mean.copy_(z.mean((0, 2, 3)).view_as(codec.mean))
    codec.std.copy_(z.std((0, 2, 3)).view_as(codec.std))
    save_file({k: v.half().contiguous() for k, v in codec.state_dict().items()}, path)


def follow(average: Lesson, lesson: Lesson, step: int) -> None:
    """Move the running average of the weights towards them."""
    keep = min(0.998, (step + 1) / (step + 10))
    for slow, fast in zip(average.parameters(), lesson.parameters(), strict=True):
        slow.data.lerp_(fast.data, 1 - keep)


def start(args: argparse.Namespace) -> tuple[Lesson, Lesson]:
    """The lesson and its running average, new or continued."""
    lesson, average = Lesson(), Lesson()
    if args.init:
        lesson.load_state_dict(torch.load(args.init))
    average.load_state_dict(lesson.state_dict())
    return lesson, average


def train(args: argparse.Namespace) -> None:
    """One phase: steps until `--steps` or `--minutes` is used up, whichever is first."""
    g = torch.Generator().manual_seed(args.seed)
    torch.manual_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    data = Material.load(args.cache or args.out / "teacher.safetensors", g)
    lesson, average = start(args)
    realism = Realism(data, args.critic) if args.move else None
    optimizer = torch.optim.AdamW(lesson.parameters(), lr=args.rate, weight_decay=1e-4, betas=(0.9, 0.98))
    progress = Progress(args.steps, args.minutes)
    for step, done in progress:
        optimizer.param_groups[0]["lr"] = learning_rate(done, args.rate)
        losses = lesson.losses(g, data, realism, step)
        optimizer.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        nn.utils.clip_grad_norm_(lesson.parameters(), 1.0)
        optimizer.step()
        follow(average, lesson, step)
        progress.note(step, losses)
        if progress.save_is_due():
            save(average, data, args.out)
    save(average, data, args.out)


def save(average: Lesson, data: Material, out: Path) -> None:
    """The checkpoint to continue from and the exported codec."""
    torch.save(average.state_dict(), out / "last.pt")
    export(average, data, out / "tiny_image.safetensors")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints and the exported weights")
    parser.add_argument("--minutes", type=float, default=90)
    parser.add_argument("--steps", type=int, default=10**6)
    parser.add_argument("--rate", type=float, default=8e-4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--init", type=Path, help="continue from this last.pt")
    parser.add_argument("--move", action="store_true", help="second phase: midpoints must look real")
    parser.add_argument("--critic", type=float, default=0.02, help="weight of the critic in the second phase")
    parser.add_argument("--cache", type=Path, help="the teacher's features, if made before")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    train(args)


if __name__ == "__main__":
    main()
