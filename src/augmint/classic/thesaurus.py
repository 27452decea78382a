"""Synonyms by word: the list that ships with augmint, a list or a WordNet of the user's, or nltk's.

Of a WordNet, the first (most frequent) sense of each part of speech is read, and single words only. Files:

- lines ``word<TAB>synonym, synonym`` in UTF-8, ``#`` for remarks; ``.gz`` or not;
- JSON of ``{"synsets": [[pos, [lemma, ...], ...], ...], "lemmas": {lemma: {pos: [synset, ...]}}}``; ``.gz`` or not;
- the folder of a WordNet database (``index.noun``, ``data.noun`` and so on: Fellbaum 1998, wndb(5WN)).
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from augmint.classic.inflections import forms_of
from augmint.core.errors import DataError, ModelError, UsageError

OWN = Path(__file__).with_name("thesaurus_en.txt.gz")
PARTS = {"noun": "n", "verb": "v", "adj": "a", "adv": "r"}
"""Parts of speech by their names in a WordNet database."""

Entries = Mapping[str, Sequence[tuple[str, Sequence[str]]]]
"""Of each word: part of speech ("" where that is not known) and its synonyms."""


@dataclass(frozen=True)
class Thesaurus:
    """Synonyms by word.

    Attributes:
        entries: of each word in small letters.
        sha256: of what was read.
    """

    entries: Entries
    sha256: str

    def synonyms(self, word: str) -> tuple[str, ...]:
        """Others for a word in small letters, in the same form (plural, past), where that is a regular one."""
        found: dict[str, None] = {}
        for lemma, parts, inflect in forms_of(word):
            for part, others in self.entries.get(lemma, ()):
                if part in parts or not (part or lemma != word):
                    found |= dict.fromkeys(other for other in map(inflect, others) if other)
        found.pop(word, None)
        return tuple(found)


def load_thesaurus(name: str) -> Thesaurus | None:
    """The thesaurus of a name: auto (augmint's own, English), none, nltk, or a path.

    Raises:
        UsageError: no such file or folder.
        DataError: a file that is none of the three kinds.
        ModelError: nltk or its data are not installed.
    """
    if name == "none":
        return None
    if name == "nltk":
        return _nltk()
    return read_thesaurus(OWN if name == "auto" else Path(name))


@cache
def read_thesaurus(path: Path) -> Thesaurus:
    """The thesaurus of a file or folder; raises what :func:`load_thesaurus` does."""
    try:
        if path.is_dir():
            return _database(str(path), lambda name: (path / name).read_bytes())
        data = path.read_bytes()
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8-sig")
    except OSError as error:
        raise UsageError(
            f"thesaurus {path}: {error.strerror or error}",
            expected="a file or folder with synonyms, or one of: auto, none, nltk",
            do="correct the path",
            code="missing-path",
        ) from error
    except (UnicodeDecodeError, EOFError, zlib.error) as error:
        raise _unknown(path, str(error)) from error
    entries = _wordnet_json(path, text) if text.lstrip()[:1] == "{" else _lines(path, text)
    return Thesaurus(entries, hashlib.sha256(data).hexdigest())


def _lines(path: Path, text: str) -> Entries:
    entries: dict[str, list[tuple[str, list[str]]]] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        word, tab, rest = line.rstrip("\r").partition("\t")
        others = [other.strip() for other in rest.split(",") if other.strip()]
        if not tab or not word.strip() or not others:
            raise _unknown(path, f"line {number}: {line[:60]!r}")
        entries.setdefault(word.strip().lower(), []).append(("", others))
    return entries


def _wordnet_json(path: Path, text: str) -> Entries:
    try:
        found = json.loads(text)
        synsets, lemmas = found["synsets"], found["lemmas"]
        senses = ((lemma, pos, synsets[at[0]][1]) for lemma, parts in lemmas.items() for pos, at in parts.items() if at)
        return _single_words(senses)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise _unknown(path, f"{type(error).__name__}: {error}") from error


def _database(where: str, read: Callable[[str], bytes]) -> Thesaurus:
    """Of each line in ``index.*``, the first synset: they are in the order of their frequency."""
    senses: list[tuple[str, str, Sequence[str]]] = []
    digest = hashlib.sha256()
    for name, pos in PARTS.items():
        index, data = read(f"index.{name}"), read(f"data.{name}")
        digest.update(index)
        digest.update(data)
        for number, line in enumerate(index.decode("utf-8").split("\n"), 1):
            if line.strip() and not line.startswith(" "):  # lemma pos synset_cnt ... synset_offset [synset_offset...]
                fields = line.split()
                try:
                    senses.append((fields[0], pos, _members(data, int(fields[-int(fields[2])]))))
                except (ValueError, IndexError) as error:
                    raise _unknown(f"{where}/index.{name}", f"line {number}: {line[:60]!r}") from error
    return Thesaurus(_single_words(senses), digest.hexdigest())


def _members(data: bytes, offset: int) -> list[str]:
    """Lemmas of the synset at a byte of ``data.*``: ``offset lex_filenum ss_type w_cnt word lex_id ...``."""
    fields = data[offset : data.index(b"\n", offset)].decode("utf-8").split()
    if int(fields[0]) != offset:
        raise ValueError(f"{fields[0]} at byte {offset}")
    return [word.partition("(")[0].replace("_", " ") for word in fields[4 : 4 + 2 * int(fields[3], 16) : 2]]


@cache
def _nltk() -> Thesaurus:
    """nltk's copy of a WordNet database, unpacked or not."""
    try:
        from nltk.data import find

        try:
            root = find("corpora/wordnet")
        except LookupError:
            root = find("corpora/wordnet.zip/wordnet/")
    except (ImportError, LookupError) as error:
        raise ModelError(
            "thesaurus nltk, " + ("whose WordNet is not there" if isinstance(error, LookupError) else "not installed"),
            expected="nltk and its copy of WordNet",
            do="pip install nltk, and python -m nltk.downloader wordnet; or leave the thesaurus out",
            code="missing-extra",
        ) from error

    def read(name: str) -> bytes:
        with root.join(name).open() as stream:
            found: bytes = stream.read()
        return found

    return _database("nltk", read)


def _single_words(senses: Iterable[tuple[str, str, Sequence[str]]]) -> Entries:
    """Entries of the lemmas that are one word in small letters, and have another such word beside them."""
    entries: dict[str, list[tuple[str, list[str]]]] = {}
    for lemma, pos, members in senses:
        others = [word for word in _plain(members) if word != lemma]
        if others and lemma.isalpha() and lemma.islower():
            entries.setdefault(lemma, []).append((pos, others))
    return entries


def _plain(words: Iterable[str]) -> Iterator[str]:
    return (word for word in words if word.isalpha() and word.islower())


def _unknown(path: Path | str, why: str) -> DataError:
    return DataError(
        f"thesaurus {path}: {why}",
        expected="lines of 'word<TAB>synonym, synonym', JSON with synsets and lemmas, or a WordNet database's folder",
        do="correct the file, or leave the thesaurus out",
        code="thesaurus",
    )
