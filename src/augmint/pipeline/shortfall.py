"""What is wrong with a run that went through: fewer children than asked, or too many inputs that cannot be used."""

from __future__ import annotations

from collections.abc import Mapping


def problems_of(
    asked: Mapping[str, int],
    made: Mapping[str, int],
    rejected: Mapping[str, Mapping[str, int]],
    exhausted: Mapping[str, int],
    skipped: tuple[int, int],
    max_skipped: float,
) -> tuple[str, ...]:
    """One line for each reason of exit code 1; ``skipped`` is how many inputs of how many."""
    problems = []
    for name, count in asked.items():
        if made[name] < count:
            reasons = ", ".join(f"{gate} {number}" for gate, number in rejected.get(name, {}).items())
            pool = "; the pool has no further row for it" if exhausted.get(name) else ""
            problems.append(f"class {name!r}: asked {count}, made {made[name]} (rejected by {reasons or 'none'}{pool})")
    bad, total = skipped
    if bad > max_skipped * total:
        problems.append(f"{bad} of {total} inputs skipped ({bad / total:.1%} > {max_skipped:.1%})")
    return tuple(problems)
