"""The verbs: what an encoder, a method, a gate, a format and an engine must do.

Abstract classes, not duck typing. Concrete classes are final dataclasses whose fields are their configuration;
``fit`` returns self, learned names end in ``_``, and fitted state is a dict of arrays (saved as safetensors, never
pickled). The laws every implementation must keep are in :mod:`augmint.checks`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np

from augmint.core.types import (
    F32,
    I64,
    Bool,
    Budget,
    Child,
    Draw,
    Entry,
    Latents,
    Listing,
    ReadOptions,
    Sample,
    TargetKind,
    TrainingSet,
)

State = dict[str, np.ndarray]

Block = tuple[I64, np.random.Generator]
"""Positions of some rows among those of a fit, and the random numbers of what is made of them."""

Modality = Literal["image", "text"]


class Encoder(ABC):
    """A pretrained model that turns samples into rows of its space."""

    @property
    @abstractmethod
    def space(self) -> str:
        """Name of the space: model, first bytes of the weights' hash, working size."""

    @abstractmethod
    def encode(self, samples: Sequence[Sample]) -> F32:
        """(n, *shape) float32 rows, each independent of its neighbours in the batch."""


class Codec(Encoder):
    """An encoder that can go back."""

    @abstractmethod
    def decode(self, z: F32, like: Sequence[Sample]) -> list[Sample]:
        """Samples from rows. Each child takes the size, channels and depth of its anchor in ``like``."""


class Stateful(ABC):
    """Something that learns from data and whose learned state is a dict of arrays."""

    @abstractmethod
    def state(self) -> State:
        """The learned arrays; ``load(state())`` on a fresh instance of equal configuration is the same object."""

    @abstractmethod
    def load(self, state: State) -> Self:
        """Take a state made by :meth:`state`; returns self."""


class Synthesizer(Stateful):
    """A method: new rows of a space from real ones. Knows no modality.

    Class attributes:
        scope: "row" uses each anchor alone, "class" the rows of its class, "global" all rows.
        targets: the kinds of target it can carry.
        uses: the second sources that ``fit`` looks at: "pool", "base", both or none.
        needs_many_classes: it borrows from the few of many classes that are nearest, so that a base which ships
            with the model serves it better than the few other classes of the data.
    """

    scope: ClassVar[Literal["row", "class", "global"]]
    targets: ClassVar[frozenset[TargetKind]]
    uses: ClassVar[frozenset[Literal["pool", "base"]]] = frozenset()
    needs_many_classes: ClassVar[bool] = False

    @abstractmethod
    def fit(
        self,
        real: Latents,
        rng: np.random.Generator,
        *,
        pool: Latents | None = None,
        base: Latents | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Self:
        """Learn from real rows. ``progress`` is told the share done, 0 to 1, and may raise to stop the fit."""

    @abstractmethod
    def sample(self, anchors: Latents, rng: np.random.Generator) -> Draw:
        """One new row for each anchor, of the anchor's class. Empty anchors give an empty draw.

        A row depends on the fit, its anchor, its own random numbers and, where rows of a pool are picked, on the
        anchors before it (no row is given twice), never on those after it.
        """

    def sample_fitted(self, real: Latents, blocks: Sequence[Block], out: F32) -> Iterator[tuple[I64, Draw]]:
        """The same as ``sample(real.take(at), rng)`` of each block, where ``real`` is what was fitted.

        A method may write its rows into ``out`` (n, *shape), zeros, the place of all blocks, and return that part of
        it as the draw's ``z``, which saves copies of many rows in memory; the caller compares. It may make several
        blocks at once, and say the parents by position instead of by name.

        Yields:
            The anchors of the next rows, and these.
        """
        for at, rng in blocks:
            yield at, self.sample(real.take(at), rng)

    def fit_seconds(self, real: Latents) -> float:
        """A forecast of what :meth:`fit` costs, for the dry run; 0 for methods that only look up."""
        return 0.0


class Batched(ABC):
    """What a synthesizer may also be: a step of a training loop, in torch, with the batch's own rows as parents.

    The floor knows no torch, so tensors are ``Any`` here.
    """

    @property
    def batch_needs_fit(self) -> bool:
        """Whether :meth:`batch` reads something that was learned."""
        return False

    def batch_state(self) -> State:
        """The learned arrays that :meth:`batch` reads."""
        return {}

    @abstractmethod
    def batch(self, z: Any, y: Any, generator: Any, learned: Mapping[str, Any] | None = None) -> tuple[Any, Any]:
        """One new row for each row of a batch, on its device, differentiable in ``z``.

        Args:
            z: (n, *shape) rows of any float type.
            y: (n, k) label weights, one-hot for classes.
            generator: torch.Generator on the device of ``z``; the only source of random numbers.
            learned: :meth:`batch_state` as tensors on that device, so that a loop moves them once; made on the spot
                when left out.

        Returns:
            New rows and their labels; the arguments are unchanged.
        """


class Rewriter(Stateful):
    """A method on samples instead of latents: corrupt and rebuild, or a hand-made transform. Strength is a field.

    Class attributes:
        modalities: what it can rewrite.
        model_kinds: kinds of pretrained model that it works with, one of which it must be given; none where it needs
            no model. A class with kinds has a field ``lm`` (``None`` until the pipeline fills it, never configuration).
        further_models: of options that name another model, the field (like ``lm``) that it is handed over in.
        outside: whether it asks someone whose answers cannot be computed again.
        changeable: options on how it asks outside, on which no child depends: a run that goes on may have others.
    """

    modalities: ClassVar[frozenset[Modality]] = frozenset({"image"})
    model_kinds: ClassVar[frozenset[str]] = frozenset()
    further_models: ClassVar[Mapping[str, str]] = {}
    outside: ClassVar[bool] = False
    changeable: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def fit(self, samples: Sequence[Sample], rng: np.random.Generator) -> Self:
        """Learn from real samples, which may be read from disk one by one; most rewriters look at few or none."""

    @abstractmethod
    def rewrite(self, samples: Sequence[Sample], rngs: Sequence[np.random.Generator]) -> list[Sample]:
        """One child for each sample, with the sample's target, group and split, and "" as id.

        A child depends on the fit, its own sample and its own generator, never on its neighbours.
        """

    def remembering(self, folder: Path, *, ask: bool = True) -> Self:
        """The same, where it asks ``outside``: answers are kept in this folder, and without ``ask`` only read there."""
        return self

    def told(self) -> list[str]:
        """What the fit found out that the user left open or should know, a line each; after a fit or a load."""
        return []

    def children(self, samples: Sequence[Sample], rngs: Sequence[np.random.Generator]) -> list[Child]:
        """The same children, each with its parents, where it has others than its own sample, and a note on it."""
        return [Child(sample) for sample in self.rewrite(samples, rngs)]

    def state(self) -> State:
        """The learned arrays; none where nothing is learned."""
        return {}

    def load(self, state: State) -> Self:
        """Take a state made by :meth:`state`; returns self."""
        return self


class Student(ABC):
    """A model trained downstream, to measure whether minted rows help."""

    @abstractmethod
    def fit(self, train: TrainingSet, budget: Budget, rng: np.random.Generator) -> Self:
        """Learn within the budget; the same rows, budget and generator give the same student."""

    @abstractmethod
    def predict_proba(self, samples: Sequence[Sample]) -> F32:
        """(n, k) probabilities, each row independent of its neighbours."""


class RowGate(Stateful):
    """A quality filter on single rows, in the judge's space. Keep a row when ``score >= threshold_``."""

    threshold_: F32

    @abstractmethod
    def fit(self, real: Latents) -> Self:
        """Learn what real rows look like, and set ``threshold_``: (k,), one for each class."""

    @abstractmethod
    def score(self, fake: Latents) -> F32:
        """(n,) float32, larger is better."""

    def keep(self, fake: Latents) -> Bool:
        """(n,) True where the score reaches the threshold of the row's class."""
        return self.score(fake) >= self.threshold_[fake.labels]

    def told(self) -> list[str]:
        """What the user should know of the fit."""
        return []


class ContentGate(Stateful):
    """A quality filter on what single children are, not only on where the judge sees them.

    Keep a child when ``score >= threshold_``.

    Class attributes:
        modalities: what it can read.
    """

    modalities: ClassVar[frozenset[Modality]]
    threshold_: F32

    @abstractmethod
    def fit(self, samples: Sequence[Sample], real: Latents) -> Self:
        """Learn from real samples, which may be read one by one, and their rows; set ``threshold_`` (k,) by class."""

    @abstractmethod
    def score(self, children: Sequence[Sample], fake: Latents, refs: Sequence[Sequence[str]]) -> F32:
        """(n,) float32, larger is better; ``refs``: the parents of each child, ``data:ID`` or ``pool:ID``."""


class SetGate(Stateful):
    """A quality filter that looks at other rows; it runs at the barrier, in unit order."""

    @abstractmethod
    def fit(self, real: Latents) -> Self:
        """Learn the scale of the space."""

    @abstractmethod
    def select(self, fake: Latents, accepted: Latents) -> tuple[Bool, F32]:
        """(n,) mask of the rows to keep beside those accepted before, and the (n,) scores it went by."""


class Format(ABC):
    """A data set on disk. Listing is cheap and complete; loading is per entry, so that one bad file stays one.

    Reading and writing are inverse: ``load`` of what ``dump`` wrote is the sample, field by field.

    Class attributes:
        modality: what its samples are.
    """

    modality: ClassVar[Modality] = "image"

    @abstractmethod
    def scan(self, path: Path, options: ReadOptions) -> Listing:
        """All entries in a stable order (by id), nothing decoded; raises DataError for faults of the whole."""

    @abstractmethod
    def load(self, entry: Entry) -> Sample:
        """Decode one entry; raises SampleError with the reason when it cannot be used."""

    @abstractmethod
    def dump(self, sample: Sample) -> bytes:
        """The stored form of a minted sample; the same bytes for the same content on every machine."""

    def read(self, path: Path, options: ReadOptions) -> Iterator[Sample]:
        """The samples of a data set in the order of its listing."""
        return (self.load(entry) for entry in self.scan(path, options).entries)


class Engine(ABC):
    """Where work runs."""

    @abstractmethod
    def map(self, make_worker: Callable[[], Callable[[Any], Any]], items: Sequence[Any]) -> Iterator[Any]:
        """Results in the order they finish. ``make_worker`` runs once in each worker (a model loads once)."""
