from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from augmint.core.errors import ModelError
from augmint.models import base_statistics as room
from augmint.models import get_card, load_encoder
from augmint.models.base_statistics import base_statistics
from augmint.models.hub import WEIGHTS


@pytest.mark.parametrize(("size", "count"), [(128, 50), (256, 25)])
def test_tiny_image_brings_statistics_of_its_own_space(size: int, count: int) -> None:
    found = base_statistics("tiny-image", size)
    encoder = load_encoder("tiny-image", size=size)
    assert found is not None and found.space == encoder.space and found.shape == encoder.encode([]).shape[1:]
    assert len(found.classes) == 200 and (found.count == count).all() and found.factor.any(axis=(1, 2)).all()


def test_the_files_are_small_and_are_those_of_the_card() -> None:
    files = [base.file for base in get_card("tiny-image").bases]
    assert all((WEIGHTS / file.name).stat().st_size == file.bytes for file in files)
    assert sum(file.bytes for file in files) <= 3_200_000


def test_statistics_of_other_weights_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    card = get_card("tiny-image")
    newer = dataclasses.replace(card.files[0], sha256="0" * 64)
    monkeypatch.setattr(room, "get_card", lambda name: dataclasses.replace(card, files=(newer,)))
    with pytest.raises(ModelError) as caught:
        base_statistics("tiny-image", 128)
    assert caught.value.code == "space-mismatch" and "recipes/base_statistics.py" in caught.value.do


@pytest.mark.parametrize(("name", "size"), [("tiny-image", 64), ("tiny-judge", 64), ("squeezenet1_1", 128)])
def test_none_where_none_ship(name: str, size: int) -> None:
    assert base_statistics(name, size) is None


def test_a_damaged_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(WEIGHTS / "tiny_image_base_128.safetensors", tmp_path)
    with (tmp_path / "tiny_image_base_128.safetensors").open("r+b") as file:
        file.seek(-3, 2)
        file.write(b"abc")
    monkeypatch.setattr(room, "WEIGHTS", tmp_path)
    with pytest.raises(ModelError) as caught:
        base_statistics("tiny-image", 128)
    assert caught.value.code == "model-hash"
