"""What tuning searches: model x method x strength x amount x gates x what children go through then."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np

from augmint.core.errors import UsageError
from augmint.core.protocols import Modality, Synthesizer
from augmint.pipeline.arms import Arm
from augmint.pipeline.modality import MEDIA, default_model
from augmint.pipeline.plan import DEFAULT_GATES, method_class

PRESETS = ("light", "standard", *(("randaugment",) if find_spec("kornia") else ()))
"""Of hand-made transforms, those that this installation has."""

STRENGTHS: Mapping[str, Mapping[str, tuple[float, float] | tuple[str, ...]]] = {
    "classic": {"preset": PRESETS},
    "classic-text": {"preset": ("eda", "light", "heavy")},
    "density": {"strength": (0.25, 1.5)},
    "dropout": {"share": (0.05, 0.5)},
    "extrapolation": {"strength": (0.1, 1.0)},
    "interpolation": {"high": (0.3, 1.5)},
    "isda": {"strength": (0.1, 1.5)},
    "masked-lm": {"share": (0.1, 0.6)},
    "mixup": {"alpha": (0.2, 2.0)},
    "moex": {"share": (0.6, 1.0)},
    "noise": {"strength": (0.1, 1.0)},
    "retrieval": {"confidence": (0.1, 0.9), "labels": ("anchor", "soft")},
    "ssmba": {"share": (0.1, 0.6)},
}
"""The option of a method that says how far it goes from the real rows, and its range; other methods have none."""

ROWS = ("interpolation", "noise", "extrapolation")
"""Methods that are searched on rows unless others are named; those of pictures and texts are in `modality`."""

GATES = {"all": DEFAULT_GATES, "consistency": ("consistency",), "none": ()}
MOST_PICKS = 200
"""Rows of a pool that are asked for, for each class."""


@dataclass(frozen=True)
class SearchSpace:
    """Candidates.

    Attributes:
        methods: to choose from.
        models: to choose from; () for the default of each method.
        strategy: given by the user; the amount is searched where it is empty.
        modality: of the samples, whose hand-made transforms children can go through; "" for rows.
        real: real rows; ``pool``: rows of the pool; ``classes``: their number.
        gates: the user's, for all candidates; they are searched where these are the usual ones.
    """

    methods: tuple[str, ...]
    models: tuple[str, ...] = ()
    strategy: str = ""
    modality: Modality | Literal[""] = "image"
    real: int = 1
    pool: int = 0
    classes: int = 1
    gates: tuple[str, ...] = DEFAULT_GATES

    @classmethod
    def of(cls, methods: Sequence[str], *, modality: Modality | Literal[""], pool: int, **keys: Any) -> SearchSpace:
        """The methods that were named, or those that suit the data."""
        usual = [*(["retrieval"] if pool else []), *(MEDIA[modality].searched if modality else ROWS)]
        own = MEDIA[modality].classic if modality else "classic"
        named = tuple(dict.fromkeys(own if name == "classic" else name for name in methods or usual))
        for name in named:
            _check(name, pool > 0, modality)
        return cls(named, modality=modality, pool=pool, **keys)

    def first(self) -> list[dict[str, Any]]:
        """Settings to try before anything is known: every method as it is, in the order they were named."""
        shared = {"gates": next(iter(self._gates)), **({"model": self.models[0]} if self.models else {})}
        shared |= {"then": ""} if self.modality else {}
        return [{"method": name, **shared, **_usual_options(name), **self._usual_amount(name)} for name in self.methods]

    def suggest(self, trial: Any) -> Arm:
        """The candidate of an Optuna trial."""
        method = trial.suggest_categorical("method", self.methods)
        options = {
            key: self._option(trial, f"{method}.{key}", reach) for key, reach in STRENGTHS.get(method, {}).items()
        }
        classic = MEDIA[self.modality].classic if self.modality else ""
        then = trial.suggest_categorical("then", ["", classic]) if classic else ""
        arm = Arm(
            "",
            method,
            options,
            then="" if method == classic else then,
            model=trial.suggest_categorical("model", self.models) if self.models else self._model(method),
            factor=2.0 if self.strategy else self._amount(trial, method),
            gates=self._gates[trial.suggest_categorical("gates", list(self._gates))],
            needs_pool=method == "retrieval",
        )
        return replace(arm, name=name_of(arm, self.strategy))

    def mixture(self) -> tuple[Arm, ...]:
        """The parts of an equal mixture: every method as it is, each with its share of the children."""
        share = len(self.methods)
        return tuple(
            Arm(name, name, factor=1.0 + 2.0 / share, model=self._model(name), needs_pool=name == "retrieval")
            for name in self.methods
        )

    @property
    def _gates(self) -> Mapping[str, tuple[str, ...]]:
        """By name, the gates to choose from."""
        return GATES if self.gates == DEFAULT_GATES else {"given": self.gates}

    def _model(self, method: str) -> str:
        """The first of those given, or the method's own."""
        return self.models[0] if self.models else default_model(method, self.modality or "image")

    @staticmethod
    def _option(trial: Any, name: str, reach: tuple[Any, ...]) -> Any:
        if isinstance(reach[0], str):
            return trial.suggest_categorical(name, reach)
        return round(float(trial.suggest_float(name, *reach)), 3)

    def _most(self, method: str) -> float:
        """Largest amount: what a pool can give, or six times the rows."""
        if method != "retrieval":
            return 6.0
        return max(2.0, 1.0 + min(self.pool, MOST_PICKS * self.classes) / max(1, self.real))

    def _amount(self, trial: Any, method: str) -> float:
        most = self._most(method)
        key = "picks" if method == "retrieval" else "factor"
        return round(float(trial.suggest_float(key, 1.5, most, log=True)), 2)

    def _usual_amount(self, method: str) -> dict[str, float]:
        if self.strategy:
            return {}
        return {"picks": 0.75 * self._most(method)} if method == "retrieval" else {"factor": 3.0}


@dataclass(frozen=True)
class Dice:
    """Stands in for an Optuna trial: everything is drawn at random."""

    rng: np.random.Generator

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of them."""
        return choices[int(self.rng.integers(len(choices)))]

    def suggest_float(self, name: str, low: float, high: float, log: bool = False) -> float:
        """A number of the range."""
        if log:
            return float(np.exp(self.rng.uniform(np.log(low), np.log(high))))
        return float(self.rng.uniform(low, high))


def _usual_options(method: str) -> dict[str, Any]:
    """The searched options of a method as they are when nobody sets them, under their names in a trial."""
    usual = {field.name: field.default for field in dataclasses.fields(method_class(method))}  # type: ignore[arg-type]
    return {f"{method}.{key}": usual[key] for key in STRENGTHS.get(method, {})}


def name_of(arm: Arm, strategy: str = "") -> str:
    """A candidate in one line: ``noise(strength=0.5)+classic x3``."""
    options = ", ".join(f"{key}={value}" for key, value in arm.options.items())
    words = [f"{arm.method}({options})" if options else arm.method, f"+{arm.then}" if arm.then else ""]
    amount = f" {strategy}" if strategy else f" x{arm.factor:g}"
    gates = "" if arm.gates in (None, DEFAULT_GATES) else f", gates {', '.join(arm.gates) or 'none'}"
    usual = {default_model(arm.method, medium.name) for medium in MEDIA.values()}
    model = "" if arm.model in usual else f", {arm.model}"
    return "".join(words) + amount + gates + model


def _check(name: str, pool: bool, modality: Modality | Literal[""]) -> None:
    """The method exists and can work on the data."""
    found: Any = method_class(name)
    latent = issubclass(found, Synthesizer)
    if not latent and not modality:
        raise UsageError(f"method {name!r} on rows", expected="a method in latent space", do="leave it out")
    if not latent and modality and modality not in found.modalities:
        noun = MEDIA[modality].noun
        raise UsageError(f"method {name!r} on {noun}", expected=f"a method for {noun}", do="leave it out")
    if latent and "pool" in found.uses and not pool:
        raise UsageError(
            f"method {name!r} without a pool",
            expected="unlabelled samples of the same kind as the data",
            do="add --pool DIR, or leave the method out",
            code="no-pool",
        )
