"""The fit artifact: everything learned from the real rows, once, in one unit named ``fit``.

Arrays: ``method.*``, ``then.*``, ``gate.<name>.*`` and ``label.*`` (learned states; the last where the judge labels).
Its only row holds the classes and the spaces; the facts of the real rows are in their encode units.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from augmint.core.protocols import ContentGate, Rewriter, RowGate, SetGate, State, Synthesizer
from augmint.core.seeds import stream
from augmint.core.types import F32, Latents, Sample
from augmint.numerics.probe import Probe
from augmint.numerics.rows import flat32
from augmint.pipeline.manifest import Manifest, Rows
from augmint.pipeline.plan import Plan

_NONE: Mapping[str, Any] = MappingProxyType({})


def usable_rows(manifest: Manifest, units: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """Facts of the usable rows of encode units (None: of all those of the data), with the unit and the place in it."""
    for name in manifest.units("encode") if units is None else units:
        good = (row for row in manifest.load(name).rows if "skipped" not in row)
        yield from ({**row, "unit": name, "row": i} for i, row in enumerate(good))


def gather(manifest: Manifest, units: Sequence[str], array: str) -> tuple[F32, Rows]:
    """Rows of one array over encode units, with their facts; skipped entries have no row."""
    rows = list(usable_rows(manifest, units))
    parts = [manifest.load(name).array(array) for name in dict.fromkeys(row["unit"] for row in rows)]
    return (np.concatenate(parts) if parts else np.zeros((0, 1), np.float32)), rows


def as_latents(z: F32, rows: Rows, classes: Sequence[str], space: str) -> Latents:
    """Latents of class-labelled rows; rows without a target have no weight in any class."""
    order = {name: i for i, name in enumerate(classes)}
    y = np.zeros((len(rows), len(classes)), np.float32)
    for i, row in enumerate(rows):
        if row["target"] is not None:
            y[i, order[row["target"]]] = 1.0
    ids = np.array([row["id"] for row in rows])
    groups = np.array([row["group"] for row in rows])
    return Latents(ids, z, y, classes=tuple(classes), groups=groups, space=space)


def fit_all(
    plan: Plan,
    real: Latents | None,
    judged: Latents | None,
    samples: Sequence[Sample],
    progress: Callable[[float], None],
    second: Mapping[str, Latents],
    lm: Any = None,
    gate_lms: Mapping[str, Any] = _NONE,
) -> dict[str, np.ndarray]:
    """Fit the method on the codec's rows or on samples, and every gate on the judge's rows; the artifact's arrays.

    Args:
        plan: says what is fitted.
        real: the codec's rows; None where the method works on samples.
        judged: the judge's rows of the same samples; None where nothing is judged.
        samples: the same samples; they may be read one by one.
        progress: told the share done.
        second: rows of ``pool`` and ``base``, where the method uses them.
        lm: the language model of a method that is handed one; ``gate_lms``: those of gates, by name.
    """
    arrays: dict[str, np.ndarray] = {}
    rng = stream(plan.seed, "fit", plan.method)
    if plan.rewrites:
        state = plan.rewriter(lm).fit(samples, rng).state()
    else:
        assert real is not None
        method = plan.synthesizer()
        method.fit(real, rng, pool=second.get("pool"), base=second.get("base"), progress=progress)
        state = method.state()
    arrays |= {f"method.{key}": value for key, value in state.items()}
    if plan.then:
        then = plan.then_rewriter().fit(samples, stream(plan.seed, "fit", plan.then))
        arrays |= {f"then.{key}": value for key, value in then.state().items()}
    for name in plan.gates:
        assert judged is not None
        gate = plan.gate(name, gate_lms.get(name))
        gate.fit(samples, judged) if isinstance(gate, ContentGate) else gate.fit(judged)
        arrays |= {f"gate.{name}.{key}": value for key, value in gate.state().items()}
    if plan.label_by == "judge":
        assert judged is not None
        probe = Probe().fit(flat32(judged), judged.y, judged.groups)
        arrays |= {f"label.{key}": value for key, value in probe.state().items()}
    return arrays


def load_synthesizer(plan: Plan, arrays: Mapping[str, np.ndarray]) -> Synthesizer:
    """The fitted method out of the artifact."""
    method: Synthesizer = plan.synthesizer()
    return method.load(_part(arrays, "method."))


def load_rewriter(plan: Plan, arrays: Mapping[str, np.ndarray], lm: Any = None) -> Rewriter:
    """The fitted method out of the artifact, where it works on samples, with the language model that it is handed."""
    method: Rewriter = plan.rewriter(lm)
    return method.load(_part(arrays, "method."))


def load_then(plan: Plan, arrays: Mapping[str, np.ndarray]) -> Rewriter | None:
    """What every child goes through, fitted, out of the artifact; None for nothing."""
    then: Rewriter | None = plan.then_rewriter()
    return None if then is None else then.load(_part(arrays, "then."))


def told_by_fit(plan: Plan, arrays: Mapping[str, np.ndarray]) -> list[str]:
    """What the fit found out that the user left open or should know."""
    method = load_rewriter(plan, arrays) if plan.rewrites else None
    gates = {name: gate for name, gate in _gates(plan, arrays, _NONE).items() if isinstance(gate, RowGate)}
    found = {plan.method: method, plan.then: load_then(plan, arrays), **gates}
    return [f"{name}: {line}" for name, part in found.items() if part for line in part.told()]


def load_label_probe(plan: Plan, arrays: Mapping[str, np.ndarray]) -> Probe | None:
    """The probe that gives the labels, where the plan has one."""
    return Probe().load(_part(arrays, "label.")) if plan.label_by == "judge" else None


def load_gates(
    plan: Plan, arrays: Mapping[str, np.ndarray], gate_lms: Mapping[str, Any] = _NONE
) -> dict[str, RowGate | ContentGate]:
    """The fitted gates on single children, in the plan's order, with the models that they are handed."""
    return {name: gate for name, gate in _gates(plan, arrays, gate_lms).items() if not isinstance(gate, SetGate)}


def load_set_gates(plan: Plan, arrays: Mapping[str, np.ndarray]) -> dict[str, SetGate]:
    """The fitted set gates, in the plan's order."""
    return {name: gate for name, gate in _gates(plan, arrays, _NONE).items() if isinstance(gate, SetGate)}


def _gates(plan: Plan, arrays: Mapping[str, np.ndarray], lms: Mapping[str, Any]) -> dict[str, Any]:
    return {name: plan.gate(name, lms.get(name)).load(_part(arrays, f"gate.{name}.")) for name in plan.gates}


def _part(arrays: Mapping[str, np.ndarray], prefix: str) -> State:
    return {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}
