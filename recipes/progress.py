"""A training run's clock: how much is done, the running means of its losses, when to save."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from torch import Tensor


@dataclass
class Progress:
    """Counts up to `steps` steps or `minutes` minutes, whichever end first; saves fall due every `save_every` s."""

    steps: int
    minutes: float
    save_every: float = 180
    means: dict[str, float] = field(default_factory=dict)
    start: float = field(default_factory=time.monotonic)
    saved: float = field(default_factory=time.monotonic)

    def __iter__(self) -> Iterator[tuple[int, float]]:
        """Step and the share of the run that is done, 0..1."""
        for step in range(self.steps):
            done = max(step / self.steps, (time.monotonic() - self.start) / 60 / self.minutes)
            if done >= 1:
                return
            yield step, done

    def note(self, step: int, losses: dict[str, Tensor]) -> None:
        """Take the losses of a step into the means; print them every 50 steps."""
        for name, loss in losses.items():
            self.means[name] = self.means.get(name, loss.item()) * 0.98 + loss.item() * 0.02
        if step % 50 == 49:
            said = " ".join(f"{name} {mean:.4f}" for name, mean in self.means.items())
            print(f"{step + 1} {(time.monotonic() - self.start) / 60:.1f} min {said}", flush=True)

    def save_is_due(self) -> bool:
        """True once every `save_every` seconds."""
        due = time.monotonic() - self.saved > self.save_every
        if due:
            self.saved = time.monotonic()
        return due
