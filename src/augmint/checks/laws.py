"""What the checks are made of: a law, rows to try it on, and eyes for hidden randomness and changed inputs."""

from __future__ import annotations

import copy
import dataclasses
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from augmint.core.errors import UsageError
from augmint.core.protocols import State
from augmint.core.types import Latents, TargetKind
from augmint.numerics.rows import text_array

CLOSE = 1e-4
"""Largest difference, relative to the size of the rows, where the last bits may depend on the batch."""


def example_latents(
    counts: Sequence[int] = (9, 6, 2),
    shape: tuple[int, ...] = (7,),
    *,
    target: TargetKind = "class",
    ragged: bool = False,
    seed: int = 0,
) -> Latents:
    """Rows of Gaussian classes, for checks.

    Args:
        counts: rows of each class.
        shape: shape of one row.
        target: what ``y`` is to mean.
        ragged: give rows valid lengths along the first axis of ``shape``.
        seed: of the numbers.
    """
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    centers = 3.0 * rng.standard_normal((len(counts), *shape))
    z = (centers[labels] + rng.standard_normal((len(labels), *shape))).astype(np.float32)
    y = np.eye(len(counts), dtype=np.float32)[labels]
    if target == "soft":
        y = (0.8 * y + 0.2 / len(counts)).astype(np.float32)
    if target == "multilabel":
        y = np.maximum(y, rng.random(y.shape) < 0.2).astype(np.float32)
    if target == "number":
        y = (labels[:, None] + rng.random((len(labels), 1))).astype(np.float32)
    length = None
    if ragged:
        length = rng.integers(1, shape[0] + 1, len(labels))
        inside = np.arange(shape[0])[None, :] < length[:, None]
        z = np.where(inside.reshape(inside.shape + (1,) * (len(shape) - 1)), z, np.float32(0))
    ids = text_array([f"row {i:03d}.png" for i in range(len(labels))])
    names = tuple(f"class {c}" for c in range(y.shape[1]))
    return Latents(ids, z, y, names, length, target, space="example")


def renamed(rows: Latents) -> Latents:
    """The same rows in a space and with classes of other names."""
    names = tuple(f"other {i}" for i in range(len(rows.classes)))
    return dataclasses.replace(rows, space="another space", classes=names)


def law(holds: Any, name: str, detail: str = "") -> None:
    """Raise AssertionError with the name of a law that does not hold."""
    if not holds:
        raise AssertionError(f"law {name!r} is broken" + (f": {detail}" if detail else ""))


def _global_random() -> list[bytes]:
    """Fingerprints of the generators that all code of the process shares."""
    found = [repr(random.getstate()).encode(), repr(np.random.get_state(legacy=False)).encode()]
    torch = sys.modules.get("torch")
    if torch is not None:
        found.append(torch.random.get_rng_state().numpy().tobytes())
    return found


def content_of(value: Any) -> Any:
    """The same value in a form that compares byte by byte."""
    if isinstance(value, np.ndarray):
        return (value.dtype.str, value.shape, value.tobytes())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: content_of(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {k: content_of(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [content_of(v) for v in value]
    return value


@contextmanager
def watched(*inputs: Any) -> Iterator[None]:
    """No global generator is used and no input is changed inside the block."""
    np.random.get_state()
    before, contents = _global_random(), copy.deepcopy([content_of(x) for x in inputs])
    yield
    law(_global_random() == before, "no global random numbers", "draw from the generator that is passed in")
    law([content_of(x) for x in inputs] == contents, "inputs are not changed", "work on a copy")


def near(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays are the same but for the last bits."""
    size = float(np.abs(a).max()) if a.size else 0.0
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=CLOSE, atol=CLOSE * max(size, 1e-12)))


def check_state(state: State, empty: bool = False) -> None:
    """A learned state can be stored as safetensors; ``empty``: it may be that nothing is learned."""
    law(isinstance(state, dict) and (state or empty), "state is a dict of arrays")
    for name, value in state.items():
        law(
            isinstance(value, np.ndarray) and value.dtype.kind in "biuf",
            "state is a dict of arrays",
            f"{name!r} is {type(value).__name__}; safetensors stores numbers only",
        )


def check_config(make: Callable[[], Any], kind: type[Any]) -> None:
    """The class is a dataclass of its options."""
    made = make()
    law(isinstance(made, kind), f"is a {kind.__name__}", f"it is {type(made).__name__}")
    law(dataclasses.is_dataclass(made), "is a dataclass whose fields are its configuration")
    for f in dataclasses.fields(made):
        given = f.default is not dataclasses.MISSING or f.default_factory is not dataclasses.MISSING
        law(not f.init or given, "every option has a default", f.name)
        law(f.init != f.name.endswith("_"), "learned names, and only these, end in _", f.name)


def check_no_rows(fit: Callable[[Latents], Any]) -> None:
    """A fit on nothing is the caller's fault and says so."""
    empty = example_latents().take(np.arange(0))
    try:
        fit(empty)
    except UsageError:
        return
    except Exception as error:
        raise AssertionError(f"law 'no rows is a UsageError' is broken: it was {error!r}") from error
    raise AssertionError("law 'no rows is a UsageError' is broken: nothing was raised")


def rng() -> np.random.Generator:
    """The same numbers again at every call."""
    return np.random.default_rng(11)
