"""The data sets that a run reads: the one it makes bigger, and those that a method learns from beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

from augmint.core.errors import DataError, UsageError
from augmint.core.protocols import Format
from augmint.core.types import Entry, Listing, ReadOptions
from augmint.formats import TABLE as FORMATS
from augmint.formats import detect
from augmint.pipeline.plan import method_class

_KIND = {
    "pool": "samples without labels: a folder of pictures, flat or nested, or an .npz; texts as a table or a .txt",
    "base": "a labelled data set, as for the data itself",
    "heldout": "samples to keep out: a folder of pictures, flat or nested, or an .npz; texts as a table",
}


def as_path(name: str, place: str | PathLike[str]) -> Path:
    """The path; raises UsageError for what is none, such as rows in memory."""
    if isinstance(place, str | PathLike):
        return Path(place)
    raise UsageError(
        f"{name} = {type(place).__name__}",
        expected="the path of a file or folder",
        do="write rows to a .csv, .jsonl or .parquet first (DataFrame.to_csv); rows of features in memory: "
        "augmint.FeatureAugmenter",
        code="not-a-path",
    )


@dataclass(frozen=True)
class Inputs:
    """What the user names.

    Attributes:
        data: the labelled data set to make bigger.
        pool: unlabelled samples of the same kind.
        base: another labelled data set to learn statistics from; nothing of it is written.
        heldout: pictures that no child may be a copy of; not opened before there are children.
    """

    data: Path
    pool: Path | None = None
    base: Path | None = None
    heldout: Path | None = None

    @property
    def second(self) -> dict[str, Path]:
        """Name and path of those given beside the data."""
        found = {"pool": self.pool, "base": self.base}
        return {name: path for name, path in found.items() if path is not None}

    @property
    def paths(self) -> dict[str, Path]:
        """Name and path of all that are given."""
        return {"data": self.data, **self.second, **({"heldout": self.heldout} if self.heldout else {})}


@dataclass(frozen=True)
class Source:
    """A second data set, listed. A base gives its training rows, a pool and held-out data all they have."""

    name: str
    path: Path
    format: str
    listing: Listing

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The entries that may be used."""
        return tuple(e for e in self.listing.entries if self.name != "base" or e.split == "train")


def open_sources(
    inputs: Inputs, method: str, uses: frozenset[str], options: ReadOptions
) -> tuple[dict[str, Source], tuple[str, ...]]:
    """Those second data sets that the method uses, and a warning for each that it ignores.

    ``options`` are those of the data; of these a pool and a base share the name of the text's column, if they have one
    so called, and a base that of the label's.

    Raises:
        UsageError: code ``no-pool``: the method needs a pool and there is none.
        DataError: one is missing or cannot be read as what it should be.
    """
    if "pool" in uses and inputs.pool is None:
        picks = "pool" in getattr(method_class(method), "uses", ())
        ways = ["add --pool DIR (pool= in Python)", "choose another method"]
        ways += [] if picks else ["take its rows alone: --space rows"]
        raise UsageError(
            f"method {method!r} without a pool",
            expected=f"{_KIND['pool']}, of the same kind as the data",
            do=f"{', '.join(ways[:-1])}, or {ways[-1]}",
            code="no-pool",
        )
    found = {name: _open(name, path, options) for name, path in inputs.second.items() if name in uses}
    ignored = tuple(
        f"--{name} {path} is ignored: method {method!r} uses no {name}"
        for name, path in inputs.second.items()
        if name not in uses
    )
    return found, ignored


def listed(reader: Format, path: Path, options: ReadOptions) -> Listing:
    """A data set beside the data; the one column of its text is looked for where it has none of the data's name."""
    try:
        return reader.scan(path, options)
    except DataError as error:
        if error.code != "missing-column" or not options.text or "," in options.text:
            raise
        try:
            return reader.scan(path, replace(options, text=""))
        except DataError:
            raise error from None


def _open(name: str, path: Path, options: ReadOptions) -> Source:
    if not path.exists():
        raise DataError(
            f"--{name} {str(path)!r}, which does not exist",
            expected=_KIND[name],
            do="correct the path",
            code="missing-path",
        )
    reader, labelled = detect(path), name == "base"
    own = ReadOptions(options.label if labelled else "", text=options.text, unlabelled=not labelled)
    source = Source(name, path, format_name(reader), listed(reader, path, own))
    if not source.entries:
        raise DataError(f"--{name} {path}: no sample in it", expected=_KIND[name], do="add samples", code="no-samples")
    return source


def open_heldout(path: Path, options: ReadOptions) -> tuple[Source, tuple[str, ...]]:
    """Held-out data, with the groups of its pictures where it tells them, and warnings; no picture is opened.

    Raises:
        DataError: it is missing or holds no picture.
    """
    source = _open("heldout", path, options)
    try:
        known = listed(detect(path), path, options)
    except DataError as error:
        told = (f"--heldout {path}: its groups are not known ({error.got})",) if options.group else ()
        return source, told
    groups = {entry.id: entry.group for entry in known.entries}
    entries = tuple(replace(entry, group=groups.get(entry.id, "")) for entry in source.listing.entries)
    return replace(source, listing=replace(source.listing, entries=entries)), ()


def format_name(reader: Format) -> str:
    """Name of a reader in the formats' table."""
    spot = f"{type(reader).__module__}:{type(reader).__name__}"
    return next(name for name, target in FORMATS.items() if target == spot)


def formats_of(data: Format, sources: Mapping[str, Source]) -> dict[str, str]:
    """Names of the readers of the data, of its held-out rows, and of each second source."""
    return {
        "data": format_name(data),
        "held-out": format_name(data),
        "splits": format_name(data),
        **{name: source.format for name, source in sources.items()},
    }
