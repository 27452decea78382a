"""Runs whose children are rewritten pictures, or go through hand-made transforms after their method."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

import augmint as am
from augmint.classic.image import ClassicImage
from augmint.cli import main
from augmint.core.errors import ModelError, UsageError
from augmint.core.seeds import stream
from augmint.core.types import ReadOptions, Sample
from augmint.formats.folders import Folders
from augmint.pipeline import workers
from augmint.pipeline.arms import parse_arms
from augmint.pipeline.encodings import Remembered
from augmint.pipeline.estimate import estimate
from augmint.pipeline.manifest import Manifest
from augmint.pipeline.minting import Fold, Models, mint
from augmint.pipeline.plan import make_plan
from augmint.pipeline.progress import Progress
from augmint.pipeline.replay import replay
from augmint.pipeline.sources import Inputs
from augmint.pipeline.verify import verify
from augmint.pipeline.workshop import transform_of
from support import MIXED, PLAIN, children, digit_images, jsonl, metadata, pixels_of, save, snapshot

CLASSIC = {**MIXED, "method": "classic"}
THEN = {**MIXED, "method": "noise", "then": "classic"}
PICKS = {**PLAIN, "method": "retrieval", "method_options": {"confidence": 0.4}, "unit_size": 3, "factor": 3.0}
RUNS = pytest.mark.parametrize("keys", [CLASSIC, THEN], ids=["method", "then"])


class Told(Progress):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, message: str) -> None:
        self.lines.append(message)


@pytest.fixture
def data(tmp_path):
    """Threes and sevens, the first with group names; the pool holds more of them."""
    rows = []
    for label in (3, 7):
        for i, image in enumerate(digit_images(label, 16)):
            if i < 6:
                save(tmp_path / "in" / f"{label}-{i}.png", image)
                rows.append({"file_name": f"{label}-{i}.png", "label": str(label), "who": f"w{i % 3}"})
            else:
                save(tmp_path / "pool" / f"{label}-{i}.png", image)
    (tmp_path / "in/metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path / "in"


def test_any_number_of_workers_gives_the_same_bytes(data, tmp_path):
    keys = {**CLASSIC, "then": "classic", "max_rounds": 1}
    one = am.augment(data, tmp_path / "one", **keys)
    am.augment(data, tmp_path / "two", workers=2, **keys)
    assert snapshot(one.out) == snapshot(tmp_path / "two")
    assert sum(one.made.values()) >= 4


@RUNS
def test_children_replay_and_keep_the_group_of_their_parent(data, tmp_path, keys):
    one = am.augment(data, tmp_path / "one", group="who", **keys)
    assert sum(one.made.values()) >= 8
    assert verify(one.out).exit_code == 0
    rejects = jsonl(one.out / "rejects.jsonl")
    for row in [*children(one.out)[:3], *rejects[:1]]:
        assert replay(one.out, row["id"]).identical
    groups = {row["id"]: row["group"] for row in metadata(one.out)}
    for row in children(one.out):
        assert [groups[ref.removeprefix("data:")] for ref in row["refs"]] == [row["group"]]


@RUNS
def test_a_run_that_is_stopped_after_any_unit_ends_as_if_it_had_not(data, tmp_path, keys):
    want = snapshot(am.augment(data, tmp_path / "want", **keys).out)
    units = [row["unit"] for row in jsonl(tmp_path / "want/.augmint/events.jsonl") if row["event"] == "unit"]
    commit = Manifest.commit
    for count in range(0, len(units), 3):
        done = []

        def counted(self, unit, *args, count=count, done=done):
            if len(done) == count:
                raise KeyboardInterrupt
            done.append(unit)
            return commit(self, unit, *args)

        out = tmp_path / f"stopped-{count}"
        with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(Manifest, "commit", counted)
            am.augment(data, out, **keys)
        assert snapshot(am.augment(data, out, **keys).out) == want


def test_the_codec_is_not_loaded_and_said_to_be_none(data, tmp_path, monkeypatch):
    loaded = []
    for verb in ("load_encoder", "load_judge"):
        load = getattr(workers, verb)
        monkeypatch.setattr(
            workers, verb, lambda name, *rest, load=load, **more: loaded.append(name) or load(name, *rest, **more)
        )
    told = Told()
    out = am.augment(data, tmp_path / "out", progress=told, **{**PLAIN, "method": "classic"}).out
    assert set(loaded) == {"tiny-judge"}
    assert "plan: classic, seed 0" in told.lines
    assert "model: none" in (out / "README.md").read_text()
    assert {(row["method"], row["model"]) for row in children(out)} == {("classic", "")}


def test_children_are_their_parents_rewritten_with_a_stream_of_their_place(data, tmp_path):
    keys = {**PLAIN, "method": "classic", "method_options": {"flip": "vertical"}, "seed": 5}
    out = am.augment(data, tmp_path / "out", **keys).out
    unit = Manifest(out).load("draw-00-0001-00000").rows
    rewriter = ClassicImage(flip="vertical")
    for slot, row in enumerate(unit[1:]):
        parent = Sample("", pixels_of(data / row["refs"][0].removeprefix("data:")))
        child = rewriter.rewrite([parent], [stream(5, "rewrite", "7", 0, 0, 0, slot)])[0]
        assert (child.content == pixels_of(out / "train/7" / f"{row['id']}.png")).all()


def test_then_changes_what_the_method_made(data, tmp_path):
    plain = am.augment(data, tmp_path / "plain", **{**PLAIN, "method": "noise"}).out
    keys = {**PLAIN, "method": "noise", "then": "classic", "then_options": {"preset": "light"}}
    told = Told()
    out = am.augment(data, tmp_path / "out", progress=told, **keys).out
    assert "classic: pictures are not mirrored (flip: auto)" in told.lines
    rewriter, changed = ClassicImage("light", flip="none"), 0
    for before, after in zip(children(plain), children(out), strict=True):
        assert (before["id"], before["refs"]) == (after["id"], after["refs"])
        assert (before["method"], after["method"]) == ("noise", "noise+classic")
        made = Sample("", pixels_of(plain / "train" / before["file_name"]))
        rows = [u for u in Manifest(out).load(_unit(out, before["id"])).rows[1:] if u["id"] == before["id"]]
        job = Manifest(out).load(_unit(out, before["id"])).rows[0]
        rng = stream(0, "then", job["label"], job["index"], job["round"], rows[0]["attempt"], rows[0]["slot"])
        want = rewriter.rewrite([made], [rng])[0].content
        assert (want == pixels_of(out / "train" / after["file_name"])).all()
        changed += bool((want != made.content).any())
    assert changed > 6
    assert "then: classic" in (out / "config.yaml").read_text()
    assert "`classic` (preset=light)" in (out / "README.md").read_text()
    assert "classic: pictures are not mirrored" in (out / "README.md").read_text()


def _unit(out, child):
    for path in sorted((out / ".augmint/units").glob("draw-*.safetensors")):
        if any(row.get("id") == child for row in Manifest(out).load(path.stem).rows):
            return path.stem
    raise AssertionError(child)


def test_picks_are_changed_only_where_there_is_a_then(data, tmp_path):
    pool = tmp_path / "pool"
    plain = am.augment(data, tmp_path / "plain", pool=pool, **PICKS).out
    keys = {**PICKS, "then": "classic", "then_options": {"flip": "none", "noise": 0.2}}
    out = am.augment(data, tmp_path / "out", pool=pool, **keys).out
    assert verify(out).exit_code == 0
    copied = children(plain)
    assert copied and [row["method"] for row in copied] == ["retrieval"] * len(copied)
    for row in copied:
        picked = next(ref for ref in row["refs"] if ref.startswith("pool:")).removeprefix("pool:")
        assert (pixels_of(plain / "train" / row["file_name"]) == pixels_of(pool / picked)).all()
    changed = children(out)
    assert changed
    for row in changed:
        picked = next(ref for ref in row["refs"] if ref.startswith("pool:")).removeprefix("pool:")
        made, real = pixels_of(out / "train" / row["file_name"]), pixels_of(pool / picked)
        assert made.shape == real.shape and (made != real).any()
        assert row["method"] == "retrieval+classic" and replay(out, row["id"]).identical


@pytest.mark.parametrize("keys", [CLASSIC, THEN, {**PICKS, "then": "classic"}], ids=["method", "then", "picks"])
def test_minting_in_memory_makes_the_children_of_the_run(data, tmp_path, loaded_once, keys):
    pool = tmp_path / "pool" if keys["method"] == "retrieval" else None
    out = am.augment(data, tmp_path / "out", pool=pool, **keys).out
    models = Models(Remembered(loaded_once("tiny-image", size=64)), Remembered(loaded_once("tiny-judge")))
    unlabelled = tuple(Folders().read(pool, ReadOptions(unlabelled=True))) if pool else ()
    fold = Fold(tuple(Folders().read(data, ReadOptions())), ("3", "7"), unlabelled)
    made = mint(make_plan(keys), fold, models)
    theirs = sorted((row["label"], pixels_of(out / "train" / row["file_name"]).tobytes()) for row in children(out))
    assert sorted((str(s.target), s.content.tobytes()) for s in made.samples) == theirs and theirs


def test_the_fit_decides_whether_to_mirror(data, tmp_path):
    rng = np.random.default_rng(0)
    for i in range(12):
        picture = rng.integers(0, 256, (8, 8), dtype=np.uint8)
        save(tmp_path / "both/a" / f"{i}.png", picture)
        save(tmp_path / "both/a" / f"{i}-mirrored.png", picture[:, ::-1])
    told = Told()
    out = am.augment(tmp_path / "both", tmp_path / "out", progress=told, **{**PLAIN, "method": "classic"}).out
    assert Manifest(out).load("fit").arrays()["method.mirror"].tolist() == [1]
    assert any("left and right change places" in line for line in told.lines)
    given = am.augment(data, tmp_path / "given", **{**PLAIN, "method": "classic", "method_options": {"flip": "both"}})
    assert "method.mirror" not in Manifest(given.out).load("fit").arrays()


def test_on_the_fly_the_fold_decides_whether_to_mirror(data):
    real = tuple(Folders().read(data, ReadOptions()))
    change = transform_of(parse_arms("on-the-fly")[1], real)
    assert change.keywords["strengths"].flip == "none"
    both = (*real, *(dataclasses.replace(s, content=np.fliplr(s.content)) for s in real))
    assert transform_of(parse_arms("on-the-fly")[1], both).keywords["strengths"].flip == "horizontal"
    assert transform_of(parse_arms("classic")[1], real) is None


def test_the_dry_run(data, tmp_path):
    inputs = Inputs(data, tmp_path / "pool")
    found = estimate(make_plan({**PLAIN, "method": "classic", "seed": 1}), inputs, tmp_path / "o", workers=1)
    assert [model["name"] for model in found.models] == ["tiny-judge"]
    assert found.probe["fit"] == 0 and found.probe["mint"] > 0 and found.plan["size"] == 64
    assert "method 'classic' uses no pool" in " ".join(found.warnings)
    picks, then = (
        estimate(make_plan({**PICKS, **more}), inputs, tmp_path / "o", workers=1) for more in ({}, {"then": "classic"})
    )
    assert picks.probe["mint"] == 0 < then.probe["mint"]
    assert not (tmp_path / "o").exists()


def test_the_plan_speaks_of_both_families():
    assert make_plan({"method": "classic"}).rewrites and not make_plan({"method": "gan"}).rewrites
    assert make_plan({"method": "gan", "then": "classic"}).recipe == "gan+classic"
    for values, word in (
        ({"method": "clasic"}, "did you mean 'classic'"),
        ({"method": "intrpolation"}, "did you mean 'interpolation'"),
        ({"then": "gan"}, "one of: classic"),
        ({"then_options": {"noise": 0.1}}, "add --then classic"),
        ({"then": "classic", "then_options": {"noise": 3}}, "0 to 1"),
        ({"method": "classic", "method_options": {"preset": "heavy"}}, "light"),
        ({"method": "classic", "method_options": {"strength": 1}}, "'strength'"),
    ):
        with pytest.raises(UsageError) as caught:
            make_plan(values)
        assert word in str(caught.value)


def test_randaugment_without_kornia_is_refused_before_anything_is_made(data, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "kornia", None)
    options = {"method": "classic", "method_options": {"preset": "randaugment"}}
    with pytest.raises(ModelError, match="kornia"):
        am.augment(data, tmp_path / "out", **{**PLAIN, **options})
    assert not (tmp_path / "out").exists()


def test_the_command_line(data, tmp_path, capsys):
    out = str(tmp_path / "out")
    words = ["run", str(data), "-o", out, "--method", "noise", "--then", "classic", "--gate", "none", "--size", "64"]
    assert main([*words, "--json", "--no-progress", "-q"]) == 0
    capsys.readouterr()
    assert main(["methods", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["methods"]}
    assert rows["classic"]["works_on"] == "pictures" and rows["gan"]["works_on"] == "latent space"
    assert rows["classic"]["options"]["preset"] == "standard"
    assert main(["methods", "list"]) == 0
    assert "classic: Hand-made transforms of pictures" in capsys.readouterr().out
