r"""Multinomial logistic regression on TF-IDF: the student of texts that knows no language.

.. math:: x_t = \frac{(1 + \ln n_t)\, i_t}{\lVert \cdot \rVert} \qquad i_t = 1 + \ln \frac{1 + N}{1 + N_t}

.. math:: \min_{W, b}\; \frac{1}{\sum_i w_i} \sum_i w_i\, \mathrm{CE}\bigl(y_i,\, \mathrm{softmax}(x_i W + b)\bigr)
          + \frac{1}{2\, C\, n_r} \lVert W \rVert^2

n_t counts a word, or two words in a row, in a text; N_t the real texts with it, of N different ones. The vocabulary is
that of all training rows, minted ones too: a word that no real row has is just what a minted row can bring. How rare
a word is the real rows say alone, so that ten children of one text do not make its words common; a word that none of
them has counts as rarest. The words of the columns of a pair are told apart.

``n_r`` is the number of different real samples, so that minted rows and copies change no penalty. A transform is met as
a fixed number of views of each row; mixup as rows of TF-IDF mixed once, for each view anew: between two texts there
is no text, between their counts there are counts.

Shapes: n texts, v words; rows (n, v) sparse; probabilities (n, k).
Papers: Salton & Buckley 1988, "Term-weighting approaches in automatic text retrieval"; Wang & Manning 2012, "Baselines
and bigrams" (ACL).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.special import softmax

from augmint.core.protocols import Student
from augmint.core.types import F32, Bool, Budget, Sample, TrainingSet
from augmint.numerics.softmax_regression import Axes
from augmint.numerics.texts import texts_of, words_of
from augmint.students.convex import Fits
from augmint.students.inputs import check
from augmint.students.trials import values
from augmint.students.views import changed, view_count

F64 = npt.NDArray[np.float64]
REACH = 10.0
"""Values of C to choose from lie within so many times the field."""

MOST_PRODUCTS = 3000
"""Up to so many rows the fit works on the principal axes of their products, which takes few steps; beyond, on the
words themselves: 3,075 rows of 77 classes took 4.8 s for the axes and then 1.7 to 4.2 s a fit instead of 3 to 8 s."""


@dataclass
class Tfidf(Student):
    """A linear classifier on the words of a text.

    Attributes:
        c: inverse strength of the penalty, the middle of those tried.
        words: most words in a row that count as one.
        folds: of the inner validation.
        views: most views of each row under a transform or mixup, itself included.
        most_rows: fewer views where there would be more rows than this, but one changed view at least.
    """

    c: float = 100.0
    words: int = 2
    folds: int = 3
    views: int = 8
    most_rows: int = 2000
    place_: dict[str, int] = field(init=False, repr=False)
    rarity_: F64 = field(init=False, repr=False)
    weight_: F64 = field(init=False, repr=False)
    bias_: F64 = field(init=False, repr=False)
    present_: Bool = field(init=False, repr=False)
    c_: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.c <= 0 or min(self.words, self.most_rows) < 1 or min(self.folds, self.views) < 2:
            raise ValueError(
                f"c = {self.c} must be positive, words = {self.words} and most_rows = {self.most_rows} 1 or more, "
                f"folds = {self.folds} and views = {self.views} 2 or more"
            )

    def fit(self, train: TrainingSet, budget: Budget, rng: np.random.Generator) -> Self:
        """Choose C by the real rows, then fit on all rows."""
        check(train, "scratch")
        self.present_ = train.y.sum(axis=0) > 0
        samples, more = list(train.samples), view_count(train, self.views, self.most_rows) - 1
        for _ in range(more):
            samples += train.samples if train.transform is None else changed(train.samples, train.transform, rng)
        terms = [self._terms(sample) for sample in samples]
        self._learn_words(terms, train)
        x = self._rows(terms)
        few = len(samples) <= MOST_PRODUCTS
        axes = Axes.of_products((x @ x.T).toarray()) if few else Axes(x, np.eye(1), _mean_square(x))
        parent = np.tile(np.arange(len(train)), more + 1)
        fits = Fits(axes, parent, train, self.present_, budget.updates, int(rng.integers(2**62)))
        self.c_, weight, self.bias_ = fits.chosen(values(self.c, REACH, budget.trials), self.folds)
        self.weight_ = np.asarray(x.T @ (axes.basis @ weight) if few else weight, np.float64)
        return self

    def predict_proba(self, samples: Sequence[Sample]) -> F32:
        """(n, k) probabilities; 0 for classes that had no row."""
        out = np.zeros((len(samples), len(self.present_)), np.float32)
        if len(samples):
            x = self._rows([self._terms(sample) for sample in samples])
            out[:, self.present_] = softmax(x @ self.weight_ + self.bias_, axis=1)
        return out

    def _terms(self, sample: Sample) -> Counter[str]:
        """How often each word, and each few in a row, occurs; in a pair the column is part of the word."""
        texts = texts_of(sample)
        found: Counter[str] = Counter()
        for column, text in enumerate(texts):
            mark, words = f"{column}:" if len(texts) > 1 else "", words_of(text)
            for many in range(1, self.words + 1):
                found.update(mark + " ".join(words[i : i + many]) for i in range(len(words) - many + 1))
        return found

    def _learn_words(self, terms: Sequence[Counter[str]], train: TrainingSet) -> None:
        """A column for each word of all rows and views; how rare it is among the different real samples."""
        names = sorted(set().union(*terms))
        self.place_ = {name: i for i, name in enumerate(names)}
        real = {s.id: own for s, own, minted in zip(train.samples, terms, train.minted, strict=False) if not minted}
        met = np.zeros(len(names))
        for own in real.values():
            met[self._places(own)] += 1.0
        self.rarity_ = 1.0 + np.log((1.0 + len(real)) / (1.0 + met))

    def _places(self, terms: Iterable[str]) -> list[int]:
        return [self.place_[term] for term in terms if term in self.place_]

    def _rows(self, terms: Sequence[Counter[str]]) -> Any:
        """(n, v) float32 sparse rows of unit length; zeros for a text without a known word."""
        places = [self._places(own) for own in terms]
        counts = [own[term] for own in terms for term in own if term in self.place_]
        at = np.array([place for own in places for place in own], np.int64)
        ends = np.cumsum([0, *map(len, places)])
        value = (1.0 + np.log(np.array(counts, np.float64))) * self.rarity_[at]
        row = np.repeat(np.arange(len(terms)), np.diff(ends))
        value /= np.sqrt(np.bincount(row, value**2, minlength=len(terms)))[row]
        return csr_array((value.astype(np.float32), at, ends), shape=(len(terms), len(self.place_)))


def _mean_square(x: Any) -> F64:
    """(v,) of each column."""
    return np.asarray((x * x).sum(axis=0) / x.shape[0], np.float64)
