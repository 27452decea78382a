"""Make one child again, from its address and the saved fits, and compare the bytes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from augmint.core.errors import DataError, did_you_mean
from augmint.engine import intra_op_threads
from augmint.formats.npz import open_npz
from augmint.pipeline.encode_units import Encoding, UsableRows
from augmint.pipeline.manifest import Manifest
from augmint.pipeline.picking import MakePicker, pick_of
from augmint.pipeline.plan import make_plan
from augmint.pipeline.progress import Progress
from augmint.pipeline.row_file import ROWS, child_of, draw_rows
from augmint.pipeline.second import encoded_rows
from augmint.pipeline.setup import Setup, identity, survey
from augmint.pipeline.sources import Inputs
from augmint.pipeline.workers import DrawJob, MakeDrawer

_INPUTS = {"augmint", "modality", "model_sha256", "judge_sha256", "further_sha256", "data", "classes", "pool", "base"}
_NOT_PLAN = {*_INPUTS, "heldout"}
"""Held-out data has no part in how a child is made."""


@dataclass(frozen=True)
class Replay:
    """A child made again.

    Attributes:
        id: of the child.
        data: its bytes as made now.
        identical: whether they are those of the run.
        path: its file in the output folder, "" for a reject.
        facts: its row: refs, scores, gate.
    """

    id: str
    data: bytes
    identical: bool
    path: str
    facts: dict[str, Any]

    @property
    def exit_code(self) -> int:
        """0 when identical, else 1."""
        return 0 if self.identical else 1


def replay(out: str | Path, sample_id: str, data: str | Path | None = None, pool: str | Path | None = None) -> Replay:
    """Redraw the unit of a child and pick the child.

    Args:
        out: folder of a finished run.
        sample_id: id of a child (its file name without ``.png``); rejects can be replayed too.
        data: where the input is now, if it moved; ``pool``: the same for the pool.

    Raises:
        DataError: no such child, inputs changed or moved, models other than the run's.
    """
    manifest = Manifest(Path(out))
    setup = reopen(manifest, {"data": data, "pool": pool})
    if setup.plan.decode == "rows":
        return _row(setup, sample_id)
    unit, position = find(manifest, sample_id)
    job = job_of(manifest, setup, unit)
    room = dataclasses.replace(setup.room, asks=False)
    maker = MakePicker(room) if job.picks else MakeDrawer(room)
    with intra_op_threads(setup.plan.threads):
        arrays, rows = maker().draw(job)
    ends = arrays["offsets"]
    made = arrays["blob"][ends[position] : ends[position + 1]].tobytes()
    before = manifest.load(unit).arrays()
    start, stop = before["offsets"][position : position + 2]
    facts = rows[position + 1]
    path = manifest.out / "train" / facts["label"] / f"{sample_id}{facts['suffix']}"
    same = made == before["blob"][start:stop].tobytes()
    if path.is_file():
        same = same and made == path.read_bytes()
    return Replay(sample_id, made, same, path.as_posix() if path.is_file() else "", facts)


def _row(setup: Setup, sample_id: str) -> Replay:
    """A row of a run whose product is rows: all are drawn in one go, so all are drawn again."""
    path = setup.room.manifest.out / ROWS
    arrays = {name: member.read() for name, member in open_npz(path).items() if member.shape}
    before, facts = child_of(arrays, sample_id)
    with intra_op_threads(setup.plan.threads):
        made, again = child_of(draw_rows(setup, Progress()).arrays, sample_id)
    return Replay(sample_id, made, made == before and again == facts, path.as_posix(), facts)


def reopen(manifest: Manifest, moved: Mapping[str, str | Path | None]) -> Setup:
    """The setup of a finished run, checked to be what it was; ``moved`` says where inputs are now."""
    try:
        before = json.loads((manifest.home / "plan.json").read_bytes())
        facts = json.loads((manifest.out / "run.json").read_bytes())
        places = {name: moved.get(name) or facts[name] for name in ("data", "pool", "base") if facts.get(name)}
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{manifest.out}: no run can be read ({error})",
            expected="the folder of a finished run",
            do="check the path",
        ) from error
    plan = make_plan({key: value for key, value in before.items() if key not in _NOT_PLAN})
    for name, place in places.items():
        if not Path(place).exists():
            do = f"say where it is: --{name} DIR" if name in moved else "put it back"
            raise DataError(f"{name} {place} is gone", expected="the run's inputs", do=do, code="missing-path")
    setup = survey(plan, Inputs(**{name: Path(place) for name, place in places.items()}), manifest)
    now = json.loads(json.dumps(identity(setup)))
    changed = [key for key in sorted(_INPUTS) if before.get(key) != now.get(key)]
    if changed:
        raise DataError(
            f"not the same as in the run: {', '.join(changed)}",
            expected="the run's data listing, models and version of augmint",
            do="restore them; the run's own are in .augmint/plan.json",
            code="other-run",
        )
    return setup


def find(manifest: Manifest, sample_id: str) -> tuple[str, int]:
    """Unit of a child and its position in it."""
    known = []
    for path in sorted((manifest.home / "units").glob("draw-*.safetensors")):
        for position, row in enumerate(manifest.load(path.stem).rows[1:]):
            if row["id"] == sample_id:
                return path.stem, position
            known.append(row["id"])
    raise DataError(
        f"no child {sample_id!r} in {manifest.out}",
        expected="the id of a child: its file name without .png, or what the column id of a table says",
        do=f"{did_you_mean(sample_id, known)} see train/metadata.jsonl, or the table".strip(),
        code="unknown-sample",
    )


def job_of(manifest: Manifest, setup: Setup, unit: str) -> DrawJob:
    """The job that made a unit."""
    head = manifest.load(unit).rows[0]
    real, _ = UsableRows.read(manifest, Encoding.of(setup, "data"))
    wanted = set(head["anchors"])
    known = {anchor.entry.id: anchor for anchor in real if anchor.entry.id in wanted}
    anchors = tuple(known[id_] for id_ in head["anchors"])
    pool = encoded_rows(manifest, setup, "pool") if "picks" in head else {}
    picks = tuple(pick_of(facts, pool) for facts in head.get("picks", ()))
    return DrawJob(unit, head["label"], head["index"], head["round"], head["kin"], anchors, picks)
