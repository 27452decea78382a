from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from augmint.core.errors import ModelError
from augmint.models import base_statistics as room, get_card, load_encoder
from augmint.models.base_statistics import base_statistics
from augmint.models.hub import WEIGHTS


def test_tiny_image_brings_statistics_of_its_own_space() -> None:
    found = base_statistics("tiny-image", 128)
    encoder = load_encoder("tiny-image", size=128)
    assert found is not None and found.space == encoder.space and found.shape == encoder.encode([]).shape[1:]
    assert len(found.classes) == 200 and (found.count == 50).all() and found.factor.any(axis=(1, 2)).all()
    card = get_card("tiny-image").base
    assert card is not None and (WEIGHTS / card.file.name).stat().st_size == card.file.bytes <= 3_000_000


@pytest.mark.parametrize(("name", "size"), [("tiny-image", 256), ("tiny-judge", 64), ("squeezenet1_1", 128)])
def test_none_where_none_ship(name: str, size: int) -> None:
    assert base_statistics(name, size) is None


def test_a_damaged_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(WEIGHTS / "tiny_image_base.safetensors", tmp_path)
    with (tmp_path / "tiny_image_base.safetensors").open("r+b") as file:
        file.seek(-3, 2)
        file.write(b"abc")
    monkeypatch.setattr(room, "WEIGHTS", tmp_path)
    with pytest.raises(ModelError) as caught:
        base_statistics("tiny-image", 128)
    assert caught.value.code == "model-hash"
