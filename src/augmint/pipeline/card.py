"""README.md of an output folder: a data set card that Hugging Face's readers understand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import yaml

from augmint.core.version import __version__
from augmint.models import Card
from augmint.pipeline.assembly import Assembly
from augmint.pipeline.figures import figures
from augmint.pipeline.fitting import told_by_fit
from augmint.pipeline.guard import leak_words
from augmint.pipeline.markdown import in_cell
from augmint.pipeline.modality import Medium
from augmint.pipeline.quality import SHARED
from augmint.pipeline.setup import Setup


def data_card(assembly: Assembly) -> str:
    """The card: loader configuration, counts before and after, methods, models and their licences, limits."""
    parts = [
        "---\n" + yaml.safe_dump(_front_matter(assembly), sort_keys=False, allow_unicode=True) + "---\n",
        "# Data set made with augmint\n",
        _ABSTAINED if assembly.setup.plan.abstained else _summary(assembly),
        "## Classes, in order\n",
        _class_table(assembly),
        "## Do they help?\n",
        figures(assembly.manifest.out),
        "## How the samples were made\n",
        _how(assembly),
        "## Scores of the synthetic samples\n",
        _scores(assembly),
        _columns(assembly.setup.medium),
    ]
    return "\n".join(parts)


def _scores(assembly: Assembly) -> str:
    """A table of values beside what real rows get; no word of praise, for which the judge would have to be another."""
    quality = assembly.quality
    if quality is None:
        made = any(assembly.barrier.made(name) for name in assembly.asked)
        return f"None: {'no gate and no label asked for a judge' if made else 'nothing was made'}.\n"
    flattered = f" {SHARED.capitalize()}." if quality.is_shared else ""
    lines = [
        f"In the space of the judge `{quality.space}`, against {quality.compared_with}; `report/scores.json` has the "
        f"intervals and notes. Both columns are on as many rows.{flattered}",
        "",
        "| score | synthetic | real in their place | better |",
        "| --- | ---: | ---: | --- |",
    ]
    for score in quality.scores.values():
        both = [f"{x:.3g}" if math.isfinite(x) else "-" for x in (score.matched, score.reference)]
        if not math.isfinite(score.value):
            both[0] = score.note
        lines.append(f"| {score.name} | {' | '.join(both)} | {score.better} |")
    return "\n".join(lines) + "\n"


def _summary(assembly: Assembly) -> str:
    setup, plan = assembly.setup, assembly.setup.plan
    made = sum(assembly.barrier.made(name) for name in assembly.asked)
    return (
        f"{sum(assembly.before.values())} real and {made} synthetic training samples, `{plan.recipe}`"
        f"{_with_model(setup)}, seed {plan.seed}.\n"
    )


def _with_model(setup: Setup) -> str:
    used = setup.model is not None and setup.plan.uses_model
    return f" with `{setup.plan.model}` at {setup.plan.size} {setup.medium.unit}" if used else ""


def _front_matter(assembly: Assembly) -> dict[str, Any]:
    setup = assembly.setup
    names = {"val": "validation"}
    files = [{"split": names.get(split, split), "path": path} for split, path in assembly.data_files.items()]
    return {
        "task_categories": [setup.medium.task],
        "tags": ["augmint", "synthetic"],
        "configs": [{"config_name": "default", "data_files": files}],
    }


def _class_table(assembly: Assembly) -> str:
    lines = ["| class | real | asked | made | rejected |", "| --- | ---: | ---: | ---: | --- |"]
    rejected = assembly.barrier.rejected()
    for name in assembly.setup.classes:
        why = ", ".join(f"{gate} {count}" for gate, count in rejected.get(name, {}).items()) or "-"
        made = assembly.barrier.made(name)
        lines.append(f"| {in_cell(name)} | {assembly.before[name]} | {assembly.asked[name]} | {made} | {why} |")
    return "\n".join(lines) + "\n"


def _how(assembly: Assembly) -> str:
    setup, plan = assembly.setup, assembly.setup.plan
    shared = " (shared: it uses the model's own weights, so its verdicts flatter)" if setup.judge_is_shared else ""
    then = [f"- and then, for every child: `{plan.then}` ({_options(plan.then_options)})"] if plan.then else []
    second = [f"- {name}: {len(source.entries)} samples" for name, source in setup.sources.items()]
    lines = [
        f"- method: `{plan.method}` ({_options(plan.method_options)}); augmint {__version__}",
        *then,
        f"- model: {_known_by(setup.model if plan.uses_model else None) or f'none; {setup.medium.changed}'}",
        f"- judge: {_known_by(setup.judge, shared) or 'none'}",
        f"- gates: {', '.join(plan.gates) or 'none'}",
        f"- skipped inputs: {len(assembly.skipped)} (see skipped.jsonl)",
        *second,
        f"- labels by: {plan.label_by}",
        f"- leak_check: {leak_words(assembly.leaks, setup.medium.noun)}",
        *_measured(assembly),
    ]
    lines += [f"- {count} samples: {note}" for note, count in assembly.barrier.notes().items()]
    return "\n".join(lines) + "\n"


def _known_by(card: Card | None, more: str = "") -> str:
    return f"`{card.name}`{more}, sha256 `{card.weights.sha256}`, licence {card.licence}" if card else ""


def _options(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in options.items()) or "defaults"


def _measured(assembly: Assembly) -> list[str]:
    """What the fit measured of itself in the codec's space, and what it found out."""
    if not assembly.manifest.finished("fit"):  # nothing was to be made
        return []
    fit = assembly.manifest.load("fit").arrays()
    found = {name: float(fit[key][0]) for name in ("distance", "coverage") if (key := f"method.{name}") in fit}
    said = ", ".join(f"{name} {value:.4f}" for name, value in found.items() if math.isfinite(value))
    plan = assembly.setup.plan
    own = [f"the method's own measure of its fit: {said} (`docs/methods/{plan.method}.md`)"] if said else []
    return [f"- {line}" for line in (*own, *told_by_fit(plan, fit))]


_ABSTAINED = """\
`abstained: true`. Nothing was added: a search found no synthetic samples that were shown to help a model trained on
these. All samples are real.
"""


def _columns(medium: Medium) -> str:
    """What the columns mean; those of the input come first in a table."""
    picture = medium.name == "image"
    columns = _COLUMNS.replace("HEAVIEST", "folder" if picture else "label")
    if picture:
        return f"## Columns of metadata.jsonl\n\n`file_name`, `label`, {columns}"
    return f"## Columns\n\nThose of the input, in their order, and then: {columns}"


_COLUMNS = """\
`is_synthetic`, `id`, `group`, `refs` (parents, as `data:ID`; an original is its own; `pool:ID`
is the row of the pool that was taken, `base:CLASS` a class of the base), `label_weights` (of the parents), `label_by`
(parents or judge; empty for originals), `scores` (of the row gates, as JSON; empty for originals), `note` (a fallback,
if any), `method`, `model`; where labels are soft, `label_probs` (of all classes in class order; the HEAVIEST names
the heaviest).

`augmint verify .` checks every byte; `augmint replay . ID` makes a sample again.
"""
