r"""A judge that knows labels by name: a user's classifier, or a model of natural language inference (zero-shot).

.. math:: z(x)_c = \ln \mathrm{softmax}(\ell(x))_c

l are the classifier's logits of the data's classes; by inference they are the logits that a text entails "This text is
about c." (Yin et al. 2019, arXiv:1909.00161). The rows z are what gates and the probe that gives labels look at: the
probe learns from the real rows what the model's word is worth on this data, and calibrates it.

Shapes: n texts or pairs, k classes -> rows (n, k) float32.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from augmint.core.errors import UsageError
from augmint.core.protocols import Encoder
from augmint.core.types import F32, Sample
from augmint.models import hub
from augmint.models.cards import Card
from augmint.models.lookup import get_card
from augmint.numerics.texts import texts_of

TEMPLATE = "This text is about {}."
"""What a text entails that is of a class; another one stands after ``#`` of the judge's name."""


@dataclass(frozen=True, eq=False)
class LabelJudge(Encoder):
    """Texts to log-probabilities of the data's classes.

    Attributes:
        name: name of the model and first digits of its weights' hash.
        size: most tokens that are read.
        logits: n texts or pairs -> (n, labels) of the network.
        columns: which of these are the data's classes in their order; for inference, the one of entailment.
        hypotheses: what a text of each class entails; none for a classifier.
    """

    name: str
    size: int
    logits: Callable[[Sequence[tuple[str, ...]]], F32] = field(repr=False)
    columns: tuple[int, ...]
    hypotheses: tuple[str, ...] = ()

    @property
    def space(self) -> str:
        """``name@hash/size``, and that rows are of labels."""
        return f"{self.name}/{self.size}/labels"

    def encode(self, samples: Sequence[Sample]) -> F32:
        """(n, k) float32 log-probabilities, each row independent of its neighbours."""
        texts = [texts_of(sample) for sample in samples]
        if not self.hypotheses:
            found = self.logits(texts)[:, list(self.columns)]
        else:
            pairs = [(" ".join(own), hypothesis) for own in texts for hypothesis in self.hypotheses]
            found = self.logits(pairs)[:, self.columns[0]].reshape(len(texts), len(self.hypotheses))
        shifted = found - found.max(axis=1, keepdims=True)
        return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)), np.float32)


def judge_card(name: str) -> Card:
    """The card of a judge: of an encoder, or of a classifier; language models serve as encoders.

    Raises:
        UsageError, ModelError: as `get_card` does.
    """
    card = get_card(_parts(name)[0])
    return card if card.kind in ("codec", "encoder", "classifier") else get_card(_parts(name)[0], "encoder")


def check_labels(name: str, classes: Sequence[str]) -> None:
    """Raise UsageError where a classifier knows other labels than the data's classes."""
    card = judge_card(name)
    if card.kind == "classifier":
        _columns(_labels(hub.find(card)), classes, card.name)


def load_label_judge(name: str, classes: Sequence[str], device: str) -> LabelJudge:
    """The judge of a classifier's folder; raises what `load_lm` does, and UsageError for labels of other data."""
    import torch

    from augmint.models.text import load_folder
    from augmint.models.text_network import token_scores

    card, template = judge_card(name), _parts(name)[1]
    files = hub.find(card)
    columns, entailed = _columns(_labels(files), classes, card.name)
    tokenizer, net = load_folder(files, "AutoModelForSequenceClassification", getattr(torch, card.dtype))
    score = token_scores(net.to(device), tokenizer, card.space.size, device)
    hypotheses = tuple(_said(template, label) for label in classes) if entailed else ()
    return LabelJudge(card.tag, card.space.size, score, columns, hypotheses)


def _parts(name: str) -> tuple[str, str]:
    """Name of the model and template of a judge."""
    bare, mark, words = name.rpartition("#")
    return (bare, words) if mark and "{}" in words else (name, TEMPLATE)


def _said(template: str, label: str) -> str:
    return template.replace("{}", label.replace("_", " ").replace("-", " "))


def _labels(files: dict[str, Path]) -> list[str]:
    """Names of the network's outputs, in order."""
    named = json.loads(files["config.json"].read_bytes()).get("id2label") or {}
    try:
        return [str(named[key]) for key in sorted(named, key=int)]
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"id2label {str(named)[:100]} in {files['config.json']}",
            expected='names by number: {"0": "...", "1": "..."}',
            do="correct it, or take another --judge",
            code="judge-labels",
        ) from error


def _columns(labels: Sequence[str], classes: Sequence[str], name: str) -> tuple[tuple[int, ...], bool]:
    """Which outputs are the classes; or the one of entailment alone, and True.

    Case counts only where two classes or labels differ by nothing else.
    """
    for plain in (str, str.casefold):
        known = {plain(label): i for i, label in enumerate(labels)}
        asked = [plain(label) for label in classes]
        if len(known) == len(labels) and len(set(asked)) == len(asked) and known.keys() >= set(asked):
            return tuple(known[label] for label in asked), False
    entailed = [i for i, label in enumerate(labels) if label.casefold().startswith("entail")]
    if entailed:
        return (entailed[0],), True
    missing = next((label for label in classes if label.casefold() not in known), classes[0])
    raise UsageError(
        f"judge {name!r}, a classifier without a label {missing!r}",
        expected=f"labels named as the data's classes, or entailment; it has {', '.join(labels[:8]) or 'none'}",
        do="name the labels in id2label of its config.json, or take another --judge",
        code="judge-labels",
    )
