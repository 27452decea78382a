"""The laws of each protocol as plain functions, for our tests and for plug-in authors.

Each function takes ``make``, which builds a fresh instance of one configuration, and raises AssertionError with a
message that names the law that was broken::

    from augmint.checks import check_synthesizer
    check_synthesizer(lambda: MyMethod(strength=0.3))
"""

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
from augmint.core.protocols import Codec, Encoder, RowGate, SetGate, State, Synthesizer
from augmint.core.types import Draw, Latents, Sample, TargetKind
from augmint.numerics.rows import text_array

CLOSE = 1e-4
"""Largest difference, relative to the size of the rows, where the last bits may depend on the batch."""

# --- data to check with ---------------------------------------------------------------------------------------------


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


def _renamed(rows: Latents) -> Latents:
    names = tuple(f"other {i}" for i in range(len(rows.classes)))
    return dataclasses.replace(rows, space="another space", classes=names)


# --- tools ----------------------------------------------------------------------------------------------------------


def _law(holds: Any, name: str, detail: str = "") -> None:
    if not holds:
        raise AssertionError(f"law {name!r} is broken" + (f": {detail}" if detail else ""))


def _global_random() -> list[bytes]:
    """Fingerprints of the generators that all code of the process shares."""
    found = [repr(random.getstate()).encode(), repr(np.random.get_state(legacy=False)).encode()]
    torch = sys.modules.get("torch")
    if torch is not None:
        found.append(torch.random.get_rng_state().numpy().tobytes())
    return found


def _content(value: Any) -> Any:
    """The same value in a form that compares byte by byte."""
    if isinstance(value, np.ndarray):
        return (value.dtype.str, value.shape, value.tobytes())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _content(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {k: _content(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_content(v) for v in value]
    return value


@contextmanager
def _watched(*inputs: Any) -> Iterator[None]:
    """No global generator is used and no input is changed inside the block."""
    np.random.get_state()
    before, contents = _global_random(), copy.deepcopy([_content(x) for x in inputs])
    yield
    _law(_global_random() == before, "no global random numbers", "draw from the generator that is passed in")
    _law([_content(x) for x in inputs] == contents, "inputs are not changed", "work on a copy")


def _near(a: np.ndarray, b: np.ndarray) -> bool:
    size = float(np.abs(a).max()) if a.size else 0.0
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=CLOSE, atol=CLOSE * max(size, 1e-12)))


def _check_state(state: State) -> None:
    _law(isinstance(state, dict) and state, "state is a dict of arrays")
    for name, value in state.items():
        _law(
            isinstance(value, np.ndarray) and value.dtype.kind in "biuf",
            "state is a dict of arrays",
            f"{name!r} is {type(value).__name__}; safetensors stores numbers only",
        )


def _check_config(make: Callable[[], Any], kind: type[Any]) -> None:
    made = make()
    _law(isinstance(made, kind), f"is a {kind.__name__}", f"it is {type(made).__name__}")
    _law(dataclasses.is_dataclass(made), "is a dataclass whose fields are its configuration")
    for f in dataclasses.fields(made):
        given = f.default is not dataclasses.MISSING or f.default_factory is not dataclasses.MISSING
        _law(not f.init or given, "every option has a default", f.name)
        _law(f.init != f.name.endswith("_"), "learned names, and only these, end in _", f.name)


def _check_no_rows(fit: Callable[[Latents], Any]) -> None:
    empty = example_latents().take(np.arange(0))
    try:
        fit(empty)
    except UsageError:
        return
    except Exception as error:
        raise AssertionError(f"law 'no rows is a UsageError' is broken: it was {error!r}") from error
    raise AssertionError("law 'no rows is a UsageError' is broken: nothing was raised")


# --- methods --------------------------------------------------------------------------------------------------------


def check_synthesizer(
    make: Callable[[], Synthesizer], *, pool: Latents | None = None, base: Latents | None = None
) -> None:
    """The laws of a method, on vectors, maps and ragged rows, on tiny classes and on each target it lists.

    Args:
        make: builds a fresh instance; choose a configuration that fits in a second, it is fitted about 20 times.
        pool: passed to each fit, for methods that need one; checks then stay with rows of its shape.
        base: the same.
    """
    _check_config(make, Synthesizer)
    _law(make().scope in ("row", "class", "global"), "scope is row, class or global")
    _law(make().targets, "targets are listed")
    second: dict[str, Any] = {"pool": pool, "base": base}
    free = pool is None and base is None
    shape = (7,) if free else (pool or base or example_latents()).shape
    real = example_latents(shape=shape)
    _check_no_rows(lambda rows: make().fit(rows, _rng(), **second))
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


def _rng() -> np.random.Generator:
    return np.random.default_rng(11)


def _check_draw(make: Callable[[], Synthesizer], real: Latents, second: dict[str, Any]) -> None:
    """Form, parents and labels of one draw."""
    method = make()
    with _watched(real, *second.values()):
        _law(method.fit(real, _rng(), **second) is method, "fit returns self")
    anchors = real.take(np.arange(len(real))[::-1])
    with _watched(real, anchors, *second.values()):
        draw = method.sample(anchors, _rng())
    n = len(anchors)
    _law(draw.z.shape == anchors.z.shape, "one row for each anchor, of its shape", f"{draw.z.shape}")
    _law(draw.z.dtype == np.float32, "rows are float32", str(draw.z.dtype))
    _law(np.isfinite(draw.z).all(), "rows are finite", "NaN or infinity")
    _law(_content(draw.length) == _content(anchors.length), "the length comes from the anchor")
    _law(all(x is None or x.shape == (n,) for x in (draw.pick, draw.note)), "pick and note are (n,)")
    if draw.pick is not None:
        given = draw.pick[draw.pick >= 0]
        _law(len(set(given.tolist())) == len(given), "no row of the pool is picked twice")
        _law((draw.z[draw.pick >= 0] == (second["pool"] or anchors).z[given]).all(), "a pick is the pool's row")
    _check_parents(draw, method, anchors, real, second)
    empty = method.sample(real.take(np.arange(0)), _rng())
    _law(len(empty) == 0 and empty.z.shape[1:] == real.shape, "empty anchors give an empty draw")


def _check_parents(draw: Draw, method: Synthesizer, anchors: Latents, real: Latents, second: dict[str, Any]) -> None:
    """Refs exist, weights are weights, and the label they give is the anchor's."""
    n = len(anchors)
    _law(draw.refs.ndim == 2 and len(draw.refs) == n and draw.refs.shape[1] >= 1, "refs are (n, p)")
    _law(draw.label_weights.shape == draw.refs.shape, "label weights are (n, p)")
    weight = draw.label_weights
    _law((weight >= 0).all(), "label weights are not negative")
    _law(np.allclose(weight.sum(axis=1), 1.0, atol=1e-5), "label weights sum to 1", f"{weight.sum(axis=1)}")
    labels: dict[str, np.ndarray] = {}
    for kind, rows in [("data", real), *second.items()]:
        if rows is not None:
            labels |= {f"{kind}:{name}": y for name, y in zip(rows.ids, rows.y, strict=True)}
        if rows is not None and kind == "base":
            labels |= {f"base:{name}": y for name, y in zip(rows.classes, np.eye(len(rows.classes)), strict=True)}
    for i in range(n):
        for ref, share in zip(draw.refs[i], weight[i], strict=True):
            _law(ref == "" or str(ref) in labels, "refs are rows that exist", repr(str(ref)))
            _law(ref != "" or share == 0, "a ref that is empty has no weight")
        if method.scope == "row":
            _law(set(draw.refs[i]) <= {"", f"data:{anchors.ids[i]}"}, "scope row: the anchor is the only parent")
    if real.target != "class":
        return
    own = np.asarray([[_label(str(ref), labels) for ref in row] for row in draw.refs])
    from_data = np.char.startswith(draw.refs, "data:") & (weight > 0)
    if method.scope == "class":
        same = own == anchors.labels[:, None]
        _law((same | ~from_data).all(), "scope class: parents are of the anchor's class")
    heavy = own[np.arange(n), weight.argmax(axis=1)]
    _law((heavy == anchors.labels)[from_data.any(axis=1)].all(), "the new row has the anchor's class")


def _label(ref: str, labels: dict[str, np.ndarray]) -> int:
    return int(np.argmax(labels[ref])) if ref else -1


def _check_repeatable(make: Callable[[], Synthesizer], real: Latents, second: dict[str, Any]) -> None:
    """The same seeds give the same bytes: again, in a fresh instance, and in one with loaded state."""
    method = make().fit(real, _rng(), **second)
    state = copy.deepcopy(method.state())
    _check_state(state)
    first = _content(method.sample(real, _rng()))
    _law(_content(method.sample(real, _rng())) == first, "sample has no hidden state", "a second call differs")
    _law(_content(method.state()) == _content(state), "sample does not change the learned state")
    again = make().fit(real, _rng(), **second)
    _law(_content(again.sample(real, _rng())) == first, "the same seed gives the same bytes", "a second fit differs")
    loaded = make()
    _law(loaded.load(copy.deepcopy(state)) is loaded, "load returns self")
    _law(_content(loaded.state()) == _content(state), "state makes the round trip", "state() after load differs")
    _law(_content(loaded.sample(real, _rng())) == first, "state makes the round trip", "a loaded method differs")


def _check_same_numbers(make: Callable[[], Synthesizer], real: Latents, second: dict[str, Any]) -> None:
    """Names do not change the numbers; float64 and float16 rows are accepted."""
    z = make().fit(real, _rng(), **second).sample(real, _rng()).z
    other = _renamed(real)
    named = {k: None if v is None else dataclasses.replace(v, space=other.space) for k, v in second.items()}
    renamed = make().fit(other, _rng(), **named).sample(other, _rng()).z
    _law(_content(renamed) == _content(z), "names of space and classes do not change the numbers")
    for dtype in (np.float64, np.float16):
        cast = dataclasses.replace(real, z=real.z.astype(dtype))
        draw = make().fit(cast, _rng(), **second).sample(cast, _rng())
        _law(draw.z.dtype == np.float32, "rows of any float type are accepted and come out as float32", str(dtype))


def _check_rows_alone(make: Callable[[], Synthesizer], real: Latents, second: dict[str, Any]) -> None:
    """A row depends on the fit, its anchor and its own random numbers: not on anchors after it (picks: before it)."""
    method = make().fit(real, _rng(), **second)
    z = method.sample(real, _rng()).z
    half = len(real) // 2
    part = method.sample(real.take(np.arange(half)), _rng()).z
    _law(_near(part, z[:half]), "a row does not depend on the batch", "fewer anchors changed the rows before them")
    order = np.concatenate([np.arange(half), np.arange(half, len(real))[::-1]])
    mixed = method.sample(real.take(order), _rng()).z
    _law(_near(mixed[:half], z[:half]), "a row does not depend on the batch", "other anchors changed the rows before")


# --- gates ----------------------------------------------------------------------------------------------------------

ODD_SETS: tuple[tuple[int, ...], ...] = ((1,), (1, 1, 1), (2, 1), (5, 2, 1), (4, 0, 3), (12, 9))


def check_row_gate(make: Callable[[], RowGate]) -> None:
    """The laws of a gate on single rows, also on classes of one and two rows and on rows that are not finite."""
    _check_config(make, RowGate)
    _check_no_rows(lambda rows: make().fit(rows))
    for counts in ODD_SETS:
        _check_scores(make, example_latents(counts), example_latents((3,) * len(counts), seed=5))
    real, fake = example_latents((25, 8, 2)), example_latents((4, 4, 4), seed=3)
    gate = make().fit(real)
    first = _content([gate.score(fake), gate.keep(fake)])
    _check_gate_round_trip(make, real, lambda g: _content([g.score(fake), g.keep(fake)]), first)
    order = np.arange(len(fake))[::-1]
    _law(_near(gate.score(fake.take(order)), gate.score(fake)[order]), "a score does not depend on the batch")
    single = np.concatenate([gate.score(fake.take(np.asarray([i]))) for i in range(len(fake))])
    _law(_near(single, gate.score(fake)), "a score does not depend on the batch", "one row alone differs")


def _check_scores(make: Callable[[], RowGate], real: Latents, fake: Latents) -> None:
    gate = make()
    with _watched(real):
        _law(gate.fit(real) is gate, "fit returns self")
    k = real.y.shape[1]
    _law(gate.threshold_.shape == (k,), "threshold_ is (k,)", f"{gate.threshold_.shape}, k = {k}")
    _law(np.isfinite(gate.threshold_).all(), "threshold_ is finite")
    damaged = dataclasses.replace(fake, z=np.where(np.arange(len(fake))[:, None] == 0, np.float32("nan"), fake.z))
    for rows in (fake, real, damaged, fake.take(np.arange(0))):
        with _watched(rows):
            score = gate.score(rows)
        _law(score.shape == (len(rows),) and score.dtype == np.float32, "scores are (n,) float32")
        _law(np.isfinite(score).all(), "scores are finite")
        _law(gate.keep(rows).dtype == np.bool_, "keep is a mask")


def _check_gate_round_trip(make: Callable[[], Any], real: Latents, use: Callable[[Any], Any], first: Any) -> None:
    """Again, with other names, with wider numbers, and with loaded state, a gate decides the same."""
    gate = make().fit(real)
    _check_state(state := copy.deepcopy(gate.state()))
    _law(use(gate) == first and use(gate) == first, "a gate has no hidden state", "a second call differs")
    _law(_content(gate.state()) == _content(state), "a gate's use does not change its state")
    _law(use(make().fit(_renamed(real))) == first, "names of space and classes do not change the numbers")
    wide = make().fit(dataclasses.replace(real, z=real.z.astype(np.float64)))
    _law(use(wide) == first, "rows of any float type are accepted", "float64 differs")
    loaded = make()
    _law(loaded.load(copy.deepcopy(state)) is loaded, "load returns self")
    _law(use(loaded) == first, "state makes the round trip", "a loaded gate differs")


def check_set_gate(make: Callable[[], SetGate]) -> None:
    """The laws of a gate that looks at other rows, also on classes of one and two rows."""
    _check_config(make, SetGate)
    _check_no_rows(lambda rows: make().fit(rows))
    for counts in ODD_SETS:
        real, fake = example_latents(counts), example_latents((3,) * len(counts), seed=5)
        gate = make()
        with _watched(real):
            _law(gate.fit(real) is gate, "fit returns self")
        for rows in (fake, fake.take(np.arange(0))):
            for accepted in (real, real.take(np.arange(0))):
                with _watched(rows, accepted):
                    keep, score = gate.select(rows, accepted)
                _law(keep.shape == (len(rows),) and keep.dtype == np.bool_, "the mask is (n,) bool")
                _law(score.shape == (len(rows),) and score.dtype == np.float32, "scores are (n,) float32")
                _law(np.isfinite(score).all(), "scores are finite")
    real, fake = example_latents((25, 8, 2)), example_latents((4, 4, 4), seed=3)
    first = _content(make().fit(real).select(fake, real))
    _check_gate_round_trip(make, real, lambda g: _content(g.select(fake, real)), first)


# --- encoders -------------------------------------------------------------------------------------------------------


def check_encoder(make: Callable[[], Encoder], samples: Sequence[Sample]) -> None:
    """The laws of an encoder, on at least two samples of the caller's."""
    encoder = make()
    _law(isinstance(encoder, Encoder), "is an Encoder")
    _law(isinstance(encoder.space, str) and encoder.space, "space is a name")
    _law(make().space == encoder.space, "equal configurations share the space", f"{encoder.space!r}")
    with _watched(list(samples)):
        z = encoder.encode(samples)
    _law(len(z) == len(samples) and z.ndim >= 2, "one row for each sample", f"shape {z.shape}")
    _law(z.dtype == np.float32, "rows are float32", str(z.dtype))
    _law(np.isfinite(z).all(), "rows are finite")
    _law(_content(encoder.encode(samples)) == _content(z), "the same samples give the same bytes")
    _law(_near(make().encode(samples), z), "a fresh encoder gives the same rows")
    single = np.concatenate([encoder.encode([sample]) for sample in samples])
    _law(_near(single, z), "a row does not depend on the batch", "one sample alone differs")
    _law(_near(encoder.encode(samples[::-1]), z[::-1]), "a row does not depend on the batch", "the order matters")
    empty = encoder.encode([])
    _law(empty.shape == (0, *z.shape[1:]), "no samples give no rows, of the right shape", f"{empty.shape}")


def check_codec(make: Callable[[], Codec], samples: Sequence[Sample]) -> None:
    """The laws of an encoder that can go back; includes :func:`check_encoder`."""
    check_encoder(make, samples)
    codec = make()
    _law(isinstance(codec, Codec), "is a Codec")
    z = codec.encode(samples)
    with _watched(z, list(samples)):
        made = codec.decode(z, samples)
    _law(len(made) == len(samples), "one sample for each row")
    for child, parent in zip(made, samples, strict=True):
        _law(type(child.content) is type(parent.content), "the child's content is of its anchor's kind")
        if isinstance(child.content, np.ndarray):
            form = [(x.content.shape, x.content.dtype) for x in (child, parent)]
            _law(form[0] == form[1], "the child takes size and depth of its anchor", f"{form[0]}, not {form[1]}")
    contents = [_content(s.content) for s in made]
    _law([_content(s.content) for s in codec.decode(z, samples)] == contents, "the same rows give the same samples")
    _law(codec.decode(z[:0], []) == [], "no rows give no samples")
