"""The main job from folder to folder: determinism, counts, what is written and what is left alone."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections import Counter

import numpy as np
import pytest
import torch
import yaml

import augmint as am
from augmint.core.errors import DataError, UsageError
from augmint.core.types import ReadOptions
from augmint.formats.folders import Folders
from augmint.pipeline.config import plan_from
from augmint.pipeline.manifest import Manifest
from augmint.pipeline.progress import Progress
from support import (
    MIXED,
    PLAIN,
    child_bytes,
    children,
    digit_images,
    jsonl,
    metadata,
    save,
    snapshot,
    sums,
    write_digits,
)


class Listening(Progress):
    """Remembers what was said and how the stages went."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.stages: list[list] = []

    def stage(self, name, total, unit):
        self.stages.append([name, total, 0.0])

    def advance(self, steps):
        self.stages[-1][2] += steps

    def say(self, message):
        self.lines.append(message)


def test_same_seed_gives_the_same_tree_and_another_seed_does_not(first_run, tmp_path):
    again = am.augment(first_run.data, tmp_path / "a", **MIXED)
    assert snapshot(again.out) == snapshot(first_run.out)
    other = am.augment(first_run.data, tmp_path / "b", **MIXED, seed=1)
    assert sums(other.out) != sums(first_run.out)
    assert not set(child_bytes(other.out)) & set(child_bytes(first_run.out))


@pytest.mark.slow
def test_two_workers_give_the_bytes_of_one(first_run, tmp_path):
    result = am.augment(first_run.data, tmp_path / "o", **MIXED, workers=2)
    assert snapshot(result.out) == snapshot(first_run.out)


def test_input_elsewhere_and_written_in_another_order_gives_the_same(first_run, tmp_path):
    files = sorted(first_run.data.rglob("*.png"))
    random.Random(3).shuffle(files)
    for path in files:
        target = tmp_path / "other place" / path.relative_to(first_run.data)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    result = am.augment(tmp_path / "other place", tmp_path / "o", **MIXED)
    assert snapshot(result.out) == snapshot(first_run.out)


def test_config_of_a_run_is_its_plan_and_makes_it_again(first_run, tmp_path):
    before = yaml.safe_load((first_run.out / "config.yaml").read_text())
    assert plan_from(first_run.out / "config.yaml", {}).as_dict() == before
    assert before["size"] == 64 and before["gates"] == ["novelty", "diversity"]
    result = am.augment(first_run.data, tmp_path / "o", config=first_run.out / "config.yaml")
    assert snapshot(result.out) == snapshot(first_run.out)


def test_another_class_leaves_the_children_of_the_others_alone(first_run, tmp_path):
    # Only without a judge that compares classes: here no gate does.
    small = am.augment(first_run.data, tmp_path / "a", **PLAIN)
    shutil.copytree(first_run.data, tmp_path / "more")
    for i, image in enumerate(digit_images(7, 5)):
        save(tmp_path / "more" / "00-first" / f"{i}.png", image)
    large = am.augment(tmp_path / "more", tmp_path / "b", **PLAIN)
    kept = {name: data for name, data in child_bytes(large.out).items() if not name.startswith("00-first/")}
    assert len(kept) == 21 and kept == child_bytes(small.out)


def test_what_was_asked_was_made(digits, tmp_path):
    result = am.augment(digits, tmp_path / "o", **PLAIN, factor=2.5)
    assert result.before == {"0": 6, "1": 7, "2": 8}
    assert result.asked == {"0": 9, "1": 10, "2": 12} == result.made  # 7 * 1.5 = 10.5, to even
    assert result.exit_code == 0 and not result.problems and not result.rejected and not result.skipped
    assert Counter(row["label"] for row in children(tmp_path / "o")) == result.made
    on_disk = {name: len(list((tmp_path / "o/train" / name).glob("syn-*.png"))) for name in result.made}
    assert on_disk == result.made


def test_strategy_balances(digits, tmp_path):
    result = am.augment(digits, tmp_path / "o", **PLAIN, strategy="auto")
    assert result.made == {"0": 2, "1": 1, "2": 0}
    assert Counter(row["label"] for row in metadata(tmp_path / "o")) == {"0": 8, "1": 8, "2": 8}


def test_factor_one_copies_the_data_set(digits, tmp_path):
    result = am.augment(digits, tmp_path / "o", **PLAIN, factor=1)
    assert sum(result.made.values()) == 0 and result.exit_code == 0
    assert len(metadata(tmp_path / "o")) == 21
    assert am.augment(digits, tmp_path / "o", **PLAIN, factor=1).exit_code == 0


def test_synthetic_only(digits, tmp_path):
    am.augment(digits, tmp_path / "o", **PLAIN, synthetic_only=True)
    rows = metadata(tmp_path / "o")
    assert len(rows) == 21 and all(row["is_synthetic"] for row in rows)
    assert len(list((tmp_path / "o/train").rglob("*.png"))) == 21


def test_accounts_of_a_run_with_rejects(first_run):
    """Every id that was drawn is either in the data set or among the rejects, and short classes are told."""
    result, out = first_run.result, first_run.out
    drawn = []
    for path in sorted((out / ".augmint/units").glob("draw-*.safetensors")):
        head, *rows = Manifest(out).load(path.stem).rows
        assert {row["slot"] for row in rows} == set(range(len(head["anchors"])))
        drawn += [row["id"] for row in rows]
    assert len(set(drawn)) == len(drawn)
    accepted = {row["id"] for row in children(out)}
    rejected = {row["id"] for row in jsonl(out / "rejects.jsonl")}
    assert rejected and accepted
    assert accepted | rejected == set(drawn) and not accepted & rejected
    assert Counter(row["label"] for row in children(out)) == Counter(result.made)
    assert sum(sum(gates.values()) for gates in result.rejected.values()) == len(rejected)
    short = [name for name in result.asked if result.made[name] < result.asked[name]]
    assert result.exit_code == (1 if short else 0)
    for name, problem in zip(short, result.problems, strict=True):
        assert f"class {name!r}: asked {result.asked[name]}, made {result.made[name]}" in problem
        for gate, count in result.rejected[name].items():
            assert f"{gate} {count}" in problem
    for row in jsonl(out / "rejects.jsonl"):
        assert row["gate"] in ("novelty", "diversity") and row["score"] is not None and row["refs"]


def test_a_gate_that_nothing_passes_ends_with_one_and_counts(digits, tmp_path):
    gates = {"gates": ["diversity"], "gate_options": {"diversity": {"closest": 900.0}}}
    result = am.augment(digits, tmp_path / "o", **gates, max_rounds=2)
    assert result.made == {"0": 1, "1": 1, "2": 1}  # the first of a class has nothing to be near to
    assert result.exit_code == 1 and len(result.problems) == 3
    # 6 asked: 5 of the first round and all 5 of the refill are rejected.
    assert result.problems[0] == "class '0': asked 6, made 1 (rejected by diversity 10)"
    assert (tmp_path / "o/SHA256SUMS").exists()  # short, but whole


def test_provenance_of_every_child(first_run):
    real = {row["id"]: row for row in metadata(first_run.out) if not row["is_synthetic"]}
    for row in children(first_run.out):
        assert row["file_name"] == f"{row['label']}/{row['id']}.png"
        assert len(row["refs"]) == len(row["label_weights"]) >= 1
        assert sum(row["label_weights"]) == pytest.approx(1, abs=1e-5)
        parents = [real[ref.removeprefix("data:")] for ref in row["refs"]]
        assert {parent["label"] for parent in parents} == {row["label"]}
        assert row["method"] == "interpolation" and row["model"].startswith("tiny-image@")
        assert set(json.loads(row["scores"])) == {"novelty"}


def test_originals_are_the_input_and_the_input_is_left_alone(copy_of, digits, tmp_path):
    data = copy_of(digits)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in data.rglob("*") if path.is_file()}
    am.augment(data, tmp_path / "o", **PLAIN)
    assert before == {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in data.rglob("*") if path.is_file()}
    for path in before:
        assert (tmp_path / "o/train" / path.relative_to(data)).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("method", ["interpolation", "noise"])
def test_global_random_state_is_untouched(digits, tmp_path, method):
    random.seed(5)
    np.random.seed(5)
    torch.manual_seed(5)
    threads = torch.get_num_threads()

    def states():
        return random.getstate(), np.random.get_state()[1].tobytes(), torch.get_rng_state().numpy().tobytes()

    before = states()
    first = am.augment(digits, tmp_path / "a", **PLAIN, method=method)
    assert states() == before and torch.get_num_threads() == threads
    random.random(), np.random.random(), torch.rand(1)
    second = am.augment(digits, tmp_path / "b", **PLAIN, method=method)
    assert sums(first.out) == sums(second.out)


def test_gan_leaves_global_random_state_alone_too(digits, tmp_path):
    torch.manual_seed(5)
    before = torch.get_rng_state().numpy().tobytes()
    am.augment(digits, tmp_path / "a", **PLAIN, method="gan", method_options={"steps": 3})
    assert torch.get_rng_state().numpy().tobytes() == before


def test_the_card_says_what_the_method_measured(digits, tmp_path):
    am.augment(digits, tmp_path / "a", **PLAIN, method="gan", method_options={"steps": 3})
    line = next(x for x in (tmp_path / "a" / "README.md").read_text().split("\n") if "own measure of its fit" in x)
    assert re.search(r"distance -?\d\.\d{4}, coverage [01]\.\d{4} ", line)


def test_an_empty_class_is_warned_about_and_keeps_its_place(copy_of, digits, tmp_path):
    data = copy_of(digits)
    (data / "-empty").mkdir()
    said = Listening()
    result = am.augment(data, tmp_path / "o", **PLAIN, strategy="auto", progress=said)
    assert any("-empty" in line and "warning" in line for line in said.lines)
    assert (tmp_path / "o/classes.txt").read_text().splitlines() == ["-empty", "0", "1", "2"]
    assert (tmp_path / "o/train/-empty").is_dir()
    assert result.made == {"-empty": 0, "0": 2, "1": 1, "2": 0}
    assert Folders().scan(tmp_path / "o", ReadOptions()).classes == ("-empty", "0", "1", "2")


def test_progress_reaches_the_end_of_every_stage(digits, tmp_path):
    said = Listening()
    am.augment(digits, tmp_path / "o", **MIXED, progress=said)
    names = [stage[0] for stage in said.stages]
    assert names[:3] == ["encode", "fit", "mint"] and names[-1] == "write" and "refill 1" in names
    assert all(done == pytest.approx(total) for _, total, done in said.stages)
    resumed = Listening()
    am.augment(digits, tmp_path / "o", **MIXED, progress=resumed)
    assert all(done == pytest.approx(total) for _, total, done in resumed.stages)


def test_one_sample_a_class_falls_back_and_says_so(tmp_path):
    data = write_digits(tmp_path / "in", {"0": 1, "1": 1})
    result = am.augment(data, tmp_path / "o", **PLAIN, factor=3)
    assert result.made == {"0": 2, "1": 2}
    assert all(row["note"].startswith("fallback") for row in children(tmp_path / "o"))
    assert sum(result.fallbacks.values()) == 4
    assert len({(tmp_path / "o/train" / row["file_name"]).read_bytes() for row in children(tmp_path / "o")}) == 4


@pytest.mark.parametrize("strategy", ["auto", "minority", "all"])
def test_one_class_cannot_be_balanced_and_can_be_enlarged(tmp_path, strategy):
    data = write_digits(tmp_path / "in", {"0": 3})
    with pytest.raises(DataError) as caught:
        am.augment(data, tmp_path / "o", **PLAIN, strategy=strategy)
    assert caught.value.code == "one-class" and caught.value.exit_code == 2
    assert not (tmp_path / "o").exists()
    assert am.augment(data, tmp_path / "o", **PLAIN, factor=2).made == {"0": 3}


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"method": "interpolaton"}, "unknown-method"),
        ({"model": "tiny-imag"}, "unknown-model"),
        ({"judge": "tiny-juge"}, "unknown-model"),
        ({"gates": ["realsm"]}, "unknown-gate"),
        ({"model": "squeezenet1_1"}, "model-kind"),
        ({"judge": "all-MiniLM-L6-v2"}, "model-kind"),
        ({"size": 100}, "wrong-size"),
        ({"strategy": "1=3"}, "target-below-present"),
        ({"strategy": "seven=30"}, "unknown-class"),
        ({"strategy": "balanced"}, "unknown-strategy"),
        ({"factor": 0.5}, "range"),
        ({"factr": 2}, "unknown-key"),
    ],
)
def test_a_wrong_plan_is_refused_before_anything_is_written(digits, tmp_path, values, code):
    with pytest.raises(UsageError) as caught:
        am.augment(digits, tmp_path / "o", **{**PLAIN, **values})
    assert caught.value.code == code and caught.value.exit_code == 2
    assert caught.value.expected and caught.value.do
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("where", ["same", "inside", "around"])
def test_output_and_input_may_not_lie_in_each_other(copy_of, digits, tmp_path, where):
    data = copy_of(digits)
    out = {"same": data, "inside": data / "more", "around": data.parent}[where]
    with pytest.raises(UsageError, match="inside each other"):
        am.augment(data, out, **PLAIN)
    (tmp_path / "link").symlink_to(data)
    with pytest.raises(UsageError, match="inside each other"):
        am.augment(tmp_path / "link", out, **PLAIN)


def test_a_folder_with_other_things_in_it_is_refused(digits, tmp_path):
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "thesis.tex").write_text("years of work")
    for fresh in (False, True):
        with pytest.raises(UsageError) as caught:
            am.augment(digits, tmp_path / "o", **PLAIN, fresh=fresh)
        assert caught.value.code == "not-empty"
    assert [path.name for path in (tmp_path / "o").iterdir()] == ["thesis.tex"]
    with pytest.raises(UsageError, match="is a file"):
        am.augment(digits, tmp_path / "o" / "thesis.tex", **PLAIN)


def test_an_empty_folder_is_taken(digits, tmp_path):
    (tmp_path / "o").mkdir()
    assert am.augment(digits, tmp_path / "o", **PLAIN).exit_code == 0


def test_missing_data_is_a_data_error(tmp_path):
    with pytest.raises(DataError):
        am.augment(tmp_path / "nothing", tmp_path / "o", **PLAIN)
    (tmp_path / "bare").mkdir()
    with pytest.raises(DataError):
        am.augment(tmp_path / "bare", tmp_path / "o", **PLAIN)


def test_all_samples_bad_is_a_data_error(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "in" / name).mkdir(parents=True)
        (tmp_path / "in" / name / "x.png").write_bytes(b"not a picture")
    with pytest.raises(DataError) as caught:
        am.augment(tmp_path / "in", tmp_path / "o", **PLAIN)
    assert caught.value.code == "no-samples"


def test_a_run_over_the_output_of_a_run_keeps_every_sample(tmp_path):
    """Children of both runs stand at the same addresses: seed, class, unit, slot."""
    data = write_digits(tmp_path / "in", {"0": 4, "1": 5})
    am.augment(data, tmp_path / "one", **PLAIN)
    result = am.augment(tmp_path / "one", tmp_path / "two", **PLAIN)
    assert result.before == {"0": 8, "1": 10} == result.made
    names = [row["file_name"] for row in metadata(tmp_path / "two")]
    assert len(names) == len(set(names)) == 36
    for path in (tmp_path / "one/train").rglob("*.png"):
        assert (tmp_path / "two/train" / path.relative_to(tmp_path / "one/train")).read_bytes() == path.read_bytes()
    third = am.augment(tmp_path / "one" / "train", tmp_path / "three", **PLAIN)
    assert third.before == {"0": 8, "1": 10}
