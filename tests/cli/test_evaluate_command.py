"""augmint evaluate: table, JSON, one line for each cell, exit codes."""

from __future__ import annotations

import json

import pytest

from augmint.pipeline import workshop
from support import snapshot, write_digits

FAST = ["--method", "interpolation", "--shots", "3", "--pairs", "5", "--updates", "15", "--trials", "1", "--size", "64"]


@pytest.fixture
def data(tmp_path, monkeypatch, loaded_once):
    monkeypatch.setattr(workshop, "load_encoder", lambda name, *, size, device: loaded_once(name, size=size))
    return write_digits(tmp_path / "data", {"0": 26, "1": 26})


def test_table_and_conclusions(augmint, data, tmp_path):
    answer = augmint("evaluate", data, *FAST, "-o", tmp_path / "lift")
    assert answer.code == 0
    lines = [line.split() for line in answer.out.splitlines()]
    assert lines[0] == ["student", "shots", "arm", "accuracy", "minted", "lift", "over", "none"]
    assert [line[:3] for line in lines[1:3]] == [["probe", "3", "none"], ["probe", "3", "interpolation"]]
    assert answer.out.count("probe, 3 shots: ") == 1 and "points" in answer.out
    assert "5 pairs (disjoint)" in answer.err and "first pair took" in answer.err
    again = augmint("evaluate", data, *FAST, "-o", tmp_path / "lift", "--json").json
    assert again["cells"] == json.loads((tmp_path / "lift/lift.json").read_bytes())["cells"]
    assert again["exit_code"] == 0 and len(again["conclusions"]) == 1


def test_time_up_is_exit_code_1(augmint, data, tmp_path):
    answer = augmint("evaluate", data, *FAST, "--budget", "0s", "-o", tmp_path / "lift")
    assert answer.code == 1
    assert "not run" in answer.out and "stopped: the time was up before 5 pairs" in answer.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--metric", "acuracy"], "did you mean 'accuracy'"),
        (["--student", "prob"], "did you mean 'probe'"),
        (["--method", "interpolatoin"], "did you mean 'interpolation'"),
        (["--method", "retrieval"], "add --pool DIR"),
        (["--budget", "soon"], "a time such as 6h"),
        (["--space", "rows", "--method", "noise", "--student", "scratch"], "use --space samples"),
        (["--student", "scratch-cnn"], "use scratch for pictures"),
        (["--encoder", "all-MiniLM-L6-v2"], "encoder 'all-MiniLM-L6-v2', of kind encoder and modality text"),
        (["--text", "text"], "leave --text out"),
    ],
)
def test_wrong_settings_are_exit_code_2_and_leave_nothing(augmint, data, tmp_path, words, said):
    answer = augmint("evaluate", data, *FAST, *words, "-o", tmp_path / "lift")
    assert answer.code == 2 and said in answer.err and not (tmp_path / "lift").exists()


def test_more_shots_than_there_are_is_told(augmint, data, tmp_path):
    answer = augmint("evaluate", data, *FAST, "--shots", "100", "--pairs", "2", "-o", tmp_path / "lift")
    assert answer.code == 0 and "2 of 2 classes have too few samples for 100 shots, and train on 17" in answer.err


def test_the_probe_s_own_rows(augmint, data, tmp_path):
    words = [*FAST, "--space", "rows", "--pairs", "2"]
    cell = augmint("evaluate", data, *words, "-o", tmp_path / "lift", "--json").json["cells"][0]
    assert cell["arms"]["interpolation"]["minted"] == 12


def test_the_output_of_a_run_is_left_alone(augmint, data, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all of it")
    answer = augmint("evaluate", data, *FAST, "-o", tmp_path / "mine")
    assert answer.code == 2 and "not a run of augmint" in answer.err


def test_no_command_throws_away_what_another_made(augmint, data, tmp_path):
    run = ["run", data, "--gate", "none", "--size", "64", "-o", tmp_path / "run"]
    assert augmint(*run).code == 0
    before = snapshot(tmp_path / "run")
    answer = augmint("evaluate", data, *FAST, "--fresh", "-o", tmp_path / "run")
    assert answer.code == 2 and "made by augmint run" in answer.err and snapshot(tmp_path / "run") == before
    augmint("evaluate", data, *FAST, "--budget", "0s", "-o", tmp_path / "lift")
    answer = augmint(*run[:-1], tmp_path / "lift", "--fresh")
    assert answer.code == 2 and "made by augmint evaluate" in answer.err and (tmp_path / "lift/lift.json").exists()
