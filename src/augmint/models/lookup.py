"""From what a user types to a card: a name of cards.yaml, or a local folder as ``save_pretrained`` writes it.

A folder's card is made on the spot: config.json tells the kind, every file that will be read gets its sha256, and
nothing else of the folder is looked at. Weights are safetensors, in one file or in shards; no code is run.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from augmint.core.errors import ModelError, UsageError, unknown
from augmint.models import hub
from augmint.models.cards import LOCAL, Card, Kind, Space, WeightFile, list_cards

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"

TOKENIZER = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.txt", "vocab.json", "merges.txt", "spiece.model", "spm.model", "tokenizer.model"),
    *("sentencepiece.bpe.model", "source.spm", "target.spm", "target_vocab.json"),
)
"""Names under which tokenizers keep their data; a folder has some of them."""

KINDS: tuple[tuple[str, tuple[Kind, ...]], ...] = (
    (r"^Electra.*ForPreTraining$", ()),  # tells real words from replaced ones: no language model
    (r"^Marian", ("translation", "seq2seq")),
    (r"ForMaskedLM$|ForPreTraining$|^(XLM|Flaubert)WithLMHeadModel$", ("masked-lm",)),
    (r"ForConditionalGeneration$|^T5WithLMHeadModel$|^EncoderDecoderModel$", ("seq2seq", "translation")),
    (r"ForCausalLM$|LMHeadModel$", ("causal-lm",)),
    (r"ForSequenceClassification$", ("classifier",)),
)
"""What a network can be used for by the end of its class's name, the usual use first; any body can encode."""

LONGEST = 512
"""Most tokens of a model that names no limit of its own."""

USUAL = 256
"""Tokens read of a text by default; a sentence-transformers folder has its own number."""


def get_card(name: str, kind: Kind | None = None) -> Card:
    """The card of this name, or of the model in this local folder.

    Args:
        name: name of a card, or path of a folder with config.json, safetensors and the tokenizer's files; for models
            of transformers followed by options, if any: ``all-MiniLM-L6-v2#bfloat16``, ``my/bert#cls,bfloat16``.
        kind: what a folder's model is to be used as; None for what its config says. A BertForMaskedLM is a
            "masked-lm" and, when asked, an "encoder".

    Raises:
        UsageError: no such card (with the nearest name) or folder, no such option, or a kind it cannot serve as.
        ModelError: a folder that lacks a file, has its weights as pickles only, or a config that cannot be used.
    """
    bare, mark, words = name.rpartition("#")
    if mark and not Path(name).expanduser().is_dir():
        return with_options(get_card(bare, kind), words)
    known = {card.name: card for card in list_cards()}
    if name in known:
        return _as_kind(known[name], kind)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder_card(folder, kind)
    if folder.name != name:
        raise UsageError(
            f"model folder {name!r}, which is not there",
            expected="a folder with config.json and safetensors, or a name that augmint models list has",
            do="correct the path",
            code="model-missing",
        )
    raise unknown("model", name, known)


def with_options(card: Card, words: str) -> Card:
    """The card with options from a list such as "cls,bfloat16"; raises UsageError for those it cannot have."""
    poolings = POOLINGS if card.kind == "encoder" else ()
    for word in words.split(","):
        if not card.architecture.startswith("transformers:") or word not in (*DTYPES, *poolings):
            raise unknown("model option", word, (*DTYPES, *poolings), where=f"of {card.name}")
        if word in POOLINGS and word != card.space.call:
            card = replace(card, space=replace(card.space, call=word), options=(*card.options, word))
        elif word in DTYPES and word != card.dtype:
            card = replace(card, options=(*card.options, word))
    return replace(card, options=tuple(sorted(card.options)))


def _as_kind(card: Card, kind: Kind | None) -> Card:
    if kind in (None, card.kind) or (kind, card.kind) == ("encoder", "codec"):
        return card
    raise UsageError(
        f"model {card.name!r}, a {card.kind}, as {kind}",
        expected=f"a model that can be a {kind}",
        do="see the kinds: augmint models list",
        code="wrong-model",
    )


def folder_card(folder: Path, kind: Kind | None = None) -> Card:
    """The card of a folder as ``save_pretrained`` or sentence-transformers write it; raises what `get_card` does."""
    try:
        return _folder_card(folder, kind)
    except (AttributeError, LookupError, TypeError, ValueError) as error:  # JSON of another build than is known
        raise ModelError(
            f"{folder}, whose config files hold something unexpected: {type(error).__name__}: {error}",
            expected="the files of save_pretrained or sentence-transformers",
            do="get the folder again",
            code="model-config",
        ) from error


def _folder_card(folder: Path, kind: Kind | None) -> Card:
    modules = _modules(folder)
    body = folder / modules[0]["path"] if modules else folder
    config = _object(body / "config.json")
    _check_config(config, body)
    architecture = next(iter(config.get("architectures") or []), "")
    files = tuple(_fact(body, name) for name in _names(body))
    return Card(
        name=folder.resolve().name,
        modality="text",
        kind=_kind(folder, architecture, kind or ("encoder" if modules else None)),
        summary=f"{architecture or config['model_type']} of a local folder",
        architecture=f"transformers:{architecture or 'AutoModel'}",
        files=files,
        source=LOCAL,
        revision="",
        licence=_licence(folder),
        space=_space(folder, body, modules, config),
        preprocessing="the folder's tokenizer, cut at size tokens",
        trained_on=(),
        folder=str(body.resolve()),
    )


def _kind(folder: Path, architecture: str, asked: Kind | None) -> Kind:
    """What the model is used as; raises UsageError when it cannot, or when nothing tells."""
    fitting = next((kinds for pattern, kinds in KINDS if re.search(pattern, architecture)), ())
    kinds: tuple[Kind, ...] = (
        (*fitting, "encoder") if architecture else tuple(kind for kind in get_args(Kind) if kind != "codec")
    )
    if asked is None and architecture:
        return kinds[0]
    if asked in kinds:
        return asked
    raise UsageError(
        f"{folder}, {architecture or 'a config without architectures'}, as {asked or 'what it is for'}",
        expected=f"one of: {', '.join(kinds)}",
        do="name the kind, or take another model",
        code="wrong-model",
    )


def _check_config(config: dict[str, Any], body: Path) -> None:
    """Raise ModelError for what is no text model, and for an attention that would be fetched from the hub."""
    outside = [key for key, value in config.items() if "attn_implementation" in key and "/" in str(value)]
    other = [key for key in ("vision_config", "audio_config") if key in config]
    if "model_type" in config and not outside and not other:
        return
    got = f"with {(outside or other)[0]}" if outside or other else "without model_type"
    raise ModelError(
        f"{body / 'config.json'} {got}",
        expected="the config of a text model that transformers itself knows",
        do="take another model; augmint runs no code of a model's repository",
        code="model-config",
    )


def _names(body: Path) -> list[str]:
    """Files to read: weights first, then config and tokenizer; raises ModelError when there are no safetensors."""
    if (body / WEIGHTS).is_file():
        weights = [WEIGHTS]
    elif (body / INDEX).is_file():
        weights = [*_shards(body / INDEX), INDEX]
    else:
        for path in sorted(body.iterdir()):
            hub.refuse_pickle(path)
        raise _lacking(body / WEIGHTS)
    others = ("config.json", "generation_config.json", *TOKENIZER)
    return [*weights, *(name for name in others if (body / name).is_file())]


def _shards(index: Path) -> list[str]:
    """Names of the shards in an index, in order; raises ModelError unless they are safetensors beside it."""
    places = _object(index).get("weight_map")
    names = sorted({str(name) for name in places.values()}) if isinstance(places, dict) else []
    wrong = [name for name in names if Path(name).name != name or not name.endswith(".safetensors")]
    if names and not wrong:
        return names
    raise ModelError(
        f"{index} that names {repr(wrong[0]) if wrong else 'no shard'}",
        expected="weight_map with names of .safetensors files beside it",
        do="use safetensors: get the folder again from its source",
        code="model-pickle",
    )


def _fact(body: Path, name: str) -> WeightFile:
    path = body / name
    if not path.is_file():
        raise _lacking(path)
    if name.endswith(".safetensors"):
        hub.refuse_renamed(path)
    stat = path.stat()
    return WeightFile(name, hub.sha256(path, stat.st_size, stat.st_mtime_ns, stat.st_ino), stat.st_size)


def _space(folder: Path, body: Path, modules: list[dict[str, Any]], config: dict[str, Any]) -> Space:
    """Width, pooling and lengths: as config and tokenizer bound them, and sentence-transformers' files say."""
    dims = next((config[key] for key in ("hidden_size", "d_model", "dim", "n_embd") if key in config), 0)
    places = next(
        (config[key] for key in ("max_position_embeddings", "n_positions") if (config.get(key) or 0) > 0), LONGEST
    )
    if config["model_type"] in _OFFSET:
        places -= config.get("pad_token_id", 1) + 1
    limit = _optional(body / "tokenizer_config.json").get("model_max_length")
    most = int(min(places, limit)) if isinstance(limit, (int, float)) and limit > 0 else places
    said = _optional(body / "sentence_bert_config.json").get("max_seq_length")
    size = min(said or USUAL, most)
    return Space(_pooling(folder, modules), dims, 0, size, 1, most, 1)


_OFFSET = frozenset({"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet", "longformer", "data2vec-text"})
"""Model types that count positions from the padding token's number on, and have that many fewer to use."""

POOLINGS = ("mean", "cls", "max", "lasttoken")
"""How the rows of a text's tokens become one row, by sentence-transformers' words."""

DTYPES = ("float32", "bfloat16")
"""Number formats. bfloat16 halves time and memory where the machine has it, and keeps 8 bits of mantissa."""

_MODULES = ("Transformer", "Pooling", "Normalize")


def _modules(folder: Path) -> list[dict[str, Any]]:
    """The steps of a sentence-transformers folder, none of others; raises ModelError for steps not known here."""
    path = folder / "modules.json"
    if not path.is_file():
        return []
    steps: list[dict[str, Any]] = _json(path)
    kinds = [str(step.get("type", "")).rpartition(".")[2] for step in steps]
    inside = all((folder / step["path"]).resolve().is_relative_to(folder.resolve()) for step in steps)
    if kinds not in (list(_MODULES), list(_MODULES[:2])) or not inside:
        raise _unknown_steps(f"{path}: {', '.join(kinds)}", f"{', '.join(_MODULES[:2])} and, or not, {_MODULES[2]}")
    settings = folder / steps[0]["path"] / "sentence_bert_config.json"
    if _optional(settings).get("do_lower_case"):
        raise _unknown_steps(f"{settings}: do_lower_case", "a tokenizer that does this itself")
    return steps


def _unknown_steps(got: str, expected: str) -> ModelError:
    return ModelError(
        got,
        expected=expected,
        do="take another model, or a folder of the transformer alone, without modules.json",
        code="model-config",
    )


def _pooling(folder: Path, modules: list[dict[str, Any]]) -> str:
    """The pooling a sentence-transformers folder names; the mean in others."""
    if not modules:
        return "mean"
    path = folder / modules[1]["path"] / "config.json"
    config = _object(path)
    words = {"cls_token": "cls", "mean_tokens": "mean", "max_tokens": "max"}
    flags = [key.removeprefix("pooling_mode_") for key, on in config.items() if key.startswith("pooling_mode_") and on]
    named = [str(config["pooling_mode"])] if "pooling_mode" in config else [words.get(flag, flag) for flag in flags]
    if len(named) == 1 and named[0] in POOLINGS:
        return named[0]
    raise _unknown_steps(f"{path}: pooling {' and '.join(named) or 'of no kind'}", f"one of: {', '.join(POOLINGS)}")


def _licence(folder: Path) -> str:
    """What the front matter of README.md says, "not told" else."""
    readme = folder / "README.md"
    head = readme.read_text(encoding="utf8", errors="replace")[:4096] if readme.is_file() else ""
    found = re.match(r"---\n(?:.*\n)*?licen[sc]e:[ \t]*['\"]?([\w.+-]+)", head)
    return found[1] if found else "not told"


def _optional(path: Path) -> dict[str, Any]:
    return _object(path) if path.is_file() else {}


def _object(path: Path) -> dict[str, Any]:
    """The object in a JSON file; raises ModelError when it is not there or something else."""
    value = _json(path)
    if isinstance(value, dict):
        return value
    raise _not_json(path)


def _json(path: Path) -> Any:
    if not path.is_file():
        raise _lacking(path)
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise _not_json(path) from error


def _not_json(path: Path) -> ModelError:
    return ModelError(f"{path}, which is not JSON as expected", expected="a JSON object", do="get the folder again",
                      code="model-config")  # fmt: skip


def _lacking(path: Path) -> ModelError:
    return ModelError(
        f"{path.parent} without {path.name}",
        expected="a folder with config.json, the weights as safetensors and the tokenizer's files",
        do="correct the path, or save the model again: save_pretrained(folder) of model and tokenizer",
        code="model-missing",
    )
