"""Groups: rows of one patient, speaker or slide must stay on one side of every split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from augmint.core.errors import DataError
from augmint.core.types import Entry

JOINT = " + "
"""Between the groups of a child whose parents are of several: it belongs to neither side."""

_SHOWN = 10


def join_groups(groups: Iterable[str]) -> str:
    """The group of a child: all the groups of its parents, each once and in order."""
    return JOINT.join(sorted({part for group in groups for part in group.split(JOINT) if part}))


def joined_groups(groups: Iterable[str]) -> dict[str, str]:
    """A name for each group, the same for those that a row of several (a child of an earlier run) has joined."""
    of: dict[str, str] = {}

    def root(part: str) -> str:
        while of.setdefault(part, part) != part:
            part = of[part]
        return part

    names = set(groups)
    for name in sorted(names):
        first, *others = name.split(JOINT)
        for other in others:
            of[root(other)] = root(first)
    return {name: root(name.split(JOINT)[0]) for name in names}


def check_groups(entries: Sequence[Entry], heldout: Sequence[Entry] = ()) -> None:
    """Refuse data in which a group is in two splits, or in the data and in what is held out.

    A row of several groups (a child of an earlier run) is in each of them.

    Raises:
        DataError: code ``group-leak``; the message lists the groups.
    """
    sides: dict[str, set[str]] = defaultdict(set)
    for side, rows in (("", entries), ("heldout", heldout)):
        for entry in rows:
            for group in entry.group.split(JOINT):
                sides[group].add(side or entry.split)
    crossing = {group: found for group, found in sorted(sides.items()) if group and len(found) > 1}
    # Pictures of the data's own val and test may well be held out a second time.
    crossing = {group: found for group, found in crossing.items() if "train" in found or "heldout" not in found}
    if crossing:
        told = ", ".join(f"{group!r} in {' and '.join(sorted(crossing[group]))}" for group in list(crossing)[:_SHOWN])
        more = f" and {len(crossing) - _SHOWN} more" if len(crossing) > _SHOWN else ""
        raise DataError(
            f"{len(crossing)} groups in more than one split: {told}{more}",
            expected="all rows of a group in one split",
            do="move the rows of each of these groups to one split, or correct the column",
            code="group-leak",
        )
