"""What every test may count on: no network, few threads, and one small finished run to copy from."""

from __future__ import annotations

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ.pop("AUGMINT_DEBUG", None)

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import augmint as am
from support import MIXED, Run, write_digits

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real data sets beside the repository; tests that use this carry the marker ``shared``."""
    root = Path(os.environ.get("AUGMINT_DATA") or Path(__file__).resolve().parents[2] / "shared/data")
    if not root.is_dir():
        pytest.skip(f"no real data at {root}; set AUGMINT_DATA")
    return root


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders of 8 x 8 handwritten digits: 6 zeros, 7 ones, 8 twos. Not to be written to."""
    return write_digits(tmp_path_factory.mktemp("digits") / "in", {"0": 6, "1": 7, "2": 8})


@pytest.fixture(scope="session")
def first_run(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run over ``digits`` that has refill rounds and rejects. Not to be written to."""
    out = tmp_path_factory.mktemp("run") / "out"
    return Run(digits, out, am.augment(digits, out, **MIXED))


@pytest.fixture
def finished(first_run: Run, tmp_path: Path) -> Run:
    """A copy of ``first_run`` to damage."""
    out = tmp_path / "copy"
    shutil.copytree(first_run.out, out)
    return Run(first_run.data, out, first_run.result)


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[Path], Path]:
    """Copies a folder into the test's own, with its times."""

    def copy(folder: Path) -> Path:
        return Path(shutil.copytree(folder, tmp_path / f"copy-of-{folder.name}"))

    return copy
