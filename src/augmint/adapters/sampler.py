"""``fit_resample``: a method behind the manners of scikit-learn and imbalanced-learn.

One code path, with and without imbalanced-learn: its pipeline asks for ``fit_resample`` and nothing more.

Rows are calculated in float32, whatever X is; X itself comes back bit for bit, and new rows in X's own dtype.
"""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from numbers import Integral
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, OneToOneFeatureMixin
from sklearn.utils.validation import check_consistent_length, validate_data

from augmint.adapters.amounts import amounts
from augmint.adapters.forms import Form
from augmint.adapters.sources import read_sources, row_ids
from augmint.adapters.tags import ResamplerTags, sampler_tags
from augmint.adapters.targets import Target, read_target, weights32
from augmint.core.errors import AugmintError, UsageError
from augmint.core.protocols import Synthesizer
from augmint.core.registry import build
from augmint.core.types import Latents, Text
from augmint.pipeline.memory import F64, Minted, labels_of, mint
from augmint.synthesizers import TABLE

Rows = npt.NDArray[Any]


class InputError(UsageError, ValueError):
    """An error of augmint that is a ValueError, too, as callers of scikit-learn expect."""


class FallbackWarning(UserWarning):
    """Some new rows were made in another way than the method's name says."""


class LatentSampler(OneToOneFeatureMixin, BaseEstimator):  # type: ignore[misc]
    """What all estimators do; each says which method it is."""

    @abstractmethod
    def _chosen(self) -> tuple[str, Mapping[str, Any]]:
        """Name and options of the method, from the parameters as they are now."""

    def fit(self, X: Any, y: Any) -> Self:
        """Check X, y and the parameters and count the rows to make; use :meth:`fit_resample` to make them."""
        with _value_errors():
            self._checked(X, y)
        return self

    def fit_resample(self, X: Any, y: Any) -> tuple[Any, Any]:
        """Fit the method and return the rows of X and y followed by the new ones, class by class.

        Args:
            X: (n, d) rows, or (n, T, d), (n, C, h, w) of one shape; array, list of lists, or data frame of numbers.
            y: (n,) or (n, k) targets; see ``target``.

        Returns:
            X and y in the form they came in.

        Raises:
            ValueError: X, y or a parameter cannot be used; the message says what was got, expected, and what to do.
        """
        with _value_errors():
            rows, target, method = self._checked(X, y)
            out, self._minted = self._mint(method, rows, target)
        self._target = target
        self._describe(len(rows))
        return Form.of(X).back(out), Form.of(y).back(target.extended(self._minted.anchors, self._new_labels))

    def _checked(self, X: Any, y: Any) -> tuple[Rows, Target, Synthesizer]:
        """X and y as arrays, and the method; sets what scikit-learn wants set by a fit."""
        name, options = self._chosen()
        method = built(name, options)
        if y is None:
            validate_data(self, X, None)  # raises, in scikit-learn's words
        rows: Rows = validate_data(self, X, allow_nd=True, order="C")
        check_consistent_length(X, y)
        target = read_target(y, self.target)
        if target.kind not in method.targets:
            raise UsageError(
                f"a target of kind {target.kind!r} for method {name!r}",
                expected=f"one of: {', '.join(sorted(method.targets))}",
                do="use another method, or say what y means with target=",
                code="target",
            )
        self._counts = amounts(target, self.sampling_strategy, self.factor)
        labels = target.classes.tolist() if target.kind == "class" else ["all"]
        self.sampling_strategy_ = {c: n for c, n in zip(labels, self._counts, strict=True) if n}
        return rows, target, method

    def _mint(self, method: Synthesizer, rows: Rows, target: Target) -> tuple[Rows, Minted]:
        """The rows with the new ones behind them."""
        with np.errstate(over="ignore"):  # what is beyond float32 becomes infinite, and the fit says so
            z = np.ascontiguousarray(rows, np.float32)
        space = getattr(self, "space", None) or ""
        real = Latents(row_ids(len(rows)), z, weights32(target), target.names, target=target.kind, space=space)
        name, _ = self._chosen()
        pool, base = getattr(self, "pool", None), getattr(self, "base", None)
        second = read_sources(method, name, real, pool, base)
        asked = sum(self._counts)
        out, minted = mint(method, real, self._counts, seed_of(self.random_state), rows, **second)
        for note, count in sorted(minted.notes.items()):
            warnings.warn(f"{name}: {count} of {asked} rows asked for: {note}", FallbackWarning, stacklevel=4)
        return out, minted

    def _describe(self, n: int) -> None:
        """The fitted attributes that say where each row came from."""
        made = self._minted
        self.sample_indices_ = np.concatenate([np.arange(n), made.anchors])
        self.is_synthetic_ = np.arange(len(self.sample_indices_)) >= n
        self.label_weights_, self.pool_indices_ = made.label_weights, made.pick
        self.classes_ = self._target.classes

    def _new_labels(self) -> F64:
        """(m, k) labels of the new rows, from their parents."""
        target = self._target
        own = [np.char.add("data:", row_ids(len(target.values)))]
        tables = [target.numbers()]
        if target.kind == "class":
            own.append(np.char.add("base:", np.asarray(target.names)))
            tables.append(np.eye(len(target.names)))
        return labels_of(self._minted, np.concatenate(own), np.concatenate(tables))

    @property
    def parents_(self) -> Text:
        """(m, p) rows that each new row was made from, by name; made when they are asked for."""
        if not hasattr(self, "_minted"):
            raise AttributeError("parents_ is there after fit_resample")
        return self._minted.refs

    @property
    def y_soft_(self) -> F64:
        """(n + m, k) label weights of all rows from their parents, columns as in ``classes_``."""
        if not hasattr(self, "_minted"):
            raise AttributeError("y_soft_ is there after fit_resample")
        return np.concatenate([self._target.numbers(), self._new_labels()])

    def __sklearn_tags__(self) -> ResamplerTags:
        return sampler_tags()


class FeatureAugmenter(LatentSampler):
    """New rows in a feature space by a method of augmint, chosen by name.

    Parameters:
        method: name of the method; ``augmint methods list`` shows all.
        sampling_strategy: "auto", "minority", "not minority", "not majority", "all", a number in (0, 1] for two
            classes, a dict of counts AFTER the run, or a function of y that returns one.
        factor: rows after / rows before of each class; the only way for targets that are not classes.
        random_state: int, numpy Generator or RandomState; None draws fresh numbers, never the global generator's.
        method_options: dict of the method's own options.
        pool: (m, d) unlabelled rows for methods that pick from them.
        base: pair (X, y) of rows of other classes, or their statistics, for methods that learn from them.
        space: name of the space that X is in; ``pool`` and ``base`` that know theirs must agree.
        target: what y means: "auto", "class", "soft", "multilabel" or "number". Whole numbers are classes.

    Attributes:
        sampling_strategy_: new rows of each class that gets some.
        sample_indices_: (n + m,) row of X that each row is or was made like.
        is_synthetic_: (n + m,) True for new rows.
        parents_: (m, p) rows that each new row was made from: "data:3" is row 3 of X.
        label_weights_: (m, p) share of each parent in the label.
        y_soft_: (n + m, k) labels with these shares.
        pool_indices_: (m,) row of ``pool`` that was taken, -1 for rows that are new.
        classes_: labels in the order of the columns of ``y_soft_``.
        n_features_in_: second dimension of X.
        feature_names_in_: column names, where X is a frame whose names are strings.
    """

    def __init__(
        self,
        method: str = "interpolation",
        *,
        sampling_strategy: Any = "auto",
        factor: float | None = None,
        random_state: Any = None,
        method_options: Mapping[str, Any] | None = None,
        pool: Any = None,
        base: Any = None,
        space: str | None = None,
        target: str = "auto",
    ) -> None:
        self.method = method
        self.sampling_strategy = sampling_strategy
        self.factor = factor
        self.random_state = random_state
        self.method_options = method_options
        self.pool = pool
        self.base = base
        self.space = space
        self.target = target

    def _chosen(self) -> tuple[str, Mapping[str, Any]]:
        return self.method, self.method_options or {}


def built(name: str, options: Mapping[str, Any]) -> Synthesizer:
    """A method with options; numpy's scalars (of a parameter grid) are taken as Python's."""
    plain = {key: value.item() if isinstance(value, np.generic) else value for key, value in options.items()}
    method = build("synthesizers", "method", TABLE, name, plain)
    assert isinstance(method, Synthesizer)
    return method


def seed_of(random_state: Any) -> int:
    """The seed of one fit. A generator is asked for one number; the global generator is never touched."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
    if isinstance(random_state, Integral) and not isinstance(random_state, bool):
        return int(random_state)
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**63 - 1))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    raise UsageError(
        f"random_state={random_state!r}",
        expected="a whole number, a numpy Generator or RandomState, or None",
        do="correct it",
        code="random-state",
    )


@contextmanager
def _value_errors() -> Iterator[None]:
    try:
        yield
    except AugmintError as error:
        raise InputError(error.got, expected=error.expected, do=error.do, code=error.code) from error
