"""Charts as SVG text that a page holds inline: colours are the page's own, so that dark mode reaches them.

Drawn 360 units wide, so that letters keep their size on a phone. matplotlib's own state is left as it was.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from augmint.core.units import Unit, unit_of
from augmint.report.facts import Cell, Cloud, Effect, SpaceMap
from augmint.report.names import printable

_INK, _FAINT, _MINTED, _HELDOUT, _GOOD, _BAD = (f"#0b0c0{i}" for i in range(1, 7))
_VARIABLES = {
    _INK: "var(--ink)",
    _FAINT: "var(--faint)",
    _MINTED: "var(--minted)",
    _HELDOUT: "var(--heldout)",
    _GOOD: "var(--good)",
    _BAD: "var(--bad)",
}
"""Colours that nobody would choose stand for the page's variables."""

_KINDS = {"real": (_INK, "o"), "minted": (_MINTED, "o"), "held-out": (_HELDOUT, "^")}
_VERDICTS = {"improves": (_GOOD, ">"), "harms": (_BAD, "<"), "no detectable effect": (_FAINT, "o")}
_WIDTH = 5.0  # inches at 72 units: 360
_STYLE = {"svg.fonttype": "none", "text.parse_math": False, "font.size": 9.5, "axes.linewidth": 0.6}


def map_chart(space: SpaceMap) -> str:
    """Rows of the judge's space on two axes: minted ones as dots, real ones as rings over them."""
    with _style("map"):
        figure = Figure(figsize=(_WIDTH, 4.6))
        axes = figure.add_axes((0.1, 0.1, 0.88, 0.8))
        handles = [_cloud(axes, cloud) for cloud in sorted(space.clouds, key=lambda cloud: cloud.kind != "minted")]
        axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, frameon=False,
                    handletextpad=0.3, columnspacing=1.2, borderpad=0, labelcolor=_INK)  # fmt: skip
        first, second = space.share
        axes.set_xlabel(f"first direction: {first:.0%} of the variance of real rows")
        axes.set_ylabel(f"second direction: {second:.0%}")
        axes.set_xticks([])
        axes.set_yticks([])
        return _svg(figure, axes)


def _cloud(axes: Axes, cloud: Cloud) -> object:
    colour, marker = _KINDS[cloud.kind]
    ring = cloud.kind != "minted"
    return axes.scatter(
        cloud.at[:, 0],
        cloud.at[:, 1],
        s=16 if ring else 9,
        marker=marker,
        facecolors="none" if ring else colour,
        edgecolors=colour if ring else "none",
        linewidths=0.9,
        alpha=0.9 if ring else 0.65,
        label=f"{cloud.kind} ({cloud.total:,})",
    )


def lift_chart(cells: Sequence[Cell], metric: str) -> str:
    """Effects of every arm with their intervals, in its unit: one block for each number of shots, best arm on top."""
    blocks, unit = [(cell, _effects(cell, metric)) for cell in cells], unit_of(metric)
    lines = sum(len(effects) + 1.4 for _, effects in blocks)
    with _style(f"lift {cells[0].student} {metric}"):
        height = 0.55 + 0.215 * lines
        figure = Figure(figsize=(_WIDTH, height))
        axes = figure.add_axes((0.34, 0.4 / height, 0.63, 1 - 0.45 / height))
        line = 0.0
        for cell, effects in blocks:
            axes.text(-0.53, line, f"{cell.rows}, {cell.pairs} pairs", transform=axes.get_yaxis_transform(),
                      va="center", fontweight="bold", color=_INK)  # fmt: skip
            for name, effect in effects.items():
                line += 1.0
                _effect(axes, line, name, effect, unit)
            line += 1.4
        axes.axvline(0, color=_INK, linewidth=0.8)
        axes.set_ylim(line - 0.4, -0.7)
        axes.set_yticks([])
        axes.set_xlabel(f"change of {metric.replace('_', ' ')}, {unit.word} (right is better)", loc="right")
        axes.grid(axis="x", color=_FAINT, linewidth=0.3, alpha=0.6)
        return _svg(figure, axes)


def _effects(cell: Cell, metric: str) -> dict[str, Effect]:
    found = {arm.name: arm.effects[metric] for arm in cell.arms if metric in arm.effects}
    return dict(sorted(found.items(), key=lambda item: -item[1].mean))


def _effect(axes: Axes, line: float, name: str, effect: Effect, unit: Unit) -> None:
    colour, marker = _VERDICTS[effect.verdict]
    ends = [end for end in (effect.low, effect.high) if np.isfinite(end)]
    if ends:
        axes.plot([unit.scale * end for end in ends], [line, line], color=colour, linewidth=1.6, solid_capstyle="butt")
    axes.plot([unit.scale * effect.mean], [line], color=colour, marker=marker, markersize=6, linestyle="none")
    short = printable(name)
    short = short if len(short) <= 24 else short[:23] + "\N{HORIZONTAL ELLIPSIS}"
    axes.text(-0.03, line, short, transform=axes.get_yaxis_transform(), ha="right", va="center", color=_INK)


def _style(salt: str) -> AbstractContextManager[None]:
    """The settings of all charts; the salt keeps the ids of two charts on one page apart."""
    style: AbstractContextManager[None] = matplotlib.rc_context({**_STYLE, "svg.hashsalt": salt})
    return style


def _svg(figure: Figure, axes: Axes) -> str:
    """The figure as an ``<svg>`` element without width, header, styles and background."""
    axes.tick_params(colors=_INK, labelsize=8.5, width=0.6, length=3)
    axes.xaxis.label.set_color(_INK)
    axes.yaxis.label.set_color(_INK)
    for spine in axes.spines.values():
        spine.set_color(_FAINT)
    figure.patch.set_visible(False)
    axes.patch.set_visible(False)
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<style.*?</style>", "", text, count=1, flags=re.DOTALL)
    text = re.sub(
        r"<svg[^>]*?(viewBox=\"[^\"]*\")[^>]*>", r'<svg \1 aria-hidden="true" focusable="false">', text, count=1
    )
    text = re.sub(r"font-family: [^;\"]*; ?", "", re.sub(r"('[\w ]+', )+sans-serif", "inherit", text))
    text = re.sub(r'<g id="[^"]*"', "<g", text)  # the same in every chart; what is referred to has ids of its own
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, variable)
    return text
