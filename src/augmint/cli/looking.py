"""Commands that look at data sets and runs: ``inspect``, ``report``, ``verify``, ``replay``."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from augmint.cli.show import console_of, show_page
from augmint.core.errors import UsageError
from augmint.pipeline.inspect import Inspection
from augmint.pipeline.inspect import inspect as inspect_data
from augmint.pipeline.replay import replay as replay_child
from augmint.pipeline.reporting import report as write_report
from augmint.pipeline.verify import verify as verify_folder

_SHOWN = 10
_SCOPE = {
    "image": "scope: image classification; boxes, masks and keypoints are refused (they would no longer fit)",
    "text": "scope: classification of texts and pairs of texts; spans are carried along by classic-text alone",
}


def inspect(args: argparse.Namespace) -> int:
    """``augmint inspect``."""
    console = console_of(args)
    with console.progress() as progress:
        columns = {"label": args.label, "group": args.group, "text": args.text, "spans": args.spans}
        found = inspect_data(args.data, **columns, near=args.near, progress=progress)
    console.json({**dataclasses.asdict(found), "exit_code": found.exit_code})
    console.text(found.layout)
    splits = list(found.counts)
    classes = list(found.counts[splits[0]]) if splits else []
    console.table(["class", *splits], [[name, *(found.counts[split][name] for split in splits)] for name in classes])
    console.text(f"imbalance {found.imbalance:.1f} : 1; {_sizes(found)}")
    named = {ids: name for name, ids in found.crossing.items()}
    groups = {"duplicates": found.duplicates, "same content, other label": found.conflicts, "LEAK": found.leaks}
    for word, ids in groups.items():
        for group in ids[:_SHOWN]:
            of = f" (group {named[group]!r})" if word == "LEAK" and group in named else ""
            console.text(f"{word}{of}: {', '.join(group[:4])}{' ...' if len(group) > 4 else ''}")
        if len(ids) > _SHOWN:
            console.text(f"{word}: {len(ids) - _SHOWN} more groups")
    for pair in found.near[:_SHOWN]:
        console.text(f"near copy: {pair.id} of {pair.nearest} ({pair.score:.3f} < {pair.threshold:.3f})")
    if len(found.near) > _SHOWN:
        console.text(f"near copy: {len(found.near) - _SHOWN} more")
    for name, reason in found.bad[:_SHOWN]:
        console.text(f"unusable: {name}: {reason}")
    if len(found.bad) > _SHOWN:
        console.text(f"unusable: {len(found.bad) - _SHOWN} more")
    for warning in found.warnings:
        console.warn(f"warning: {warning}")
    if found.imbalance > 1.5:
        console.text(f"to balance the classes: augmint run {args.data} -o OUT --strategy auto")
    console.text(_SCOPE[found.modality])
    return found.exit_code


def _sizes(found: Inspection) -> str:
    """Shapes of pictures, or lengths of texts, in one line."""
    if found.modality == "text":
        sizes = (f"{name} {n['min']} to {n['max']}, median {n['median']:g}" for name, n in found.lengths.items())
        return "; ".join(sizes) or "no text"
    shapes = ", ".join(f"{shape} ({count})" for shape, count in found.shapes.items())
    return f"shapes: {shapes or 'none'}"


def report(args: argparse.Namespace) -> int:
    """``augmint report``."""
    console = console_of(args)
    written = write_report(args.out, args.lift)
    console.json({**dataclasses.asdict(written), "exit_code": 0})
    for warning in written.warnings:
        console.warn(warning)
    for section, reason in written.missing.items():
        console.text(f"not in it: {section} ({reason})")
    console.text(f"wrote {written.path} ({written.bytes / 1e3:,.0f} kB)")
    if args.open:
        show_page(written.path, console)
    return 0


def verify(args: argparse.Namespace) -> int:
    """``augmint verify``."""
    console = console_of(args)
    with console.progress() as progress:
        checked = verify_folder(args.out, args.against, progress)
    console.json({**dataclasses.asdict(checked), "exit_code": checked.exit_code})
    for name, problem in checked.problems:
        console.warn(f"{problem}: {name}")
    console.text(f"{checked.files} files checked, {len(checked.problems)} problems")
    if checked.against:
        for leak in checked.against.leaks:
            console.warn(f"LEAK: {leak.id} is a near copy of {leak.nearest} ({leak.score:.3f} < {leak.threshold:.3f})")
        found = checked.against
        compared = f"{found.compared} children compared with {found.held_out} held-out {found.noun}"
        console.text(f"{compared}, {len(found.leaks)} near copies")
    return checked.exit_code


def _save(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise UsageError(
            f"--save {path}: {error.strerror}", expected="a file to write", do="change --save", code="not-writable"
        ) from error


def replay(args: argparse.Namespace) -> int:
    """``augmint replay``."""
    console = console_of(args)
    done = replay_child(args.out, args.sample_id, args.data, args.pool)
    if args.save:
        _save(Path(args.save), done.data)
    facts = {
        "id": done.id,
        "identical": done.identical,
        "path": done.path,
        **done.facts,
        "exit_code": done.exit_code,
    }
    console.json(facts)
    parents = ", ".join(done.facts["refs"])
    console.text(f"{done.id}: {'identical' if done.identical else 'DIFFERENT'}, made from {parents}")
    return done.exit_code
