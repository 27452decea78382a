"""A run that picks from a pool: counts, bytes, provenance, labels, resuming, replaying."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import augmint as am
from augmint.core.errors import DataError, UsageError
from augmint.pipeline.estimate import estimate
from augmint.pipeline.manifest import Manifest
from augmint.pipeline.plan import make_plan
from augmint.pipeline.progress import Progress
from augmint.pipeline.replay import replay
from augmint.pipeline.sources import Inputs
from augmint.pipeline.verify import verify
from support import (
    PLAIN,
    Run,
    child_bytes,
    children,
    digit_images,
    jsonl,
    metadata,
    pixels_of,
    save,
    snapshot,
    sums,
    write_digits,
)

PICKS = {**PLAIN, "method": "retrieval", "method_options": {"confidence": 0.4}, "unit_size": 3}
"""Small, no gates but the judge's word on the label."""

SHOTS, POOLED = 6, 14


class Told(Progress):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, message: str) -> None:
        self.lines.append(message)


def write_data(root: Path) -> Path:
    """Six digits of each of three classes to learn from and two to test on."""
    for label in (0, 1, 2):
        for i, image in enumerate(digit_images(label, SHOTS + 2)):
            split = "train" if i < SHOTS else "test"
            save(root / split / str(label) / f"{i:02d}.png", image)
    return root


def write_pool(root: Path) -> Path:
    """Other digits of the classes, flat and nested, as PNG and JPEG, among them what may not be picked."""
    for label in (0, 1, 2):
        images = digit_images(label, SHOTS + 2 + POOLED)
        for i, image in enumerate(images[SHOTS + 2 :]):
            save(root / ("deep/er" if i % 2 else ".") / f"{label}-{i:02d}.png", image)
        save(root / "copies" / f"train-{label}.png", images[0])
        save(root / "copies" / f"test-{label}.png", images[SHOTS])
        save(root / "copies" / f"again-{label}.png", images[SHOTS + 2])
    text = PngInfo()
    text.add_text("Author", "Jane-Q-Patient")
    save(root / "photo.PNG", digit_images(0, 40)[39], pnginfo=text)
    (root / "broken.png").write_bytes(b"not a picture")
    (root / "notes.txt").write_text("hello")
    return root


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    root = tmp_path_factory.mktemp("pool")
    return Inputs(write_data(root / "data"), write_pool(root / "unsorted"))


@pytest.fixture(scope="module")
def picked(inputs: Inputs, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("picked") / "out"
    return Run(inputs.data, out, am.augment(inputs.data, out, pool=inputs.pool, factor=2, **PICKS))


def test_asked_and_made_and_copied_unchanged(picked: Run, inputs: Inputs) -> None:
    assert picked.result.made == picked.result.asked == {"0": 6, "1": 6, "2": 6}
    assert picked.result.exit_code == 0 and not picked.result.exhausted
    assert inputs.pool is not None
    used = []
    for row in children(picked.out):
        source, anchor = row["refs"]
        assert source.startswith("pool:") and anchor.startswith("data:train/") and row["label_weights"] == [0.0, 1.0]
        assert anchor.split("/")[1] == row["label"] and row["method"] == "retrieval"
        path = inputs.pool / source.removeprefix("pool:")
        ours = picked.out / "train" / row["file_name"]
        assert ours.suffix == path.suffix and ours.stem == row["id"]
        np.testing.assert_array_equal(pixels_of(ours), pixels_of(path))
        if path.name != "photo.PNG":
            assert ours.read_bytes() == path.read_bytes()
        used.append(source)
    assert len(set(used)) == len(used) == 18
    assert not any("train-" in ref or "test-" in ref for ref in used)
    assert len({pixels_of(picked.out / "train" / row["file_name"]).tobytes() for row in metadata(picked.out)}) == 36


def test_labels_are_mostly_right_and_say_who_gave_them(picked: Run) -> None:
    rows = children(picked.out)
    names = [Path(row["refs"][0].removeprefix("pool:")).name for row in rows]
    right = [name[0] == row["label"] for name, row in zip(names, rows, strict=True) if name != "photo.PNG"]
    assert np.mean(right) > 0.8
    for row in metadata(picked.out):
        assert len(row["label_probs"]) == 3 and sum(row["label_probs"]) == pytest.approx(1, abs=1e-5)
        assert int(np.argmax(row["label_probs"])) == int(row["label"])
        assert row["label_by"] == ("judge" if row["is_synthetic"] else "")
    for row in jsonl(picked.out / "rejects.jsonl"):
        assert row["gate"] in ("label", "leak") and row["score"] < row["threshold"]
    assert "judge" in (picked.out / "README.md").read_text()


def test_columns_have_one_type_in_every_split(picked: Run) -> None:
    rows = [row for split in ("train", "test") for row in metadata(picked.out, split)]
    assert len({tuple(row) for row in rows}) == 1
    for key in rows[0]:
        assert len({type(row[key]) for row in rows}) == 1
        if isinstance(rows[0][key], list):
            assert all(row[key] for row in rows)


def test_load_dataset_reads_it(picked: Run, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="the package datasets is not installed")
    loaded = datasets.load_dataset(str(picked.out), cache_dir=str(tmp_path))
    assert {name: len(split) for name, split in loaded.items()} == {"train": 36, "test": 6}
    assert len(loaded["train"][0]["label_probs"]) == 3


def test_the_same_bytes_again_and_after_any_interruption(picked: Run, inputs: Inputs, tmp_path: Path) -> None:
    want = snapshot(picked.out)
    units = [row["unit"] for row in jsonl(picked.out / ".augmint/events.jsonl") if row["event"] == "unit"]
    kinds = {"encode", "pool", "fit", "picks", "draw", "prints", "leak", "barrier", "heldout"}
    assert {unit.split("-")[0] for unit in units} == kinds

    class Stop(BaseException):
        pass

    real = Manifest.commit
    for count in range(0, len(units), 3):
        out, done = tmp_path / str(count), []

        def commit(self, name, *args, done=done, count=count):  # type: ignore[no-untyped-def]
            if len(done) == count:
                raise Stop
            done.append(name)
            return real(self, name, *args)

        with pytest.MonkeyPatch.context() as patch, pytest.raises(Stop):
            patch.setattr(Manifest, "commit", commit)
            am.augment(inputs.data, out, pool=inputs.pool, factor=2, **PICKS)
        am.augment(inputs.data, out, pool=inputs.pool, factor=2, **PICKS)
        assert snapshot(out) == want, f"after {count} units"
        shutil.rmtree(out)


@pytest.mark.slow
def test_two_workers_give_the_bytes_of_one(picked: Run, inputs: Inputs, tmp_path: Path) -> None:
    result = am.augment(inputs.data, tmp_path / "o", pool=inputs.pool, factor=2, workers=2, **PICKS)
    assert snapshot(result.out) == snapshot(picked.out)


def test_every_pick_replays_and_a_changed_pool_is_noticed(picked: Run, inputs: Inputs, tmp_path: Path) -> None:
    assert verify(picked.out).exit_code == 0
    for row in children(picked.out):
        again = replay(picked.out, row["id"])
        assert again.identical and Path(again.path) == picked.out / "train" / row["file_name"]
    for row in jsonl(picked.out / "rejects.jsonl")[:2]:
        assert replay(picked.out, row["id"]).identical
    assert inputs.pool is not None
    moved = Path(shutil.copytree(inputs.pool, tmp_path / "moved"))
    assert replay(picked.out, row["id"], pool=moved).identical
    for path in [*moved.rglob("*-*.png")]:
        path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(DataError) as caught:
        replay(picked.out, children(picked.out)[0]["id"], pool=moved)
    assert caught.value.code == "input-changed"
    (moved / "photo.PNG").unlink()
    with pytest.raises(DataError) as caught:
        replay(picked.out, children(picked.out)[0]["id"], pool=moved)
    assert caught.value.code == "other-run" and "pool" in caught.value.got


def test_a_resumed_run_notices_another_pool(inputs: Inputs, tmp_path: Path) -> None:
    assert inputs.pool is not None
    pool = Path(shutil.copytree(inputs.pool, tmp_path / "pool"))
    am.augment(inputs.data, tmp_path / "o", pool=pool, factor=1.5, **PICKS)
    save(pool / "0-00.png", digit_images(0, 60)[59])
    with pytest.raises(DataError) as caught:
        am.augment(inputs.data, tmp_path / "o", pool=pool, factor=1.5, **PICKS)
    assert caught.value.code == "input-changed"
    save(pool / "new.png", digit_images(0, 60)[58])
    with pytest.raises(UsageError) as refused:
        am.augment(inputs.data, tmp_path / "o", pool=pool, factor=1.5, **PICKS)
    assert refused.value.code == "other-run" and "pool" in refused.value.got


def test_what_is_in_the_data_set_is_never_picked_and_it_is_said(inputs: Inputs, tmp_path: Path) -> None:
    told = Told()
    options = {**PICKS, "method_options": {"confidence": 0.0}, "label_by": "parents"}
    result = am.augment(inputs.data, tmp_path / "o", pool=inputs.pool, factor=20, progress=told, **options)
    assert "pool: 3 of 52 samples are in the data set; they are never picked" in told.lines
    assert "pool: 3 samples are there more than once; each is picked once" in told.lines
    assert sum(result.made.values()) == 43  # all that are left, each once
    assert not any("copies/t" in row["refs"][0] for row in children(tmp_path / "o"))
    # Those of its test part are known only when there are children: picked, and turned away.
    leaks = [row for row in jsonl(tmp_path / "o/rejects.jsonl") if row["gate"] == "leak"]
    assert [(row["refs"][0], row["nearest"], row["score"]) for row in leaks] == [
        (f"pool:copies/test-{label}.png", f"data:test/{label}/06.png", 0.0) for label in (0, 1, 2)
    ]
    # Asked N, made N, or exit 1 with counts.
    assert result.exit_code == 1 and len(result.problems) == 3
    assert all("the pool has no further row for it" in problem for problem in result.problems)
    assert {name: result.asked[name] - result.made[name] for name in result.asked} == result.exhausted
    # By parents, labels are hard: no column of probabilities.
    row = children(tmp_path / "o")[0]
    assert row["label_by"] == "parents" and "label_probs" not in row
    skipped = jsonl(tmp_path / "o/skipped.jsonl")
    assert [(row["id"], row["source"]) for row in skipped] == [("broken.png", "pool")] and not result.skipped


def test_gates_reject_picks_and_others_are_picked_instead(inputs: Inputs, tmp_path: Path) -> None:
    gates = {"gates": ["novelty", "diversity"], "gate_options": {"diversity": {"closest": 1.2}}}
    result = am.augment(inputs.data, tmp_path / "o", pool=inputs.pool, factor=2.5, **{**PICKS, **gates})
    rejected = Counter(row["gate"] for row in jsonl(tmp_path / "o/rejects.jsonl"))
    assert rejected["diversity"] > 0
    drawn = [row["refs"][0] for row in [*children(tmp_path / "o"), *jsonl(tmp_path / "o/rejects.jsonl")]]
    assert len(set(drawn)) == len(drawn)  # a rejected row is not tried again
    assert len(list((tmp_path / "o/.augmint/units").glob("picks-*"))) > 1
    short = [name for name in result.asked if result.made[name] < result.asked[name]]
    assert result.exit_code == (1 if short else 0)
    assert set(short) == set(result.exhausted)


def test_identifying_metadata_of_picks_is_removed_unless_kept(inputs: Inputs, tmp_path: Path) -> None:
    options = {**PICKS, "method_options": {"confidence": 0.0}, "label_by": "parents", "factor": 20}
    am.augment(inputs.data, tmp_path / "o", pool=inputs.pool, **options)
    assert "pool:photo.PNG" in {row["refs"][0] for row in children(tmp_path / "o")}
    assert not [path for path in (tmp_path / "o").rglob("*") if path.is_file() and b"Jane-Q" in path.read_bytes()]
    kept = am.augment(inputs.data, tmp_path / "k", pool=inputs.pool, keep_metadata=True, **options)
    assert any(b"Jane-Q" in data for data in child_bytes(kept.out).values())


def test_an_array_file_is_a_pool_too(inputs: Inputs, tmp_path: Path) -> None:
    images = np.stack([image for label in (0, 1, 2) for image in digit_images(label, 30)[10:]])
    np.savez(tmp_path / "pool.npz", images=images)
    result = am.augment(inputs.data, tmp_path / "o", pool=tmp_path / "pool.npz", factor=1.5, **PICKS)
    assert sum(result.made.values()) == 9
    for row in children(tmp_path / "o"):
        at = int(row["refs"][0].removeprefix("pool:"))
        np.testing.assert_array_equal(pixels_of(tmp_path / "o/train" / row["file_name"]), images[at])
    assert replay(tmp_path / "o", row["id"]).identical


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda path: None, "missing-path"),
        (lambda path: path.mkdir(), "no-images"),
        (lambda path: (path.mkdir(), (path / "a.txt").write_text("x")), "no-images"),
        (lambda path: (path.mkdir(), (path / "a.png").write_bytes(b"x")), "no-samples"),
        (lambda path: save(path / "a.png", digit_images(0, 1)[0]), "no-samples"),
    ],
)
def test_a_pool_that_gives_nothing_is_refused(inputs: Inputs, tmp_path: Path, make, code) -> None:  # type: ignore[no-untyped-def]
    make(tmp_path / "pool")
    with pytest.raises(DataError) as caught:
        am.augment(inputs.data, tmp_path / "o", pool=tmp_path / "pool", **PICKS)
    assert caught.value.code == code and caught.value.exit_code == 2 and "pool" in caught.value.got
    assert caught.value.expected and caught.value.do


def test_retrieval_without_a_pool_and_a_pool_without_retrieval(inputs: Inputs, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        am.augment(inputs.data, tmp_path / "o", **PICKS)
    assert caught.value.code == "no-pool" and "--pool" in caught.value.do and not (tmp_path / "o").exists()
    told = Told()
    options = {**PLAIN, "factor": 1.5}
    given = am.augment(inputs.data, tmp_path / "a", pool=inputs.pool, base=inputs.data, progress=told, **options)
    assert sum("is ignored: method 'interpolation' uses no" in line for line in told.lines) == 2
    assert sums(given.out) == sums(am.augment(inputs.data, tmp_path / "b", **options).out)
    with pytest.raises(UsageError, match="lie inside each other"):
        am.augment(inputs.data, inputs.data.parent / "unsorted" / "o", pool=inputs.pool, **PICKS)


def test_the_judge_may_label_decoded_children_too(inputs: Inputs, tmp_path: Path) -> None:
    options = {**PLAIN, "factor": 1.5, "label_by": "judge", "max_tries": 3}
    result = am.augment(inputs.data, tmp_path / "o", **options)
    rows = children(tmp_path / "o")
    assert rows and all(row["label_by"] == "judge" and len(row["label_probs"]) == 3 for row in rows)
    assert set(result.rejected.get("0", {})) <= {"label"}
    assert replay(tmp_path / "o", rows[0]["id"]).identical
    with pytest.raises(UsageError) as caught:
        am.augment(inputs.data, tmp_path / "p", **{**options, "label_by": "jugde"})
    assert "judge" in caught.value.do


def test_the_dry_run_counts_the_pool(inputs: Inputs, tmp_path: Path) -> None:
    forecast = estimate(make_plan({**PICKS, "factor": 2}), inputs, tmp_path / "o", 1)
    assert forecast.second == {"pool": 53} and forecast.asked == {"0": 6, "1": 6, "2": 6}
    assert forecast.plan["label_by"] == "judge"
    assert not (tmp_path / "o").exists()


def test_run_json_says_where_the_pool_is_and_nothing_else_does(picked: Run, inputs: Inputs) -> None:
    assert inputs.pool is not None
    assert json.loads((picked.out / "run.json").read_bytes())["pool"] == str(inputs.pool.resolve())
    holders = [p.name for p in picked.out.rglob("*") if p.is_file() and b"unsorted" in p.read_bytes()]
    assert holders == ["run.json"]


def test_contact_sheet_shows_picks(picked: Run) -> None:
    with Image.open(picked.out / "report/contact_sheet.png") as sheet:
        assert sheet.width > 400


def test_a_base_lends_statistics_and_nothing_of_it_is_written(inputs: Inputs, tmp_path: Path) -> None:
    for label in (7, 8):
        for i, image in enumerate(digit_images(label, 9)):
            save(tmp_path / "base" / f"lender{label}" / f"{i}.png", image)
    options = {**PLAIN, "method": "calibration", "factor": 1.5}
    result = am.augment(inputs.data, tmp_path / "o", base=tmp_path / "base", **options)
    assert sum(result.made.values()) == 9 and not result.fallbacks
    rows = children(tmp_path / "o")
    assert {ref for row in rows for ref in row["refs"] if ref.startswith("base:")} <= {"base:lender7", "base:lender8"}
    assert all(row["refs"][0].startswith("data:") and row["label_weights"][0] == 1 for row in rows)
    assert len(metadata(tmp_path / "o")) == 27 and not list((tmp_path / "o/train").glob("lender*"))
    assert replay(tmp_path / "o", rows[0]["id"]).identical
    alone = am.augment(inputs.data, tmp_path / "a", **options)
    assert sums(alone.out) != sums(result.out)
    with pytest.raises(UsageError) as caught:
        am.augment(inputs.data, tmp_path / "o", base=inputs.data, **options)
    assert caught.value.code == "other-run" and "base" in caught.value.got


@pytest.mark.parametrize(
    ("method", "rows", "lends"), [("delta", 3, True), ("delta", 5, False), ("calibration", 5, True)]
)
def test_without_a_base_and_with_few_rows_the_classes_of_the_pretraining_lend(
    tmp_path: Path, method: str, rows: int, lends: bool
) -> None:
    told = Told()
    data = write_digits(tmp_path / "in", {"0": rows, "1": rows})
    options = {**PLAIN, "size": 128, "method": method, "factor": 1.2, "progress": told}
    result = am.augment(data, tmp_path / "o", **options)
    assert any("200 classes that tiny-image was pretrained on" in line for line in told.lines) == lends
    refs = [ref for row in children(tmp_path / "o") for ref in row["refs"]]
    assert any(ref.startswith("base:tiny-imagenet-") for ref in refs) == lends == (not result.fallbacks)
    assert replay(tmp_path / "o", children(tmp_path / "o")[0]["id"]).identical


def test_soft_labels_of_two_parents_are_written(inputs: Inputs, tmp_path: Path) -> None:
    told = Told()
    am.augment(inputs.data, tmp_path / "o", factor=1.5, progress=told, **PLAIN, method="mixup")
    assert any("soft labels" in line and "warning" in line for line in told.lines)
    for row in metadata(tmp_path / "o"):
        assert int(np.argmax(row["label_probs"])) == int(row["label"])
        assert sum(row["label_probs"]) == pytest.approx(1, abs=1e-5)
    for row in children(tmp_path / "o"):
        want = np.zeros(3)
        for ref, weight in zip(row["refs"], row["label_weights"], strict=True):
            want[int(ref.split("/")[1])] += weight
        np.testing.assert_allclose(row["label_probs"], want, atol=1e-5)
