"""How many children each class gets: imbalanced-learn's words, or a factor."""

from __future__ import annotations

from collections.abc import Mapping

from augmint.core.errors import DataError, UsageError, did_you_mean

WORDS = ("auto", "minority", "not minority", "not majority", "all")


def children_per_class(present: Mapping[str, int], factor: float, strategy: str | Mapping[str, int]) -> dict[str, int]:
    """New rows for each class.

    Args:
        present: usable rows of each class, in class order; a class may have none.
        factor: rows after / rows before, used when ``strategy`` is "".
        strategy: one of :data:`WORDS`, or counts AFTER the run as ``name=count,...`` or a mapping.

    Returns:
        The number of rows to make, 0 for classes left alone.

    Raises:
        UsageError: an unknown word or class, a target below what is there.
        DataError: a balancing word with fewer than two non-empty classes.
    """
    if not strategy:
        return {name: round(count * (factor - 1)) for name, count in present.items()}
    if isinstance(strategy, Mapping):
        return _explicit(present, strategy)
    if "=" in strategy:
        return _explicit(present, _parse(strategy))
    if strategy not in WORDS:
        raise UsageError(
            f"strategy {strategy!r}",
            expected=f"one of {', '.join(WORDS)}, or name=count,...",
            do=f"{did_you_mean(strategy, WORDS)} correct --strategy".strip(),
            code="unknown-strategy",
        )
    return _balance(present, strategy)


def _balance(present: Mapping[str, int], word: str) -> dict[str, int]:
    filled = {name: count for name, count in present.items() if count}
    if len(filled) < 2:
        raise DataError(
            f"strategy {word!r} with {len(filled)} class that has rows",
            expected="at least two classes to balance against each other",
            do="use --factor to enlarge a single class",
            code="one-class",
        )
    most, least = max(filled.values()), min(filled.values())
    chosen = {
        name
        for name, count in filled.items()
        if not (word == "minority" and count != least) and not (word == "not minority" and count == least)
    }
    return {name: most - count if name in chosen else 0 for name, count in present.items()}


def _parse(strategy: str) -> dict[str, int]:
    wanted = {}
    for part in strategy.split(","):
        name, _, number = part.rpartition("=")
        if not number.strip().isdecimal():
            raise UsageError(
                f"{part.strip()!r} in --strategy", expected="name=whole number", do="correct it", code="strategy"
            )
        if name.strip() in wanted:
            raise UsageError(
                f"class {name.strip()!r} twice in --strategy",
                expected="each class once",
                do="remove one",
                code="strategy",
            )
        wanted[name.strip()] = int(number)
    return wanted


def _explicit(present: Mapping[str, int], targets: Mapping[str, int]) -> dict[str, int]:
    wanted = dict.fromkeys(present, 0)
    for name, target in targets.items():
        if name not in present:
            raise UsageError(
                f"class {name!r} in --strategy",
                expected=f"one of: {', '.join(present)}",
                do=f"{did_you_mean(name, present)} correct the name".strip(),
                code="unknown-class",
            )
        wanted[name] = _missing(name, target, present[name])
    return wanted


def _missing(name: str, target: int, count: int) -> int:
    if not isinstance(target, int) or isinstance(target, bool) or target < 0:
        raise UsageError(
            f"{name}={target!r} in --strategy", expected="a whole number", do="correct it", code="strategy"
        )
    if target == 0:
        return 0
    if target < count:
        raise UsageError(
            f"{name}={target} in --strategy, and {count} rows are there",
            expected="the number of rows AFTER the run, at least what is there (0: leave the class as it is)",
            do=f"use {name}={count} or more; augmint removes no rows",
            code="target-below-present",
        )
    if not count:
        raise UsageError(
            f"{name}={target} in --strategy, and the class is empty",
            expected="at least one row to make others like it",
            do="add a row, or leave the class out",
            code="empty-class",
        )
    return target - count
