"""Pretrained models: a card in, verified weights out, an encoder that answers the same for the same sample.

Importing this room loads no torch and no transformers; :func:`load_encoder` does, for the model it is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from augmint.core.errors import UsageError
from augmint.core.protocols import Encoder
from augmint.models import hub
from augmint.models.cards import Card, Kind, choose_size, list_cards
from augmint.models.lookup import get_card

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "Card",
    "Kind",
    "choose_size",
    "get_card",
    "list_cards",
    "load_encoder",
    "load_judge",
    "load_lm",
    "load_network",
    "working_size",
]

LANGUAGE_MODELS: dict[str, str] = {
    "masked-lm": "augmint.models.masked_lm:load_masked_lm",
    "seq2seq": "augmint.models.seq2seq:load_seq2seq",
    "translation": "augmint.models.seq2seq:load_seq2seq",
    "causal-lm": "augmint.models.causal:load_causal",
}
"""Who loads a language model, by its kind: ``load(card, files, size, device)``, torch's generator left as it was."""


def load_encoder(name: str, *, size: int | None = None, path: str | None = None, device: str = "cpu") -> Encoder:
    """The model of a card, ready to encode; a :class:`~augmint.core.protocols.Codec` when it can also decode.

    Args:
        name: name of a card (``augmint models list``), or path of a folder as ``save_pretrained`` writes it.
        size: working size: side in pixels for images, most tokens for texts; None for the card's own.
        path: local folder or file with the weights, for cards whose weights are not embedded.
        device: "cpu", "cuda", "cuda:1", or "auto" for the first that is there.

    Raises:
        UsageError: no such card or folder, no encoder, a size it cannot work at, a device that is not there.
        ModelError: the weights are missing, damaged or a pickle, or a needed package is not installed.
    """
    card = get_card(name, "encoder")
    size = working_size(card, size)
    import torch

    with torch.random.fork_rng(devices=[]):  # a network draws initial weights, only to have them replaced
        if card.architecture == "augmint.models.tiny_text_judge:TinyTextJudge":
            from augmint.models.tiny_text_judge import load_tiny_text_judge

            return load_tiny_text_judge(card, size, path=path)
        if card.modality == "text":
            from augmint.models.text import load_text

            return load_text(card, size, path=path, device=device)
        from augmint.models.image import load_image

        return load_image(card, size, path=path, device=device)


def load_judge(name: str, classes: Sequence[str], *, device: str = "cpu") -> Encoder:
    """The model of a judge: an encoder, or a classifier of texts, whose rows are log-probabilities of the classes.

    Args:
        name: name of a card or path of a folder; of a model of natural language inference, a template may follow:
            ``my/nli#This text is about {}.``
        classes: of the data.
        device: as for :func:`load_encoder`.

    Raises:
        UsageError, ModelError: what :func:`load_encoder` raises; a classifier with other labels than the classes.
    """
    from augmint.models.label_judge import judge_card, load_label_judge

    if judge_card(name).kind != "classifier":
        return load_encoder(name, device=device)
    import torch

    from augmint.models.devices import pick_device

    with torch.random.fork_rng(devices=[]):
        return load_label_judge(name, classes, pick_device(device))


def load_lm(name: str, *, kind: Kind | None = None, size: int | None = None, device: str = "cpu") -> Any:
    """The language model of a card or a local folder, ready to be handed to a rewriter.

    Args:
        name: name of a card (``augmint models list``), or path of a folder as ``save_pretrained`` writes it.
        kind: what a folder's model is to be used as; None for what its config says.
        size: most tokens of a text; None for the card's own.
        device: "cpu", "cuda", "cuda:1", or "auto" for the first that is there.

    Raises:
        UsageError: no such card or folder, no language model, a size or a device it cannot work with.
        ModelError: the weights are missing, damaged or a pickle, or a needed package is not installed.
    """
    card = get_card(name, kind)
    if card.kind not in LANGUAGE_MODELS:
        raise UsageError(
            f"model {name!r}, a {card.modality} {card.kind}",
            expected=f"one of: {', '.join(LANGUAGE_MODELS)}",
            do="take another model (augmint models list), or name the kind of a folder's",
            code="wrong-model",
        )
    size = working_size(card, size)
    module, _, function = LANGUAGE_MODELS[card.kind].partition(":")
    import torch

    with torch.random.fork_rng(devices=[]):
        return getattr(import_module(module), function)(card, hub.find(card), size, device)


def load_network(name: str, *, path: str | None = None) -> tuple[nn.Module, int]:
    """The network of an encoder, to be trained further, and the number of its features.

    That of images takes (n, 3, s, s) RGB 0..1 for any s >= 32, that of texts what its ``tokens`` makes of them; both
    give (n, d). Each call loads it anew.

    Args:
        name: name of a card (``augmint models list``), or path of a folder as ``save_pretrained`` writes it.
        path: local folder or file with the weights, for cards whose weights are not embedded.

    Raises:
        UsageError: no such card, or not one of an encoder.
        ModelError: the weights are missing, damaged or a pickle.
    """
    card = get_card(name)
    if card.kind == "codec":
        raise UsageError(
            f"model {name!r}, a {card.modality} {card.kind}",
            expected="an encoder",
            do="take tiny-judge for images, all-MiniLM-L6-v2 for texts",
            code="wrong-model",
        )
    import torch

    with torch.random.fork_rng(devices=[]):
        if card.modality == "text":
            from augmint.models.text_network import load_text_network

            return load_text_network(card if card.kind == "encoder" else get_card(name, "encoder"), path=path)
        from augmint.models.image import load_features

        return load_features(card, path=path)


def working_size(card: Card, size: int | None) -> int:
    """The size, or the card's own for None; raises UsageError for one the model cannot work at."""
    space = card.space
    if size is None:
        return space.size
    if not space.least <= size <= space.most or size % space.multiple:
        same = space.least == space.most
        fits = f"{space.least}" if same else f"a multiple of {space.multiple} from {space.least} to {space.most}"
        raise UsageError(
            f"size {size} for model {card.name!r}",
            expected=fits,
            do=f"leave the size out, or take {space.size}",
            code="wrong-size",
        )
    return size
