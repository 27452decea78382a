r"""The losses of generative adversarial networks: what scores cost, and the slope of that cost.

With r the scores of real rows and m those of made rows, the critic lowers ``judge`` and the generator ``make``:

=============== ================================================= =================================== ===========
name            judge                                             make                                on its slope
=============== ================================================= =================================== ===========
relativistic    E softplus(m - r)                                 E softplus(r - m)                   all rows, 0
non-saturating  E softplus(-r) + E softplus(m)                    E softplus(-m)                      real rows, 0
least-squares   E (r - 1)^2 / 2 + E m^2 / 2                       E (m - 1)^2 / 2                     real rows, 0
wgan-gp         E m - E r                                         -E m                                between, 1
hinge           E max(0, 1 - r) + E max(0, 1 + m)                 -E m                                spectral norm
=============== ================================================= =================================== ===========

The last column is what keeps the critic tame: the penalty :math:`\tfrac\gamma2 E(\lVert\nabla_x D\rVert - t)^2` with
its rows and t, or layers that are divided by their largest singular value.

Shapes: r, m (n,) -> a number; slopes (n,).
Papers: relativistic with both penalties: Huang et al. 2024, arXiv:2501.05441, after Jolicoeur-Martineau 2018,
arXiv:1807.00734; non-saturating: Goodfellow et al. 2014, arXiv:1406.2661, with the penalty on real rows of Mescheder
et al. 2018, arXiv:1801.04406; least squares: Mao et al. 2017, arXiv:1611.04076; wgan-gp: Gulrajani et al. 2017,
arXiv:1704.00028; hinge: Lim and Ye 2017, arXiv:1705.02894, with Miyato et al. 2018, arXiv:1802.05957.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Scores = Callable[[Tensor, Tensor], Tensor]
Slopes = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Loss:
    """One pair of losses.

    Attributes:
        judge: (r, m) -> what the critic lowers.
        make: (r, m) -> what the generator lowers.
        judge_slopes: (r, m) -> d judge / d r and d judge / d m.
        make_slope: (r, m) -> d make / d m.
        penalised: the rows whose slope is penalised.
        target: t, the length the slope should have.
        spectral: divide each layer of the critic by its largest singular value.
        paired: the generator's loss looks at real scores, too.
    """

    judge: Scores
    make: Scores
    judge_slopes: Slopes
    make_slope: Scores
    penalised: Literal["all", "real", "between", "none"] = "real"
    target: float = 0.0
    spectral: bool = False
    paired: bool = False


def slope_penalty(slope: Tensor, target: float) -> Tensor:
    """E (|slope| - target)^2 / 2 of slopes (n, d)."""
    apart: Tensor = torch.linalg.vector_norm(slope, dim=1) - target
    return 0.5 * apart.square().mean()


def slope_penalty_slope(slope: Tensor, target: float) -> Tensor:
    """(n, d) gradient of :func:`slope_penalty`."""
    if target == 0.0:
        return slope / len(slope)
    size: Tensor = torch.linalg.vector_norm(slope, dim=1, keepdim=True).clamp_min(1e-12)
    return slope * ((1.0 - target / size) / len(slope))


def _soft(x: Tensor) -> Tensor:
    """log(1 + exp(x)) without overflow."""
    return torch.logaddexp(x, torch.zeros_like(x))


def _relativistic_judge(r: Tensor, m: Tensor) -> Tensor:
    return _soft(m - r).mean()


def _relativistic_make(r: Tensor, m: Tensor) -> Tensor:
    return _soft(r - m).mean()


def _relativistic_judge_slopes(r: Tensor, m: Tensor) -> tuple[Tensor, Tensor]:
    share = torch.sigmoid(m - r) / len(r)
    return -share, share


def _relativistic_make_slope(r: Tensor, m: Tensor) -> Tensor:
    return -torch.sigmoid(r - m) / len(m)


def _saturating_judge(r: Tensor, m: Tensor) -> Tensor:
    return _soft(-r).mean() + _soft(m).mean()


def _saturating_make(r: Tensor, m: Tensor) -> Tensor:
    return _soft(-m).mean()


def _saturating_judge_slopes(r: Tensor, m: Tensor) -> tuple[Tensor, Tensor]:
    return -torch.sigmoid(-r) / len(r), torch.sigmoid(m) / len(m)


def _saturating_make_slope(r: Tensor, m: Tensor) -> Tensor:
    return -torch.sigmoid(-m) / len(m)


def _squares_judge(r: Tensor, m: Tensor) -> Tensor:
    return 0.5 * (r - 1.0).square().mean() + 0.5 * m.square().mean()


def _squares_make(r: Tensor, m: Tensor) -> Tensor:
    return 0.5 * (m - 1.0).square().mean()


def _squares_judge_slopes(r: Tensor, m: Tensor) -> tuple[Tensor, Tensor]:
    return (r - 1.0) / len(r), m / len(m)


def _squares_make_slope(r: Tensor, m: Tensor) -> Tensor:
    return (m - 1.0) / len(m)


def _wasserstein_judge(r: Tensor, m: Tensor) -> Tensor:
    return m.mean() - r.mean()


def _wasserstein_make(r: Tensor, m: Tensor) -> Tensor:
    return -m.mean()


def _wasserstein_judge_slopes(r: Tensor, m: Tensor) -> tuple[Tensor, Tensor]:
    return torch.full_like(r, -1.0 / len(r)), torch.full_like(m, 1.0 / len(m))


def _wasserstein_make_slope(r: Tensor, m: Tensor) -> Tensor:
    return torch.full_like(m, -1.0 / len(m))


def _hinge_judge(r: Tensor, m: Tensor) -> Tensor:
    return (1.0 - r).clamp_min(0.0).mean() + (1.0 + m).clamp_min(0.0).mean()


def _hinge_judge_slopes(r: Tensor, m: Tensor) -> tuple[Tensor, Tensor]:
    return -(r < 1.0).to(r) / len(r), (m > -1.0).to(m) / len(m)


LOSSES: dict[str, Loss] = {
    "relativistic": Loss(
        _relativistic_judge,
        _relativistic_make,
        _relativistic_judge_slopes,
        _relativistic_make_slope,
        penalised="all",
        paired=True,
    ),
    "non-saturating": Loss(_saturating_judge, _saturating_make, _saturating_judge_slopes, _saturating_make_slope),
    "least-squares": Loss(_squares_judge, _squares_make, _squares_judge_slopes, _squares_make_slope),
    "wgan-gp": Loss(
        _wasserstein_judge,
        _wasserstein_make,
        _wasserstein_judge_slopes,
        _wasserstein_make_slope,
        penalised="between",
        target=1.0,
    ),
    "hinge": Loss(
        _hinge_judge,
        _wasserstein_make,
        _hinge_judge_slopes,
        _wasserstein_make_slope,
        penalised="none",
        spectral=True,
    ),
}
