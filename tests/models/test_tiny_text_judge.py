from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from augmint.core.errors import DataError
from augmint.core.types import Sample
from augmint.models import get_card, load_encoder
from augmint.models.tiny_text_judge import SKETCH, TinyTextJudge, pieces_of, words_of


def test_words() -> None:
    assert words_of("It's 1999, isn\u2019t it?  Caf\u00e9 no. 7!") == [
        "it's", "0000", "isn\u2019t", "it", "?", "caf\u00e9", "no", "0", "!",
    ]  # fmt: skip
    assert words_of("") == words_of("... -- ()") == []


def test_pieces_are_hashes_of_runs_of_letters() -> None:
    # <cat>: <ca cat at> <cat cat> <cat>, seven-odd runs of three to five letters, each once.
    import zlib

    runs = ["<ca", "cat", "at>", "<cat", "cat>", "<cat>"]
    assert pieces_of("cat", 1000) == [zlib.crc32(run.encode()) % 1000 for run in runs]
    assert max(pieces_of("x" * 10_000, 50)) < 50 and len(pieces_of("x" * 10_000, 50)) < 10


@pytest.fixture
def small() -> TinyTextJudge:
    """Two words and two columns; every piece of a word is (0, 1)."""
    vectors = np.array([[1.0, 0.0], [0.6, 0.8]], np.float32)
    pieces = np.tile(np.array([0.0, 1.0], np.float32), (4, 1))
    return TinyTextJudge("small@0", 5, {"cat": 0, "dog": 1}, np.array([1.0, 2.0, 3.0], np.float32), vectors, pieces)


def test_hand_computed_rows(small: TinyTextJudge) -> None:
    rows = small.encode(["cat", "cat dog", "cat cat dog", "cat zebra", ""])
    cat, both, twice, new, none = rows[:, :2] * 2**0.5
    np.testing.assert_allclose(cat, [1, 0], rtol=1e-6)
    length = np.hypot(1 + 1.2, 1.6)
    np.testing.assert_allclose(both, [2.2 / length, 1.6 / length], rtol=1e-6)
    weight = 1 + np.log(2)
    length = np.hypot(weight + 1.2, 1.6)
    np.testing.assert_allclose(twice, [(weight + 1.2) / length, 1.6 / length], rtol=1e-6)
    np.testing.assert_allclose(new, [1 / np.hypot(1, 3), 3 / np.hypot(1, 3)], rtol=1e-6)
    np.testing.assert_allclose(none, [0.5**0.5] * 2, rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-6)


def test_the_sketch_tells_words_apart(small: TinyTextJudge) -> None:
    """Words that mean the same to the vectors, here two unknown ones, have columns of their own."""
    zebra, horse, both, again = small.encode(["zebra", "horse", "zebra horse", "horse zebra"])[:, 2:] * 2**0.5
    assert np.abs(zebra).sum() == pytest.approx(1) == np.abs(horse).sum(), "one column each, plus or minus one"
    assert zebra @ horse == 0
    np.testing.assert_allclose(both, (zebra + horse) / 2**0.5, rtol=1e-6)
    np.testing.assert_allclose(both, again)
    cat_dog = small.encode(["cat dog"])[0, 2:] * 2**0.5
    assert sorted(np.abs(cat_dog[cat_dog != 0])) == pytest.approx([1 / 5**0.5, 2 / 5**0.5]), "weighted by idf 1 and 2"


def test_pairs_keep_their_order_and_long_texts_are_cut(small: TinyTextJudge) -> None:
    ab, ba = small.encode([Sample("", {"a": "cat", "b": "dog"}), Sample("", {"a": "dog", "b": "cat"})])
    cat, dog = small.encode(["cat", "dog"])
    turned = cat + np.roll(dog, len(dog) // 2)
    np.testing.assert_allclose(ab, turned / np.linalg.norm(turned), rtol=1e-6)
    assert not np.allclose(ab, ba)
    a, b = small.encode(["cat " * 5, "cat " * 5 + "dog"])
    assert np.array_equal(a, b) and small.space == "small@0/5"
    with pytest.raises(DataError, match="3 texts"):
        small.encode([Sample("", {"a": "x", "b": "y", "c": "z"})])
    with pytest.raises(DataError, match="put it in a list"):
        small.encode("cat")
    assert small.encode([]).shape == (0, 2 + SKETCH)


def test_the_embedded_one() -> None:
    encoder, card = load_encoder("tiny-text-judge"), get_card("tiny-text-judge")
    texts = [
        "book a table at a restaurant",
        "reserve a restaurant for dinner",
        "stocks fell on wall street",
        "",
        "\U0001f642",
    ]
    rows = encoder.encode(texts)
    assert rows.shape == (5, card.space.dims) and rows.dtype == np.float32 and np.isfinite(rows).all()
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.1
    assert rows.tobytes() == np.concatenate([encoder.encode([text]) for text in texts]).tobytes()
    assert card.weights.bytes <= 5_000_000


def test_it_needs_neither_transformers_nor_minilm() -> None:
    code = (
        "import sys, augmint as am; am.load_encoder('tiny-text-judge').encode(['a sentence']);"
        "print([name for name in ('transformers', 'tokenizers', 'sklearn') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
