"""ClassicText: laws, EDA's counts against a reference, spans, forms of words, the two uses of one set of strengths."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import eda_reference as reference
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augmint.checks import check_rewriter
from augmint.classic import TABLE, wording
from augmint.classic.text import ClassicText
from augmint.classic.text_strengths import TEXT_PRESETS
from augmint.classic.wording import STOP_WORDS
from augmint.classic.words import Words
from augmint.core.errors import DataError, UsageError
from augmint.core.registry import build
from augmint.core.types import Sample

NOTHING = {"synonyms": 0, "insert": 0, "swap": 0, "delete": 0, "spelling": 0, "case": 0, "punctuation": 0}
TEXTS = [
    'The good movie, which we saw (yesterday), was funny and "great".', "a gorgeous , witty , seductive movie .",
    "What is the capital of Germany?", "I lost my card! What should I do?", "Wörter mit Ümläuten bleiben heil.",
    "हिन्दी में एक वाक्य", "我喜欢披萨", "Love ❤️ it 👍🏽 so much", "one", "", "  \n", "?!", "naïve e\u0301tude",
]  # fmt: skip


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def child(text: str, seed: int = 0, spans: tuple = (), **options) -> Sample:
    return ClassicText(**options).rewrite([Sample("a", text, spans=spans)], [generator(seed)])[0]


def only(operation: str, share: float) -> dict[str, float]:
    return {**NOTHING, operation: share}


@pytest.mark.parametrize("preset", TEXT_PRESETS)
def test_laws(preset):
    samples = [Sample(f"{i}", text, target=f"class {i % 2}", raw=b"x") for i, text in enumerate(TEXTS)]
    pair = Sample("p", {"premise": TEXTS[0], "hypothesis": TEXTS[1]}, target="class 0", spans=((4, 8, "X", "premise"),))
    check_rewriter(lambda: ClassicText(preset), [*samples, pair])


def test_it_is_in_the_table_for_text_alone():
    made = build("classic", "method", TABLE, "classic-text", {"preset": "light"})
    assert isinstance(made, ClassicText) and made.modalities == {"text"} and not made.model_kinds


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.integers(0, 99), st.booleans())
def test_no_strength_gives_the_text_back(text, seed, one):
    assert child(text, seed, one=one, **NOTHING).content == text


@pytest.fixture
def pages(tmp_path) -> str:
    """A thesaurus that knows the words w0, w1, ... and no others."""
    lines = "".join(f"word{i}\tother{i}, another{i}\n" for i in range(40))
    (tmp_path / "pages.txt").write_text(f"# remark\n\n{lines}", encoding="utf-8")
    return str(tmp_path / "pages.txt")


@pytest.mark.parametrize("length", [1, 2, 5, 10, 19, 20, 35])
@pytest.mark.parametrize("operation", ["synonyms", "insert", "swap", "delete"])
def test_as_many_words_are_changed_as_by_the_reference(operation, length, pages):
    words = [f"word{i}" for i in range(length)]

    def synonyms(word: str) -> list[str]:
        return [word.replace("word", "other"), word.replace("word", "another")] if "word" in word else []

    runs = 200
    dice = random.Random(0)
    steps = {
        "synonyms": lambda: reference.replace(words, 0.1, synonyms, dice),
        "insert": lambda: reference.insert(words, 0.1, synonyms, dice),
        "swap": lambda: reference.swap(words, 0.1, dice) if length > 1 else words,
        "delete": lambda: reference.delete(words, 0.1, dice),
    }
    theirs = [steps[operation]() for _ in range(runs)]
    rewriter = ClassicText(thesaurus=pages, **only(operation, 0.1))
    sample = Sample("a", " ".join(words))
    ours = [made.content.split(" ") for made in rewriter.rewrite([sample] * runs, [generator(i) for i in range(runs)])]

    def kept(made: list[str]) -> tuple[int, int]:
        same = sum(a == b for a, b in zip(made, words, strict=False)) if len(made) == length else -1
        return len(made), same

    changed = [made for made in theirs if made != words]  # a draw that changes nothing is drawn again by us
    if operation == "delete":
        lengths = [np.mean([len(made) for made in side if made != words] or [length]) for side in (ours, theirs)]
        assert abs(lengths[0] - lengths[1]) < 0.15 + 0.02 * length
        assert min(map(len, ours)) >= 1
        return
    assert {kept(made) for made in ours if made != words} <= {kept(made) for made in changed} | {kept(words)}
    if operation != "swap":
        assert Counter(map(kept, ours)) == Counter(map(kept, theirs))


def test_eda_goes_through_one_of_its_four_operations_drawn_evenly(pages):
    words = [f"word{i}" for i in range(20)]
    sample = Sample("a", " ".join(words))
    runs = 600
    made = ClassicText("eda", thesaurus=pages).rewrite([sample] * runs, [generator(i) for i in range(runs)])
    kinds = Counter()
    for one in made:
        new = one.content.split(" ")
        kinds["insert" if len(new) > 20 else "delete" if len(new) < 20 else
              "swap" if sorted(new) == sorted(words) else "synonyms"] += 1  # fmt: skip
    assert set(kinds) == {"insert", "delete", "swap", "synonyms"}
    assert all(abs(count - runs / 4) < 4 * (runs * 3 / 16) ** 0.5 for count in kinds.values()), kinds


def test_a_word_that_stands_twice_is_replaced_twice_in_its_own_capitals(tmp_path):
    pages = tmp_path / "t.txt"
    pages.write_text("film\tmovie\n", encoding="utf-8")
    made = child('Film, film: "FILM"; (films)', thesaurus=str(pages), **only("synonyms", 0.1))
    assert made.content == 'Movie, movie: "MOVIE"; (films)'


def test_a_text_with_nothing_to_change_is_noted():
    samples = [Sample(f"{i}", text) for i, text in enumerate(("one", "A good movie about a dog"))]
    made = ClassicText(**{**NOTHING, "swap": 0.5}).children(samples, [generator(i) for i in range(2)])
    assert made[0].sample.content == "one" and made[0].note.startswith("fallback: ")
    assert made[1].sample.content != samples[1].content and made[1].note == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("list the film(s) shown", "list the film(s) shown"),
        ("the value of f(x) grows", "the value of f(x) grows"),
        ("(s)he will go", "(s)he will go"),
        ("in the U.S. today, e.g. now", "in the U.S. today e.g. now"),
        ("@user1 thanks #now for $5!", "@user1 thanks #now for $5"),
        ("(Don't!) [see (a)] ((both))", "Don't see a both"),
        ("(" * 150_000 + "." + ")" * 150_000 + " x", "x"),  # one step a mark: not a matter of hours
        ("x" + "." * 300_000, "x"),
        ("U." * 100_000, "U." * 100_000),
    ],
)
def test_marks_that_are_a_part_of_a_word_stay_with_it(text, words):
    found = Words.of(text)
    assert [found[i] for i in range(len(found))] == words.split()


def test_articles_follow(tmp_path):
    pages = tmp_path / "t.txt"
    pages.write_text("good\texcellent\nold\tancient\n", encoding="utf-8")
    made = child("A good day, an old one", thesaurus=str(pages), **only("synonyms", 1.0))
    assert made.content == "An excellent day, an ancient one"
    inside = child("A good day", thesaurus=str(pages), spans=((0, 1, "X"),), **only("synonyms", 1.0))
    assert inside.content == "A excellent day"  # what is in a span is not touched


def test_stop_words_stay():
    text = " ".join(sorted(STOP_WORDS))
    assert child(text, **only("synonyms", 1.0)).content == text


@pytest.mark.parametrize(
    ("text", "drop", "left"),
    [
        ("the good movie", "good", "the movie"),
        ("Good movie.", "good", "movie."),
        ("It was good.", "good", "It was."),
        ("It was, good", "good", "It was"),
        ("so good, nice", "nice", "so good"),
        ("a (good) movie", "good", "a movie"),
        ('the "good movie" ended', "good", 'the "movie" ended'),
        ("bad, good, nice", "good", "bad, nice"),
        ("Well, it was", "well", "it was"),
        ("it was good, bad. Nice", "bad", "it was good. Nice"),
        ("a  good\n movie", "good", "a  movie"),
        ("a good , witty one", "good", "a , witty one"),
        ("what 's that", "'s", "what that"),
        ("it is 'so' good", "so", "it is good"),
    ],
)
def test_deletion_leaves_punctuation_in_order(text, drop, left):
    from augmint.classic.words import Words

    words = Words.of(text)
    at = [i for i in range(len(words)) if words[i].lower() == drop]
    assert words.apply(words.removed(at)).text == left


WORDS = ["Ann", "went", "to", "New", "York", "good", "(and", "came)", "back,", "no", "film"]
SPANNED = st.lists(st.sampled_from(WORDS), min_size=1, max_size=9)


@settings(max_examples=300, deadline=None)
@given(SPANNED, st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=4), st.integers(0, 9999))
def test_spans_still_point_at_the_same_text(words, ends, seed):
    text = " ".join(words)
    spans = tuple((min(a, b), max(a, b), f"L{i}") for i, (a, b) in enumerate(ends) if max(a, b) <= len(text))
    for options in ({"preset": "heavy", "punctuation": 0.5, "case": 0.3}, {"preset": "eda"}):
        made = child(text, seed, spans, **options)
        assert [span[2] for span in made.spans] == [span[2] for span in spans]
        for old, new in zip(spans, made.spans, strict=True):
            assert made.content[new[0] : new[1]] == text[old[0] : old[1]]


def test_words_never_change_places_over_a_span():
    text = "a b c Ann Lee d e f"
    for seed in range(50):
        made = child(text, seed, ((6, 13, "PER"),), **only("swap", 0.5))
        left, _, right = made.content.partition("Ann Lee")
        assert sorted(left.split()) == ["a", "b", "c"] and sorted(right.split()) == ["d", "e", "f"]


def test_a_span_over_everything_leaves_the_text_alone():
    text = "a good old film"
    assert child(text, 0, ((0, len(text), "X"),), preset="heavy").content == text


def test_each_part_of_a_pair_is_changed_and_keeps_its_own_spans():
    content = {"q": "where is the old man now", "context": "the old man is in York now"}
    spans = ((13, 20, "A", "q"), (18, 22, "B", "context"), (0, 5, "C"))
    sample = Sample("a", content, spans=spans)
    made = ClassicText(**only("delete", 0.4)).rewrite([sample], [generator(3)])[0]
    assert list(made.content) == ["q", "context"] and all(made.content[key] != content[key] for key in content)
    texts = [made.content[column][start:end] for start, end, _, column in [*made.spans[:2], (*made.spans[2], "q")]]
    assert texts == ["old man", "York", "where"] and [span[2] for span in made.spans] == ["A", "B", "C"]


@pytest.mark.parametrize("span", [(0, 99, "X"), (-1, 2, "X"), (2, 1, "X"), (0.0, 1, "X"), ("0", "1"), 3, (True, 2)])
def test_a_span_outside_the_text_is_an_error(span):
    with pytest.raises(DataError, match="span"):
        child("a good film", 0, (span,))


def test_a_span_of_an_unknown_column_is_an_error():
    sample = Sample("a", {"q": "a b", "r": "c d"}, spans=((0, 1, "X", "s"),))
    with pytest.raises(DataError, match="one of the columns q, r"):
        ClassicText().rewrite([sample], [generator()])


def test_a_picture_is_an_error():
    with pytest.raises(DataError):
        ClassicText().rewrite([Sample("a", np.zeros((2, 2), np.uint8))], [generator()])


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=80), st.integers(0, 999), st.sampled_from(sorted(TEXT_PRESETS)))
def test_any_text_is_taken(text, seed, preset):
    made = child(text, seed, preset=preset, case=0.2, punctuation=0.2)
    assert type(made.content) is str
    assert any(map(str.isalnum, made.content)) == any(map(str.isalnum, text))


def test_a_misspelling_is_one_slip_after_the_first_letter():
    for seed in range(200):
        made = child("restaurant", seed, preset="spelling").content
        assert made[0] == "r" and made != "restaurant" and abs(len(made) - 10) <= 1
        assert sum(a != b for a, b in zip(made, "restaurant", strict=False)) <= 10


def test_combining_marks_stay_with_their_letters():
    text = "e\u0301tude ce\u0301le\u0301brer"
    for seed in range(100):
        made = child(text, seed, preset="spelling", spelling=1.0).content
        assert made.count("e\u0301") == text.count("e\u0301")


def test_the_transform_changes_each_text_and_takes_nothing_from_a_global_generator():
    rewriter = ClassicText("eda")
    change = rewriter.transform()
    batch = [TEXTS[0]] * 4
    made = change(batch, generator(1))
    assert made == change(batch, generator(1)) and len(set(made)) > 1 and len(made) == 4
    assert batch == [TEXTS[0]] * 4
    assert ClassicText(**NOTHING).transform()(TEXTS, generator()) == TEXTS
    pair = {"premise": TEXTS[0], "hypothesis": TEXTS[1]}
    first, second = change([pair, TEXTS[0]], generator(2))
    assert list(first) == list(pair) and all(first[key] != pair[key] for key in pair) and isinstance(second, str)


def test_a_run_is_told_when_there_are_no_synonyms():
    samples = [Sample("a", "Wörter mit Umlauten bleiben heil"), Sample("b", "und noch mehr davon")]
    assert "no thesaurus" in ClassicText(thesaurus="none").fit(samples, generator()).told()[0]
    assert "knows 0 % of the words" in ClassicText().fit(samples, generator()).told()[0]
    assert ClassicText("spelling").fit(samples, generator()).told() == []
    english = [Sample("a", "The movie was funny, the country is beautiful and the city large.")]
    assert ClassicText().fit(english, generator()).told() == []
    assert child("the old movie", **only("synonyms", 0.5), thesaurus="none").content == "the old movie"


def test_another_thesaurus_than_that_of_the_fit_is_refused(tmp_path):
    first, second = tmp_path / "a.txt", tmp_path / "b.txt"
    first.write_text("film\tmovie\n", encoding="utf-8")
    second.write_text("film\tpicture\n", encoding="utf-8")
    state = ClassicText(thesaurus=str(first)).fit([Sample("a", "a film")], generator()).state()
    sample = Sample("a", "a film", target="x")
    assert ClassicText(thesaurus=str(first)).load(state).rewrite([sample], [generator()])[0].content
    with pytest.raises(DataError, match="other content than at the fit"):
        ClassicText(thesaurus=str(second)).load(state).rewrite([sample], [generator()])


WRONG = [{"preset": "strong"}, {"synonyms": 1.5}, {"swap": True}, {"delete": "a"}, {"one": 1}]


@pytest.mark.parametrize("options", WRONG)
def test_options_are_checked(options):
    with pytest.raises(UsageError):
        build("classic", "method", TABLE, "classic-text", options)


def test_a_missing_thesaurus_is_said(tmp_path):
    with pytest.raises(UsageError, match="thesaurus"):
        child("a film", thesaurus=str(tmp_path / "none.txt"))
    assert not Path(tmp_path / "none.txt").exists()


@pytest.mark.parametrize("share", [1e-9, 5e-324])
def test_a_share_of_nearly_nothing_takes_one_word(share):
    """And ends: how often one in a thousand million is drawn again would be felt."""
    words, took = Words.of("one two three"), set()
    for seed in range(20):
        left = words.apply(wording.delete(words, share, np.random.default_rng(seed)))
        assert len(left) == 2
        took |= {"one", "two", "three"} - set(left)
    assert took == {"one", "two", "three"}


@pytest.mark.parametrize("text", ["!!!", " ?", "...", "a!"])
def test_marks_alone_are_not_left_out_to_nothing(text):
    assert child(text, **only("punctuation", 1.0)).content.strip()
