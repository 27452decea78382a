"""How near are the minted rows to real ones, as a set: distances, balls, and an independent judge's opinion.

None of these says that the rows help a model; :mod:`augmint.evaluation.intervals` does. Each has a way to mislead:
``docs/evaluation.md``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from augmint.core.errors import UsageError
from augmint.core.types import F32
from augmint.evaluation.balls import ball_scores
from augmint.evaluation.frechet import frechet_distance
from augmint.evaluation.intervals import share_interval
from augmint.evaluation.kernel import kernel_distance
from augmint.evaluation.score import NOT_ENOUGH, Score, checked_rows, with_reference


def fidelity(
    real: npt.NDArray[Any], minted: npt.NDArray[Any], *, k: int = 5, splits: int = 3, seed: int = 0
) -> dict[str, Score]:
    """Frechet and kernel distance, precision, recall, density and coverage, each beside what real rows get.

    Args:
        real: (m, d) rows of an encoder, best one that the generator has not seen; held-out rows where there are some.
        minted: (n, d).
        k: neighbours that set the radius of a ball.
        splits: halves of the real rows for the reference; 0 for none.
        seed: of the halves.

    Raises:
        UsageError: the sets are not (rows, numbers) of one width, or k is less than 1.
        DataError: a number is not finite.
    """
    if k < 1:
        raise UsageError(f"k {k}", expected="1 or more neighbours", do="correct k", code="range")
    a = checked_rows(real, "real rows")
    b = checked_rows(minted, "minted rows", a.shape[1])
    kernel, balls = kernel_distance(a, b), ball_scores(a, b, k)
    note = NOT_ENOUGH if min(len(a), len(b)) < 2 else ""
    n = len(b)
    scores = {
        "frechet": Score("frechet", frechet_distance(a, b), "smaller", 0.0, np.inf, n, note=note),
        "kernel": Score(
            "kernel", kernel.value, "smaller", -np.inf, np.inf, n, None if note else kernel.interval, note=note
        ),
        "precision": _share("precision", balls.precision, n, n, note),
        "recall": _share("recall", balls.recall, len(a), n, note),
        "density": Score("density", balls.density, "larger", 0.0, np.inf, n, note=note),
        "coverage": Score("coverage", balls.coverage, "larger", 0.0, 1.0, n, note=note),
    }

    def measure(here: F32, other: F32) -> dict[str, float]:
        distances = {"frechet": frechet_distance(here, other), "kernel": kernel_distance(here, other).value}
        return {**distances, **ball_scores(here, other, k)._asdict()}

    return with_reference(scores, measure, a, b, splits=splits, seed=seed)


def _share(name: str, value: float, of: int, n: int, note: str) -> Score:
    """A share of rows that are counted one by one, given the other set."""
    interval = None if note else share_interval(value * of, of)
    return Score(name, value, "larger", 0.0, 1.0, n, interval, note=note)


def label_agreement(
    probability: npt.NDArray[Any],
    y: npt.NDArray[Any],
    *,
    groups: npt.NDArray[Any] | None = None,
    real: tuple[npt.NDArray[Any], npt.NDArray[Any]] | None = None,
) -> Score:
    """How often a judge's heaviest class is the minted row's own.

    The judge must share no weights with the generator, and must not have seen the minted rows.

    Args:
        probability: (n, c) the judge's, or other scores, -inf of a class it does not know; a row with NaN agrees with
            no class.
        y: (n,) class of each row, or (n, c) label weights.
        groups: (n,) names of rows that are not independent, such as the parent of each child; the interval then
            counts groups, as far as rows within them agree.
        real: the same two for real rows that the judge has not seen: the reference.

    Raises:
        ValueError: other shapes.
    """
    right = _agrees(np.asarray(probability), np.asarray(y))
    n = len(right)
    if n == 0:
        return Score("label agreement", np.nan, "larger", 0.0, 1.0, 0, note=NOT_ENOUGH)
    share = float(right.mean())
    size = n if groups is None else _effective_size(right, groups)
    reference = float(_agrees(*real).mean()) if real is not None and len(real[0]) else np.nan
    # A share does not depend on the number of rows, so the value is already comparable with the reference.
    interval = share_interval(share * size, size)
    return Score("label agreement", share, "larger", 0.0, 1.0, n, interval, reference, share)


def _agrees(probability: npt.NDArray[Any], y: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    wanted = y if y.ndim == 1 else y.argmax(axis=1)
    if probability.ndim != 2 or len(probability) != len(wanted):
        raise ValueError(f"got probabilities {probability.shape} for labels {y.shape}; expected (n, c) and n labels")
    if not len(wanted):
        return np.zeros(0)
    told = ~np.isnan(probability).any(axis=1)
    return np.asarray((probability.argmax(axis=1) == wanted) & told, dtype=np.float64)


def _effective_size(right: npt.NDArray[np.float64], groups: npt.NDArray[Any]) -> float:
    """Independent rows that would give a share as sure as these: n over the design effect, between groups and n."""
    _, at = np.unique(groups, return_inverse=True)
    count, n, share = np.bincount(at), len(right), float(right.mean())
    if share in (0.0, 1.0) or len(count) < 2:
        return float(len(count))
    residual = np.bincount(at, weights=right) - share * count
    variance = len(count) / (len(count) - 1) * float(np.square(residual).sum()) / n**2
    return float(np.clip(share * (1.0 - share) / max(variance, 1e-12), min(2, n), n))
