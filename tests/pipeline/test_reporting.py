"""The report of a folder: what a run and a lift put into it, and what the sums say of it."""

from __future__ import annotations

import json
import shlex
import shutil

import numpy as np
import pytest

import augmint as am
from augmint.cli.parser import parse
from augmint.core.errors import DataError, UsageError
from augmint.pipeline import strips
from augmint.pipeline.figures import renewed
from augmint.pipeline.finished import Finished
from augmint.pipeline.manifest import Manifest
from augmint.pipeline.provenance import evaluate_commands
from augmint.pipeline.reporting import gather, report
from augmint.pipeline.verify import verify
from support import MIXED, PLAIN, children, jsonl, metadata, pixels_of, snapshot, write_digits

HARM = {"mean": -0.1, "low": -0.15, "high": -0.05, "p_value": 0.01, "p_flip": None, "p_adjusted": 0.01, "pairs": 4,
        "verdict": "harms", "headline": "harms: -10.0 points"}  # fmt: skip
ARMS = {
    "none": {"scores": {"accuracy": 0.5}, "recall": {"0": 0.5}, "values": {}, "minted": 0},
    "noise": {
        "scores": {"accuracy": 0.4},
        "recall": {"0": 0.3},
        "values": {},
        "minted": 30,
        "lift": {"accuracy": HARM},
    },
}
CELL = {"student": "probe", "shots": 5, "status": "done", "scheme": "disjoint", "pairs": 4, "arms": ARMS}
LIFT = {
    "version": 1, "data": "digits", "metric": "accuracy", "students": ["probe"], "shots": [5, 50], "arms": [],
    "budget": {"updates": 150, "batch": 32, "trials": 1}, "machine": {},
    "transfer": [{"shots": "5", "arm": "noise", "fraction": 0.4, "headline": "closes 40 %"}],
    "cells": [CELL, {**CELL, "shots": 50, "status": "not run", "scheme": None, "pairs": 0, "arms": {}}],
}  # fmt: skip


def facts_of(out):
    return gather(out, Finished(out))


def test_a_run_ends_with_its_report_and_vouches_for_it(first_run):
    out = first_run.out
    assert (out / "report/index.html").stat().st_size > 10_000
    assert verify(out).problems == ()
    assert "report/index.html" in (out / ".augmint/SHA256SUMS").read_text()
    assert "index.html" not in (out / "SHA256SUMS").read_text()


def test_the_report_says_what_the_run_did(first_run):
    facts, result = facts_of(first_run.out), first_run.result
    assert {row.name: row.made for row in facts.classes} == result.made
    assert {row.name: row.asked for row in facts.classes} == result.asked
    assert {row.name: row.before for row in facts.classes} == result.before
    assert {row.name: dict(row.rejected) for row in facts.classes if row.rejected} == result.rejected
    assert (
        facts.strips_total == len(children(first_run.out)) and facts.alarms[: len(result.problems)] == result.problems
    )
    assert facts.rejections_total == len(jsonl(first_run.out / "rejects.jsonl")) > 0
    assert {model.name for model in facts.models} == {"tiny-image", "tiny-judge"}
    assert all(len(model.sha256) == 64 and model.licence for model in facts.models)
    assert ("seed", "0") in facts.settings and facts.lift is None and "Does it help?" in dict(facts.missing)


def test_strips_show_the_very_pictures(first_run):
    rows = {row["id"]: row for row in metadata(first_run.out)}
    strips = facts_of(first_run.out).strips
    assert strips
    for strip in strips:
        row = rows[strip.child.name]
        assert (strip.child.picture == pixels_of(first_run.out / "train" / row["file_name"])).all()
        assert [shown.name for shown, _ in strip.parents] == row["refs"] and strip.label == row["label"]
        assert strip.scores == json.loads(row["scores"])
        for shown, _ in strip.parents:
            assert (shown.picture == pixels_of(first_run.data / shown.name.removeprefix("data:"))).all()


def test_rejections_show_the_rejected_draw(first_run):
    rows = {row["id"]: row for row in jsonl(first_run.out / "rejects.jsonl")}
    found = facts_of(first_run.out).rejections
    assert {rejection.gate for rejection in found} == {row["gate"] for row in rows.values()}
    for rejection in found:
        row = rows[rejection.strip.child.name]
        assert (rejection.gate, rejection.score) == (row["gate"], row["score"])
        assert rejection.strip.child.picture is not None


def test_the_map_has_every_row_of_a_small_run(first_run):
    clouds = {cloud.kind: cloud for cloud in facts_of(first_run.out).map.clouds}
    assert len(clouds["real"].at) == clouds["real"].total == sum(first_run.result.before.values())
    assert len(clouds["minted"].at) == clouds["minted"].total == sum(first_run.result.made.values())


def test_the_map_shows_held_out_rows_where_there_are_any(tmp_path):
    data = write_digits(tmp_path / "in/train", {"0": 5, "1": 5}).parent
    write_digits(data / "test", {"0": 9, "1": 8})
    am.augment(data, tmp_path / "o", **PLAIN)
    clouds = {cloud.kind: cloud.total for cloud in facts_of(tmp_path / "o").map.clouds}
    assert clouds == {"real": 10, "minted": 10, "held-out": 17}


def test_films_begin_and_end_near_their_parents(first_run):
    (film,) = facts_of(first_run.out).films
    assert len(film.frames) == 5
    ends = [shown.picture.astype(float) for shown in (film.first, film.last)]
    gaps = [[np.abs(frame.astype(float) - end).mean() for frame in film.frames] for end in ends]
    assert np.argmin(gaps[0]) == 0 and np.argmin(gaps[1]) == 4


def test_no_film_without_two_parents_and_it_says_so(digits, tmp_path):
    am.augment(digits, tmp_path / "o", method="noise", **PLAIN)
    facts = facts_of(tmp_path / "o")
    assert facts.films == () and "noise made no sample from two" in dict(facts.missing)["From one sample to another"]
    assert dict(facts.missing)["What the gates rejected"] == "no gates"


def test_children_alone(digits, tmp_path):
    am.augment(digits, tmp_path / "o", synthetic_only=True, **PLAIN)
    facts = facts_of(tmp_path / "o")
    assert {row.name: row.before for row in facts.classes} == {"0": 6, "1": 7, "2": 8}
    assert facts.strips and all(shown.picture is None for strip in facts.strips for shown, _ in strip.parents)


def test_nothing_asked_for(digits, tmp_path):
    am.augment(digits, tmp_path / "o", factor=1.0, **PLAIN)
    facts = facts_of(tmp_path / "o")
    assert facts.strips == () and facts.map is None and dict(facts.missing)["Map"] == "nothing was minted"


def test_the_same_again_is_the_same_bytes(finished):
    before = snapshot(finished.out)
    written = report(finished.out)
    assert written.path.stat().st_size == written.bytes
    assert snapshot(finished.out) == before


def test_a_resumed_run_has_the_report_of_the_first(finished):
    before = snapshot(finished.out)
    (finished.out / "report/index.html").unlink()
    am.augment(finished.data, finished.out, **MIXED)
    assert snapshot(finished.out) == before


def test_a_lift_of_another_folder_is_taken_in(finished, tmp_path):
    lift = tmp_path / "lift"
    lift.mkdir()
    (lift / "lift.json").write_text(json.dumps(LIFT))
    written = report(finished.out, lift)
    page = written.path.read_text()
    assert "harms: -10.0 points" in page and "1 harm" in page and "Does it help?" not in written.missing
    assert "This cell was not run." in page and "closes 40 %" in page
    assert verify(finished.out).problems == ()
    shutil.rmtree(lift)
    assert report(finished.out).path.read_text() == page


def test_a_lift_of_other_data_is_refused_and_one_of_another_method_is_told(finished, tmp_path):
    before = snapshot(finished.out)
    words = {"none": {**ARMS["none"], "recall": {"positive": 0.5}}}
    (tmp_path / "lift.json").write_text(json.dumps({**LIFT, "cells": [{**CELL, "arms": words}]}))
    with pytest.raises(DataError) as caught:
        report(finished.out, tmp_path)
    assert caught.value.code == "other-data" and "positive" in caught.value.got and snapshot(finished.out) == before
    own = Finished(finished.out).plan["method"]
    for methods, told in ((["", own, "gan"], False), (["", "gan"], True)):
        arms = [{"name": name or "none", "method": name, "factor": 2.0} for name in methods]
        (tmp_path / "lift.json").write_text(json.dumps({**LIFT, "arms": arms, "data": finished.data.name}))
        written = report(finished.out, tmp_path)
        assert [f"nothing of {own}" in warning for warning in written.warnings] == [True] * told
        assert (f"nothing of {own}" in written.path.read_text()) == told
    further = [{"name": f"{own}+classic", "method": own, "then": "classic", "factor": 2.0}]
    (tmp_path / "lift.json").write_text(json.dumps({**LIFT, "arms": further, "data": finished.data.name}))
    assert f"measured for {own}+classic; it says nothing of {own}" in report(finished.out, tmp_path).warnings[0]


def test_a_lift_that_may_be_of_other_data_is_told_and_one_beside_another_is_refused(finished, tmp_path):
    (tmp_path / "lift.json").write_text(json.dumps({**LIFT, "data": "elsewhere/x-rays"}))
    written = report(finished.out, tmp_path)
    (told,) = written.warnings
    assert "measured on elsewhere/x-rays" in told and report(finished.out).warnings == ()
    (tmp_path / "two").mkdir()
    shutil.copy(tmp_path / "lift.json", tmp_path / "two")
    with pytest.raises(UsageError, match="a lift of its own"):
        report(tmp_path / "two", tmp_path)


def test_the_lift_again_has_what_was_not_as_usual(tmp_path):
    settings = {"seed": 7, "space": "rows", "gate": ["none"], "label": "class", "judge": "tiny-image"}
    arms = [{"name": "noise", "method": "noise", "factor": 2.0}]
    facts = {**LIFT, "arms": arms, "settings": settings, "pool": True}
    (tmp_path / "lift.json").write_text(json.dumps(facts))
    ((_, command),) = evaluate_commands(tmp_path)
    asked = parse(shlex.split(command)[1:])
    assert (asked.seed, asked.space, asked.gate, asked.pool) == (7, "rows", ["none"], "POOL")
    assert (asked.label, asked.judge, asked.shots, asked.pairs) == ("class", "tiny-image", "5,50", 4)


def test_the_card_has_the_figures_of_now(finished, tmp_path):
    card = finished.out / "README.md"
    assert "has not been measured here" in card.read_text()
    before = card.read_text()
    (tmp_path / "lift.json").write_text(json.dumps(LIFT))
    report(finished.out, tmp_path)
    assert "| probe | 5 | noise | harms: -10.0 points |" in card.read_text()
    assert "has not been measured here" not in card.read_text() and verify(finished.out).problems == ()
    assert card.read_text().partition("## How")[2] == before.partition("## How")[2]
    after = snapshot(finished.out)
    am.augment(finished.data, finished.out, **MIXED)  # resumed: the figures stay
    assert snapshot(finished.out) == after


def test_a_class_that_looks_like_a_mark_of_the_card_is_none(tmp_path):
    card = "| <!-- lift --> | 3 |\n\n<!-- lift -->\n\nold\n\n<!-- end of lift -->\n\n## How\n"
    found = renewed(card, tmp_path)
    assert found.startswith("| <!-- lift --> | 3 |\n\n<!-- lift -->\n\nWhether") and found.endswith("-->\n\n## How\n")
    assert "old" not in found and renewed("no mark", tmp_path) == "no mark"


def test_strips_are_of_classes_at_random_where_there_are_many(first_run, monkeypatch):
    monkeypatch.setattr(strips, "STRIPS", 2)
    shown = [strip.label for strip in strips.strips_of(Finished(first_run.out))]
    made = [name for name, count in first_run.result.made.items() if count]
    assert len(shown) == 2 < len(made) and shown == sorted(shown) and shown != made[:2]


def test_a_card_that_was_changed_by_hand_is_left_alone(finished, tmp_path):
    (finished.out / "README.md").write_text("mine <!-- lift --> and <!-- end of lift -->\n")
    (tmp_path / "lift.json").write_text(json.dumps(LIFT))
    report(finished.out, tmp_path)
    assert (finished.out / "README.md").read_text().startswith("mine <!-- lift --> and")
    assert verify(finished.out).problems == (("README.md", "changed"),)


def test_the_command_of_the_lift_is_one_that_parses(tmp_path):
    arms = [{"name": name, "method": name * (name != "none"), "factor": 3.0} for name in ("none", "noise")]
    (tmp_path / "lift.json").write_text(json.dumps({**LIFT, "arms": arms}))
    ((_, command),) = evaluate_commands(tmp_path)
    args = parse(shlex.split(command)[1:])
    assert (args.method, args.shots, args.pairs, args.factor, args.trials) == ("noise", "5,50", 4, 3.0, 1)


def test_a_run_that_abstained_says_so_first(finished):
    facts = json.loads((finished.out / "run.json").read_text())
    (finished.out / "run.json").write_text(json.dumps({**facts, "abstained": True, "tuned": "no candidate helped"}))
    found = facts_of(finished.out)
    assert found.title == "Report: abstained" and "no candidate helped" in found.summary[0]


def test_an_evaluation_alone(tmp_path):
    (tmp_path / "lift.json").write_text(json.dumps(LIFT))
    written = report(tmp_path)
    assert "harms: -10.0 points" in written.path.read_text()
    assert "not a run" in written.missing["The samples"]


def test_scores_are_shown_with_what_is_needed_to_read_them(finished):
    scores = {
        "density": {"value": 0.5, "better": "larger", "low": 0, "high": None, "n": 9, "interval": [0.4, 0.6],
                    "reference": 0.9, "matched": 0.55, "note": ""},
        "membership": {"value": None, "better": "smaller", "low": 0, "high": 1, "n": 9, "interval": None,
                       "reference": None, "matched": None, "note": "not enough data"},
    }  # fmt: skip
    (finished.out / "report/scores.json").write_text(json.dumps({"space": "judge", "scores": scores}))
    page = report(finished.out).path.read_text()
    assert "0.4 to 0.6" in page and "0 to any" in page and "not enough data" in page
    assert verify(finished.out).problems == ()


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{}", '{"version": 2, "cells": []}', '{"version": 1, "cells": [{}], "metric": "a"}'),
        json.dumps({key: value for key, value in LIFT.items() if key != "arms"}),
        json.dumps({**LIFT, "shots": 5}),
        json.dumps(LIFT).replace('"harms"', '"odd"'),
    ],
)
def test_a_file_that_is_no_lift_is_refused_before_anything_is_written(finished, tmp_path, text):
    before = snapshot(finished.out)
    (tmp_path / "lift.json").write_text(text)
    with pytest.raises(DataError) as caught:
        report(finished.out, tmp_path)
    assert "lift.json" in caught.value.got and snapshot(finished.out) == before


def test_a_folder_that_is_nothing(tmp_path):
    for out in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DataError):
            report(out)
    assert list(tmp_path.iterdir()) == []


def test_not_while_the_run_is_going_on(finished):
    with Manifest(finished.out).lock(), pytest.raises(UsageError):
        report(finished.out)


def test_pictures_that_are_gone_are_left_out(finished):
    for row in children(finished.out):
        (finished.out / "train" / row["file_name"]).write_bytes(b"")
    assert "no picture here" in report(finished.out).path.read_text()


def test_names_from_the_data_cannot_become_markup(tmp_path):
    data = write_digits(tmp_path / "in", {"0": 3, "1": 3})
    (data / "0").rename(data / "<img onerror=alert(1)>")
    am.augment(data, tmp_path / "o", **PLAIN)
    page = (tmp_path / "o/report/index.html").read_text()
    assert "<img onerror" not in page and "&lt;img onerror" in page
