"""How many rows each class gets: imbalanced-learn's ``sampling_strategy``, or a factor.

Names and meanings are imbalanced-learn's. One thing differs: where several classes are equally small, ``minority``
and ``not minority`` mean all of them; imbalanced-learn takes the first.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

import numpy as np

from augmint.adapters.targets import Target
from augmint.core.errors import UsageError, did_you_mean
from augmint.pipeline.counts import WORDS, children_per_class

Strategy = str | float | Mapping[Any, int] | Callable[[Any], Mapping[Any, int]]


def amounts(target: Target, strategy: Strategy, factor: float | None) -> list[int]:
    """New rows of each class in the order of ``target.classes``; one number for targets that are not classes.

    Raises:
        UsageError: a strategy that cannot be followed, with what would do.
    """
    if factor is not None:
        return _by_factor(target, strategy, factor)
    if target.kind != "class":
        raise UsageError(
            f"sampling_strategy={strategy!r} with a target that is not a class (it is {target.kind!r})",
            expected="factor: rows after / rows before",
            do='pass factor=2.0, or target="class" if y holds classes',
            code="strategy",
        )
    present = _present(target)
    return list(children_per_class(present, 1.0, _spelled(target, present, strategy)).values())


def _present(target: Target) -> dict[str, int]:
    """Rows of each class by its name; all rows under one name where the target is not a class."""
    if target.kind != "class":
        return {"": len(target.values)}
    counts = np.bincount(target.codes, minlength=len(target.classes)).tolist()
    return dict(zip(target.names, counts, strict=True))


def _by_factor(target: Target, strategy: Strategy, factor: float) -> list[int]:
    if not isinstance(factor, Real) or isinstance(factor, bool) or not 1 <= factor < np.inf:
        raise _wrong(f"factor={factor!r}", "a number, 1 or more: rows after / rows before", "correct it")
    if not (isinstance(strategy, str) and strategy == "auto"):
        raise _wrong(f"factor={factor!r} and sampling_strategy={strategy!r}", "one of the two", "leave one out")
    return list(children_per_class(_present(target), float(factor), "").values())


def _spelled(target: Target, present: Mapping[str, int], strategy: Strategy) -> str | dict[str, int]:
    """The strategy in the words of :func:`children_per_class`, checked with messages in the words of Python."""
    if callable(strategy):
        return _counts(target, present, strategy(target.values))
    if isinstance(strategy, Mapping):
        return _counts(target, present, strategy)
    filled = [count for count in present.values() if count]
    if len(filled) < 2:
        raise _wrong(
            f"sampling_strategy={strategy!r} and y with {len(filled)} class",
            "at least two classes to balance against each other",
            "pass factor=2.0 or a dict to enlarge one class",
        )
    if isinstance(strategy, str) and strategy in WORDS:
        return strategy
    if isinstance(strategy, Real) and not isinstance(strategy, bool):
        return _ratio(present, float(strategy))
    hint = did_you_mean(strategy, WORDS) if isinstance(strategy, str) else ""
    expected = f"one of {', '.join(WORDS)}, a number in (0, 1], a dict of counts after, or a function of y"
    raise _wrong(f"sampling_strategy={strategy!r}", expected, f"{hint} correct it".strip())


def _ratio(present: Mapping[str, int], ratio: float) -> dict[str, int]:
    """Counts after: the smaller class gets ``ratio`` times the rows of the larger one."""
    if len(present) != 2:
        raise _wrong(f"sampling_strategy={ratio!r} with {len(present)} classes", "a number only for two", "use a dict")
    if not 0 < ratio <= 1:
        raise _wrong(f"sampling_strategy={ratio!r}", "a number in (0, 1]", "correct it")
    largest = max(present, key=lambda name: present[name])
    smaller = next(name for name in present if name != largest)
    after = int(present[largest] * ratio)
    if after <= present[smaller]:
        got = f"sampling_strategy={ratio!r}, {after} rows of class {smaller!r}, and {present[smaller]} are there"
        raise _wrong(got, "more rows than there are; augmint removes none", "increase the ratio")
    return {smaller: after}


def _counts(target: Target, present: Mapping[str, int], wanted: Mapping[Any, int]) -> dict[str, int]:
    """Counts after, by name of the class; all classes are named, so that none are enlarged beside those asked for."""
    name_of = dict(zip(target.classes.tolist(), target.names, strict=True))
    after = dict(present)
    for label, count in wanted.items():
        if label not in name_of:
            raise _wrong(f"class {label!r} in sampling_strategy", f"one of: {list(name_of)}", "correct the label")
        try:
            number = operator.index(count)
        except TypeError:
            raise _wrong(f"{count!r} rows of class {label!r}", "a whole number", "correct it") from None
        if number < present[name_of[label]]:
            raise _wrong(
                f"{number} rows of class {label!r}, and {present[name_of[label]]} are there",
                "the number of rows AFTER, at least what is there",
                "ask for more, or leave the class out; augmint removes no rows",
            )
        after[name_of[label]] = number
    return after


def _wrong(got: str, expected: str, do: str) -> UsageError:
    return UsageError(got, expected=expected, do=do, code="strategy")
