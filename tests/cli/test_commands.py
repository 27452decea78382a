"""Every command: help, JSON, exit codes, messages."""

from __future__ import annotations

import errno
import json
import re
import shutil
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import augmint as am
from augmint.cli.parser import COMMANDS, parse
from augmint.cli.show import Console
from augmint.core.errors import UsageError
from augmint.core.version import __version__
from augmint.pipeline import quickstart
from augmint.pipeline.manifest import Manifest
from support import PLAIN, children, metadata, pixels_of, snapshot, write_digits

FAST = ["--gate", "none", "--size", "64", "--set", "unit_size=4"]


# help and arguments


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples_that_parse(augmint, command):
    answer = augmint(command, "--help")
    assert answer.code == 0 and answer.err == ""
    _, _, examples = answer.out.partition("examples:\n")
    lines = [line.strip() for line in examples.splitlines() if line.strip()]
    assert len(lines) >= 3
    for line in lines:
        words = line.replace("&&", "#").split("#")[0].split()
        assert words[:2] == ["augmint", command]
        assert parse(words[1:]).handler
    assert {"--json", "--quiet", "--verbose", "--no-progress"} <= set(answer.out.replace(",", " ").split())


def test_help_lists_every_command_and_shows_the_first_steps(augmint):
    answer = augmint("--help")
    assert answer.code == 0
    assert all(f"\n    {command}" in answer.out for command in COMMANDS)
    assert "augmint quickstart" in answer.out
    assert augmint().out == answer.out


def test_version(augmint):
    answer = augmint("--version")
    assert (answer.code, answer.out) == (0, f"augmint {__version__}\n")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["rn", "a", "-o", "b"], "'run'"),
        (["inspct", "a"], "'inspect'"),
        (["run", "a", "-o", "b", "--methd", "gan"], "'--method'"),
        (["run", "a", "-o", "b", "--stratgy=auto"], "'--strategy'"),
        (["models", "lst"], "'list'"),
        (["run", "a"], ""),
        (["run", "a", "-o", "b", "--seed", "many"], ""),
        (["run", "a", "-o", "b", "--workers", "0"], ""),
        (["run", "a", "-o", "b", "--workers", ""], ""),
        (["run", "a", "-o", "b", "--max-skipped", "150%"], ""),
        (["run", "a", "-o", "b", "--max-skipped", "nan"], ""),
        (["run", "a", "-o", "b", ""], ""),
        (["run", "a", "-o", "b", "--strat", "auto"], "'--strategy'"),  # no abbreviations
        (["verify"], ""),
        ([""], ""),
        (["it's"], ""),
        (["--json"], ""),
    ],
)
def test_wrong_words_are_refused_in_three_parts(augmint, words, hint):
    answer = augmint(*words)
    assert (answer.code == 2 and answer.out == "") or "--json" in words
    assert answer.err.startswith("error\ngot: ")
    assert "\nexpected: " in answer.err and "\ndo: " in answer.err
    if hint:
        assert f"did you mean {hint}?" in answer.err


@settings(max_examples=150, database=None, derandomize=True, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(st.lists(st.one_of(st.sampled_from([*COMMANDS, "-o", "--seed", "--gate", "--json", "x", "--factor", "--"]),
                          st.text(max_size=4)), max_size=5))  # fmt: skip
def test_no_words_whatever_break_the_parser(capsys, words):
    try:
        parse(words)
    except UsageError as error:
        assert error.exit_code == 2 and error.code == "arguments"


# exit code 2: the user's mistakes, none of which shows a traceback or leaves a folder


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (["--method", "interpolaton"], "unknown-method"),
        (["--model", "tiny-imag"], "unknown-model"),
        (["--judge", "nobody"], "unknown-model"),
        (["--gate", "realsm"], "unknown-gate"),
        (["--strategy", "balance"], "unknown-strategy"),
        (["--strategy", "7=90"], "unknown-class"),
        (["--factor", "0.1"], "range"),
        (["--size", "100"], "wrong-size"),
        (["--set", "factr=3"], "unknown-key"),
        (["--set", "factor"], "set"),
        (["--config", "nowhere.yaml"], "config"),
        (["--label", "colour"], "no-metadata"),
        (["--device", "gpu"], "no-device"),
    ],
)
@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_mistakes_are_told_as_json_too(augmint, digits, tmp_path, flags, code, dry):
    answer = augmint("run", digits, "-o", tmp_path / "o", *flags, *dry, "--json")
    error = answer.json["error"]
    assert answer.code == 2
    assert set(error) == {"code", "got", "expected", "do"} and all(error.values())
    assert error["code"] == code
    assert answer.err == f"error\ngot: {error['got']}\nexpected: {error['expected']}\ndo: {error['do']}\n"
    assert not (tmp_path / "o").exists()


def test_a_typo_in_a_config_file_names_file_line_and_word(augmint, digits, tmp_path):
    (tmp_path / "c.yaml").write_text("seed: 1\nmethd: gan\n")
    answer = augmint("run", digits, "-o", tmp_path / "o", "--config", tmp_path / "c.yaml")
    assert answer.code == 2
    assert f"{tmp_path / 'c.yaml'}:2" in answer.err and "did you mean 'method'?" in answer.err


@pytest.mark.parametrize("command", [["inspect"], ["verify"], ["replay", "syn-1"], ["run", "-o", "out"]])
def test_missing_folders(augmint, tmp_path, command):
    name, *rest = command
    answer = augmint(name, tmp_path / "nothing", *rest, "--json")
    assert answer.code == 2 and answer.json["error"]["got"]


# run


def test_run_tells_what_it_made(augmint, digits, tmp_path):
    answer = augmint("run", digits, "-o", tmp_path / "o", *FAST, "--strategy", "2=10,1=7", "--no-progress")
    assert answer.code == 0
    words = [line.split() for line in answer.out.splitlines()]
    assert ["0", "6", "0", "0", "6"] in words and ["2", "8", "2", "2", "10"] in words
    assert "data: " in answer.err and "plan: " in answer.err


def test_run_as_json_is_one_object_with_the_counts(augmint, digits, tmp_path):
    answer = augmint("run", digits, "-o", tmp_path / "o", *FAST, "--json")
    facts = answer.json
    assert answer.code == 0 == facts["exit_code"]
    assert facts["before"] == facts["asked"] == facts["made"] == {"0": 6, "1": 7, "2": 8}
    assert facts["skipped"] == [] and facts["total"] == 21 and facts["out"] == str(tmp_path / "o")
    python = am.augment(digits, tmp_path / "p", **PLAIN)
    assert snapshot(tmp_path / "o") == snapshot(python.out)  # the same job from both doors


def test_quiet_says_nothing_and_failures_speak_all_the_same(augmint, digits, tmp_path):
    answer = augmint("run", digits, "-o", tmp_path / "o", *FAST, "-q")
    assert (answer.code, answer.out, answer.err) == (0, "", "")
    answer = augmint("run", digits, "-o", tmp_path / "p", "-q", "--gate", "diversity", "--set",
                     "gate_options.diversity.closest=900.0", "--set", "max_rounds=1")  # fmt: skip
    assert answer.code == 1 and answer.out == ""
    assert answer.err.count("failed: class") == 3 and "rejected by diversity" in answer.err


def test_too_many_skipped_is_one(augmint, tmp_path):
    data = write_digits(tmp_path / "in", {"0": 10, "1": 10})
    (data / "0/bad.png").write_bytes(b"x")
    assert augmint("run", data, "-o", tmp_path / "o", *FAST, "--max-skipped", "5%").code == 0
    answer = augmint("run", data, "-o", tmp_path / "o", *FAST, "--max-skipped", "0.04", "--json")
    assert answer.code == 1 and answer.json["skipped"] == [["0/bad.png", answer.json["skipped"][0][1]]]


def test_another_plan_in_the_folder_and_fresh(augmint, digits, tmp_path):
    words = ["run", digits, "-o", tmp_path / "o", *FAST]
    assert augmint(*words).code == 0
    answer = augmint(*words, "--seed", "5")
    assert answer.code == 2 and "seed: 0 -> 5" in answer.err and "--fresh" in answer.err
    assert augmint(*words, "--seed", "5", "--fresh").code == 0


def test_a_full_disk_is_three_and_says_how_to_go_on(augmint, digits, tmp_path, monkeypatch):
    def full(self, path, data, *, durable=True):
        from augmint.pipeline.manifest import _disk_error

        raise _disk_error(path, len(data), OSError(errno.ENOSPC, "No space left on device"))

    monkeypatch.setattr(Manifest, "write", full)
    answer = augmint("run", digits, "-o", tmp_path / "o", *FAST, "--json")
    assert answer.code == 3 and answer.json["error"]["code"] == "disk"
    assert "same command" in answer.json["error"]["do"]


@pytest.mark.parametrize(
    ("error", "code"), [(ZeroDivisionError("x"), "internal"), (PermissionError(13, "no"), "files")]
)
def test_a_bug_is_three_in_words_and_in_json(augmint, digits, tmp_path, monkeypatch, error, code):
    def broken(*args, **kwargs):
        raise error

    monkeypatch.setattr(Manifest, "load", broken)
    answer = augmint("run", digits, "-o", tmp_path / "o", *FAST, "--json")
    assert answer.code == 3 and answer.json["error"]["code"] == code
    assert "\nerror\ngot: " in answer.err


def test_debug_shows_the_traceback(digits, tmp_path, monkeypatch, augmint):
    monkeypatch.setenv("AUGMINT_DEBUG", "1")
    with pytest.raises(UsageError):
        augmint("run", digits, "-o", tmp_path / "o", "--method", "nothing")


def test_dry_run_writes_nothing_and_forecasts_the_run(augmint, digits, tmp_path):
    before = snapshot(tmp_path), snapshot(digits)
    words = ["run", digits, "-o", tmp_path / "deep/er/o", *FAST, "--strategy", "auto", "--json"]
    forecast = augmint(*words, "--dry-run").json
    assert (snapshot(tmp_path), snapshot(digits)) == before and not list(tmp_path.iterdir())
    made = augmint(*words).json
    assert (forecast["before"], forecast["asked"]) == (made["before"], made["made"])
    assert forecast["plan"]["size"] == 64 and forecast["seconds"] > 0
    assert {model["name"] for model in forecast["models"]} == {"tiny-image", "tiny-judge"}
    assert all(model["bytes"] > 0 and model["licence"] for model in forecast["models"])
    size = sum(path.stat().st_size for path in (tmp_path / "deep/er/o").rglob("*") if path.is_file())
    assert size / 4 < forecast["disk_bytes"] < size * 4
    assert forecast["disk_free"] > 0 and forecast["memory_bytes"] > 1e8
    text = augmint("run", digits, "-o", tmp_path / "p", *FAST, "--dry-run")
    assert text.code == 0 and "nothing was written" in text.out and not (tmp_path / "p").exists()


def test_config_of_a_run_makes_it_again(augmint, digits, tmp_path):
    assert augmint("run", digits, "-o", tmp_path / "a", *FAST, "--seed", "3", "--method", "noise", "--set",
                   "method_options.strength=0.125", "--factor", "1.5").code == 0  # fmt: skip
    assert augmint("run", digits, "-o", tmp_path / "b", "--config", tmp_path / "a/config.yaml").code == 0
    assert snapshot(tmp_path / "a") == snapshot(tmp_path / "b")


# looking


def test_inspect(augmint, tmp_path):
    data = write_digits(tmp_path / "in/train", {"0": 4, "1": 2}).parent
    answer = augmint("inspect", data, "--json")
    assert answer.code == 0 and answer.json["imbalance"] == 2.0
    assert answer.json["counts"] == {"train": {"0": 4, "1": 2}}
    (data / "test/0").mkdir(parents=True)
    shutil.copyfile(data / "train/0/0000.png", data / "test/0/0000.png")
    answer = augmint("inspect", data, "--json")
    assert answer.code == 1 == answer.json["exit_code"]
    assert answer.json["leaks"] == [["test/0/0000.png", "train/0/0000.png"]]
    text = augmint("inspect", data)
    assert text.code == 1 and "LEAK: test/0/0000.png, train/0/0000.png" in text.out


def test_verify(augmint, finished):
    answer = augmint("verify", finished.out, "--json")
    assert answer.code == 0 and answer.json["problems"] == [] and answer.json["files"] > 40
    (finished.out / "README.md").write_text("mine")
    answer = augmint("verify", finished.out, "--json")
    assert answer.code == 1 and answer.json["problems"] == [["README.md", "changed"]]
    answer = augmint("verify", finished.out, "-q")
    assert (answer.code, answer.out, answer.err) == (1, "", "changed: README.md\n")


def test_replay_and_save(augmint, first_run, tmp_path):
    row = children(first_run.out)[0]
    answer = augmint("replay", first_run.out, row["id"], "--save", tmp_path / "x.png", "--json")
    assert answer.code == 0 and answer.json["identical"] is True and answer.json["refs"] == row["refs"]
    assert (tmp_path / "x.png").read_bytes() == (first_run.out / "train" / row["file_name"]).read_bytes()
    assert augmint("replay", first_run.out, row["id"], "--save", tmp_path / "no/x.png").code == 2
    assert augmint("replay", first_run.out, "syn-0000").code == 2


def test_names_from_the_data_cannot_drive_the_terminal(augmint, tmp_path):
    data = write_digits(tmp_path / "in", {"0": 2})
    (data / "0").rename(data / "[bold]\x1b[31mred\x07")
    (data / "[bold]\x1b[31mred\x07" / "a\x1b]0;x.png").write_bytes(b"")
    for words in (["inspect", data], ["run", data, "-o", tmp_path / "o", *FAST, "--max-skipped", "1"]):
        answer = augmint(*words)
        assert "\x1b" not in answer.out + answer.err and "\x07" not in answer.out + answer.err
        assert "[bold]?[31mred?" in answer.out


# lists


@pytest.mark.parametrize(("command", "names"), [
    ("models", {"tiny-image", "tiny-judge", "squeezenet1_1", "all-MiniLM-L6-v2"}),
    ("methods", {"noise", "interpolation", "gan"}),
    ("gates", {"consistency", "novelty", "realism", "diversity"}),
])  # fmt: skip
def test_lists(augmint, command, names):
    answer = augmint(command, "list", "--json")
    assert answer.code == 0
    assert names <= {row["name"] for row in answer.json[command]}
    assert all(row["summary"] for row in answer.json[command])
    text = augmint(command, "list")
    assert all(name in text.out for name in names)
    if command != "models":
        assert augmint(command).out == text.out


def test_fetch_needs_a_name_and_a_known_one(augmint):
    assert augmint("models", "fetch").code == 2
    answer = augmint("models", "fetch", "tiny-imge", "--json")
    assert answer.code == 2 and "did you mean 'tiny-image'?" in answer.json["error"]["do"]
    answer = augmint("models", "fetch", "tiny-image", "--json")
    assert answer.code == 0 and answer.json["files"]


def test_env_shows_versions_and_settings(augmint, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("AUGMINT_MODELS", "/models")
    answer = augmint("env", "--json")
    assert answer.code == 0 and answer.json["augmint"] == __version__
    assert answer.json["settings"]["AUGMINT_MODELS"] == "/models"
    assert answer.json["libraries"]["torch"]
    assert "hf_secret" not in answer.out + augmint("env").out


def test_quickstart_of_another_seed_mixes_no_digits(augmint, tmp_path):
    quickstart.write_digits(tmp_path / "digits", slice(20), seed=0)
    before = snapshot(tmp_path)
    answer = augmint("quickstart", "-o", tmp_path, "--seed", 1)
    assert answer.code == 2 and "has other digits" in answer.err and snapshot(tmp_path) == before


def test_the_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "augmint", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["augmint", __version__]


def test_a_name_of_two_lines_is_a_row_of_a_table(capsys):
    Console(as_json=False, quiet=False, bars=False).table(["class", "rows"], [["a\nb", 3], ["c", 4]])
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["class", "rows"],
        ["a?b", "3"],
        ["c", "4"],
    ]


@pytest.mark.slow
def test_quickstart_ends_with_a_whole_run(augmint, tmp_path):
    answer = augmint("quickstart", "-o", tmp_path / "q", "--json")
    assert answer.code in (0, 1)  # with early weights the gates may leave a class short
    assert answer.json["before"] == {str(digit): 20 for digit in range(10)}
    assert sum(row["is_synthetic"] for row in metadata(tmp_path / "q/minted")) == sum(answer.json["made"].values())
    assert pixels_of(tmp_path / "q/minted/report/contact_sheet.png").ndim == 3
    assert augmint("verify", tmp_path / "q/minted").code == 0
    page, (line,) = (tmp_path / "q/minted/report/index.html").read_text(), answer.json["conclusions"]
    assert answer.json["report"] == str(tmp_path / "q/minted/report/index.html")
    assert "interpolation" in page and 'id="lift"' in page and re.search(r"\[-?\d+\.\d, -?\d+\.\d\], 8 pairs", line)
    assert line.split(", 8 pairs")[0].rpartition(": ")[2].split(" points")[0] in page  # the verdict is on the page, too
    (tmp_path / "file").write_text("x")
    assert augmint("quickstart", "-o", tmp_path / "file").code == 2
    assert json.loads((tmp_path / "q/minted/run.json").read_text())["leak_check"] == "none"
    assert "\nsize: 0\n" not in (tmp_path / "q/minted/config.yaml").read_text()  # what was chosen is written down
