"""A search among candidates on the rows of the choice, by Optuna's TPE (Bergstra et al. 2011).

Trial t draws its numbers from a sampler seeded by (seed, t) that sees the trials before it, so the same seed gives the
same trials however often the search was stopped between them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from augmint.core.errors import AugmintError, ModelError
from augmint.core.seeds import stream
from augmint.core.types import I64
from augmint.evaluation.decision import gains
from augmint.pipeline.arms import NONE, Arm
from augmint.pipeline.search_space import SearchSpace
from augmint.pipeline.tune import single
from augmint.pipeline.validation import TimeUp, Validator

STARTUP = 8
"""Trials before the sampler looks at results, beside the first ones."""


@dataclass(frozen=True)
class Trial:
    """A candidate on the rows of the choice.

    Attributes:
        number: from 0.
        arm: the candidate.
        information: gain in calibrated log-loss; NaN where it failed. ``hits``: in the hit rate.
        failed: why nothing could be measured; "" where it was.
        seconds: it took; 0 where the answer was kept.
    """

    number: int
    arm: Arm
    information: float
    hits: float
    failed: str = ""
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "arm": asdict(self.arm), "name": self.arm.name}


def search(bench: Validator, space: SearchSpace, out: I64, trials: int, until: float) -> Iterator[Trial]:
    """Trials in order; none is begun after ``until`` (seconds since the epoch), or after the bench's own deadline.

    Args:
        bench: trains and predicts.
        space: what is searched.
        out: the rows of the choice; students learn from all others.
        trials: most trials.
        until: seconds since the epoch.

    Raises:
        ModelError: Optuna is not installed.
    """
    optuna = _optuna()
    first = space.first()
    study = optuna.create_study(direction="maximize")
    for params in first:
        study.enqueue_trial(params)
    for number in range(trials):
        if time.time() >= until:
            return
        seed = int(stream(bench.seed, "trial", number).integers(2**31))
        study.sampler = optuna.samplers.TPESampler(n_startup_trials=len(first) + STARTUP, seed=seed)
        asked = study.ask()
        try:
            trial = _measured(bench, number, space.suggest(asked), out)
        except TimeUp:
            return
        state = optuna.trial.TrialState.FAIL if trial.failed else None
        study.tell(asked, None if trial.failed else trial.information, state=state)
        yield trial


def _optuna() -> Any:
    if find_spec("optuna") is None:
        raise ModelError(
            "tuning without Optuna", expected="the extra 'tune'", do="pip install 'augmint[tune]'", code="extra"
        )
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _measured(bench: Validator, number: int, arm: Arm, out: I64) -> Trial:
    """One training with the candidate's rows, against the same without; a candidate that cannot be made has failed."""
    begin = time.monotonic()
    without = bench.predict(NONE, out, "choice")
    try:
        minted = bench.predict(arm, out, "choice")
    except AugmintError as error:
        return Trial(number, arm, float("nan"), float("nan"), error.got)
    hits, information = gains(single(without), single(minted), bench.rows.labels[out], bench.rows.units[out])
    return Trial(number, arm, information.mean, hits.mean, seconds=round(time.monotonic() - begin, 3))


def ranked(trials: list[Trial]) -> list[Trial]:
    """The trials that could be measured, best first; the earlier of two equals."""
    return sorted((t for t in trials if not t.failed and np.isfinite(t.information)), key=lambda t: -t.information)
