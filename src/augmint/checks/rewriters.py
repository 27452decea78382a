"""The laws of a method on samples."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from augmint.checks.laws import check_config, check_state, content_of, law, watched
from augmint.core.protocols import Rewriter
from augmint.core.types import Sample


def check_rewriter(make: Callable[[], Rewriter], samples: Sequence[Sample]) -> None:
    """The laws of a method on samples, on at least two samples of the caller's, which should differ in form."""
    check_config(make, Rewriter)
    rewriter = make()
    options = {f.name for f in dataclasses.fields(rewriter) if f.init}  # type: ignore[arg-type]
    law(rewriter.changeable <= options, "what may change is an option", repr(sorted(rewriter.changeable - options)))
    with watched(list(samples)):
        law(rewriter.fit(samples, _generator()) is rewriter, "fit returns self")
    with watched(list(samples)):
        children = rewriter.rewrite(samples, _generators(len(samples)))
    law(len(children) == len(samples), "one child for each sample", f"{len(children)} of {len(samples)}")
    for child, parent in zip(children, samples, strict=True):
        _check_child(child, parent)
    first = content_of(children)
    same = "the same numbers give the same bytes"
    law(content_of(rewriter.rewrite(samples, _generators(len(samples)))) == first, same, "a second call differs")
    fresh = make().fit(samples, _generator()).rewrite(samples, _generators(len(samples)))
    law(content_of(fresh) == first, same, "a fresh fit differs")
    check_state(state := copy.deepcopy(rewriter.state()), empty=True)
    loaded = make()
    law(loaded.load(state) is loaded, "load returns self")
    children = loaded.rewrite(samples, _generators(len(samples)))
    law(content_of(children) == first, "state makes the round trip", "a loaded rewriter differs")
    alone = "a child does not depend on its neighbours"
    pairs = zip(samples, _generators(len(samples)), strict=True)
    single = [rewriter.rewrite([sample], [rng])[0] for sample, rng in pairs]
    law(content_of(single) == first, alone, "one sample alone differs")
    turned = rewriter.rewrite(samples[::-1], _generators(len(samples))[::-1])
    law(content_of(turned[::-1]) == first, alone, "the order matters")
    law(rewriter.rewrite([], []) == [], "no samples give no children")
    _check_told(rewriter, samples, children)


def _generator() -> np.random.Generator:
    return np.random.default_rng(19)


def _generators(n: int) -> list[np.random.Generator]:
    return [np.random.default_rng(20 + i) for i in range(n)]


def _check_child(child: Sample, parent: Sample) -> None:
    law(child.id == "", "a child has no id; the caller names it", repr(child.id))
    law(child.raw is None, "a child has no stored bytes of its parent")
    for name in ("target", "group", "split"):
        kept = content_of(getattr(child, name)) == content_of(getattr(parent, name))
        law(kept, "a child has the target, group and split of its parent", name)
    law(type(child.content) is type(parent.content), "the child's content is of its parent's kind")
    if isinstance(child.content, np.ndarray):
        form = [(x.content.shape, x.content.dtype) for x in (child, parent)]
        law(form[0] == form[1], "the child has the size and depth of its parent", f"{form[0]}, not {form[1]}")


def _check_told(rewriter: Rewriter, samples: Sequence[Sample], children: Sequence[Sample]) -> None:
    told = rewriter.children(samples, _generators(len(samples)))
    law(content_of([child.sample for child in told]) == content_of(children), "children are what rewrite gives")
    known = {sample.id for sample in samples}
    for child in told:
        law(all(id_ in known for id_, _ in child.parents), "parents are samples that were fitted", repr(child.parents))
        weights = [weight for _, weight in child.parents]
        whole = not weights or (min(weights) >= 0 and abs(sum(weights) - 1) < 1e-6)
        law(whole, "weights of parents are >= 0 and sum to 1", repr(weights))
        law(isinstance(child.note, str), "a note is a string")
