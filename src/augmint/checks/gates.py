"""The laws of quality gates."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Sequence
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
    watched,
)
from augmint.core.errors import UsageError
from augmint.core.protocols import ContentGate, RowGate, SetGate
from augmint.core.types import F32, Latents, Sample

ODD_SETS: tuple[tuple[int, ...], ...] = ((1,), (1, 1, 1), (2, 1), (5, 2, 1), (4, 0, 3), (12, 9))


def check_row_gate(make: Callable[[], RowGate]) -> None:
    """The laws of a gate on single rows, also on classes of one and two rows and on rows that are not finite."""
    check_config(make, RowGate)
    check_no_rows(lambda rows: make().fit(rows))
    for counts in ODD_SETS:
        _check_scores(make, example_latents(counts), example_latents((3,) * len(counts), seed=5))
    real, fake = example_latents((25, 8, 2)), example_latents((4, 4, 4), seed=3)
    gate = make().fit(real)
    first = content_of([gate.score(fake), gate.keep(fake)])
    _check_gate_round_trip(make, real, lambda g: content_of([g.score(fake), g.keep(fake)]), first)
    order = np.arange(len(fake))[::-1]
    law(near(gate.score(fake.take(order)), gate.score(fake)[order]), "a score does not depend on the batch")
    single = np.concatenate([gate.score(fake.take(np.asarray([i]))) for i in range(len(fake))])
    law(near(single, gate.score(fake)), "a score does not depend on the batch", "one row alone differs")


def _check_scores(make: Callable[[], RowGate], real: Latents, fake: Latents) -> None:
    gate = make()
    with watched(real):
        law(gate.fit(real) is gate, "fit returns self")
    k = real.y.shape[1]
    law(gate.threshold_.shape == (k,), "threshold_ is (k,)", f"{gate.threshold_.shape}, k = {k}")
    law(np.isfinite(gate.threshold_).all(), "threshold_ is finite")
    damaged = dataclasses.replace(fake, z=np.where(np.arange(len(fake))[:, None] == 0, np.float32("nan"), fake.z))
    for rows in (fake, real, damaged, fake.take(np.arange(0))):
        with watched(rows):
            score = gate.score(rows)
        law(score.shape == (len(rows),) and score.dtype == np.float32, "scores are (n,) float32")
        law(np.isfinite(score).all(), "scores are finite")
        law(gate.keep(rows).dtype == np.bool_, "keep is a mask")


def _check_gate_round_trip(make: Callable[[], Any], real: Latents, use: Callable[[Any], Any], first: Any) -> None:
    """Again, with other names, with wider numbers, and with loaded state, a gate decides the same."""
    gate = make().fit(real)
    check_state(state := copy.deepcopy(gate.state()))
    law(use(gate) == first and use(gate) == first, "a gate has no hidden state", "a second call differs")
    law(content_of(gate.state()) == content_of(state), "a gate's use does not change its state")
    law(use(make().fit(renamed(real))) == first, "names of space and classes do not change the numbers")
    wide = make().fit(dataclasses.replace(real, z=real.z.astype(np.float64)))
    law(use(wide) == first, "rows of any float type are accepted", "float64 differs")
    loaded = make()
    law(loaded.load(copy.deepcopy(state)) is loaded, "load returns self")
    law(use(loaded) == first, "state makes the round trip", "a loaded gate differs")


def check_set_gate(make: Callable[[], SetGate]) -> None:
    """The laws of a gate that looks at other rows, also on classes of one and two rows."""
    check_config(make, SetGate)
    check_no_rows(lambda rows: make().fit(rows))
    for counts in ODD_SETS:
        real, fake = example_latents(counts), example_latents((3,) * len(counts), seed=5)
        gate = make()
        with watched(real):
            law(gate.fit(real) is gate, "fit returns self")
        for rows in (fake, fake.take(np.arange(0))):
            for accepted in (real, real.take(np.arange(0))):
                with watched(rows, accepted):
                    keep, score = gate.select(rows, accepted)
                law(keep.shape == (len(rows),) and keep.dtype == np.bool_, "the mask is (n,) bool")
                law(score.shape == (len(rows),) and score.dtype == np.float32, "scores are (n,) float32")
                law(np.isfinite(score).all(), "scores are finite")
    real, fake = example_latents((25, 8, 2)), example_latents((4, 4, 4), seed=3)
    first = content_of(make().fit(real).select(fake, real))
    _check_gate_round_trip(make, real, lambda g: content_of(g.select(fake, real)), first)


def check_content_gate(make: Callable[[], ContentGate], samples: Sequence[Sample]) -> None:
    """The laws of a gate on the contents of single children.

    Args:
        make: builds a fresh instance.
        samples: six or more, of a modality that the gate reads.
    """
    check_config(make, ContentGate)
    law(make().modalities, "a content gate says what it reads")
    real = example_latents((len(samples),))
    real = dataclasses.replace(real, ids=np.array([sample.id for sample in samples]))
    try:
        make().fit(samples[:0], real.take(np.arange(0)))
    except UsageError:
        pass
    else:
        raise AssertionError("law 'no rows is a UsageError' is broken: nothing was raised")
    gate = make()
    with watched(list(samples), real):
        law(gate.fit(samples, real) is gate, "fit returns self")
    law(gate.threshold_.shape == (1,) and np.isfinite(gate.threshold_).all(), "threshold_ is (k,) and finite")
    fake, refs = real.take(np.arange(len(samples))[::-1]), [[f"data:{sample.id}"] for sample in samples]

    def use(gate: ContentGate, at: Sequence[int]) -> F32:
        return gate.score([samples[i] for i in at], fake.take(np.asarray(at, np.int64)), [refs[i] for i in at])

    every = range(len(samples))
    with watched(list(samples), fake):
        score = use(gate, every)
    law(score.shape == (len(samples),) and score.dtype == np.float32, "scores are (n,) float32", f"{score.shape}")
    law(np.isfinite(score).all() and use(gate, ()).shape == (0,), "scores are finite, and none of no children")
    single = np.concatenate([use(gate, [i]) for i in every])
    law(near(single, score) and near(use(gate, every[::-1])[::-1], score), "a score does not depend on the batch")
    check_state(state := copy.deepcopy(gate.state()))
    loaded = make()
    law(loaded.load(copy.deepcopy(state)) is loaded, "load returns self")
    law(content_of(use(loaded, every)) == content_of(score), "state makes the round trip", "a loaded gate differs")
