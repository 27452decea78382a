"""Runs on texts: a table in, a table out, and the laws of a run: resume, replay, workers, config, bad rows."""

from __future__ import annotations

import json
import signal
import subprocess

import pytest
from text_tables import read, texts, write_csv

import augmint as am
from augmint.cli import main
from augmint.core.errors import DataError, UsageError
from augmint.core.types import ReadOptions
from augmint.formats.tables import Tables
from augmint.pipeline.estimate import estimate
from augmint.pipeline.manifest import Manifest
from augmint.pipeline.plan import make_plan
from augmint.pipeline.replay import replay
from augmint.pipeline.sources import Inputs
from augmint.pipeline.verify import verify
from support import CLI, cli, jsonl, pattern, save, snapshot

PLAIN = {"method": "classic", "gates": [], "unit_size": 3}
FACTS = ["is_synthetic", "id", "group", "refs", "label_weights", "label_by", "scores", "note", "method", "model"]


@pytest.fixture
def data(tmp_path):
    return write_csv(tmp_path / "in/reviews.csv", texts(10))


def test_originals_are_written_as_they_were_and_children_below(data, tmp_path):
    result = am.augment(data, tmp_path / "out", factor=3, **PLAIN)
    assert result.exit_code == 0 and result.made == {"ask": 10, "tell": 10}
    before, after = read(data), read(result.out / "train.csv")
    assert list(after[0]) == ["number", "text", "label", *FACTS]
    assert [{key: row[key] for key in before[0]} for row in after[:10]] == before
    assert {row["is_synthetic"] for row in after[:10]} == {"false"}
    parents = {row["id"]: row for row in after[:10]}
    for row in after[10:]:
        (parent,) = json.loads(row["refs"])
        assert parents[parent.removeprefix("data:")]["label"] == row["label"]
        assert row["number"] == "" and row["is_synthetic"] == "true" and row["method"] == "classic-text"
        assert row["text"] and row["model"] == ""
    assert sum(row["text"] not in {old["text"] for old in before} for row in after[10:]) >= 15
    assert (result.out / "classes.txt").read_text() == "ask\ntell\n"
    assert not (result.out / "report/contact_sheet.png").exists()
    assert verify(result.out).exit_code == 0


def test_the_plan_says_what_stood_for_the_words(data, tmp_path):
    out = am.augment(data, tmp_path / "out", **PLAIN).out
    plan = json.loads((out / ".augmint/plan.json").read_bytes())
    assert (plan["method"], plan["modality"], plan["model_sha256"], plan["judge_sha256"]) == (
        "classic-text",
        "text",
        "",
        "",
    )
    assert "model: none; the texts themselves were changed" in (out / "README.md").read_text()
    assert "judge: none" in (out / "README.md").read_text()
    assert json.loads((out / "run.json").read_bytes())["judge"] == "none"


@pytest.mark.parametrize("suffix", ["jsonl", "tsv", "parquet"])
def test_other_tables(tmp_path, suffix):
    import pandas as pd

    frame = pd.DataFrame(texts(8), columns=["text", "label"])
    path = tmp_path / f"in.{suffix}"
    if suffix == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    elif suffix == "tsv":
        frame.to_csv(path, sep="\t", index=False)
    else:
        frame.to_parquet(path)
    out = am.augment(path, tmp_path / "out", **PLAIN).out
    listing = Tables().scan(out, ReadOptions())
    assert len(listing.entries) == 16 and listing.classes == ("ask", "tell")
    assert [Tables().load(entry).content for entry in listing.entries][:8] == list(frame["text"])
    assert verify(out).exit_code == 0


def test_load_dataset_opens_the_folder(tmp_path):
    datasets = pytest.importorskip("datasets")
    write_csv(tmp_path / "in/train.csv", texts(8))
    write_csv(tmp_path / "in/test.csv", texts(12)[8:], first=8)
    out = am.augment(tmp_path / "in", tmp_path / "out", **PLAIN).out
    found = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in found.items()} == {"train": 16, "test": 4}
    assert found["train"]["text"][:8] == [text for text, _ in texts(8)]
    assert set(found["train"].features) == set(found["test"].features)


def test_a_run_that_is_stopped_after_any_unit_ends_as_if_it_had_not(data, tmp_path):
    want = snapshot(am.augment(data, tmp_path / "want", **PLAIN).out)
    units = [row["unit"] for row in jsonl(tmp_path / "want/.augmint/events.jsonl") if row["event"] == "unit"]
    assert len(units) >= 6
    commit = Manifest.commit
    for count in range(len(units)):
        done = []

        def counted(self, unit, *args, count=count, done=done):
            if len(done) == count:
                raise KeyboardInterrupt
            done.append(unit)
            return commit(self, unit, *args)

        out = tmp_path / f"stopped-{count}"
        with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(Manifest, "commit", counted)
            am.augment(data, out, **PLAIN)
        assert snapshot(am.augment(data, out, **PLAIN).out) == want


def test_children_replay_byte_for_byte(data, tmp_path):
    out = am.augment(data, tmp_path / "out", **PLAIN).out
    made = [row for row in read(out / "train.csv") if row["is_synthetic"] == "true"]
    for row in made[::3]:
        done = replay(out, row["id"])
        assert done.identical and json.loads(done.data)["content"] == row["text"]
    text = data.read_text().replace("Oslo", "Bonn")
    data.write_text(text)
    with pytest.raises(DataError, match="not the same as in the run"):
        replay(out, made[0]["id"])


def test_any_number_of_workers_gives_the_same_bytes(data, tmp_path):
    one = am.augment(data, tmp_path / "one", **PLAIN)
    am.augment(data, tmp_path / "two", workers=2, **PLAIN)
    assert snapshot(one.out) == snapshot(tmp_path / "two")


def test_a_config_makes_the_same_again(data, tmp_path):
    first = am.augment(data, tmp_path / "first", strategy="ask=8", seed=3, **PLAIN)
    again = am.augment(data, tmp_path / "again", config=first.out / "config.yaml")
    assert first.made == {"ask": 3, "tell": 0}
    assert snapshot(first.out) == snapshot(again.out)


def test_own_output_is_read_again(data, tmp_path):
    first = am.augment(data, tmp_path / "first", **PLAIN)
    second = am.augment(first.out, tmp_path / "second", **PLAIN)
    assert second.before == {"ask": 10, "tell": 10} and sum(second.made.values()) == 20
    rows = read(second.out / "train.csv")
    assert len(rows) == 40 and len({row["id"] for row in rows}) == 40
    assert list(rows[0]) == list(read(first.out / "train.csv")[0])


def test_rows_that_cannot_be_used_are_listed_and_left_out(tmp_path):
    path = tmp_path / "in.jsonl"
    good = [json.dumps({"text": text, "label": label}) for text, label in texts(8)]
    path.write_bytes(
        "\n".join(good[:4]).encode()
        + b'\n{"text": "\xff", "label": "ask"}\n{"text": "", "label": "ask"}\n'
        + "\n".join(good[4:]).encode()
        + b"\n{broken\n"
    )
    result = am.augment(path, tmp_path / "out", max_skipped=0.5, **PLAIN)
    assert result.exit_code == 0 and result.total == 11
    assert [row["id"] for row in jsonl(result.out / "skipped.jsonl")] == ["in.jsonl:5", "in.jsonl:6", "in.jsonl:11"]
    assert len(jsonl(result.out / "train.jsonl")) == 16
    assert am.augment(path, tmp_path / "strict", **PLAIN).exit_code == 1


def test_pairs(tmp_path):
    rows = [{"premise": text, "hypothesis": f"so {text}", "label": label} for text, label in texts(8)]
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = am.augment(path, tmp_path / "out", text="premise,hypothesis", **PLAIN).out
    made = [row for row in jsonl(out / "train.jsonl") if row["is_synthetic"]]
    assert len(made) == 8 and all(row["premise"] and row["hypothesis"] for row in made)
    assert "text: premise,hypothesis" in (out / "config.yaml").read_text()
    assert replay(out, made[0]["id"]).identical


def test_the_dry_run(data, tmp_path):
    plan = make_plan({"method": "classic-text", "gates": [], "model": ""})
    found = estimate(plan, Inputs(data), tmp_path / "o", workers=1)
    assert found.asked == {"ask": 5, "tell": 5} and found.models == () and found.probe["mint"] > 0
    assert not (tmp_path / "o").exists()


def test_what_does_not_fit_is_refused(data, tmp_path):
    pictures = tmp_path / "pictures"
    for name in ("a", "b"):
        save(pictures / name / "0.png", pattern((8, 8)))
    with pytest.raises(UsageError, match="'classic-text', which changes text samples, on pictures"):
        am.augment(pictures, tmp_path / "out", method="classic-text")
    with pytest.raises(UsageError, match="'tiny-image', of kind codec and modality image"):
        am.augment(data, tmp_path / "out", method="retrieval", model="tiny-image")
    with pytest.raises(DataError, match="holds pictures, beside data that are texts"):
        am.augment(data, tmp_path / "out", heldout=pictures, **PLAIN)
    with pytest.raises(UsageError, match="'noise' without a pool"):
        am.augment(data, tmp_path / "out", method="noise")
    assert not (tmp_path / "out").exists()


def test_sets_beside_the_data_may_name_their_columns_otherwise(tmp_path):
    rows = [{"review": text, "stars": label} for text, label in texts(24)]
    data = tmp_path / "in/reviews.jsonl"
    data.parent.mkdir()
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "pool.txt").write_text("".join(f"{text} again\n" for text, _ in texts(20)))
    held = write_csv(tmp_path / "held.csv", texts(6), first=90)
    keys = {"text": "review", "label": "stars", "gates": []}
    picked = am.augment(data, tmp_path / "out", method="retrieval", pool=tmp_path / "pool.txt", heldout=held, **keys)
    assert picked.leak_check["held_out"] == 6
    fitted = am.augment(data, tmp_path / "rows", method="calibration", decode="rows", base=data, **keys)
    assert sum(fitted.made.values()) == 24
    with pytest.raises(DataError, match="no column 'stars'"):
        am.augment(data, tmp_path / "o", method="calibration", decode="rows", base=held, **keys)


def test_spans_are_carried_along_or_refused(tmp_path):
    row = {"text": "Ann lives in Oslo", "label": "a", "names": [[0, 3, "PER"]]}
    path = tmp_path / "in/a.jsonl"
    path.parent.mkdir()
    path.write_text("".join(json.dumps({**row, "label": label}) + "\n" for label in "abab"))
    (tmp_path / "pool.txt").write_text("Bob lives in Rome\nEve left Bonn\n")
    with pytest.raises(UsageError, match="--spans with method 'retrieval'"):
        am.augment(path, tmp_path / "out", method="retrieval", pool=tmp_path / "pool.txt", spans="names", gates=[])


def test_the_command_line(data, tmp_path, capsys):
    words = ["run", str(data), "-o", str(tmp_path / "out"), "--text", "text", "--label", "label", "--method", "classic"]
    assert main([*words, "--gate", "none", "--json", "--no-progress", "-q"]) == 0
    assert json.loads(capsys.readouterr().out)["made"] == {"ask": 5, "tell": 5}
    assert main(["report", str(tmp_path / "out"), "-q"]) == 0
    assert main(["verify", str(tmp_path / "out"), "-q"]) == 0
    assert main(["run", str(data), "-o", str(tmp_path / "o"), "--text", "txt", "--method", "classic"]) == 2


def test_killed_and_resumed(data, tmp_path):
    words = ["run", str(data), "-o", str(tmp_path / "out"), "--method", "classic", "--gate", "none", "--factor", "60"]
    words += ["--set", "unit_size=4", "-q"]
    run = subprocess.Popen([*CLI, *words])
    while len(list((tmp_path / "out/.augmint/receipts").glob("draw-*.json"))) < 4:
        assert run.poll() is None
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert cli(*words).returncode == 0
    want = am.augment(data, tmp_path / "want", factor=60, method="classic", gates=[], unit_size=4).out
    assert snapshot(tmp_path / "out") == snapshot(want)


def test_fresh_leaves_nothing_of_an_earlier_run(tmp_path):
    write_csv(tmp_path / "in/train.csv", texts(8))
    held = write_csv(tmp_path / "in/test.csv", texts(14)[10:], first=8)
    out = am.augment(tmp_path / "in", tmp_path / "out", **PLAIN).out
    (out / "notes.txt").write_text("mine")
    held.unlink()
    with pytest.raises(UsageError, match="holds another run"):
        am.augment(tmp_path / "in", out, **PLAIN)
    am.augment(tmp_path / "in", out, fresh=True, **PLAIN)
    assert not (out / "test.csv").exists() and (out / "notes.txt").read_text() == "mine"


def test_spans_are_carried_along(tmp_path):
    path = tmp_path / "in.jsonl"
    rows = []
    for text, label in texts(12):
        city = next(word.strip(",") for word in text.split() if word[0].isupper() and len(word) > 3)
        start = text.index(city)
        rows.append(
            {"text": text, "label": label, "entities": [{"start": start, "end": start + len(city), "label": "city"}]}
        )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = am.augment(path, tmp_path / "out", spans="entities", **PLAIN).out
    cities = {row["text"][row["entities"][0]["start"] : row["entities"][0]["end"]] for row in rows}
    made = [row for row in jsonl(out / "train.jsonl") if row["is_synthetic"]]
    assert len(made) == 12 and sum(row["text"] not in {old["text"] for old in rows} for row in made) >= 9
    for row in made:
        (span,) = row["entities"]
        assert row["text"][span["start"] : span["end"]] in cities and span["label"] == "city"
    assert replay(out, made[0]["id"]).identical
    (again,) = {len(Tables().load(e).spans) for e in Tables().scan(out, ReadOptions(spans="entities")).entries}
    assert again == 1
