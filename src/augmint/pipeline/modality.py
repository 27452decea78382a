"""What differs by modality: words, defaults, models that fit, and how finely work is cut into units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from augmint.core.errors import UsageError
from augmint.core.protocols import Modality, Rewriter
from augmint.models import Card, Kind, get_card
from augmint.models.label_judge import judge_card
from augmint.pipeline.plan import AUTO, DEFAULT_GATES, Plan, method_class, rewriter_class, rewriter_names


@dataclass(frozen=True)
class Medium:
    """One modality, as a run meets it.

    Attributes:
        name: of the modality.
        noun: what its samples are called.
        unit: of the working size.
        classic: the hand-made transform that the word ``classic`` stands for.
        judge: card of the default judge.
        method: the default method; ``gates``: the default gates; ``draw_unit``: default children of a draw unit.
        models: default card for each kind of model that a method may work with.
        encode_unit: entries of an encode unit; rows do not depend on it.
        suffix: of a child's own file; "" where children are rows of a table.
        usual: arms that `evaluate` compares when none is named; ``searched``: methods that `tune` searches.
        always_scored: the judge looks at the children even where neither a gate nor a label asks for it, for the
            scores of the set.
        task: the word of Hugging Face's hub.
        changed: what a method that works on samples changes, in the card's words.
    """

    name: Modality
    noun: str
    unit: str
    classic: str
    judge: str
    method: str
    models: Mapping[str, str]
    gates: tuple[str, ...]
    draw_unit: int
    encode_unit: int
    suffix: str
    usual: tuple[str, ...]
    searched: tuple[str, ...]
    always_scored: bool
    task: str
    changed: str


MEDIA: dict[str, Medium] = {
    "image": Medium(
        name="image",
        noun="pictures",
        unit="px",
        classic="classic",
        judge=Plan.judge,
        method=Plan.method,
        models={"codec": Plan.model},
        gates=DEFAULT_GATES,
        draw_unit=Plan.unit_size,
        encode_unit=64,
        suffix=".png",
        usual=("classic", "interpolation"),
        searched=("classic", "interpolation", "noise", "extrapolation"),
        always_scored=True,
        task="image-classification",
        changed="the pictures themselves were changed",
    ),
    "text": Medium(
        name="text",
        noun="texts",
        unit="tokens",
        classic="classic-text",
        judge="all-MiniLM-L6-v2",
        method="masked-lm",
        models={"masked-lm": "tiny-text", "encoder": "all-MiniLM-L6-v2"},
        gates=DEFAULT_GATES,
        draw_unit=256,
        encode_unit=2048,
        suffix="",
        usual=("classic", "masked-lm"),
        searched=("classic-text", "masked-lm"),
        always_scored=False,
        task="text-classification",
        changed="the texts themselves were changed",
    ),
}


def settled(values: Mapping[str, Any], modality: Modality) -> dict[str, Any]:
    """The user's keys of a plan over the defaults of the data's modality; ``classic`` means that modality's own."""
    medium, own = MEDIA[modality], dict(values)
    for key in ("method", "then"):
        if own.get(key) == "classic":
            own[key] = medium.classic
    return {**_defaults(medium, own.get("method", medium.method)), **own}


def _defaults(medium: Medium, method: Any) -> dict[str, Any]:
    """Keys that the user may leave open; images have those of the plan itself."""
    if medium.name == "image":
        return {}
    model = default_model(method, medium.name) if isinstance(method, str) else ""
    keys = {"method": medium.method, "model": model, "judge": medium.judge}
    if isinstance(method, str) and "codec" in _kinds(method):
        # There is no decoder of texts: a method on rows shows what it drew by texts of a pool.
        keys["decode"] = "pool"
    return {**keys, "gates": list(medium.gates), "unit_size": medium.draw_unit}


def default_model(method: str, modality: Modality) -> str:
    """The card that a method works with when nobody names one; "" where it needs none."""
    models = MEDIA[modality].models
    if modality == "image":
        return models["codec"]
    return next((card for kind, card in models.items() if kind in _kinds(method)), "")


def _kinds(method: str) -> frozenset[str]:
    """Kinds of model that a method works with; those of the default where a search is to decide, none if unknown."""
    try:
        found = method_class(MEDIA["text"].method if method == AUTO else method)
    except UsageError:
        return frozenset()
    return found.model_kinds if issubclass(found, Rewriter) else frozenset({"codec", "encoder"})


def check_method(plan: Plan, medium: Medium) -> None:
    """The method, what follows it and the gates must be able to read samples of this modality."""
    for name in plan.gates:
        read = getattr(plan.gate(name), "modalities", None)
        if read is not None and medium.name not in read:
            raise UsageError(
                f"gate {name!r}, which reads {' and '.join(sorted(read))} samples, on {medium.noun}",
                expected=f"gates for {medium.noun}: {', '.join(medium.gates)}",
                do="leave the gate out",
                code="modality",
            )
    for name, model in plan.gate_models.items():
        get_card(model, kind_of_gate(plan, name))
    if plan.decode == "rows" and (plan.rewrites or plan.then):
        raise UsageError(
            f"--space rows with {plan.recipe}",
            expected="a method on rows alone",
            do="choose another --method (augmint methods list: latent space), without --then",
            code="no-rows",
        )
    if plan.spans and not plan.rewrites and plan.decode != "rows":
        raise UsageError(
            f"--spans with method {plan.method!r}, whose texts have none that are known",
            expected="a method that carries spans along: classic-text",
            do="choose --method classic, or leave --spans out",
            code="spans",
        )
    for key, name in (("method", plan.method), ("then", plan.then)):
        found = method_class(name) if name else None
        if found is not None and issubclass(found, Rewriter) and medium.name not in found.modalities:
            fits = [other for other in rewriter_names() if medium.name in rewriter_class(other).modalities]
            raise UsageError(
                f"{key} {name!r}, which changes {' and '.join(sorted(found.modalities))} samples, on {medium.noun}",
                expected=f"one for {medium.noun}: {', '.join(sorted(fits)) or 'none is installed'}",
                do=f"choose another --{key}",
                code="modality",
            )


def find_cards(plan: Plan, medium: Medium) -> tuple[Card | None, Card | None]:
    """The cards of the method's model and of the judge, None where there is no need of one.

    Raises:
        UsageError: no such card, or one of another kind or modality than the method and the data need.
    """
    model = judge = None
    if plan.uses_model or medium.name == "image":  # an image run names its codec whether it is used or not
        model = _model_card(plan, medium)
    if is_judged(plan, medium):
        judge = judge_card(plan.judge)
        _check_card("judge", judge, frozenset({"codec", "encoder", "classifier"}), medium)
    return model, judge


def check_encoders(judge: str, encoder: str, medium: Medium) -> None:
    """Refuse a judge or a probe's encoder that cannot read the samples; raises UsageError."""
    for role, name in (("judge", judge), ("encoder", encoder)):
        _check_card(role, judge_card(name), frozenset({"codec", "encoder", "classifier"}), medium)


def _model_card(plan: Plan, medium: Medium) -> Card:
    kinds = plan.model_kinds or frozenset({"codec"})
    if plan.decode or (medium.name != "image" and "pool" in plan.uses):
        kinds |= {"encoder"}  # rows that are picked are copied: nothing is decoded
    if not plan.model:
        raise UsageError(
            f"method {plan.method!r} without a model",
            expected=f"a {' or '.join(sorted(kinds))} of {medium.noun}",
            do="add --model NAME (augmint models list) or --model FOLDER",
            code="no-model",
        )
    card = get_card(plan.model, kind_of(plan))
    _check_card("model", card, kinds, medium)
    return card


def kind_of(plan: Plan) -> Kind | None:
    """What the model of a local folder is to be used as, where the method leaves no choice."""
    if not Path(plan.model).expanduser().is_dir():
        return None
    if not plan.rewrites:
        return "encoder"
    return cast(Kind, next(iter(plan.model_kinds))) if len(plan.model_kinds) == 1 else None


def kind_of_gate(plan: Plan, name: str) -> Kind:
    """The kind of model that a gate reads through."""
    return cast(Kind, next(iter(plan.gate(name).model_kinds)))


def _check_card(role: str, card: Card, kinds: frozenset[str], medium: Medium) -> None:
    if card.modality == medium.name and card.kind in kinds:
        return
    looks = role in ("judge", "encoder")
    own = medium.judge if looks else next((medium.models[k] for k in medium.models if k in kinds), "")
    raise UsageError(
        f"{role} {card.name!r}, of kind {card.kind} and modality {card.modality}",
        expected=f"as {role} of {medium.noun}: {' or '.join(sorted(kinds))} of {medium.noun}",
        do=f"use --{role} {own}" if own else "choose another --method (augmint methods list)",
        code="model-kind",
    )


def is_judged(plan: Plan, medium: Medium) -> bool:
    """Whether anything asks for the judge: a gate, the labels, or the scores of the set."""
    if plan.decode == "rows":
        return False
    by_judge = plan.label_by == "judge" or (plan.label_by == "auto" and "pool" in plan.uses)
    return bool(plan.gates) or by_judge or medium.always_scored
