"""The command line as a process: signals, pipes, what it loads."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import augmint as am
from support import CLI, PLAIN, cli, jsonl, snapshot

MANY = {**PLAIN, "factor": 14, "unit_size": 3}
FLAGS = ["--gate", "none", "--size", "64", "--factor", "14", "--set", "unit_size=3"]


@pytest.fixture(scope="module")
def unbroken(digits, tmp_path_factory):
    """The same run, not interrupted."""
    return am.augment(digits, tmp_path_factory.mktemp("unbroken") / "o", **MANY).out


def units_done(out: Path) -> int:
    try:
        return sum(row["event"] == "unit" for row in jsonl(out / ".augmint/events.jsonl"))
    except (OSError, ValueError):  # not there yet, or half a line
        return 0


def descendants(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found += [int(stat.parent.name), *descendants(int(stat.parent.name))]
    return found


def interrupt(digits, out, number: int, workers: int) -> tuple[subprocess.CompletedProcess[str], list[int]]:
    """Start a run, send the signal to its whole group after some draw units (as a terminal does), and wait."""
    words = ["run", str(digits), "-o", str(out), *FLAGS, "--workers", str(workers)]
    process = subprocess.Popen(
        [*CLI, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        end = time.monotonic() + 120
        while units_done(out) < 12 and time.monotonic() < end and process.poll() is None:
            time.sleep(0.02)
        children = descendants(process.pid)
        begin = time.monotonic()
        os.killpg(process.pid, number)
        stdout, stderr = process.communicate(timeout=30)
        assert time.monotonic() - begin < 10
    finally:
        if process.poll() is None:
            process.kill()
    return subprocess.CompletedProcess(words, process.returncode, stdout, stderr), children


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code", "workers"), [(signal.SIGINT, 130, 2), (signal.SIGTERM, 143, 1)])
def test_a_signal_stops_the_run_and_it_can_be_resumed(digits, unbroken, tmp_path, number, code, workers):
    out = tmp_path / "o"
    done, children = interrupt(digits, out, number, workers)
    assert done.returncode == code, done.stderr
    resume = f"augmint run {digits} -o {out} {' '.join(FLAGS)} --workers {workers}"
    assert done.stderr.strip().endswith(f"Resume with: {resume}")
    assert "Traceback" not in done.stderr
    end = time.monotonic() + 5  # multiprocessing's own tracker goes when its pipe closes
    while any(Path(f"/proc/{pid}").exists() for pid in children) and time.monotonic() < end:
        time.sleep(0.02)
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]
    assert 12 <= units_done(out) < units_done(unbroken)
    assert not (out / "SHA256SUMS").exists()
    am.augment(digits, out, **MANY)
    assert snapshot(out) == snapshot(unbroken)


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", [["--help"], ["models", "list"], ["env", "--json"]])
def test_a_reader_that_goes_away_is_no_error(words, unbuffered):
    reader, writer = os.pipe()
    os.close(reader)
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    try:
        done = subprocess.run(
            [*CLI, *words], stdout=writer, stderr=subprocess.PIPE, text=True, check=False, env=environment
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_a_run_whose_messages_nobody_reads_goes_on_to_its_end(digits, tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    words = ["run", str(digits), "-o", str(tmp_path / "o"), *FLAGS, "--factor", "1.5"]
    try:
        done = subprocess.run([*CLI, *words], stdout=writer, stderr=writer, check=False)
    finally:
        os.close(writer)
    assert done.returncode == 0 and (tmp_path / "o/SHA256SUMS").exists()


LOADED = "import sys; {}; print(*[m for m in ('torch', 'numpy', 'yaml', 'PIL', 'rich', 'sklearn') if m in sys.modules])"


@pytest.mark.parametrize(
    "statement",
    [
        "import augmint",
        "import augmint; dir(augmint)",
        "from augmint.cli import main",
        "from augmint.cli import main; main(['--help'])",
        "from augmint.cli import main; main(['run', '--help'])",
        "from augmint.cli import main; main(['--version'])",
        "from augmint.cli import main; assert main(['rn']) == 2",
    ],
)
def test_nothing_heavy_is_loaded_before_it_is_needed(statement):
    done = subprocess.run([sys.executable, "-c", LOADED.format(statement)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == ""


def test_importing_opens_no_socket_and_writes_nothing(tmp_path):
    script = (
        "import sys; seen = []; sys.addaudithook(lambda e, a: seen.append((e, str(a))) if e.startswith('socket.') or "
        "(e == 'open' and isinstance(a[1], str) and set(a[1]) & set('wax+')) else None); "
        "import augmint.cli.running, augmint.pipeline.augment, augmint.models.image, torch; "
        "print([s for s in seen if s[0] != 'socket.gethostname'])"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert not [line for line in json.loads(json.dumps(done.stdout.splitlines())) if "socket.connect" in line]
    assert not list(tmp_path.iterdir())


def test_public_names():
    assert set(dir(am)) == {"AugmintError", "FeatureAugmenter", "__version__", "augment", "evaluate", "load_encoder"}
    for name in am.__all__:
        assert getattr(am, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'augmnt'"):
        am.augmnt  # noqa: B018


def test_errors_are_one_object_on_stdout_of_the_process(tmp_path):
    done = cli("run", str(tmp_path / "nothing"), "-o", str(tmp_path / "o"), "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"]
    assert "Traceback" not in done.stderr and done.stderr.startswith("error\ngot: ")
