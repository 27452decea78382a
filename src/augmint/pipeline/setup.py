"""Everything checked before anything is made: data listing, names, models, output folder, lock."""

from __future__ import annotations

import contextlib
import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from augmint.core.errors import DataError, SampleError, UsageError
from augmint.core.protocols import Format
from augmint.core.seeds import stream
from augmint.core.types import Entry, Listing, ReadOptions
from augmint.core.version import __version__
from augmint.formats import detect
from augmint.models import Card, choose_size, get_card
from augmint.models import working_size as check_size
from augmint.models.devices import pick_device
from augmint.pipeline.counts import children_per_class
from augmint.pipeline.groups import check_groups
from augmint.pipeline.manifest import Manifest, dump_json, file_sha256, sha256
from augmint.pipeline.output import check_folder, opened
from augmint.pipeline.plan import Plan
from augmint.pipeline.progress import Progress
from augmint.pipeline.sources import Inputs, Source, formats_of, open_heldout, open_sources
from augmint.pipeline.workers import Room, changed_input, content_hash

UNITS = {"data": "encode", "pool": "pool", "base": "base", "held-out": "heldout"}
"""First word in the names of the encode units of each source."""

PRINTS = {"splits": "prints-splits", "heldout": "prints-heldout"}
"""First words in the names of the units of what is kept out: the data's own val and test, and --heldout."""

HELD_OUT = 2000
"""Most rows of val and test that the scores of a run look at."""

_PEEK = 64


@dataclass(frozen=True)
class Setup:
    """A run that can begin.

    Attributes:
        inputs: what the user named.
        listing: all entries; ``train``: those a generator may see.
        classes: in class order.
        plan: resolved (working size chosen).
        room: what workers need.
        model: card of the codec; ``judge``: of the judge's encoder.
        sources: the second data sets that the method uses, by name.
        heldout: what the user holds out beside the data's own val and test.
        warnings: of the listings, and of what will be ignored.
    """

    inputs: Inputs
    listing: Listing
    train: tuple[Entry, ...]
    plan: Plan
    room: Room
    model: Card
    judge: Card
    sources: Mapping[str, Source]
    heldout: Source | None
    warnings: tuple[str, ...]

    @property
    def data(self) -> Path:
        """The data set to make bigger."""
        return self.inputs.data

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the data set's order."""
        return self.listing.classes

    @property
    def encoded(self) -> dict[str, tuple[Entry, ...]]:
        """What is encoded: the training entries of the data, the entries of each second source, some held-out ones."""
        second = {name: source.entries for name, source in self.sources.items()}
        return {"data": self.train, **second, **({"held-out": self.held_out} if self.held_out else {})}

    @property
    def held_out(self) -> tuple[Entry, ...]:
        """Entries of val and test that the scores look at: all, or some by the plan's seed."""
        entries = [entry for entry in self.listing.entries if entry.split != "train"]
        chosen = stream(self.plan.seed, "held-out").permutation(len(entries))[:HELD_OUT]
        return tuple(entries[i] for i in np.sort(chosen))

    @property
    def guarded(self) -> dict[str, tuple[Entry, ...]]:
        """What no child may be a copy of: the data's own val and test, and what the user holds out."""
        own = tuple(entry for entry in self.listing.entries if entry.split != "train")
        given = self.heldout.entries if self.heldout else ()
        return {name: entries for name, entries in (("splits", own), ("heldout", given)) if entries}

    @property
    def listed(self) -> dict[str, int]:
        """Training entries of each class, none of them decoded yet."""
        counts = Counter(entry.target for entry in self.train)
        return {name: counts[name] for name in self.classes}

    @property
    def space(self) -> str:
        """Name of the codec's space; "" where the method works on samples."""
        return "" if self.plan.rewrites else f"{self.model.tag}/{self.plan.size}"

    @property
    def judge_space(self) -> str:
        """Name of the judge's space."""
        return self.judge.tag

    @property
    def judge_is_shared(self) -> bool:
        """Whether the judge shares trained weights with the codec, so that its verdicts flatter."""
        return not self.plan.rewrites and self.judge.weights.sha256 == self.model.weights.sha256

    @property
    def unreadable(self) -> tuple[tuple[str, str], ...]:
        """(id, reason) of entries ruled out by the listing."""
        return self.listing.unreadable


@contextlib.contextmanager
def prepare(
    plan: Plan, inputs: Inputs, manifest: Manifest, fresh: bool, device: str, progress: Progress
) -> Iterator[Setup]:
    """Check everything, take the lock, and give a setup; the folder is opened only when all is well.

    Raises:
        UsageError, DataError, ModelError: with nothing written but an empty state folder.
    """
    setup = survey(plan, inputs, manifest, device)
    check_folder(manifest.out, inputs)
    tell(setup, progress)
    with opened(manifest, identity(setup), fresh):
        check_inputs(setup)
        yield setup


def survey(plan: Plan, inputs: Inputs, manifest: Manifest, device: str = "cpu") -> Setup:
    """List the data, look up the models, and resolve the plan; writes nothing."""
    data = inputs.data
    model, judge = get_card(plan.model), get_card(plan.judge)
    check_cards(model, judge)
    reader = detect(data)
    options = ReadOptions(plan.label, plan.group)
    listing = reader.scan(data, options)
    train = tuple(entry for entry in listing.entries if entry.split == "train")
    check_training(data, train)
    if not plan.rewrites:  # what is not encoded has no working size
        plan = dataclasses.replace(plan, size=plan.size or working_size(reader, train))
        check_size(model, plan.size)
    if plan.label_by == "auto":
        plan = dataclasses.replace(plan, label_by="judge" if "pool" in plan.uses else "parents")
    sources, ignored = open_sources(inputs, plan.method, plan.uses)
    heldout, told = open_heldout(inputs.heldout, options) if inputs.heldout else (None, ())
    check_groups(listing.entries, heldout.entries if heldout else ())
    formats = formats_of(reader, {**sources, **({"heldout": heldout} if heldout else {})})
    room = Room(manifest, plan, formats, pick_device(device))
    warnings = (*listing.warnings, *_warnings(sources), *ignored, *told)
    setup = Setup(inputs, listing, train, plan, room, model, judge, sources, heldout, warnings)
    children_per_class(setup.listed, plan.factor, plan.strategy)  # a wrong strategy is told before any work
    return setup


def check_cards(model: Card, judge: Card) -> None:
    """The model must decode images, the judge must encode them."""
    for role, card, kinds in (("model", model, {"codec"}), ("judge", judge, {"codec", "encoder"})):
        if card.modality != "image" or card.kind not in kinds:
            raise UsageError(
                f"{role} {card.name!r}, an {card.kind} of {card.modality}",
                expected=f"for image files: a {role} that is {' or '.join(sorted(kinds))} of images",
                do="use --model tiny-image; encoders without a decoder work from Python: augmint.load_encoder",
                code="model-kind",
            )


def check_training(data: Path, train: tuple[Entry, ...]) -> None:
    """There must be training rows, all labelled, and one id for each."""
    if not train:
        raise DataError(f"{data}: no training sample", expected="at least one", do="add samples", code="no-samples")
    bare = [entry.id for entry in train if entry.target is None]
    if bare:
        raise DataError(
            f"{data}: {len(bare)} training samples without a label, first {bare[0]!r}",
            expected="a class for every training sample",
            do="put them in class folders, or add a label column",
            code="no-label",
        )


def _warnings(sources: Mapping[str, Source]) -> tuple[str, ...]:
    return tuple(f"--{name}: {warning}" for name, source in sources.items() for warning in source.listing.warnings)


def working_size(reader: Format, train: tuple[Entry, ...]) -> int:
    """Working size for the data: from the median shorter side of up to 64 images, evenly spread."""
    sides = []
    step = max(1, len(train) // _PEEK)
    for entry in train[::step]:
        with contextlib.suppress(SampleError):
            height, width = reader.load(entry).content.shape[:2]
            sides.append(min(height, width))
    return choose_size(sides)


def identity(setup: Setup) -> dict[str, object]:
    """What a folder is the run of: plan, models, data listings, version."""
    second = {name: _digest(source.entries, source.entries) for name, source in setup.sources.items()}
    if setup.heldout:  # listed only: none of it is read before there are children
        second["heldout"] = _digest(setup.heldout.entries, ())
    return {
        **setup.plan.as_dict(),
        "augmint": __version__,
        "model_sha256": setup.model.weights.sha256,
        "judge_sha256": setup.judge.weights.sha256,
        "data": _digest(setup.listing.entries, setup.train),
        "classes": list(setup.classes),
        **second,
    }


def _digest(listed: Sequence[Entry], read: Sequence[Entry]) -> str:
    """Digest of a listing, and of the content of those files that hold many rows.

    What a file of one sample holds is checked when it is read, and against its receipt by :func:`check_inputs`.
    """
    facts = [dump_json([e.id, e.target, e.group, e.split, e.row]) for e in listed]
    files = sorted({entry.source for entry in read if entry.row >= 0})
    return sha256("\n".join([*facts, *map(file_sha256, files)]).encode())


def check_inputs(setup: Setup) -> None:
    """Inputs of finished units must be what they were; a resumed run must not mix two versions of a file."""
    for source, entries in setup.encoded.items():
        check_source(setup.room, source, entries, UNITS[source])


def check_source(room: Room, source: str, entries: Sequence[Entry], word: str) -> None:
    """Raise DataError where a file is not what it was for the finished units whose names begin with this word."""
    reader, known = room.open_format(source), {entry.id: entry for entry in entries}
    for receipt in sorted((room.manifest.home / "receipts").glob(f"{word}-*.json")):
        if not room.manifest.finished(receipt.stem):
            continue
        for row in room.manifest.load(receipt.stem).rows:
            entry = known[row["id"]]
            if entry.row < 0:
                now = file_sha256(entry.source) if entry.source.exists() else ""
            else:
                now = row["sha256"] if "skipped" in row else content_hash(reader.load(entry))
            if now != row["sha256"]:
                raise changed_input(entry)


def tell(setup: Setup, progress: Progress) -> None:
    """What was recognised and chosen."""
    plan = setup.plan
    progress.say(f"data: {setup.listing.layout}, {len(setup.train)} training samples, {len(setup.classes)} classes")
    model = "" if plan.rewrites else f" with {setup.model.name} at {plan.size} px"
    progress.say(f"plan: {plan.recipe}{model}, seed {plan.seed}")
    if setup.judge_is_shared:
        progress.say("judge: shared (the judge uses the codec's own weights; its verdicts flatter)")
    for source in setup.sources.values():
        progress.say(f"{source.name}: {source.listing.layout}, {len(source.entries)} samples")
    if setup.heldout:
        progress.say(f"heldout: {setup.heldout.listing.layout}")
    if not setup.guarded:
        progress.say("warning: nothing is held out (no --heldout DIR, no val or test): leak_check: none")
    for warning in setup.warnings:
        progress.say(f"warning: {warning}")
