"""Kill -9 and resume: a run killed at any moment must end, resumed, in the bytes of a run that was never killed.

20 kills uniformly between the first receipt and the finish (half of the runs with two workers), 3 inside the GAN's fit,
2 inside the final sums. After each: no child process survives, the resumed run exits as the unkilled one did, the tree
is identical but for the log, the lock and run.json (times), and nothing half-written is left.

    python benchmarks/kill9.py            # writes benchmarks/results/kill9.json; about 20 minutes on 2 cores
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from augmint.pipeline.machine import machine_facts
from augmint.pipeline.quickstart import write_digits

RESULTS = Path(__file__).parent / "results" / "kill9.json"
LOOSE = {"run.json", ".augmint/events.jsonl", ".augmint/lock", ".augmint/run.sha256"}
METHOD = [
    "--size",
    "64",
    "--method",
    "gan",
    "--set",
    "method_options.steps=300",
    "--factor",
    "3",
    "--set",
    "unit_size=8",
    "--gate",
    "novelty",
    "--gate",
    "diversity",
]


def tree(out: Path) -> dict[str, str]:
    """Path -> sha256 of every file of a run, but for those that hold times."""
    files = (path for path in sorted(out.rglob("*")) if path.is_file())
    named = {path.relative_to(out).as_posix(): path for path in files}
    return {name: hashlib.sha256(p.read_bytes()).hexdigest() for name, p in named.items() if name not in LOOSE}


def start(data: Path, out: Path, workers: int) -> subprocess.Popen[bytes]:
    """Begin a run in a process group of its own."""
    command = [sys.executable, "-c", "import sys; from augmint.cli import main; sys.exit(main())"]
    command += ["run", str(data), "-o", str(out), *METHOD, "--workers", str(workers), "-q"]
    return subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)


def receipts(out: Path) -> int:
    """Units with a receipt."""
    return len(list((out / ".augmint" / "receipts").glob("*.json")))


def group_members(leader: int) -> list[int]:
    """Living processes of a process group (zombies do not count)."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, group = stat.read_text().rpartition(")")[2].split()[:3]
        except (OSError, ValueError):
            continue
        if int(group) == leader and state != "Z":
            found.append(int(stat.parent.name))
    return found


def survivors(leader: int, patience: float = 5.0) -> list[int]:
    """Members of the group that are still alive a few seconds after the leader was killed."""
    end = time.monotonic() + patience
    while (left := group_members(leader)) and time.monotonic() < end:
        time.sleep(0.05)
    return left


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> bool:
    """Poll until the condition holds; False when the process ends before."""
    while not condition():
        if process.poll() is not None:
            return False
        time.sleep(0.002)
    return True


def kill_once(
    data: Path, out: Path, workers: int, moment: Callable[[subprocess.Popen[bytes]], bool], want: dict[str, str]
) -> dict[str, Any]:
    """One run killed at a moment, then resumed with the other number of workers, and compared."""
    shutil.rmtree(out, ignore_errors=True)
    process = start(data, out, workers)
    hit = moment(process)
    process.kill()
    process.wait()
    left = survivors(process.pid)
    done = receipts(out)
    finished = (out / "SHA256SUMS").exists()
    code = start(data, out, 3 - workers).wait()
    got = tree(out)
    orphans = sorted(set(got) - set(want))
    return {
        "workers": workers,
        "hit": hit,
        "units_done": done,
        "sums_written": finished,
        "survivors": len(left),
        "resumed_exit": code,
        "orphans": orphans,
        "identical": got == want,
    }


def after_first_receipt(out: Path, delay: float) -> Callable[[subprocess.Popen[bytes]], bool]:
    """A moment so many seconds after the first receipt."""

    def moment(process: subprocess.Popen[bytes]) -> bool:
        if not wait_for(lambda: receipts(out) > 0, process):
            return False
        time.sleep(delay)
        return process.poll() is None

    return moment


def inside_fit(out: Path, units: int, delay: float) -> Callable[[subprocess.Popen[bytes]], bool]:
    """A moment inside the fit: all encode units are done, the fit's receipt is not there."""

    def moment(process: subprocess.Popen[bytes]) -> bool:
        if not wait_for(lambda: receipts(out) >= units, process):
            return False
        time.sleep(delay)
        return not (out / ".augmint" / "receipts" / "fit.json").exists()

    return moment


def inside_sums(out: Path, delay: float) -> Callable[[subprocess.Popen[bytes]], bool]:
    """A moment while the sums are computed: the contact sheet is written, SHA256SUMS is not."""

    def moment(process: subprocess.Popen[bytes]) -> bool:
        if not wait_for(lambda: (out / "report" / "contact_sheet.png").exists(), process):
            return False
        time.sleep(delay)
        return not (out / "SHA256SUMS").exists()

    return moment


def phases(out: Path) -> dict[str, float]:
    """Times of an unkilled run, from its log, in seconds after the first receipt."""
    events = [json.loads(line) for line in (out / ".augmint" / "events.jsonl").read_text().splitlines()]
    units = [event for event in events if event["event"] == "unit"]
    first = units[0]["time"]
    encoded = max(event["time"] for event in units if event["unit"].startswith("encode"))
    fit = next(event["time"] for event in units if event["unit"] == "fit")
    done = next(event["time"] for event in events if event["event"] == "done")
    return {"encode": encoded - first, "fit": fit - encoded, "all": done - first}


def campaign(home: Path, kills: int) -> dict[str, Any]:
    """The reference run and every kill."""
    data = home / "digits"
    write_digits(data, slice(20), 0)
    reference = home / "reference"
    shutil.rmtree(reference, ignore_errors=True)
    code = start(data, reference, 1).wait()
    want, times = tree(reference), phases(reference)
    encode_units = len(list((reference / ".augmint" / "receipts").glob("encode-*")))
    dice = random.Random(0)
    rows: list[dict[str, Any]] = []
    row: dict[str, Any]
    for number in range(kills):
        workers, row = 1 + number % 2, {"hit": False}
        while not row["hit"]:  # a moment after the finish is no kill: draw another
            moment = after_first_receipt(home / "out", dice.uniform(0, times["all"]))
            row = {"where": "uniform", **kill_once(data, home / "out", workers, moment, want)}
        rows.append(row)
        print(row, flush=True)
    for share in (0.2, 0.5, 0.8):
        row = {"hit": False}
        while not row["hit"]:  # the machine may be faster now than it was for the reference: aim earlier
            moment = inside_fit(home / "out", encode_units, share * times["fit"])
            row = {"where": "fit", **kill_once(data, home / "out", 1, moment, want)}
            share *= 0.7
        rows.append(row)
        print(rows[-1], flush=True)
    for delay in (0.0, 0.004):
        moment = inside_sums(home / "out", delay)
        rows.append({"where": "sums", **kill_once(data, home / "out", 2, moment, want)})
        print(rows[-1], flush=True)
    return {"units": receipts(reference), "exit": code, "phases": times, "machine": machine_facts(), "kills": rows}


def main() -> int:
    """Run the campaign; 1 when a kill left a trace."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=Path("/tmp/augmint-kill9"))
    parser.add_argument("--kills", type=int, default=20)
    args = parser.parse_args()
    args.home.mkdir(parents=True, exist_ok=True)
    facts = campaign(args.home, args.kills)
    bad = [k for k in facts["kills"] if not k["identical"] or k["survivors"] or k["resumed_exit"] != facts["exit"]]
    RESULTS.write_text(json.dumps(facts, indent=1) + "\n")
    print(f"{len(facts['kills'])} kills of a run of {facts['units']} units, {len(bad)} left a trace -> {RESULTS}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
