"""A run in memory: the children of one training fold, through the same stages and with the same bits as on disk.

    encode -> fit -> draw, decode, judge -> set gates -> refill rounds ...

Everything learned (method, gates, the judge's probe) is learned from the rows of the fold and of the pool; no other
row is handed in, so none can be seen. With the plan, the samples and the classes of a run the children are those of
the run, pixel by pixel.

Samples may also be rows (1-D arrays of an encoder's space): with :meth:`Models.of_rows` nothing is decoded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from augmint.core.errors import UsageError
from augmint.core.protocols import Codec, Encoder, Synthesizer
from augmint.core.seeds import stream
from augmint.core.types import F32, I64, NO_PICK, Latents, Sample, TrainingSet, Transform
from augmint.pipeline.arms import Arm
from augmint.pipeline.barrier import Chooser
from augmint.pipeline.counts import children_per_class
from augmint.pipeline.encodings import RowSpace
from augmint.pipeline.fitting import as_latents, fit_all, load_gates, load_label_probe, load_set_gates
from augmint.pipeline.judging import Bench, Blind, Parents
from augmint.pipeline.making import Maker, Places, parents_of, restyled
from augmint.pipeline.plan import Plan
from augmint.pipeline.second import embedded_base
from augmint.pipeline.workers import is_text


@dataclass(frozen=True)
class Fold:
    """The samples that one generator may see.

    Attributes:
        real: labelled (``target`` is a class name).
        classes: in class order; a class may have no sample.
        pool: unlabelled samples, none of them in the data set.
    """

    real: tuple[Sample, ...]
    classes: tuple[str, ...]
    pool: tuple[Sample, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Real samples of each class."""
        found = Counter(sample.target for sample in self.real)
        return {name: found[name] for name in self.classes}


@dataclass(frozen=True)
class Models:
    """The models of a fold: wrap them in :class:`~augmint.pipeline.encodings.Remembered` and folds share rows.

    Attributes:
        codec: encodes and decodes.
        judge: the encoder in whose space children are looked at.
        lm: the language model of a method that works with one; ``gate_lms``: those of gates, by the gate's name.
    """

    codec: Codec
    judge: Encoder
    lm: Any = None
    gate_lms: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of_rows(cls, space: str = "rows") -> Models:
        """For samples that are rows: method and gates work in the space that the rows are of."""
        return cls(RowSpace(space), RowSpace(space))


@dataclass(frozen=True)
class Children:
    """New samples and where they came from.

    Attributes:
        samples: m new samples, in the order of a run; their ``target`` is the class with most weight.
        y: (m, k) label weights.
        parents: (ref, label weight) of each parent.
        asked: number of children wanted of each class.
        rejected: draws that a gate rejected, by gate.
    """

    samples: tuple[Sample, ...] = ()
    y: F32 = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    parents: tuple[Parents, ...] = ()
    asked: Mapping[str, int] = field(default_factory=dict)
    rejected: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.samples)


def mint(plan: Plan, fold: Fold, models: Models) -> Children:
    """The children that a run of this plan makes of these real samples.

    Args:
        plan: ``model``, ``judge`` and ``size`` are not looked at but for statistics that ship with the model; the
            ``models`` are used. ``seed`` names all random streams.
        fold: what may be seen.
        models: of codec and judge.

    Returns:
        As many children as asked for, or fewer where gates or the pool ran short.
    """
    asked = children_per_class(fold.counts, plan.factor, plan.strategy)
    if not sum(asked.values()):
        return Children(y=np.zeros((0, len(fold.classes)), np.float32), asked=asked)
    return _Job.fitted(plan, fold, models).carry_out(asked)


class _Child(NamedTuple):
    """A draw that passed the row gates."""

    sample: Sample
    y: F32
    parents: Parents
    feature: F32


@dataclass
class _Unit:
    """Places of one class: the row that each has as anchor, those that have no child yet, and the children."""

    address: tuple[str, int, int]
    at: I64
    kept: list[_Child] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.slots: I64 = np.arange(len(self.at))


@dataclass
class _Job:
    """The stages of one fold, fitted; ``order`` holds the rows of each class in the order they serve as anchors."""

    plan: Plan
    models: Models
    maker: Maker
    bench: Bench
    chooser: Chooser
    real: Latents
    samples: Sequence[Sample]
    pool: Sequence[Sample]
    order: Mapping[str, I64]
    rejected: Counter[str] = field(default_factory=Counter)
    made: int = 0

    @classmethod
    def fitted(cls, plan: Plan, fold: Fold, models: Models) -> _Job:
        """Encode, and fit method and gates."""
        if plan.label_by == "auto":
            plan = replace(plan, label_by="judge" if "pool" in plan.uses else "parents")
        place = {name: i for i, name in enumerate(fold.classes)}
        samples = sorted(fold.real, key=lambda sample: (place[sample.target], *_listed(sample)))
        judged = _latents(samples, models.judge if _looked_at(plan) else Blind(), fold.classes)
        real = judged if plan.rewrites else _latents(samples, models.codec, fold.classes)
        second = _second(plan, fold, models.codec)
        arrays = fit_all(plan, real, judged, samples, lambda share: None, second, models.lm, models.gate_lms)
        labels = {f"data:{id_}": y for id_, y in zip(real.ids, real.y, strict=True)}
        gates = load_gates(plan, arrays, models.gate_lms)
        bench = Bench(fold.classes, labels, gates, load_label_probe(plan, arrays), judged.space)
        chooser = Chooser(fold.classes, load_set_gates(plan, arrays))
        maker, order = Maker.load(plan, arrays, None if plan.rewrites else models.codec, models.lm), {}
        for name in fold.classes:
            members = np.flatnonzero(real.labels == place[name])
            order[name] = members[stream(plan.seed, "anchors", name).permutation(len(members))]
        models = models if _looked_at(plan) else replace(models, judge=Blind())
        return cls(plan, models, maker, bench, chooser, replace(real, groups=None), samples, fold.pool, order)

    def carry_out(self, asked: Mapping[str, int]) -> Children:
        """Rounds of units until nothing is short or the rounds are used up."""
        picks = "pool" in self.plan.uses
        made: list[_Child] = []
        need, start = dict(asked), dict.fromkeys(asked, 0)
        for round_ in range(self.plan.max_rounds * (self.plan.max_tries if picks else 1)):
            units = self._picked(round_, need, start) if picks else self._drawn(round_, need, start)
            start = {name: start[name] + count for name, count in need.items()}
            for label, unit in units:
                fresh = self._chosen(label, unit)
                made += fresh
                need[label] -= len(fresh)
            if not any(need.values()):
                break
        y = np.stack([child.y for child in made]) if made else np.zeros((0, len(self.order)), np.float32)
        samples, parents = tuple(child.sample for child in made), tuple(child.parents for child in made)
        return Children(samples, y, parents, asked, dict(self.rejected))

    def _drawn(self, round_: int, need: Mapping[str, int], start: Mapping[str, int]) -> list[tuple[str, list[_Child]]]:
        """Units of a round: ``need`` children of each class, going on after the first ``start`` places.

        A unit has as many tries as the plan allows. Units are tried side by side, and their children are decoded and
        encoded together; what is drawn depends on the unit alone.
        """
        size = self.plan.unit_size
        units = [
            _Unit((name, index, round_), self._places(name, start[name] + first, min(size, count - first)))
            for name, count in need.items()
            for index, first in enumerate(range(0, count, size))
        ]
        for attempt in range(self.plan.max_tries):
            todo = [unit for unit in units if len(unit.slots)]
            if not todo:
                break
            made = self.maker.make_all([self._open(unit, attempt) for unit in todo])
            children = [own.children for own in made]
            for unit, own, features in zip(todo, made, self._features(children), strict=True):
                found = self._judged(own.children, features, own.parents)
                unit.kept += [child for child in found if child is not None]
                unit.slots = unit.slots[[child is None for child in found]]
        return [(unit.address[0], unit.kept) for unit in units]

    def _places(self, label: str, start: int, count: int) -> I64:
        """The rows that serve as anchors of these places; they repeat when all have had a turn."""
        return self.order[label].take(range(start, start + count), mode="wrap")

    def _open(self, unit: _Unit, attempt: int) -> Places:
        """What a unit still lacks."""
        rows = unit.at[unit.slots]
        likes = [self.samples[row] for row in rows]
        return Places(self.real.take(rows), likes, (*unit.address, attempt), unit.slots.tolist())

    def _picked(
        self, round_: int, need: Mapping[str, int], start: Mapping[str, int]
    ) -> Iterator[tuple[str, list[_Child]]]:
        """Units of rows of the pool for the places of a round; a place has one try."""
        method, then, size = self.maker.method, self.maker.then, self.plan.unit_size
        assert isinstance(method, Synthesizer)
        for label, count in [(name, count) for name, count in need.items() if count]:
            stop = start[label] + count
            # A pick depends on the places before it, so all from the first on are asked for.
            draw = method.sample(self.real.take(self._places(label, 0, stop)), stream(self.plan.seed, "pick", label))
            assert draw.pick is not None
            given = [i for i in range(start[label], stop) if draw.pick[i] != NO_PICK]
            for index, first in enumerate(range(0, len(given), size)):
                unit = given[first : first + size]
                picked = [self.pool[draw.pick[i]] for i in unit]
                rows = restyled(then, self.plan.seed, picked, (label, index, round_, 0), range(len(unit)))
                found = self._judged(rows, self.models.judge.encode(rows), [parents_of(draw, i) for i in unit])
                yield label, [child for child in found if child is not None]

    def _features(self, units: Sequence[Sequence[Sample]]) -> Iterator[F32]:
        """The judge's rows of the children of each unit."""
        rows = self.models.judge.encode([child for unit in units for child in unit])
        return iter(np.split(rows, np.cumsum([len(unit) for unit in units])[:-1]))

    def _judged(self, children: Sequence[Sample], features: F32, parents: Sequence[Parents]) -> list[_Child | None]:
        """The children with their labels, None where a row gate rejects."""
        found: list[_Child | None] = []
        for i, verdict in enumerate(self.bench.judge([""] * len(children), features, parents, children)):
            if not verdict["kept"]:
                self.rejected[verdict["gate"]] += 1
                found.append(None)
                continue
            self.made += 1
            one = [float(name == verdict["label"]) for name in self.bench.classes]
            y = np.asarray(verdict.get("label_probs", one), np.float32)
            name = children[i].id or f"syn-{self.made:06d}"  # what is picked has a name
            named = replace(children[i], id=name, target=verdict["label"])
            found.append(_Child(named, y, parents[i], features[i]))
        return found

    def _chosen(self, label: str, unit: list[_Child]) -> list[_Child]:
        """Those of a unit that the set gates keep beside what was accepted before."""
        if not unit:
            return []
        ids = [str(i) for i in range(len(unit))]
        verdicts = self.chooser.choose(label, ids, np.stack([child.feature for child in unit]))
        for verdict in verdicts.values():
            if not verdict["kept"]:
                self.rejected[verdict["gate"]] += 1
        return [child for id_, child in zip(ids, unit, strict=True) if verdicts[id_]["kept"]]


def _listed(sample: Sample) -> tuple[str, int]:
    """Sorts samples of a class as a run lists them: files by id, rows of a table by the number at its end."""
    table, _, row = sample.id.rpartition(":")
    return (table, int(row)) if is_text(sample) and row.isdecimal() else (sample.id, 0)


def _looked_at(plan: Plan) -> bool:
    """Whether a gate or a label asks for the judge."""
    return bool(plan.gates) or plan.label_by == "judge"


def _latents(samples: Sequence[Sample], model: Encoder, classes: tuple[str, ...]) -> Latents:
    """Rows of samples; those without a target have no weight in any class."""
    facts = [{"id": sample.id, "target": sample.target, "group": sample.group} for sample in samples]
    return as_latents(model.encode(samples), facts, classes, model.space)


def _second(plan: Plan, fold: Fold, codec: Codec) -> dict[str, Latents]:
    """What the method learns from beside the fold, of those second sources that it uses."""
    second: dict[str, Latents] = {}
    if "pool" in plan.uses:
        if not fold.pool:
            raise UsageError(
                f"method {plan.method!r} without a pool",
                expected="unlabelled samples of the same kind as the data",
                do="add --pool DIR (pool= in Python), or leave the method out",
                code="no-pool",
            )
        second["pool"] = _latents(fold.pool, codec, fold.classes)
    base = embedded_base(plan, fold.counts)
    if base is not None and base.space == codec.space:
        second["base"] = base
    return second


def training_set(
    arm: Arm, fold: Fold, children: Children, rng: np.random.Generator, transform: Transform | None = None
) -> TrainingSet:
    """What a student of this arm learns from: the real samples, repeated or weighted as the arm says, and children.

    Every sample has a ``group`` then: its own or, without one, its id; a child has that of the parent with most weight
    in its label, and a row of a pool its own. Students that validate keep groups on one side, lest a row that was
    repeated, or has children, tell its own answer.

    Args:
        arm: says how rows are weighted.
        fold: the real samples.
        children: of the arm's method; none for an arm that mints nothing.
        rng: chooses the rows that oversampling repeats.
        transform: the arm's on-the-fly transform, built.
    """
    samples = [*map(_grouped, fold.real), *_children_grouped(fold, children)]
    real = np.array([[sample.target == name for name in fold.classes] for sample in fold.real], np.float32)
    y = np.concatenate([real.reshape(-1, len(fold.classes)), children.y])
    at = np.arange(len(samples))
    if arm.oversample:
        at = np.concatenate([at, _repeats(y, rng)])
    y = y[at]
    weight = np.ones(len(at), np.float32)
    if arm.class_weights:
        weight = (y / np.maximum(y.sum(axis=0), 1e-6)).sum(axis=1)
        weight = np.asarray(weight * len(weight) / weight.sum(), np.float32)
    minted = at >= len(fold.real)
    chosen = tuple(samples[i] for i in at)
    return TrainingSet(chosen, y, weight, minted, fold.classes, transform, arm.mixup)


def _grouped(sample: Sample) -> Sample:
    return sample if sample.group else replace(sample, group=sample.id)


def _children_grouped(fold: Fold, children: Children) -> Iterator[Sample]:
    """The children with the groups of their parents."""
    known = {f"data:{sample.id}": sample.group or sample.id for sample in fold.real}
    for child, parents in zip(children.samples, children.parents, strict=True):
        picked = next((ref for ref, _ in parents if ref.startswith("pool:")), "")
        main = max((parent for parent in parents if parent[0] in known), key=lambda parent: parent[1], default=None)
        yield replace(child, group=picked or (known[main[0]] if main else child.id))


def _repeats(y: F32, rng: np.random.Generator) -> I64:
    """Rows to repeat, drawn with replacement, so that each class that has rows has as many as the largest."""
    labels = y.argmax(axis=1)
    counts = np.bincount(labels, minlength=y.shape[1])
    more = [rng.choice(np.flatnonzero(labels == c), counts.max() - n) for c, n in enumerate(counts) if n]
    return np.concatenate([np.zeros(0, np.int64), *more])
