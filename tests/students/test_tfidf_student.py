"""TF-IDF: its rows and its fit are scikit-learn's; what minted rows may teach it, and what they may not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from augmint.checks import example_training
from augmint.core.errors import DataError
from augmint.core.types import Budget, Sample, TrainingSet
from augmint.students import tfidf
from augmint.students.scratch import Scratch
from augmint.students.tfidf import Tfidf

TEXTS = (
    "How did serfdom develop in and then leave Russia ?",
    "What films featured the character Popeye Doyle ?",
    "What is the full form of .com ?",
    "how many Dutch people live in the Netherlands, and how many in Utrecht?",
    "Who developed the first film, the very first?",
    "In what city is the Colosseum",
)


def training(texts: tuple[object, ...], labels: tuple[int, ...], minted: int = 0) -> TrainingSet:
    """Texts with labels; the last so many are minted."""
    n = len(texts)
    samples = tuple(Sample(f"t{i}", text) for i, text in enumerate(texts))
    y = np.eye(2, dtype=np.float32)[list(labels)]
    return TrainingSet(samples, y, np.ones(n, np.float32), np.arange(n) >= n - minted, ("a", "b"))


def fitted(train: TrainingSet, trials: int = 1, **fields: float) -> Tfidf:
    return Tfidf(**fields).fit(train, Budget(500, trials=trials), np.random.default_rng(0))  # type: ignore[arg-type]


def rows(student: Tfidf, texts: tuple[str, ...]) -> np.ndarray:
    return student._rows([student._terms(Sample("", text)) for text in texts]).toarray()


def test_rows_are_scikit_learns() -> None:
    student = fitted(training(TEXTS, (0, 1, 0, 1, 0, 1)))
    model = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\w+").fit(TEXTS)
    assert sorted(student.place_) == sorted(model.vocabulary_)
    order = [student.place_[name] for name in model.get_feature_names_out()]
    for texts in (TEXTS, ("Which film is the first in Russia, in what city?",)):
        np.testing.assert_allclose(rows(student, texts)[:, order], model.transform(texts).toarray(), atol=1e-6)


def test_the_fit_is_scikit_learns() -> None:
    train = example_training("texts", (12, 9, 10), minted=5)
    student = fitted(train, c=3.0)
    x = student._rows([student._terms(s) for s in train.samples])
    real = int((~train.minted).sum())  # the penalty is that of the real rows, the loss a mean over all
    model = LogisticRegression(C=3.0 * real / len(train), tol=1e-8, max_iter=3000).fit(x, train.y.argmax(axis=1))
    np.testing.assert_allclose(student.predict_proba(train.samples), model.predict_proba(x), atol=3e-3)


@pytest.mark.parametrize("mixup", [0.0, 0.4])
def test_many_rows_are_fitted_on_their_words_with_the_same_answer(
    mixup: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = dataclasses.replace(example_training("texts", (12, 9, 10)), mixup=mixup)
    few = fitted(train, trials=3)
    monkeypatch.setattr(tfidf, "MOST_PRODUCTS", 3)
    many = fitted(train, trials=3)
    assert many.c_ == few.c_
    np.testing.assert_allclose(many.predict_proba(train.samples), few.predict_proba(train.samples), atol=5e-3)


def test_a_word_that_only_minted_rows_have_is_learned() -> None:
    train = training((*TEXTS[:2], "a gaudy painting", "a gaudy statue"), (0, 1, 1, 1), minted=2)
    p = fitted(train).predict_proba([Sample("", "gaudy"), Sample("", "unheard of")])
    alone = fitted(training(TEXTS[:2], (0, 1))).predict_proba([Sample("", "gaudy")])
    assert p[0, 1] > 0.75 and p[0, 1] > p[1, 1]
    np.testing.assert_allclose(alone, 0.5, atol=1e-6)


def test_minted_rows_do_not_say_how_rare_a_word_is() -> None:
    bare = fitted(training(TEXTS, (0, 1, 0, 1, 0, 1)))
    more = fitted(training((*TEXTS, *[TEXTS[1]] * 5, "a gaudy film"), (0, 1, 0, 1, 0, 1, *[1] * 6), minted=6))
    for name, place in bare.place_.items():
        assert more.rarity_[more.place_[name]] == bare.rarity_[place]
    assert more.rarity_[more.place_["gaudy"]] == pytest.approx(1 + np.log(7))  # rarer than what one real row has
    assert more.rarity_[more.place_["russia"]] == pytest.approx(1 + np.log(7 / 2))


def test_a_real_row_that_is_there_twice_counts_once() -> None:
    train = training(TEXTS, (0, 1, 0, 1, 0, 1))
    twice = dataclasses.replace(
        train,
        samples=train.samples * 2,
        **{k: np.concatenate([getattr(train, k)] * 2) for k in ("y", "weight", "minted")},
    )
    np.testing.assert_allclose(fitted(twice).rarity_, fitted(train).rarity_)


def test_the_columns_of_a_pair_are_told_apart() -> None:
    content = [{"premise": "rain", "hypothesis": "sun"}, {"premise": "sun", "hypothesis": "rain"}]
    train = training(tuple(content), (0, 1))
    assert fitted(train).predict_proba(train.samples)[[0, 1], [0, 1]].min() > 0.7


def test_texts_without_a_known_word_leave_it_to_the_bias() -> None:
    train = training(("", "?!", "rain", "rain again"), (0, 0, 0, 1))
    p = fitted(train).predict_proba([Sample("", ""), Sample("", "snow"), Sample("", "...")])
    assert np.isfinite(p).all() and (p == p[0]).all() and p[0, 0] > 0.5
    only = fitted(training(("", "!"), (0, 1)))
    np.testing.assert_allclose(only.predict_proba([Sample("", "x")]), 0.5, atol=1e-4)


def test_contents_that_are_no_texts_are_refused() -> None:
    with pytest.raises(DataError, match="'t1'"):
        fitted(training(("rain", 7), (0, 1)))
    student = Scratch().fit(training(("rain", "snow"), (0, 1)), Budget(), np.random.default_rng(0))
    with pytest.raises(DataError, match="'odd'"):
        student.predict_proba([Sample("odd", np.zeros((4, 4), np.uint8))])


def test_a_transform_sees_contents_and_its_words_are_learned() -> None:
    seen: list[object] = []

    def french(batch: list[str], rng: np.random.Generator) -> list[str]:
        seen.append(list(batch))
        return [text.replace("rain", "pluie").replace("snow", "neige") for text in batch]

    train = training(("rain", "snow", "more rain", "more snow"), (0, 1, 0, 1))
    student = fitted(dataclasses.replace(train, transform=french), views=3)
    assert seen == [["rain", "snow", "more rain", "more snow"]] * 2
    assert student.predict_proba([Sample("", "Neige!")])[0, 1] > 0.7


def test_scratch_can_be_fitted_on_texts_after_rows() -> None:
    rows_, texts = example_training("rows"), example_training("texts")
    student = Scratch()
    for train in (rows_, texts, rows_):
        student.fit(train, Budget(30), np.random.default_rng(0))
        assert student.predict_proba(train.samples).shape == (len(train), 3)
