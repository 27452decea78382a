"""Errors a user can act on: what was got, what was expected, what to do.

Everything that is the user's to fix is an :class:`AugmintError`; the command line turns it into one message and
an exit code. Any other exception is a bug.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class AugmintError(Exception):
    """A problem with a message in three parts.

    Args:
        got: what was found, with the place (file, line, sample) where there is one.
        expected: what would have been right.
        do: what to type or change.
        code: a short stable word for scripts (``--json`` prints it).
    """

    exit_code = 2
    default_code = "usage"

    def __init__(self, got: str, *, expected: str, do: str, code: str | None = None) -> None:
        super().__init__(got)
        self.got, self.expected, self.do = got, expected, do
        self.code = code or self.default_code

    def __str__(self) -> str:
        return f"got: {self.got}\nexpected: {self.expected}\ndo: {self.do}"

    def __reduce__(self) -> tuple[object, ...]:
        # The keyword-only arguments would be lost by Exception's own pickling between worker and parent.
        return _rebuild, (type(self), self.got, self.expected, self.do, self.code)


def _rebuild(kind: type[AugmintError], got: str, expected: str, do: str, code: str) -> AugmintError:
    return kind(got, expected=expected, do=do, code=code)


class UsageError(AugmintError):
    """A flag, a config key or an argument is wrong."""


class DataError(AugmintError):
    """The user's data set cannot be used as it is."""

    default_code = "data"


class ModelError(AugmintError):
    """Weights are missing, damaged, or not what their card says."""

    default_code = "model"


class GateError(AugmintError):
    """The run finished, but a gate failed: too many skipped, too few made, a check that found damage."""

    exit_code = 1
    default_code = "gate"


class RunError(AugmintError):
    """The run stopped half-way (disk full, a worker that keeps dying); the same command resumes it."""

    exit_code = 3
    default_code = "failed"


class SampleError(Exception):
    """One sample cannot be read. It is skipped and listed with this reason; the run goes on."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else self.reason


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``"did you mean 'noise'?"`` for the nearest known word in any case, or ``""``."""
    by_lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return f"did you mean {by_lower[close[0]]!r}?" if close else ""


def unknown(kind: str, word: str, known: Iterable[str], *, where: str = "") -> UsageError:
    """The error for a name that is not in a list, with the nearest one that is."""
    names = sorted(known)
    place = f" ({where})" if where else ""
    hint = did_you_mean(word, names)
    do = f"{hint} " if hint else ""
    return UsageError(
        f"{kind} {word!r}{place}",
        expected=f"one of: {', '.join(names)}",
        do=f"{do}correct the name",
        code=f"unknown-{kind.replace(' ', '-')}",
    )
