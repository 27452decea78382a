"""Regular English endings, off a word and onto another: movies -> movie, film -> films.

A guess at a lemma counts when its own inflection is the word again, so that ``rated`` is of ``rate`` and not of
``rat``. Words with irregular forms are refused (``None``), since a wrong form would be worse than no synonym.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

Inflect = Callable[[str], str | None]

ALL = frozenset("nvasr")
"""Parts of speech: noun, verb, adjective (a, s), adverb."""

_IRREGULAR_VERBS = """
be bear beat become begin bend bet bind bite bleed blow break breed bring build burst buy cast catch choose cling come
cost creep cut deal dig do draw dream drink drive eat fall feed feel fight find flee fling fly forbid forget forgive
freeze get give go grind grow hang have hear hide hit hold hurt keep kneel know lay lead leap learn leave lend let lie
light lose make mean meet pay put quit read rend ride ring rise run say see seek sell send set sew shake shed shine
shoot show shrink shut sing sink sit sleep slide sling slit sow speak speed spend spill spin spit split spoil spread
spring stand steal stick sting stink strike string strive swear sweep swell swim swing take teach tear tell think
throw thrust tread understand undertake wake wear weave weep win wind withdraw write overcome foresee forego undergo
undo withstand uphold mistake overtake outgrow shoe slay smite spell
"""
IRREGULAR_VERBS = frozenset(_IRREGULAR_VERBS.split())
_IRREGULAR_NOUNS = """
man woman child person foot tooth goose mouse louse ox die sheep deer fish series species aircraft people cattle
police half knife life wife wolf leaf loaf shelf thief calf self elf hoof scarf phenomenon criterion analysis basis
crisis thesis hypothesis diagnosis oasis axis appendix index cactus fungus nucleus stimulus datum
"""
IRREGULAR_NOUNS = frozenset(_IRREGULAR_NOUNS.split())

_HISSING = re.compile(r"(s|x|z|ch|sh)$")
_SHORT = re.compile(r"^[^aeiou]*[aeiou][^aeiouwxy]$")


def with_s(word: str) -> str:
    """Plural of a noun, third person of a verb."""
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return word[:-1] + "ies"
    return word + ("es" if _HISSING.search(word) or (word.endswith("o") and word[-2:-1] not in "aeiou") else "s")


def plural(word: str) -> str | None:
    """Plural of a noun with a regular one."""
    regular = not (word in IRREGULAR_NOUNS or word.endswith(("men", "sis", "ics", "ness")) or word.endswith("man"))
    return with_s(word) if regular else None


def third_person(word: str) -> str | None:
    """``he ...s``."""
    return with_s(word) if word not in ("be", "have") else None


def past(word: str) -> str | None:
    """Past and participle of a regular verb."""
    if word in IRREGULAR_VERBS:
        return None
    if word.endswith("e"):
        return word + "d"
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return word[:-1] + "ied"
    return _doubled(word) + "ed"


def gerund(word: str) -> str | None:
    """``...ing``."""
    if word.endswith("ie"):
        return word[:-2] + "ying"
    return (
        word[:-1] if word.endswith("e") and word != "be" and not word.endswith(("ee", "oe", "ye")) else _doubled(word)
    ) + "ing"


def forms_of(word: str) -> Iterator[tuple[str, frozenset[str], Inflect]]:
    """(lemma, parts of speech, how to inflect another like it) for all that a word may be a form of."""
    yield word, ALL, str
    endings: tuple[tuple[str, str, Inflect, tuple[str, ...]], ...] = (
        ("s", "n", plural, ("", "es:", "ies:y")),
        ("s", "v", third_person, ("", "es:", "ies:y")),
        ("ed", "v", past, ("", "ed:e", "ied:y", "2")),
        ("ing", "v", gerund, ("", "ing:e", "ying:ie", "2")),
    )
    for ending, part, inflect, rules in endings:
        if word.endswith(ending):
            for lemma in dict.fromkeys(_lemma(word, ending, rule) for rule in rules):
                if len(lemma) > 1 and inflect(lemma) == word:
                    yield lemma, frozenset(part), inflect


def _lemma(word: str, ending: str, rule: str) -> str:
    old, _, new = rule.partition(":")
    if rule == "2":  # stopped
        return word[: -len(ending) - 1]
    if not old:
        return word[: -len(ending)]
    return word[: -len(old)] + new if word.endswith(old) else ""


def _doubled(word: str) -> str:
    return word + word[-1] if _SHORT.match(word) else word
