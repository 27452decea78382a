"""The laws of a method in latent space."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from augmint.checks.laws import (
    check_config,
    check_no_rows,
    check_state,
    content_of,
    example_latents,
    law,
    near,
    renamed,
    rng,
    watched,
)
from augmint.core.protocols import Synthesizer
from augmint.core.types import Draw, Latents


def check_synthesizer(
    make: Callable[[], Synthesizer], *, pool: Latents | None = None, base: Latents | None = None
) -> None:
    """The laws of a method, on vectors, maps and ragged rows, on tiny classes and on each target it lists.

    Args:
        make: builds a fresh instance; choose a configuration that fits in a second, it is fitted about 20 times.
        pool: passed to each fit, for methods that need one; checks then stay with rows of its shape.
        base: the same.
    """
    check_config(make, Synthesizer)
    law(make().scope in ("row", "class", "global"), "scope is row, class or global")
    law(make().targets, "targets are listed")
    second: dict[str, Any] = {"pool": pool, "base": base}
    free = pool is None and base is None
    shape = (7,) if free else (pool or base or example_latents()).shape
    real = example_latents(shape=shape)
    check_no_rows(lambda rows: make().fit(rows, rng(), **second))
    for target in sorted(make().targets):
        _check_draw(make, example_latents(shape=shape, target=target), second)
    for counts in ((1, 5), (1, 1, 1), (1,), (2, 0, 3)):
        _check_draw(make, example_latents(counts, shape), second)
    if free:
        _check_draw(make, example_latents(shape=(3, 4, 4)), second)
        _check_draw(make, example_latents(shape=(5, 3), ragged=True), second)
    _check_repeatable(make, real, second)
    _check_same_numbers(make, real, second)
    _check_rows_alone(make, real, second)


def _check_draw(make: Callable[[], Synthesizer], real: Latents, second: dict[str, Any]) -> None:
    """Form, parents and labels of one draw."""
    method = make()
    with watched(real, *second.values()):
        law(method.fit(real, rng(), **second) is method, "fit returns self")
    anchors = real.take(np.arange(len(real))[::-1])
    with watched(real, anchors, *second.values()):
        draw = method.sample(anchors, rng())
    n = len(anchors)
    law(draw.z.shape == anchors.z.shape, "one row for each anchor, of its shape", f"{draw.z.shape}")
    law(draw.z.dtype == np.float32, "rows are float32", str(draw.z.dtype))
    law(np.isfinite(draw.z).all(), "rows are finite", "NaN or infinity")
    law(content_of(draw.length) == content_of(anchors.length), "the length comes from the anchor")
    law(all(x is None or x.shape == (n,) for x in (draw.pick, draw.note)), "pick and note are (n,)")
    if draw.pick is not None:
        given = draw.pick[draw.pick >= 0]
        law(len(set(given.tolist())) == len(given), "no row of the pool is picked twice")
        law((draw.z[draw.pick >= 0] == (second["pool"] or anchors).z[given]).all(), "a pick is the pool's row")
    _check_parents(draw, method, anchors, real, second)
    empty = method.sample(real.take(np.arange(0)), rng())
    law(len(empty) == 0 and empty.z.shape[1:] == real.shape, "empty anchors give an empty draw")


def _check_parents(draw: Draw, method: Synthesizer, anchors: Latents, real: Latents, second: dict[str, Any]) -> None:
    """Refs exist, weights are weights, and the label they give is the anchor's."""
    n = len(anchors)
    law(draw.refs.ndim == 2 and len(draw.refs) == n and draw.refs.shape[1] >= 1, "refs are (n, p)")
    law(draw.label_weights.shape == draw.refs.shape, "label weights are (n, p)")
    weight = draw.label_weights
    law((weight >= 0).all(), "label weights are not negative")
    law(np.allclose(weight.sum(axis=1), 1.0, atol=1e-5), "label weights sum to 1", f"{weight.sum(axis=1)}")
    labels: dict[str, np.ndarray] = {}
    for kind, rows in [("data", real), *second.items()]:
        if rows is not None:
            labels |= {f"{kind}:{name}": y for name, y in zip(rows.ids, rows.y, strict=True)}
        if rows is not None and kind == "base":
            labels |= {f"base:{name}": y for name, y in zip(rows.classes, np.eye(len(rows.classes)), strict=True)}
    for i in range(n):
        for ref, share in zip(draw.refs[i], weight[i], strict=True):
            law(ref == "" or str(ref) in labels, "refs are rows that exist", repr(str(ref)))
            law(ref != "" or share == 0, "a ref that is empty has no weight")
        if method.scope == "row":
            law(set(draw.refs[i]) <= {"", f"data:{anchors.ids[i]}"}, "scope row: the anchor is the only parent")
    if real.target != "class":
        return
    own = np.asarray([[_label(str(ref), labels) for ref in row] for row in draw.refs])
    from_data = np.char.startswith(draw.refs, "data:") & (weight > 0)
    if method.scope == "class":
        same = own == anchors.labels[:, None]
        law((same | ~from_data).all(), "scope class: parents are of the anchor's class")
    heavy = own[np.arange(n), weight.argmax(axis=1)]
    law((heavy == anchors.labels)[from_data.any(axis=1)].all(), "the new row has the anchor's class")


def _label(ref: str, labels: dict[str, np.ndarray]) -> int:
    return int(np.argmax(labels[ref])) if ref else -1


def _check_repeatable(make: Callable[[], Synthesizer], real: Latents, second: dict[str, Any]) -> None:
    """The same seeds give the same bytes: again, in a fresh instance, and in one with loaded state."""
    method = make().fit(real, rng(), **second)
    state = copy.deepcopy(method.state())
    check_state(state)
    first = content_of(method.sample(real, rng()))
    law(content_of(method.sample(real, rng())) == first, "sample has no hidden state", "a second call differs")
    law(content_of(method.state()) == content_of(state), "sample does not change the learned state")
    again = make().fit(real, rng(), **second)
    law(content_of(again.sample(real, rng())) == first, "the same seed gives the same bytes", "a second fit differs")
    loaded = make()
    law(loaded.load(copy.deepcopy(state)) is loaded, "load returns self")
    law(content_of(loaded.state()) == content_of(state), "state makes the round trip", "state() after load differs")
    law(content_of(loaded.sample(real, rng())) == first, "state makes the round trip", "a loaded method differs")


def _check_same_numbers(make: Callable[[], Synthesizer], real: Latents, second: dict[str, Any]) -> None:
    """Names do not change the numbers; float64 and float16 rows are accepted."""
    z = make().fit(real, rng(), **second).sample(real, rng()).z
    other = renamed(real)
    named = {k: None if v is None else dataclasses.replace(v, space=other.space) for k, v in second.items()}
    other_z = make().fit(other, rng(), **named).sample(other, rng()).z
    law(content_of(other_z) == content_of(z), "names of space and classes do not change the numbers")
    for dtype in (np.float64, np.float16):
        cast = dataclasses.replace(real, z=real.z.astype(dtype))
        draw = make().fit(cast, rng(), **second).sample(cast, rng())
        law(draw.z.dtype == np.float32, "rows of any float type are accepted and come out as float32", str(dtype))


def _check_rows_alone(make: Callable[[], Synthesizer], real: Latents, second: dict[str, Any]) -> None:
    """A row depends on the fit, its anchor and its own random numbers: not on anchors after it (picks: before it)."""
    method = make().fit(real, rng(), **second)
    z = method.sample(real, rng()).z
    half = len(real) // 2
    part = method.sample(real.take(np.arange(half)), rng()).z
    law(near(part, z[:half]), "a row does not depend on the batch", "fewer anchors changed the rows before them")
    order = np.concatenate([np.arange(half), np.arange(half, len(real))[::-1]])
    mixed = method.sample(real.take(order), rng()).z
    law(near(mixed[:half], z[:half]), "a row does not depend on the batch", "other anchors changed the rows before")
