"""Everything checked before anything is made: data listing, names, models, output folder, lock."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from augmint.core.errors import DataError, SampleError
from augmint.core.protocols import Format
from augmint.core.seeds import stream
from augmint.core.types import SPLIT_NAMES, Entries, Entry, Listing, ReadOptions
from augmint.core.version import __version__
from augmint.formats import detect
from augmint.models import Card, choose_size, get_card
from augmint.models import working_size as check_size
from augmint.models.devices import pick_device
from augmint.models.label_judge import check_labels
from augmint.pipeline.counts import children_per_class
from augmint.pipeline.finished import Finished
from augmint.pipeline.groups import check_groups
from augmint.pipeline.jobs import codes_of
from augmint.pipeline.manifest import Manifest, dump_json, file_sha256, sha256
from augmint.pipeline.modality import MEDIA, Medium, check_method, find_cards
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
        medium: what the samples are.
        model: card of the method's model, None where it needs none (an image run names its codec all the same).
        judge: card of the judge's encoder, None where nothing is judged.
        sources: the second data sets that the method uses, by name.
        heldout: what the user holds out beside the data's own val and test.
        warnings: of the listings, and of what will be ignored.
    """

    inputs: Inputs
    listing: Listing
    train: Sequence[Entry]
    plan: Plan
    room: Room
    medium: Medium
    model: Card | None
    judge: Card | None
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
    def encoded(self) -> dict[str, Sequence[Entry]]:
        """What is encoded: the training entries of the data, the entries of each second source, some held-out ones."""
        second = {name: source.entries for name, source in self.sources.items()}
        return {"data": self.train, **second, **({"held-out": self.held_out} if self.held_out else {})}

    @property
    def apart(self) -> Sequence[Entry]:
        """The entries of val and test, in the listing's order."""
        entries = self.listing.entries
        if isinstance(entries, Entries):
            return entries.take(entries.rows[entries.splits[entries.rows] != SPLIT_NAMES.index("train")])
        return tuple(entry for entry in entries if entry.split != "train")

    @property
    def held_out(self) -> tuple[Entry, ...]:
        """Entries of val and test that the scores look at: all, or some by the plan's seed."""
        entries = self.apart
        chosen = stream(self.plan.seed, "held-out").permutation(len(entries))[:HELD_OUT]
        return tuple(entries[int(i)] for i in np.sort(chosen))

    @property
    def guarded(self) -> dict[str, Sequence[Entry]]:
        """What no child may be a copy of: the data's own val and test, and what the user holds out."""
        given: Sequence[Entry] = self.heldout.entries if self.heldout else ()
        return {name: entries for name, entries in (("splits", self.apart), ("heldout", given)) if len(entries)}

    @property
    def listed(self) -> dict[str, int]:
        """Training entries of each class, none of them decoded yet."""
        codes = codes_of(self.train, self.classes)
        return dict(zip(self.classes, np.bincount(codes, minlength=len(self.classes)).tolist(), strict=True))

    @property
    def space(self) -> str:
        """Name of the space that the model works in; "" where the method needs no model."""
        return f"{self.model.tag}/{self.plan.size}" if self.model and self.plan.uses_model else ""

    @property
    def judge_space(self) -> str:
        """Name of the judge's space; "" where nothing is judged."""
        return self.judge.tag if self.judge else ""

    @property
    def judge_is_shared(self) -> bool:
        """Whether the judge shares trained weights with the method's model, so that its verdicts flatter."""
        return bool(self.plan.uses_model and _weights(self.model) & _weights(self.judge))


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
    with opened(manifest, identity(setup), fresh, changeable=setup.plan.changeable):
        check_inputs(setup)
        yield setup


def survey(plan: Plan, inputs: Inputs, manifest: Manifest, device: str = "cpu") -> Setup:
    """List the data, look up the models, and resolve the plan; writes nothing."""
    reader = detect(inputs.data)
    medium = MEDIA[reader.modality]
    check_method(plan, medium)
    model, judge = find_cards(plan, medium)
    options = ReadOptions(plan.label, plan.group, text=plan.text, spans=plan.spans)
    listing = reader.scan(inputs.data, options)
    train = listing.of("train")
    check_training(inputs.data, train)
    if model and plan.uses_model:  # what is not encoded has no working size
        plan = dataclasses.replace(plan, size=plan.size or working_size(reader, train, model))
        check_size(model, plan.size)
    if plan.label_by == "auto":
        plan = dataclasses.replace(plan, label_by="judge" if "pool" in plan.uses else "parents")
    sources, ignored = open_sources(inputs, plan.method, plan.uses, options)
    heldout, told = open_heldout(inputs.heldout, options) if inputs.heldout else (None, ())
    check_groups(listing.entries, heldout.entries if heldout else ())
    formats = formats_of(reader, {**sources, **({"heldout": heldout} if heldout else {})})
    room = Room(manifest, plan, formats, pick_device(device), classes=listing.classes)
    if judge:
        check_labels(plan.judge, listing.classes)
    check_media(room, medium, inputs)
    warnings = (*listing.warnings, *_warnings(sources), *ignored, *told, *_minted_before(inputs.data))
    setup = Setup(inputs, listing, train, plan, room, medium, model, judge, sources, heldout, warnings)
    children_per_class(setup.listed, plan.factor, plan.strategy)  # a wrong strategy is told before any work
    return setup


def _weights(card: Card | None) -> set[str]:
    """Hashes of the weight files of a model and of the one that it is put on."""
    if card is None:
        return set()
    own = {file.sha256 for file in card.files if file.name.endswith(".safetensors")}
    return own | (_weights(get_card(card.body)) if card.body else set())


def check_media(room: Room, medium: Medium, inputs: Inputs) -> None:
    """Everything that a run reads must be of one modality."""
    for name, path in inputs.paths.items():
        other = MEDIA[room.open_format(name).modality] if name in room.formats else medium
        if other is not medium:
            raise DataError(
                f"--{name} {path}, which holds {other.noun}, beside data that are {medium.noun}",
                expected=medium.noun,
                do=f"give --{name} {medium.noun}, or leave it out",
                code="modality",
            )


def check_training(data: Path, train: Sequence[Entry]) -> None:
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


def _minted_before(data: Path) -> tuple[str, ...]:
    run = Finished.around(data)
    if run is None:
        return ()
    count, soft = run.tally.made.total(), any("label_probs" in row for row in run.children())
    hard = "; their soft labels (label_probs) are not read: each is of its heaviest class" if soft else ""
    return (
        f"{data} is the output of a run: its {count} minted samples count as real ones here, and are told as such"
        f"{hard}",
    )


def _warnings(sources: Mapping[str, Source]) -> tuple[str, ...]:
    return tuple(f"--{name}: {warning}" for name, source in sources.items() for warning in source.listing.warnings)


def working_size(reader: Format, train: Sequence[Entry], model: Card) -> int:
    """Working size for the data: the model's own for texts; for images, by the shorter side of some of them."""
    return image_size(reader, train) if reader.modality == "image" else model.space.size


def image_size(reader: Format, train: Sequence[Entry]) -> int:
    """Working size for images: from the median shorter side of up to 64 of them, evenly spread."""
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
    others = {**setup.plan.further_models, **{f"gate {name}": own for name, own in setup.plan.gate_models.items()}}
    further = {name: fingerprint(get_card(model)) for name, model in others.items()}
    return {
        **setup.plan.as_dict(),
        "augmint": __version__,
        **({} if setup.medium.name == "image" else {"modality": setup.medium.name}),
        "model_sha256": fingerprint(setup.model),
        "judge_sha256": fingerprint(setup.judge),
        "data": _digest(setup.listing.entries, setup.train),
        "classes": list(setup.classes),
        **({"further_sha256": further} if further else {}),
        **second,
    }


def fingerprint(card: Card | None) -> str:
    """What a model is known by: the hash of its only file, or of the hashes of all that it is made of; "" for none."""
    if card is None:
        return ""
    files = [*card.files, *(get_card(card.body).files if card.body else ())]
    if len(files) == 1:
        return card.weights.sha256
    return sha256("".join(f"{file.sha256}  {file.name}\n" for file in files).encode())


def _digest(listed: Sequence[Entry], read: Sequence[Entry]) -> str:
    """Digest of a listing, and of the content of those files that hold many rows.

    What a file of one sample holds is checked when it is read, and against its receipt by :func:`check_inputs`.
    """
    facts = (dump_json([e.id, e.target, e.group, e.split, e.row]) for e in listed)
    files = sorted({entry.source for entry in read if entry.row >= 0})
    digest = hashlib.sha256()
    for i, line in enumerate(itertools.chain(facts, map(file_sha256, files))):
        digest.update(line.encode() if i == 0 else b"\n" + line.encode())
    return digest.hexdigest()


def check_inputs(setup: Setup) -> None:
    """Inputs of finished units must be what they were; a resumed run must not mix two versions of a file."""
    for source, entries in setup.encoded.items():
        if source == "held-out" or entries[0].row < 0:  # files of many rows are part of the run's identity
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
    model = f" with {setup.model.name} at {plan.size} {setup.medium.unit}" if setup.model and plan.uses_model else ""
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
