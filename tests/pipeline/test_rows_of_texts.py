"""Methods on rows of texts: the nearest texts of a pool, or the rows themselves."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("transformers")

from sklearn.linear_model import LogisticRegression

import augmint as am
from augmint.core.errors import DataError, UsageError
from augmint.models import load_encoder
from augmint.pipeline.replay import replay
from augmint.pipeline.reporting import report
from augmint.pipeline.verify import verify
from support import cli
from tiny_folders import WORDS, write_folder

OPTIONS: dict[str, Any] = {"gates": [], "label_by": "parents", "unit_size": 4}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder("bert", tmp_path_factory.mktemp("rows") / "tiny-bert")


def write_csv(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def texts(seed: int, count: int, word: str) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join([word, *rng.choice(WORDS, 6)]) for _ in range(count)]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [{"text": text, "label": word} for word in ("cat", "dog") for text in texts(len(word), 7, word * 1)]
    return write_csv(tmp_path_factory.mktemp("data") / "few.csv", rows)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [{"text": text} for word in ("cat", "dog") for text in texts(99, 40, word)]
    return write_csv(tmp_path_factory.mktemp("pool") / "pool.csv", rows)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("method", ["noise", "interpolation"])
def test_children_are_texts_of_the_pool(folder: Path, data: Path, pool: Path, tmp_path: Path, method: str) -> None:
    result = am.augment(data, tmp_path / "o", model=str(folder), method=method, pool=pool, **OPTIONS)
    assert result.exit_code == 0 and result.made == {"cat": 7, "dog": 7}
    known = {f"pool:pool.csv:{i}": row["text"] for i, row in enumerate(table(pool), start=2)}
    children = [row for row in table(tmp_path / "o/train.csv") if row["is_synthetic"] == "true"]
    for child in children:
        taken, *parents = json.loads(child["refs"])
        assert child["text"] == known[taken] and parents and all(ref.startswith("data:") for ref in parents)
        assert child["method"] == method and child["model"].startswith("tiny-bert@")
    assert len({json.loads(child["refs"])[0] for child in children}) == len(children) == 14, "none twice"
    again = am.augment(data, tmp_path / "p", model=str(folder), method=method, pool=pool, workers=2, **OPTIONS)
    assert again.exit_code == 0
    assert (tmp_path / "o/train.csv").read_bytes() == (tmp_path / "p/train.csv").read_bytes()


def test_without_a_pool_it_says_what_else_there_is(folder: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        am.augment(data, tmp_path / "o", model=str(folder), method="noise", **OPTIONS)
    assert caught.value.code == "no-pool"
    assert "--pool" in caught.value.do and "--space rows" in caught.value.do


def test_rows_as_the_product(folder: Path, data: Path, tmp_path: Path) -> None:
    ran = cli("run", str(data), "-o", str(tmp_path / "o"), "--model", str(folder), "--method", "interpolation",
              "--space", "rows", "--factor", "3")  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "rows of tiny-bert@" in ran.stderr and "no texts" in ran.stderr
    with np.load(tmp_path / "o/rows.npz") as file:
        found = {name: file[name] for name in file.files}
    real = table(data)
    assert found["z"].shape == (42, 32) and found["is_synthetic"].sum() == 28
    encoded = load_encoder(str(folder)).encode([row["text"] for row in real])
    order = [int(name.rpartition(":")[2]) - 2 for name in found["ids"][:14]]
    np.testing.assert_array_equal(found["z"][:14], encoded[order])
    assert found["y"].tolist()[:14] == [real[i]["label"] for i in order]
    assert (found["y"] == "cat").sum() == (found["y"] == "dog").sum() == 21
    place = {f"data:{name}": i for i, name in enumerate(found["ids"][:14])}
    for refs, weights, y in zip(found["refs"][14:], found["label_weights"][14:], found["y"][14:], strict=True):
        parents = [place[ref] for ref in refs if ref]
        assert {found["y"][i] for i in parents} == {y} and weights.sum() == pytest.approx(1)
    assert LogisticRegression().fit(found["z"], found["y"]).score(found["z"], found["y"]) > 0.5
    sums = dict(line.split("  ")[::-1] for line in (tmp_path / "o/SHA256SUMS").read_text().splitlines())
    assert set(sums) == {"rows.npz", "classes.txt", "config.yaml", "skipped.jsonl"}
    assert sums["rows.npz"] == hashlib.sha256((tmp_path / "o/rows.npz").read_bytes()).hexdigest()


def test_rows_are_verified_and_replayed(folder: Path, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "o"
    am.augment(data, out, model=str(folder), method="interpolation", decode="rows")
    assert verify(out).exit_code == 0
    with np.load(out / "rows.npz") as file:
        found = {name: file[name] for name in file.files}
    last = str(found["ids"][-1])
    again = replay(out, last)
    assert again.identical and again.facts["refs"] == [ref for ref in found["refs"][-1].tolist() if ref]
    np.testing.assert_array_equal(np.load(io.BytesIO(again.data)), found["z"][-1])
    for name in ("syn-999999", str(found["ids"][0])):  # no such row; an original
        with pytest.raises(DataError, match="no child") as caught:
            replay(out, name)
        assert caught.value.code == "unknown-sample"
    found["z"][-1, 0] += 1
    np.savez(out / "rows.npz", **found)
    assert not replay(out, last).identical and verify(out).problems == (("rows.npz", "changed"),)
    (out / "rows.npz").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(DataError, match=r"no readable \.npz"):
        replay(out, last)


def test_what_rows_have_not_is_refused_by_name(folder: Path, data: Path, tmp_path: Path) -> None:
    am.augment(data, tmp_path / "o", model=str(folder), method="noise", decode="rows")
    for use in (lambda: report(tmp_path / "o"), lambda: verify(tmp_path / "o", data)):
        with pytest.raises(DataError, match="--space rows") as caught:
            use()
        assert caught.value.code == "no-samples"


def test_rows_that_are_short_or_skipped_are_told(folder: Path, data: Path, pool: Path, tmp_path: Path) -> None:
    short = am.augment(data, tmp_path / "o", model=str(folder), method="retrieval", pool=pool, factor=20, decode="rows")
    assert short.exit_code == 1 and sum(short.made.values()) <= 80 and "no further row" in short.problems[0]
    broken = tmp_path / "broken.csv"
    broken.write_bytes(data.read_bytes() + b",cat\n")
    result = am.augment(broken, tmp_path / "p", model=str(folder), method="noise", decode="rows", max_skipped=0.01)
    assert result.exit_code == 1 and "1 of 15 inputs skipped" in result.problems[0]
    assert "empty text" in (tmp_path / "p/skipped.jsonl").read_text()


def test_rows_are_the_same_again_and_can_be_children_alone(folder: Path, data: Path, tmp_path: Path) -> None:
    plan = {"model": str(folder), "method": "noise", "decode": "rows"}
    for name in ("a", "b", "b"):
        am.augment(data, tmp_path / name, **plan)
    assert (tmp_path / "a/rows.npz").read_bytes() == (tmp_path / "b/rows.npz").read_bytes()
    am.augment(data, tmp_path / "c", synthetic_only=True, **plan)
    with np.load(tmp_path / "a/rows.npz") as both, np.load(tmp_path / "c/rows.npz") as alone:
        np.testing.assert_array_equal(alone["z"], both["z"][14:])
        assert alone["is_synthetic"].all() and alone["ids"].tolist() == both["ids"][14:].tolist()


def test_methods_that_make_no_rows_are_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--space rows with classic-text") as caught:
        am.augment(data, tmp_path / "o", method="classic", decode="rows")
    assert caught.value.code == "no-rows" and not (tmp_path / "o").exists()
    with pytest.raises(UsageError, match="decode 'poll'"):
        am.augment(data, tmp_path / "o", method="noise", decode="poll")
