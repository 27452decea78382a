"""The output folder: whose it is, whether it may be written, and what it is already the result of."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from augmint.core.errors import UsageError
from augmint.core.types import SPLIT_NAMES
from augmint.pipeline.manifest import Manifest, dump_json
from augmint.pipeline.sources import Inputs

OURS = (
    "README.md",
    "SHA256SUMS",
    "classes.txt",
    "config.yaml",
    "rejects.jsonl",
    "run.json",
    "skipped.jsonl",
    "report",
    "test",
    "rows.npz",
    "train",
    "val",
    ".augmint",
    *(f"{split}.{kind}" for split in SPLIT_NAMES for kind in ("csv", "tsv", "jsonl", "parquet")),
)
"""Names at the top of an output folder; ``--fresh`` removes these and nothing else."""


def check_folder(out: Path, inputs: Inputs) -> None:
    """The output folder must be new, empty or ours, and apart from the inputs."""
    inside = out.resolve()
    for name, path in inputs.paths.items():
        if inside == path.resolve() or path.resolve() in inside.parents or inside in path.resolve().parents:
            raise UsageError(
                f"-o {out} and the {name} {path} lie inside each other", expected="separate folders", do="change -o"
            )
    if out.exists() and not out.is_dir():
        raise UsageError(f"-o {out} is a file", expected="a folder", do="change -o")
    if out.is_dir() and any(out.iterdir()) and not (out / ".augmint").is_dir():
        raise UsageError(
            f"-o {out} has files that are not a run of augmint",
            expected="a new folder, an empty one, or one to resume",
            do="change -o",
            code="not-empty",
        )


def remove_earlier(out: Path, names: Sequence[str] = OURS, keep: str = "") -> None:
    """Remove what an earlier run wrote, but for the lock we hold and ``keep`` in its state folder."""
    for name in names:
        target = out / name
        if name == ".augmint":
            for inner in target.iterdir():
                if inner.name not in ("lock", keep):
                    shutil.rmtree(inner) if inner.is_dir() else inner.unlink()
        elif target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)


@contextlib.contextmanager
def opened(
    manifest: Manifest,
    identity: Mapping[str, object],
    fresh: bool,
    names: Sequence[str] = OURS,
    changeable: Collection[str] = (),
) -> Iterator[None]:
    """An output folder, locked and known to hold what ``identity`` says.

    Args:
        manifest: of the folder.
        identity: what it is the result of; its "command" is the one that writes it, ``run`` where it has none.
        fresh: remove the ``names`` of an earlier one first.
        names: at the top of the folder, that are ours.
        changeable: options of the method in which an earlier one may differ.
    """
    try:
        manifest.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"-o {manifest.out}: {error.strerror}", expected="a folder to write", do="change -o"
        ) from error
    with manifest.lock():
        refuse_other_command(manifest, str(identity.get("command", "run")))
        if fresh:
            remove_earlier(manifest.out, names)
        compare_identity(manifest, identity, changeable)
        manifest.open()
        manifest.write(manifest.home / "plan.json", (dump_json(identity) + "\n").encode())
        yield


def refuse_other_command(manifest: Manifest, command: str) -> None:
    """What one command made is not thrown away by another, not even with --fresh."""
    before = _stored_identity(manifest)
    earlier = (before or {}).get("command", "run")
    if before is not None and earlier != command:
        raise UsageError(
            f"{manifest.out} was made by augmint {earlier}",
            expected=f"a new folder, or one of augmint {command}",
            do="use another -o",
            code="other-command",
        )


def _stored_identity(manifest: Manifest) -> dict[str, object] | None:
    """What the folder is the run of; None where it is none yet, {} where that cannot be read."""
    path = manifest.home / "plan.json"
    if not path.exists():
        return None
    try:
        found: dict[str, object] = json.loads(path.read_bytes())
    except ValueError:
        return {}
    return found


def compare_identity(manifest: Manifest, identity: Mapping[str, object], changeable: Collection[str] = ()) -> None:
    """Refuse to continue a run of another plan, data set or version; options in ``changeable`` may differ."""
    stored = _stored_identity(manifest)
    if stored is None:
        return
    before, now = _without(stored, changeable), _without(json.loads(dump_json(identity)), changeable)
    changed = sorted(key for key in {*before, *now} if before.get(key) != now.get(key))
    if changed:
        lines = "; ".join(f"{key}: {_short(before.get(key))} -> {_short(now.get(key))}" for key in changed)
        raise UsageError(
            f"{manifest.out} holds another run ({lines})",
            expected="the same data and plan, to resume",
            do="use another -o, or --fresh to throw the earlier run away",
            code="other-run",
        )


def _without(identity: Mapping[str, object], changeable: Collection[str]) -> dict[str, object]:
    """The same, without these options of the method."""
    options = identity.get("method_options")
    if not isinstance(options, dict):
        return dict(identity)
    return {**identity, "method_options": {name: value for name, value in options.items() if name not in changeable}}


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
