"""Data that augmint does not read, told by its names, so that a refusal can say what it is and what would help."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from augmint.core.errors import DataError
from augmint.core.types import ReadOptions
from augmint.formats.table_folder import table_kind
from augmint.formats.tree import SUFFIXES, some_names

_EXPECTED = (
    "a folder with one sub-folder for each class, a folder with metadata.csv or .jsonl, an .npz file; "
    "for texts a .csv, .tsv, .jsonl or .parquet file, or a folder with train.csv and the like"
)
_BOXES = "boxes are not supported: a minted picture has no boxes of its own"
_MASKS = "masks are not supported: a minted picture has no mask of its own"
_VOLUMES = "medical volumes are not supported"
_CROP = "crop the objects into one folder for each class, or classify whole pictures"
_SLICE = "export slices as PNG (16-bit grey is kept), one folder for each class"

# suffix -> (what it is, what to do)
_FILES = {
    **dict.fromkeys(SUFFIXES, ("a single picture", "pass the folder that holds the class folders")),
    ".npy": (
        "an array without labels",
        "save images and labels together: np.savez('data.npz', images=x, labels=y)",
    ),
    ".nii": (_VOLUMES, _SLICE),
    ".dcm": (_VOLUMES, _SLICE),
    ".json": ("a JSON file; annotation files (COCO) hold boxes or masks, which are not supported", _CROP),
    ".csv": ("a metadata file alone", "pass the folder it is in"),
    ".jsonl": ("a metadata file alone", "pass the folder it is in"),
    **dict.fromkeys((".zip", ".tar", ".gz", ".tgz", ".7z", ".rar"), ("an archive", "unpack it and pass the folder")),
    **dict.fromkeys(
        (".pkl", ".pickle", ".pt", ".pth", ".joblib"),
        ("a pickle, which can run code when it is opened", "save it as .npz with images and labels"),
    ),
    **dict.fromkeys((".h5", ".hdf5", ".mat"), ("an HDF5 or MATLAB file", "save it as .npz with images and labels")),
}


def check_path(path: Path) -> Path:
    """The path if something is there, else a DataError (code ``missing-path``) with the nearest name beside it."""
    if path.exists():
        return path
    try:
        beside = os.listdir(path.parent)  # noqa: PTH208 - names only
    except OSError:
        beside = []
    close = difflib.get_close_matches(path.name, beside, n=1)
    hint = f"did you mean {str(path.parent / close[0])!r}? " if close else ""
    raise DataError(
        f"{str(path)!r}, which does not exist",
        expected=_EXPECTED,
        do=f"{hint}correct the path",
        code="missing-path",
    )


def check_file(path: Path) -> None:
    """Refuse every file that is not an ``.npz`` (DataError, code ``unsupported``)."""
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return
    name = ".nii" if path.name.lower().endswith(".nii.gz") else suffix
    what, do = _FILES.get(name, (f"a file of type {suffix or 'unknown'!r}", "convert it"))
    raise _refusal(path, what, do)


def check_folder(path: Path) -> None:
    """Refuse a folder of boxes, masks, volumes or another library's format (DataError, code ``unsupported``)."""
    names = some_names(path)
    below = {f"{name}/{inner}" for name in names if (path / name).is_dir() for inner in some_names(path / name, 50)}
    lower = {name.lower() for name in names}
    files = {name.rsplit("/", 1)[-1].lower() for name in {*names, *below}}
    what, do = _diagnose(lower, files, {name.lower() for name in below})
    if what:
        raise _refusal(path, what, do)
    tables = sorted(name for name in names if table_kind(path / name) not in ("", "txt"))
    bare = not any((path / name).is_dir() or Path(name).suffix.lower() in SUFFIXES for name in names)
    if tables and bare:
        do = f"pass {str(path / tables[0])!r}, or call the file train{''.join(Path(tables[0]).suffixes)}"
        raise _refusal(path, f"a folder of tables ({', '.join(tables[:3])}), none of which is called train", do)
    archives = sorted(name for name in names if name.lower().endswith(".npz"))
    if archives and not any((path / name).is_dir() for name in names):
        raise _refusal(path, f"a folder of .npz files ({', '.join(archives[:3])})", f"pass {str(path / archives[0])!r}")


def refuse_text_columns(options: ReadOptions) -> None:
    """Refuse options that only a table of texts has, where the data are pictures."""
    for flag in ("text", "spans"):
        if getattr(options, flag):
            raise DataError(
                f"--{flag} {getattr(options, flag)!r}, and the data are pictures",
                expected="a table of texts",
                do=f"leave --{flag} out, or give a .csv, .tsv, .jsonl or .parquet",
                code="modality",
            )


def _diagnose(top: set[str], files: set[str], below: set[str]) -> tuple[str, str]:
    """(what it is, what to do), or ("", "")."""
    metadata = any(name.startswith("metadata.") for name in files)
    if any(name.endswith((".nii", ".nii.gz", ".dcm", ".nrrd", ".mha")) for name in files):
        return _VOLUMES, _SLICE
    listed = {name.removeprefix("annotations/") for name in below if name.startswith("annotations/")}
    if any(
        n.endswith(".json")
        and (n in listed or n == "annotations.json" or n.endswith(".coco.json") or n.startswith("instances_"))
        for n in files
    ):
        return f"COCO annotations; {_BOXES}", _CROP
    yolo = any(name.startswith("labels/") and name.endswith(".txt") for name in below)
    if yolo or {"images", "labels"} <= top or ({"data.yaml", "dataset.yaml"} & top and "train/labels" in below):
        return f"YOLO labels; {_BOXES}", _CROP
    if {"jpegimages", "annotations"} <= top:
        return f"Pascal VOC annotations; {_BOXES}", _CROP
    if "images" in top and top & {"masks", "mask", "segmentation", "segmentationclass"} and not metadata:
        return f"pictures with masks; {_MASKS}", "classify whole pictures, one folder for each class"
    return "", ""


def _refusal(path: Path, what: str, do: str) -> DataError:
    return DataError(f"{str(path)!r}: {what}", expected=_EXPECTED, do=do, code="unsupported")
