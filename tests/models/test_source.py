"""Rules that hold by reading our source: how models may be loaded at all."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import augmint
from augmint.pipeline.config import _Loader

SOURCES = sorted(Path(augmint.__file__).parent.rglob("*.py"))


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def options(node: ast.Call) -> dict[str, str]:
    return {word.arg or "**": ast.unparse(word.value) for word in node.keywords}


def test_there_is_something_to_read() -> None:
    named = {name for path in SOURCES for name, _ in calls(path)}
    assert {"network.from_pretrained", "hf_hub_download", "try_to_load_from_cache"} <= named


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_models_are_loaded_locally_or_pinned(path: Path) -> None:
    for name, node in calls(path):
        given = options(node)
        if name.endswith("from_pretrained"):
            assert given["local_files_only"] == "True" and given["trust_remote_code"] == "False", ast.unparse(node)
            assert name.endswith("AutoTokenizer.from_pretrained") or given["use_safetensors"] == "True"
        if name in ("hf_hub_download", "try_to_load_from_cache"):
            assert given["revision"] == "card.revision", ast.unparse(node)
        assert name not in ("snapshot_download", "torch.hub.load", "from_pretrained_keras")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_no_call_that_unpickles(path: Path) -> None:
    # S506's exceptions: the configuration's loader is a SafeLoader that names the line of a fault.
    allowed = {"yaml.load(text, Loader=_Loader)"} if issubclass(_Loader, yaml.SafeLoader) else set()
    refused = {"torch.load", "pickle.load", "pickle.loads", "joblib.load", "yaml.load", "eval", "exec", "shelve.open"}
    for name, node in calls(path):
        assert name not in refused or ast.unparse(node) in allowed, ast.unparse(node)
        if name in ("np.load", "numpy.load"):
            assert options(node).get("allow_pickle", "False") == "False"
