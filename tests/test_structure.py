"""The house holds together: layers, tables, names, and nothing dangerous in the source."""

from __future__ import annotations

import ast
import importlib
import inspect
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "augmint"
FILES = sorted(SOURCE.rglob("*.py"))
TABLES = {
    f"{room.parent.name if room.name == '__init__.py' else room.stem}:{name}": target
    for room in FILES
    if "\nTABLE" in room.read_text(encoding="utf-8") and room.parent.parent.name in ("src", "augmint")
    for name, target in importlib.import_module(
        ".".join(room.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
    ).TABLE.items()
}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("importlinter", reason="import-linter is not installed")
    script = "import sys; from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-c", script, "--no-cache"],
        cwd=folder,
        env={"PYTHONPATH": str(folder / "src"), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A copy of the package, without weights, to plant things in."""
    copy = tmp_path_factory.mktemp("house")
    ignore = shutil.ignore_patterns("__pycache__", "*.safetensors")
    shutil.copytree(SOURCE, copy / "src" / "augmint", ignore=ignore)
    shutil.copyfile(ROOT / "pyproject.toml", copy / "pyproject.toml")
    return copy


def test_imports_point_down_only(house):
    done = lint(house)
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


PLANTED = {
    "the floor imports torch": ("core/types.py", "import torch"),
    "the floor imports yaml inside a function": ("core/seeds.py", "def hidden():\n    import yaml"),
    "the floor imports a room": ("core/registry.py", "import augmint.gates"),
    "a method imports a modality": ("synthesizers/noise.py", "from PIL import Image"),
    "a gate imports a modality": ("gates/novelty.py", "import PIL"),
    "a score imports a modality": ("evaluation/fidelity.py", "from PIL import Image"),
    "a score imports a gate": ("evaluation/memorization.py", "import augmint.gates.novelty"),
    "a gate imports models": ("gates/novelty.py", "from augmint.models import load_encoder"),
    "a method imports a gate": ("synthesizers/interpolation.py", "import augmint.gates.novelty"),
    "formats import models": ("formats/images.py", "import augmint.models.hub"),
    "a room imports the corridor": ("report/contact.py", "from augmint.pipeline.plan import Plan"),
    "the corridor imports the door": ("pipeline/plan.py", "import augmint.cli.show"),
    "arithmetic imports a room": ("numerics/rows.py", "import augmint.synthesizers"),
    "a room nobody named": ("attic/__init__.py", ""),
}


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_import_is_caught(house, what):
    name, line = PLANTED[what]
    path = house / "src/augmint" / name
    before = path.read_text(encoding="utf-8") if path.exists() else None
    path.parent.mkdir(exist_ok=True)
    path.write_text((before or "") + f"\n{line}\n", encoding="utf-8")
    try:
        done = lint(house)
    finally:
        if before is None:
            shutil.rmtree(path.parent)
        else:
            path.write_text(before, encoding="utf-8")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "BROKEN" in done.stdout or "missing layers" in done.stdout.lower() or "attic" in done.stdout


def test_tables_are_found():
    rooms = {key.partition(":")[0] for key in TABLES}
    assert {"synthesizers", "gates", "formats"} <= rooms
    assert {"synthesizers:gan", "synthesizers:noise", "synthesizers:interpolation", "gates:diversity"} <= set(TABLES)


@pytest.mark.parametrize("key", TABLES)
def test_every_name_of_every_table_opens_a_documented_class(key):
    module, _, attribute = TABLES[key].partition(":")
    found = getattr(importlib.import_module(module), attribute)
    assert isinstance(found, type) and not inspect.isabstract(found)
    assert found.__doc__ and found.__doc__.strip().splitlines()[0].endswith((".", "?"))
    assert importlib.import_module(module).__doc__
    assert not found.__subclasses__()  # concrete classes are final


def test_no_rooms_without_a_name():
    banned = {"utils", "util", "helpers", "helper", "common", "misc", "base", "tools"}
    for path in FILES:
        assert path.stem not in banned, path
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                assert node.name.strip("_").lower() not in banned, f"{path}: {node.name}"


def called(node: ast.Call) -> str:
    """``a.b.c`` of a call to it."""
    parts, at = [], node.func
    while isinstance(at, ast.Attribute):
        parts.append(at.attr)
        at = at.value
    return ".".join([*([at.id] if isinstance(at, ast.Name) else ["?"]), *reversed(parts)])


def dangers(text: str) -> list[str]:
    """Calls that can run code out of data, with their lines."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            unsafe = ("pickle", "joblib", "shelve", "dill")
            found += [f"{node.lineno}: import {n}" for n in names if n.split(".")[0] in unsafe]
        if not isinstance(node, ast.Call):
            continue
        name, keys = called(node), {key.arg: key.value for key in node.keywords}
        last = name.rpartition(".")[2]
        bad = name in ("eval", "exec", "compile", "os.system", "os.popen", "torch.load", "np.load", "numpy.load")
        bad |= last in ("extractall", "unpack_archive", "execfile") or name.startswith(("pickle.", "marshal."))
        bad |= name.startswith("subprocess.")
        if name in ("yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load", "yaml.compose", "yaml.scan"):
            # Only with our loader, which is the safe one with lines; scan and compose build no objects.
            loader = keys.get("Loader")
            safe = isinstance(loader, ast.Name) and loader.id == "_Loader"
            bad |= not safe and name not in ("yaml.scan", "yaml.compose")
        shell, remote = keys.get("shell"), keys.get("trust_remote_code")
        bad |= any(isinstance(v, ast.Constant) and v.value is True for v in (shell, remote))
        if bad:
            found.append(f"{node.lineno}: {name}")
    return found


@pytest.mark.parametrize(
    "line",
    ["eval('1')", "exec('1')", "import pickle", "from pickle import loads", "torch.load(p)", "yaml.load(t)",
     "yaml.load(t, Loader=yaml.Loader)", "yaml.unsafe_load(t)", "z.extractall(p)", "subprocess.run('x', shell=True)",
     "run('x', shell=True)", "os.system('x')", "np.load(p)", "Auto.from_pretrained(x, trust_remote_code=True)"],
)  # fmt: skip
def test_dangers_are_seen(line):
    assert dangers(line)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_no_call_runs_code_out_of_data(path):
    assert dangers(path.read_text(encoding="utf-8")) == []


def test_the_loader_of_configs_is_a_safe_one():
    import yaml

    from augmint.pipeline import config

    assert issubclass(config._Loader, yaml.SafeLoader)


def test_no_addresses_are_opened_but_by_the_hub_and_the_endpoint():
    words = ("import socket", "import urllib", "import requests", "import http", "huggingface_hub")
    users = {path.relative_to(SOURCE).as_posix() for path in FILES
             if any(word in path.read_text(encoding="utf-8") for word in words)}  # fmt: skip
    assert users <= {"models/hub.py", "rewriters/chat.py"}  # the latter asks the server that a user names


def test_version_is_one_number():
    from augmint.core.version import __version__

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["tool"]["hatch"]["version"]["path"] == "src/augmint/core/version.py"
    assert __version__.count(".") == 2
