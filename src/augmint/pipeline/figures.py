"""What a data set card says of the lift: what was measured, or how to measure it.

Between two marks, so that ``augmint report --lift`` can put new figures into the card of a finished run.
"""

from __future__ import annotations

from pathlib import Path

from augmint.pipeline.lift_file import lift_of, verdicts
from augmint.pipeline.markdown import in_cell
from augmint.report.facts import Cell, LiftFacts

BEGIN, END = "<!-- lift -->", "<!-- end of lift -->"


def figures(out: Path) -> str:
    """The section of a card: the lift that lies in the folder now."""
    lift = lift_of(out)
    return f"{BEGIN}\n\n{_lift(lift) if lift else _NOT_MEASURED}\n{END}\n"


def renewed(card: str, out: Path) -> str:
    """The card with the figures of now in the place of its own; as it is where it has no such place."""
    before, begin, rest = card.partition(f"\n{BEGIN}\n")
    _, end, after = rest.partition(f"\n{END}\n")
    return f"{before}\n{figures(out)}{after}" if begin and end else card


_NOT_MEASURED = """\
Whether the synthetic samples help a model has not been measured here: `augmint evaluate DATA -o LIFT`, then
`augmint report . --lift LIFT`.
"""


def _lift(lift: LiftFacts) -> str:
    lines = [
        f"{verdicts(lift)} Same budget in every arm: {lift.budget}.\n",
        f"| student | real rows a class | arm | change of {lift.metric.replace('_', ' ')} |",
        "| --- | --- | --- | --- |",
    ]
    for cell in lift.cells:
        lines += [f"| {cell.student} | {cell.shots} | {in_cell(name)} | {line} |" for name, line in _lines(cell, lift)]
    return "\n".join(lines) + "\n"


def _lines(cell: Cell, lift: LiftFacts) -> list[tuple[str, str]]:
    found = [(arm.name, arm.effects[lift.metric].headline) for arm in cell.arms if lift.metric in arm.effects]
    return found or [("", cell.status)]
