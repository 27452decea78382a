r"""Multinomial logistic regression with an L2 penalty, in coordinates where it converges in few steps.

.. math:: \min_{W, b}\; \sum_i s_i\, \mathrm{CE}\bigl(y_i,\, \mathrm{softmax}(x_i W + b)\bigr)
          + \frac\lambda2 \lVert W \rVert^2 \qquad \sum_i s_i = 1

The optimum lies in the span of the rows, so wide rows cost no more than there are rows. Along the principal axes of
the rows the curvature of the loss is at most :math:`\sigma_j^2 / 2 + \lambda` and far from equal; L-BFGS works on
weights divided by its square root. With the standardised features of a pretrained network this halves the steps where
the penalty is weak (500 x 512, lambda = 1e-4: 64 instead of 92).

Shapes: rows (n, d), y (n, k) label weights, s (n,), W (d, k), b (k,); products in the type of the rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

F64 = npt.NDArray[np.float64]
Floats = npt.NDArray[np.floating[Any]]

CURVATURE = 0.1
"""Of the cross-entropy along an axis of variance 1, about: p (1 - p) at ten even classes; 1/4 at most."""


@dataclass(frozen=True)
class Axes:
    """Rows in an orthonormal basis of their span.

    Attributes:
        rows: (n, r) coordinates.
        basis: (d, r); ``x @ basis`` are the coordinates of any row.
        variance: (r,) mean square of each coordinate.
    """

    rows: Floats
    basis: Floats
    variance: F64

    @classmethod
    def of(cls, x: Floats) -> Self:
        """The principal axes of x (n, d), those of no length left out."""
        wide = x.shape[1] > len(x)
        square, vectors = _spectrum(x @ x.T if wide else x.T @ x)
        length = np.sqrt(square)
        rows, basis = (vectors * length, x.T @ vectors / length) if wide else (x @ vectors, vectors)
        return cls(np.ascontiguousarray(rows), basis, square.astype(np.float64) / max(1, len(x)))

    @classmethod
    def of_products(cls, products: Floats) -> Self:
        """The axes of n rows that are too wide to be held, out of their products x x^T (n, n).

        The basis (n, r) takes products, too: ``(z @ x.T) @ basis`` are the coordinates of any row z, and
        ``x.T @ (basis @ w)`` is the weight w in the numbers of the rows.
        """
        square, vectors = _spectrum(products)
        length = np.sqrt(square)
        variance = square.astype(np.float64) / max(1, len(products))
        return cls(np.ascontiguousarray(vectors * length), vectors / length, variance)


def _spectrum(products: Floats) -> tuple[Floats, Floats]:
    """Eigenvalues and vectors, those of no length left out."""
    kind = np.finfo(products.dtype)
    square, vectors = np.linalg.eigh(products)
    long = square > max(float(square[-1]) * len(square) * kind.eps, kind.tiny)
    return square[long], vectors[:, long]


@dataclass(frozen=True)
class Stop:
    """When to stop.

    Attributes:
        steps: of L-BFGS, at most.
        change: of the loss in a step, relative to the loss.
        slope: largest derivative.
    """

    steps: int = 200
    change: float = 1e-9
    slope: float = 1e-5


def fit_softmax(
    x: Floats,
    y: F64,
    share: F64,
    penalty: float,
    variance: F64,
    start: tuple[F64, F64] | None = None,
    stop: Stop = Stop(),
) -> tuple[F64, F64]:
    """Weight (d, k) and bias (k,) from zero or from ``start``; deterministic.

    Args:
        x: (n, d) coordinates along axes, see :class:`Axes`.
        y: (n, k) label weights.
        share: (n,) weight of each row; they sum to 1.
        penalty: lambda.
        variance: (d,) of the coordinates, to scale the steps.
        start: weight and bias to start from.
        stop: when to stop.
    """
    d, k = x.shape[1], y.shape[1]
    unit = 1.0 / np.sqrt(CURVATURE * variance + penalty)[:, None]
    scaled, cost = (x * unit[:, 0]).astype(x.dtype), penalty * np.square(unit)
    goal, share = y.astype(x.dtype), share[:, None].astype(x.dtype)
    total = goal.sum(axis=1, keepdims=True)

    def loss(flat: F64) -> tuple[float, F64]:
        weight, bias = flat[: d * k].reshape(d, k), flat[d * k :]
        logs = scaled @ weight.astype(x.dtype) + bias.astype(x.dtype)
        logs -= logs.max(axis=1, keepdims=True)
        odds = np.exp(logs)
        whole = odds.sum(axis=1, keepdims=True)
        value = float((share * goal * (np.log(whole) - logs)).sum(dtype=np.float64))
        error = share * (odds * (total / whole) - goal)
        pull = cost * weight
        return value + 0.5 * float((pull * weight).sum()), np.concatenate(
            [(scaled.T @ error + pull).ravel(), error.sum(axis=0)]
        )

    first = np.zeros(d * k + k) if start is None else np.concatenate([(start[0] / unit).ravel(), start[1]])
    options = {"maxiter": stop.steps, "ftol": stop.change, "gtol": stop.slope}
    found = minimize(loss, first, jac=True, method="L-BFGS-B", options=options).x
    return found[: d * k].reshape(d, k) * unit, found[d * k :]
