"""Which columns of a table are the text, the label, the group; what could be read in two ways is refused by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from augmint.core.errors import DataError, did_you_mean
from augmint.core.types import ReadOptions
from augmint.formats.table_file import Cells

TEXT = (
    "text",
    "sentence",
    "content",
    "review",
    "question",
    "utterance",
    "comment",
    "message",
    "body",
    "document",
    "tweet",
    "query",
    "description",
    "headline",
)
LABEL = ("label", "target", "class", "category", "intent", "sentiment", "topic")
"""Names of columns that are looked for, in any case. The first one wins; of the others only one may be there."""

GROUP, SPLIT, IDS = "group", "split", ("id", "guid", "uuid")

PROVENANCE = (
    "is_synthetic",
    "id",
    "group",
    "refs",
    "label_weights",
    "label_by",
    "scores",
    "note",
    "method",
    "model",
    "label_probs",
)
"""Columns that augmint adds, in their order."""

PREFIX = "augmint_"

_PAIRS = (("premise", "hypothesis"), ("sentence1", "sentence2"), ("question1", "question2"), ("question", "sentence"))


@dataclass(frozen=True)
class Columns:
    """Names of the columns that are read; "" for none. Several ``text`` columns are a pair."""

    text: tuple[str, ...]
    label: str = ""
    group: str = ""
    spans: str = ""
    split: str = ""
    id: str = ""

    @property
    def used(self) -> tuple[str, ...]:
        """Every column that is read, once."""
        names = (*self.text, self.label, self.group, self.spans, self.split, self.id)
        return tuple(dict.fromkeys(name for name in names if name))


def own_columns(names: Sequence[str]) -> dict[str, str]:
    """Provenance column -> its name, in a table that augmint wrote; {} for any other.

    They are the last ones, from ``is_synthetic`` on; see :func:`name_provenance` for the prefix.
    """
    first = next((at for at, name in enumerate(names) if name.removeprefix(PREFIX) == PROVENANCE[0]), len(names))
    found = {name.removeprefix(PREFIX): name for name in names[first:]}
    return {key: found[key] for key in PROVENANCE if key in found} if {"refs", "label_weights"} <= set(found) else {}


def name_provenance(names: Sequence[str], shared: Iterable[str]) -> dict[str, str]:
    """What each provenance column is called beside the data's own columns ``names``.

    A data set may have a column ``note`` or ``model`` of its own: then ours is ``augmint_note``. ``shared`` are those
    of its columns that mean the same as ours, so that children continue them: the ids and the groups that were read.
    """
    taken = set(names) - set(shared)
    return {name: PREFIX + name if name in taken else name for name in PROVENANCE}


def choose_columns(where: str, names: Sequence[str], first: Sequence[Cells], options: ReadOptions) -> Columns:
    """The columns to read.

    Args:
        where: the file, for messages.
        names: all columns.
        first: some rows, from which the types of columns are told.
        options: what the user says.

    Raises:
        DataError: codes ``missing-column``, ``ambiguous-column``.
    """
    given = [name for name in (options.label, options.group, options.spans) if name]
    for flag, name in (("label", options.label), ("group", options.group), ("spans", options.spans)):
        if name:
            _need(where, name, names, flag)
    label = "" if options.unlabelled else options.label or _label(where, names, options.text.split(","))
    ours = own_columns(names)
    taken = {*given, label, *ours.values()}
    text = _given_text(where, names, options.text) or (_text(where, names, first, taken),)
    if label in text:
        raise DataError(
            f"{where}: column {label!r} as text and as label",
            expected="two columns",
            do="name them with --text COLUMN and --label COLUMN",
            code="ambiguous-column",
        )
    group = options.group or ours.get("group", GROUP if GROUP in names and GROUP not in (*text, label) else "")
    ids = ours.get("id", next((name for name in IDS if name in names and name not in (*text, label)), ""))
    split = SPLIT if SPLIT in names and SPLIT not in (*text, label) else ""
    if options.unlabelled:  # a pool is what it is, whatever its columns say
        group, split = options.group, ""
    return Columns(text, label, group, options.spans, split, ids)


def _given_text(where: str, names: Sequence[str], text: str) -> tuple[str, ...]:
    if not text or text in names:
        return (text,) if text else ()
    parts = tuple(part.strip() for part in text.split(","))
    for part in parts:
        _need(where, part, names, "text")
    if len(set(parts)) < len(parts):
        raise DataError(
            f"--text {text}: a column twice", expected="every column once", do="correct it", code="ambiguous-column"
        )
    return parts


def _known(names: Sequence[str], wanted: Sequence[str], taken: Iterable[str]) -> list[str]:
    """Columns with one of these names in any case; the first name alone where there is one so called."""
    out = set(taken)
    found = [name for word in wanted for name in names if name.strip().lower() == word and name not in out]
    return found[:1] if found and found[0].strip().lower() == wanted[0] else found


def _label(where: str, names: Sequence[str], text: Sequence[str]) -> str:
    found = _known(names, LABEL, {part.strip() for part in text})
    if len(found) == 1:
        return found[0]
    got = f"several that could be the label: {_listed(found)}" if found else f"no column 'label' among {_listed(names)}"
    _refuse(where, got, "one column with the label", "name it with --label COLUMN", "missing-column", bool(found))


def _text(where: str, names: Sequence[str], first: Sequence[Cells], taken: set[str]) -> str:
    found = _known(names, TEXT, taken)
    if not found:
        others = [n for n in names if n not in taken and n.lower() not in (*IDS, GROUP, SPLIT)]
        found = [name for name in others if is_text(name, first)]
    if len(found) == 1:
        return found[0]
    pair = next((pair for pair in _PAIRS if set(pair) <= set(names)), ())
    do = f"name them with --text {','.join(pair)}" if pair else "name it with --text COLUMN (--text a,b for a pair)"
    if not found and {"image", "img"} & set(names):
        do = "export pictures to class folders; in tables they are not read"
    listed = _listed(found or names)
    got = f"several that could be the text: {listed}" if found else f"no column with text among {listed}"
    _refuse(where, got, "one column with the text", do, "missing-column", bool(found))


def is_text(name: str, first: Sequence[Cells]) -> bool:
    """Whether the cells are strings, and not all of them numbers."""
    cells = [cells[name] for cells in first if cells.get(name) not in (None, "")]
    return bool(cells) and all(isinstance(cell, str) for cell in cells) and not all(map(_is_number, cells))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _need(where: str, name: str, names: Sequence[str], flag: str) -> None:
    if name not in names:
        hint = did_you_mean(name, names)
        got = f"no column {name!r}; the columns are {_listed(names)}"
        _refuse(
            where, got, f"a column {name!r}", f"{hint} name the column with --{flag} COLUMN".strip(), "missing-column"
        )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return ", ".join(map(repr, names[:20])) + more


def _refuse(where: str, got: str, expected: str, do: str, code: str, several: bool = False) -> NoReturn:
    raise DataError(f"{where}: {got}", expected=expected, do=do, code="ambiguous-column" if several else code)
