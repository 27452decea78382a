"""The laws of a student."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from augmint.checks.laws import check_config, content_of, law, near, rng, watched
from augmint.core.errors import UsageError
from augmint.core.protocols import Student
from augmint.core.types import F32, Budget, Sample, TrainingSet

ALIKE = 0.02
"""Largest difference of a probability where a sum was taken in another order, which training magnifies."""


def example_training(
    kind: Literal["rows", "images", "texts", "pairs"] = "rows",
    counts: Sequence[int] = (8, 6, 5),
    minted: int = 4,
    seed: int = 0,
) -> TrainingSet:
    """Samples of classes that are easily told apart, for checks.

    Args:
        kind: rows of numbers; small images of several shapes, depths and channels; texts; or pairs of texts.
        counts: real rows of each class.
        minted: rows below them that count as made.
        seed: of the numbers.
    """
    numbers = np.random.default_rng(seed)
    labels = np.concatenate([np.repeat(np.arange(len(counts)), counts), np.arange(minted) % len(counts)])
    contents = [_content(kind, c, i, numbers) for i, c in enumerate(labels)]
    samples = tuple(Sample(f"{kind} {i}", content) for i, content in enumerate(contents))
    n, names = len(labels), tuple(f"class {c}" for c in range(len(counts)))
    y = np.eye(len(counts), dtype=np.float32)[labels]
    return TrainingSet(samples, y, np.ones(n, np.float32), np.arange(n) >= n - minted, names)


def _content(kind: str, label: int, i: int, numbers: np.random.Generator) -> Any:
    if kind == "pairs":
        return {"premise": _text(label, numbers), "hypothesis": _text(label, numbers)}
    if kind == "texts":
        return _text(label, numbers)
    return _row(label, numbers) if kind == "rows" else _image(label, i, numbers)


def _text(label: int, numbers: np.random.Generator) -> str:
    """Two words that all classes have, around one that tells the class."""
    telling = (("bread", "cheese", "soup"), ("train", "ship", "tram"), ("rain", "snow", "fog"))[label % 3]
    common = ("a", "the", "here", "of", "and", "now")
    words = [numbers.choice(common), numbers.choice(telling), numbers.choice(common), numbers.choice(telling)]
    return " ".join(words).capitalize() + str(numbers.choice((".", "!", "")))


def _row(label: int, numbers: np.random.Generator) -> np.ndarray:
    row: np.ndarray = 4.0 * (np.arange(6) == label) + numbers.standard_normal(6)
    return row.astype(np.float32)


def _image(label: int, i: int, numbers: np.random.Generator) -> np.ndarray:
    """A bright third: upper, middle or lower."""
    shape = ((18, 18, 3), (18, 18), (24, 18, 4), (18, 18, 2))[i % 4]
    levels = numbers.uniform(0.0, 0.3, shape)
    third = shape[0] // 3
    levels[label * third : (label + 1) * third] += 0.6
    return np.rint(levels * 65535).astype(np.uint16) if i % 5 == 4 else np.rint(levels * 255).astype(np.uint8)


def check_student(make: Callable[[], Student], train: TrainingSet, updates: int = 40) -> None:
    """The laws of a student, on a training set whose classes are easily told apart; it is fitted about 15 times.

    Args:
        make: builds a fresh instance.
        train: three or more real rows of each of two or more classes, some minted rows below them.
        updates: of each fit; enough to tell the classes of ``train`` apart.
    """
    check_config(make, Student)
    fit = _Fitter(make, train, Budget(updates, 16))
    p = _check_form(make, train, fit)
    _check_repeatable(make, train, fit, p)
    _check_alone(train, fit)
    _check_same_training(train, fit, p)
    _check_labels(train, fit)
    _check_on_the_fly(train, fit)
    _check_no_real_row(make, train)


@dataclasses.dataclass(frozen=True)
class _Fitter:
    """Probabilities of the example's samples, by a student fitted on a variant of it."""

    make: Callable[[], Student]
    train: TrainingSet
    budget: Budget

    def student(self, **changes: Any) -> Student:
        return self.make().fit(dataclasses.replace(self.train, **changes), self.budget, rng())

    def __call__(self, **changes: Any) -> F32:
        return self.student(**changes).predict_proba(self.train.samples)


def _check_form(make: Callable[[], Student], train: TrainingSet, fit: _Fitter) -> F32:
    student = make()
    with watched(train):
        law(student.fit(train, fit.budget, rng()) is student, "fit returns self")
    with watched(list(train.samples)):
        p = student.predict_proba(train.samples)
    _check_probabilities(p, train)
    right = np.mean(p.argmax(axis=1) == train.y.argmax(axis=1))
    law(right > 0.7, "classes that are easily told apart are told apart", f"{right:.0%} of the training rows")
    empty = student.predict_proba(())
    law(empty.shape == (0, len(train.classes)), "no samples give no rows", f"{empty.shape}")
    for budget in (Budget(1, 1), Budget(2, 8, trials=3)):
        short = make().fit(train, budget, rng())
        _check_probabilities(short.predict_proba(train.samples), train)
    return p


def _check_probabilities(p: F32, train: TrainingSet) -> None:
    law(p.shape == (len(train), len(train.classes)), "probabilities are (n, k)", f"{p.shape}")
    law(p.dtype == np.float32, "probabilities are float32", str(p.dtype))
    law(np.isfinite(p).all() and (p >= 0).all(), "probabilities are not negative")
    law(np.allclose(p.sum(axis=1), 1.0, atol=1e-4), "probabilities sum to 1")


def _check_repeatable(make: Callable[[], Student], train: TrainingSet, fit: _Fitter, p: F32) -> None:
    same = "the same rows, budget and generator give the same bytes"
    law(content_of(fit()) == content_of(p), same, "a fresh student differs")
    used = fit.student(y=np.roll(train.y, 1, axis=1))
    law(content_of(used.fit(train, fit.budget, rng()).predict_proba(train.samples)) == content_of(p), same,
        "a student that was fitted before differs")  # fmt: skip
    tried = [make().fit(train, Budget(8, 16, trials=3), rng()).predict_proba(train.samples) for _ in range(2)]
    law(content_of(tried[0]) == content_of(tried[1]), same, "with trials it differs")


def _check_alone(train: TrainingSet, fit: _Fitter) -> None:
    student = fit.student()
    together = student.predict_proba(train.samples)
    single = np.concatenate([student.predict_proba([sample]) for sample in train.samples[:5]])
    law(near(single, together[:5]), "a row does not depend on the batch", "one sample alone differs")
    turned = student.predict_proba(train.samples[::-1])[::-1]
    law(near(turned, together), "a row does not depend on the batch", "the order matters")


def _check_same_training(train: TrainingSet, fit: _Fitter, p: F32) -> None:
    """Changes of the form of a training set that say the same."""
    scaled = fit(weight=train.weight * np.float32(8))
    law(_alike(scaled, p), "weights are relative", f"eight times all weights changed {_most(scaled, p):.3f}")
    twice = {name: np.repeat(getattr(train, name), 2, axis=0) for name in ("y", "minted")}
    samples = tuple(sample for sample in train.samples for _ in range(2))
    shared = fit(samples=samples, weight=np.repeat(train.weight / 2, 2), **twice)
    law(_alike(shared, p), "copies that share the weight of a row change nothing", f"changed {_most(shared, p):.3f}")
    order = np.arange(len(train.classes))[::-1]
    turned = fit(y=train.y[:, order], classes=train.classes[::-1])[:, order]
    law(_alike(turned, p), "the order of the classes changes nothing else", f"changed {_most(turned, p):.3f}")


def _most(a: F32, b: F32) -> float:
    return float(np.abs(a - b).max())


def _alike(a: F32, b: F32) -> bool:
    return _most(a, b) <= ALIKE


def _check_labels(train: TrainingSet, fit: _Fitter) -> None:
    k = len(train.classes)
    one = np.zeros_like(train.y)
    one[:, 0] = 1.0
    law(np.allclose(fit(y=one)[:, 0], 1.0), "one class is the answer where there is one class")
    even = np.full_like(train.y, 1.0 / k)
    law(np.abs(fit(y=even) - 1.0 / k).max() < 0.1, "labels that say nothing teach nothing")
    light = np.where(train.y.argmax(axis=1) == 0, np.float32(1e-3), np.float32(1.0)).astype(np.float32)
    heavy = np.where(train.y.argmax(axis=1) == 0, np.float32(1e3), np.float32(1.0)).astype(np.float32)
    more, less = fit(weight=heavy)[:, 0].mean(), fit(weight=light)[:, 0].mean()
    law(more > less, "rows of more weight are learned more", f"{more:.3f} with, {less:.3f} without")


def _check_on_the_fly(train: TrainingSet, fit: _Fitter) -> None:
    seen: list[int] = []

    def nothing(batch: Any, numbers: np.random.Generator) -> Any:
        seen.append(len(batch))
        return [_emptied(content) for content in batch] if isinstance(batch, list) else 0.0 * batch

    blind = fit(transform=nothing)
    law(seen, "a transform is used")
    _check_probabilities(blind, train)
    for mixup in (0.2, 1.0):
        _check_probabilities(fit(mixup=mixup), train)
    with watched(train):
        fit(mixup=0.4, transform=_in_place)


def _emptied(content: str | dict[str, str]) -> str | dict[str, str]:
    return dict.fromkeys(content, "") if isinstance(content, dict) else ""


def _in_place(batch: Any, numbers: np.random.Generator) -> Any:
    """A transform that writes into what it is handed."""
    if not isinstance(batch, list):
        return batch.mul_(0.5)
    for i, content in enumerate(batch):
        if isinstance(content, dict):
            content.update(_emptied(content))  # type: ignore[arg-type]
        batch[i] = _emptied(content)
    return batch


def _check_no_real_row(make: Callable[[], Student], train: TrainingSet) -> None:
    try:
        make().fit(dataclasses.replace(train, minted=np.ones(len(train), np.bool_)), Budget(1, 1), rng())
    except UsageError:
        return
    raise AssertionError("law 'no real row is a UsageError' is broken: nothing was raised")
