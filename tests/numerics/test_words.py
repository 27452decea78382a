"""What counts as a word."""

from __future__ import annotations

import pytest

from augmint.numerics.texts import words_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" ?!... \n", []),
        ("The cat's out, 3 times!", ["the", "cat", "s", "out", "3", "times"]),
        ("snake_case_word", ["snake", "case", "word"]),
        ("\ufb01ne \uff21\uff22\uff23 straße STRASSE", ["fine", "abc", "strasse", "strasse"]),
        ("Cafe\u0301 = café", ["café", "café"]),
        ("我想吃披萨 now", ["我", "想", "吃", "披", "萨", "now"]),
        ("カメラ", ["カ", "メ", "ラ"]),
        ("안녕 세상", ["안녕", "세상"]),
        ("Привет, МИР", ["привет", "мир"]),
        ("กิน", ["กิ", "น"]),
        ("दिन दान", ["दिन", "दान"]),
        ("தமிழ்", ["தமிழ்"]),
        ("كِتَاب", ["كِتَاب"]),
        ("x\u0332y z\u0332", ["x\u0332y", "z\u0332"]),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words_of(text) == expected
