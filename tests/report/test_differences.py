"""Word by word: what was kept, gone and new; how texts and their families stand on the page."""

from __future__ import annotations

import difflib
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_reports import HOSTILE
from test_page import Page

from augmint.report.differences import MOST, Compared, Match, Piece, compared, excerpt
from augmint.report.facts import Rejection, Report, Shown, Strip
from augmint.report.names import printable
from augmint.report.page import render

WORDS = st.lists(
    st.sampled_from(["the", "a", "good", "film,", ".", "don't", "it's", "(", "so", ")", "naïve", "映画", "👍"]),
    max_size=12,
)


def text(name: str, *texts: str, columns: tuple[str, ...] = ("",)) -> Shown:
    return Shown(name, texts=tuple(zip(columns, texts, strict=True)))


def family(parent: str, child: str) -> Strip:
    return Strip(text("syn-1", child), ((text("data:1", parent), 1.0),), "cat")


def differences(old: str, new: str) -> list[Piece]:
    return Match(old, new).pieces()


def kinds(pieces) -> list[tuple[str, str]]:
    return [(piece.kind, piece.text) for piece in pieces]


def test_one_word_by_hand():
    assert kinds(differences("a good film, really", "a fine film, really")) == [
        ("kept", "a"), ("gone", " good"), ("new", " fine"), ("kept", " film, really"),
    ]  # fmt: skip
    assert kinds(differences("not bad", "bad")) == [("gone", "not"), ("kept", "bad")]
    assert kinds(differences("bad", "so bad!")) == [("new", "so"), ("kept", " bad"), ("new", "!")]
    assert kinds(differences("it isn't", "it is")) == [("kept", "it"), ("gone", " isn't"), ("new", " is")]
    assert differences("", "") == [] and kinds(differences("same", "same")) == [("kept", "same")]


@settings(max_examples=200, deadline=None)
@given(WORDS, WORDS)
def test_kept_and_new_are_the_child_kept_and_gone_the_parent(old, new):
    a, b = " ".join(old), " ".join(new)
    pieces = differences(a, b)
    assert "".join(piece.text for piece in pieces if piece.kind != "gone") == b
    words = [word for piece in pieces if piece.kind != "new" for word in piece.text.split()]
    assert "".join(words) == "".join(a.split())
    assert all(piece.text for piece in pieces)


@settings(max_examples=50, deadline=None)
@given(WORDS, WORDS)
def test_likeness_is_difflibs_ratio_of_words(old, new):
    a, b = (re.findall(r"\w+(?:['-]\w+)*|[^\w\s]", " ".join(words)) for words in (old, new))
    assert Match(" ".join(old), " ".join(new)).share == difflib.SequenceMatcher(None, a, b, autojunk=False).ratio()


def test_a_child_is_compared_with_the_parent_that_is_most_like_it():
    parents = ((text("data:1", "what time is it"), 0.5), (text("data:2", "play some old jazz"), 0.5))
    found = compared(Strip(text("syn-1", "play some new jazz"), parents, "cat"))
    assert [one.parent for one in found] == ["data:2"] and ("gone", " old") in kinds(found[0].pieces)


def test_a_child_unlike_its_parents_is_shown_as_it_is():
    found = compared(family("what time is it", "play some new jazz"))
    assert found == [Compared("", (Piece("new", "play some new jazz"),))]
    assert compared(Strip(text("syn-1", "a b"), ((Shown("base:dogs"), 1.0),), "cat"))[0].parent == ""


def test_texts_of_a_pair_are_compared_column_by_column():
    columns = ("premise", "hypothesis")
    parent = text("data:1", "a man eats", "he is hungry", columns=columns)
    found = compared(Strip(text("syn-1", "a man sleeps", "he is hungry", columns=columns), ((parent, 1.0),), "cat"))
    assert [one.column for one in found] == list(columns)
    assert kinds(found[0].pieces) == [("kept", "a man"), ("gone", " eats"), ("new", " sleeps")]
    assert kinds(found[1].pieces) == [("kept", "he is hungry")]


def test_long_texts_are_short_on_the_page_and_cost_little():
    old = " ".join(f"word{i % 97}" for i in range(200_000))
    begun = time.perf_counter()
    new = old.replace("word40 word41", "word40 CHANGED word41", 1)
    found = compared(family(old, new))[0]
    assert ("new", " CHANGED") in kinds(found.pieces)
    assert sum(len(piece.text) for piece in found.pieces) < 400 < MOST
    assert len(excerpt(old)) < 720 and excerpt(old).endswith("\N{HORIZONTAL ELLIPSIS}") and excerpt("short") == "short"
    assert time.perf_counter() - begun < 5


def test_lines_and_tabs_are_marked():
    assert excerpt("one\r\n\n two\tthree\n") == "one \N{RETURN SYMBOL} two three"


def page_of(strip: Strip) -> str:
    rows = (Rejection(strip, "novelty", 0.1, 0.3),)
    return render(Report("Report", "0", strips=(strip,), strips_total=1, rejections=rows, rejections_total=1))


def test_a_family_is_on_the_page_with_marks_that_need_no_colour():
    page = page_of(family("a good film", "a fine film"))
    assert '<del><span class="unseen" dir="ltr">left out: </span>good</del>' in page
    assert '<ins><span class="unseen" dir="ltr">put in: </span>fine</ins>' in page
    assert "a good film" in page and "data:1" not in page and "<img" not in page
    assert "del { " in page and "line-through" in page and "ins { " in page and "underline" in page
    assert page.count("syn-1") == 2 and "needed 0.3" in page  # among the minted and among the rejected
    assert 'a <del><span class="unseen" dir="ltr">left out: </span>good</del> <ins>' in page  # never two words in one


def test_hostile_texts_stay_text():
    clean, hostile = (Page(page_of(family(f"a good {word} film", f"a {word} fine film"))) for word in ("word", HOSTILE))
    assert [tag for tag, _ in clean.tags if tag in ("img", "script")] == []
    assert {tag for tag, _ in hostile.tags} == {tag for tag, _ in clean.tags}
    assert "onerror" in "".join(hostile.text)


def test_words_of_all_scripts_are_whole():
    for words in ("हिन्दी में", "cafe\u0301 noir", "שָׁלוֹם עולם"):
        first, second = words.split()
        assert kinds(differences(words, f"{first} x")) == [("kept", first), ("gone", f" {second}"), ("new", " x")]


@pytest.mark.parametrize(
    ("old", "new"),
    [("." * 4000, ("." * 50 + "a ") * 80), ("0 1 " * 1000, "0 1 0 " * 660), ("x = f(a);\n" * 300, "y = f(b);\n" * 300)],
)
def test_the_same_word_a_thousand_times_takes_no_minutes(old, new):
    pieces = differences(old, new)
    assert "".join(piece.text for piece in pieces if piece.kind != "gone") == new
    assert "".join(piece.text for piece in pieces if piece.kind == "gone") in old


def test_direction_is_the_texts_own():
    page = page_of(family("סרט טוב", "סרט רע"))
    assert '<span class="unseen" dir="ltr">put in: </span>' in page  # dir="auto" passes over what has its own


def test_spaces_and_marks_of_all_scripts_are_shown():
    text = "Bon\u00a0! \u3053\u3000\u308c soft\u00adhyphen \u200f \u200b \U0001fae8"
    assert printable(text) == text
    assert printable("a\x07\u2028\u202e\u2066\udcff") == "a" + 5 * "\N{REPLACEMENT CHARACTER}"


def test_joined_letters_stay_joined():
    persian, family_emoji = "می\N{ZERO WIDTH NON-JOINER}روم", "\U0001f468\N{ZERO WIDTH JOINER}\U0001f469"
    page = page_of(family(f"{persian} {family_emoji}", f"{persian} {family_emoji} ok"))
    assert persian in page and family_emoji in page and "\N{REPLACEMENT CHARACTER}" not in page
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in page_of(family("a \N{RIGHT-TO-LEFT OVERRIDE} b", "a b"))
