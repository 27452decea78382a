"""Sentences for tiny-text: wikitext-2 (validation and test parts), AG news, and lines made of WordNet's relations.

Nothing here reads SST-2, TREC, SNIPS or BANKING77: benchmarks score on them. The last tenth of each source is held out.
"""

from __future__ import annotations

import gzip
import html
import json
import random
import re
from pathlib import Path

HELD_OUT = 0.1
PIECE = 45
"""Words of a training text: sentences of one source in a row, up to about so many."""


def read(folder: Path) -> dict[str, list[str]]:
    """Texts of each source, in the source's order."""
    wiki = [line for part in ("valid", "test") for line in wikitext(folder / f"wikitext2_{part}.txt.gz")]
    return {"wikitext": wiki, "agnews": agnews(folder / "agnews_from_test_7600.jsonl.gz")}


def split(texts: list[str]) -> tuple[list[str], list[str]]:
    """Training texts and held-out texts, which are the last: whole articles in the case of wikitext."""
    cut = round(len(texts) * (1 - HELD_OUT))
    return texts[:cut], texts[cut:]


def wikitext(path: Path) -> list[str]:
    """Runs of sentences of wikitext's paragraphs, its marks for hyphens and commas undone."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        lines = [line.strip() for line in file]
    texts = []
    for line in lines:
        if line and not line.startswith("="):
            line = line.replace(" @-@ ", "-").replace(" @,@ ", ",").replace(" @.@ ", ".").replace("<unk>", "[UNK]")
            texts += runs(re.split(r"(?<= [.?!]) ", line))
    return [text for text in texts if text.count("[UNK]") < 4]


def runs(sentences: list[str]) -> list[str]:
    """Sentences in a row joined until PIECE words are reached, every third left alone: users' texts are short."""
    texts: list[list[str]] = []
    for i, sentence in enumerate(sentences):
        full = not texts or i % 3 == 0 or sum(len(text.split()) for text in texts[-1]) + len(sentence.split()) > PIECE
        if full:
            texts.append([sentence])
        else:
            texts[-1].append(sentence)
    return [" ".join(text) for text in texts]


def agnews(path: Path) -> list[str]:
    """Headline and first lines, the remains of HTML undone."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line)["text"] for line in file]
    return [plain(row) for row in rows]


def plain(text: str) -> str:
    """``Kitten #39;s \\$2`` -> ``Kitten's $2``, tags and doubled spaces dropped."""
    text = re.sub(r" ?#(\d+);", lambda match: chr(int(match[1])), text.replace("\\", " ").replace(" $", " $"))
    text = html.unescape(re.sub(r"(?<![&\w])(quot|amp|lt|gt);", r"&\1;", text))
    return " ".join(re.sub(r"<[^>]*>", " ", text).split())


FORMS = (
    "a {word} is a kind of {kind} .",
    "what is a {word} ? it is a {kind} .",
    "{word} and {sister} are both {kind} .",
    "which {kind} do you like , {word} or {sister} ?",
    "the {word} , like any {kind} , and the {sister} .",
    "show me a {kind} such as {word} or {sister} .",
)
"""Lines that name a noun, one of its hypernyms and another noun below that: questions and requests among them."""


def relations(path: Path, count: int, rng: random.Random) -> list[str]:
    """Lines made of random nouns of WordNet; proper names, phrases and what has no sister are left out."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        synsets = json.load(file)["synsets"]
    words = [[lemma for lemma in lemmas if lemma.isalpha() and lemma.islower()] for _, lemmas, _ in synsets]
    below: dict[int, list[int]] = {}
    for number, (part, _, above) in enumerate(synsets):
        for parent in above:
            if part == "n" and words[number] and words[parent]:
                below.setdefault(parent, []).append(number)
    parents = sorted(parent for parent, children in below.items() if len(children) > 1)
    lines = []
    for parent in rng.choices(parents, k=count):
        one, other = rng.sample(below[parent], 2)
        form = rng.choice(FORMS)
        lines.append(form.format(word=words[one][0], sister=words[other][0], kind=words[parent][0]))
    return lines
