"""Cells of a text: what is hidden, and that all that is not stays as it is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("transformers")

from augmint.numerics.texts import script_of
from augmint.rewriters.slots import WORD, Slots, cased, same_stem, slots_of, starts_like
from masked_models import LINES, model

MODELS = {family: model(family) for family in ("bert", "roberta", "deberta")}
ODD = "  The  “old”cat's\tgreat-aunt (ANNA) sat, on 3rd mat…\n\nécole  lighthouse ! "


def slots(text: str, family: str = "bert", head: tuple[int, ...] = ()) -> Slots:
    return slots_of(MODELS[family], [text], [list(head)])[0]


def word_cells(own: Slots) -> list[str]:
    return [own[cell] for cell in own.words]


@pytest.mark.parametrize("family", MODELS)
def test_words_are_found_with_their_pieces(family: str) -> None:
    own = slots(ODD, family)
    wanted = ["The", "old", "cat", "great", "aunt", "ANNA", "sat", "on", "3rd", "mat", "école", "lighthouse"]
    assert [word for word in word_cells(own) if word != "s"] == wanted, (
        "the s of cat's may be a token with its apostrophe"
    )
    assert [own[cell] for cell in own.plain] == [
        "old",
        "cat",
        "great",
        "aunt",
        "ANNA",
        "sat",
        "mat",
        "école",
        "lighthouse",
    ]
    tokens, places = own.tokens()
    assert tokens == MODELS[family].cut([ODD])[0][0] and not places
    cell = own.words[-1]
    hidden, places = own.tokens({cell: [MODELS[family].mask]})
    assert hidden[places[cell]] == MODELS[family].mask
    assert len(hidden) == len(tokens) - len(own.cells[cell]) + 1, "one mask for a word of several pieces"


def test_marks_belong_to_the_letter_before_them() -> None:
    assert WORD.findall("cafe\u0301 re\u0301sume\u0301s") == ["cafe\u0301", "re\u0301sume\u0301s"]
    assert WORD.findall("यह फिल्म बहुत अच्छी थी") == ["यह", "फिल्म", "बहुत", "अच्छी", "थी"]


def test_without_spaces_each_character_is_a_word() -> None:
    assert WORD.findall("GPT模型, don't です") == ["GPT", "模", "型", "don't", "で", "す"]
    assert script_of("模") == "CJK" and script_of("で") == "HIRAGANA" and script_of("éa") == script_of("-Ab") == "LATIN"
    assert script_of("फिल्म") == "DEVANAGARI" and script_of("3!") == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("visit https://www.example.com/help today", "visit today"),
        ("write to jane.doe@mail.org, please", "write to please"),
        ("open report_final.csv in /home/user/docs now", "open in now"),
        ("see www.pic.blog or example.com", "see or"),
        ("good #food and @anna (#fun)", "good and"),
        ("a <a href='x'>link</a> here", "a link here"),
        ("this and/or that: e.g. ends.", "this and or that ends"),
        ("cats & dogs, x < y > z", "cats dogs"),
    ],
)
def test_addresses_names_of_files_and_tags_stay(text: str, words: str) -> None:
    own = slots(text, "bert")
    assert [own[cell] for cell in own.words if len(own[cell]) > 1 or own[cell] == "a"] == words.split()


@pytest.mark.parametrize("family", MODELS)
def test_only_the_word_changes(family: str) -> None:
    own = slots(ODD, family)
    by_word = {own[cell]: cell for cell in own.words}
    own.put(by_word["ANNA"], "boris", 5)
    own.put(by_word["The"], "every", 6)
    own.put(by_word["cat"], "dog", 7)
    own.put(own.insert(by_word["mat"]), "red", 8)
    assert own.rebuilt() == "  Every  “old”dog's\tgreat-aunt (BORIS) sat, on 3rd red mat…\n\nécole  lighthouse ! "
    assert 8 in own.tokens()[0]


@settings(max_examples=60, deadline=None)
@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60), st.sampled_from(sorted(MODELS)), st.data()
)
def test_any_text_is_rebuilt_and_one_change_touches_one_word(text: str, family: str, data: st.DataObject) -> None:
    own = slots(text, family)
    assert own.rebuilt() == text
    if own.words:
        cell = data.draw(st.sampled_from(own.words))
        start, end = own.at[cell]
        own.put(cell, "word", 9)
        assert own.rebuilt() == text[:start] + cased("word", text[start:end]) + text[end:]


def test_what_was_not_read_is_left_alone() -> None:
    text = "cat mat " * 100
    own = slots(text)
    assert len(own.words) == 98, "two marks"
    own.put(own.words[-1], "dog", 9)
    assert own.rebuilt() == text[: 97 * 4] + "dog" + text[97 * 4 + 3 :]
    half = slots("cat " * 97 + "lighthouse")
    assert word_cells(half) == ["cat"] * 97, "half of the last word was read"


def test_a_head_stands_behind_the_opening_mark() -> None:
    plain, told = slots(LINES[0]).tokens()[0], slots(LINES[0], head=(7, 8)).tokens()[0]
    assert told == [plain[0], 7, 8, *plain[1:]]


def test_capitals_and_articles() -> None:
    assert [cased("boat", old) for old in ("car", "Car", "CAR", "I", "McX")] == ["boat", "Boat", "BOAT", "Boat", "Boat"]
    assert (
        starts_like("apple", "an") and starts_like("boat", "A") and starts_like("apple", "the") and starts_like("b", "")
    )
    assert not starts_like("apple", "a") and not starts_like("boat", "An")


def test_forms_of_one_word() -> None:
    for word, other in (
        ("take", "taken"),
        ("provide", "providing"),
        ("happen", "happened"),
        ("cat", "cats"),
        ("news", "new"),
    ):
        assert same_stem(word, other) and same_stem(other, word)
    for word, other in (
        ("play", "place"),
        ("built", "constructed"),
        ("go", "going"),
        ("terrible", "terrific"),
        ("", "cat"),
    ):
        assert not same_stem(word, other)
