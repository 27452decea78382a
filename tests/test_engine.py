from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
import torch

from augmint.core.errors import DataError, RunError
from augmint.engine import Local, intra_op_threads


@dataclass(frozen=True)
class Make:
    """Builds one of the workers below; a file for each build shows how often."""

    kind: str
    folder: str = ""

    def __call__(self):
        if self.folder:
            (Path(self.folder) / f"built-{os.getpid()}").touch()
        return Worker(self.kind, self.folder)


@dataclass
class Worker:
    kind: str
    folder: str

    def __call__(self, item):
        return getattr(self, self.kind)(item)

    def square(self, item):
        return item, item * item

    def threads(self, item):
        return torch.get_num_threads()

    def process(self, item):
        return os.getpid()

    def refuse(self, item):
        if item == 2:
            raise DataError("item two", expected="another", do="leave it out", code="two")
        return item

    def bug(self, item):
        return {}[f"missing key {item}"]

    def unpicklable(self, item):
        return lambda: item

    def die(self, item):
        os.kill(os.getpid(), signal.SIGKILL)

    def die_once(self, item):
        """Death at random items, on the first try only; each try leaves its mark."""
        tries = Path(self.folder) / f"try-{item}"
        first = not tries.exists()
        with tries.open("a") as file:
            file.write(".")
        if first and random.Random(item).random() < 0.4:
            os.kill(os.getpid(), signal.SIGKILL)
        return item

    def die_in_answer(self, item):
        marker = Path(self.folder) / "died"
        if item == 1 and not marker.exists():
            marker.touch()
            return _DiesWhenPickled()
        return item

    def die_in_half_an_answer(self, item):
        marker = Path(self.folder) / "died"
        if item == 1 and not marker.exists():
            marker.touch()
            Connection._send = send_half_and_die
        return item


def send_half_and_die(self, data, *rest):
    os.write(self.fileno(), bytes(data)[: len(data) // 2])
    os.kill(os.getpid(), signal.SIGKILL)


class _DiesWhenPickled:
    def __reduce__(self):
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


@pytest.fixture
def light(tmp_path_factory, monkeypatch):
    """Worker processes find a torch of one function first, and start in a tenth of a second instead of two."""
    folder = tmp_path_factory.mktemp("light")
    (folder / "torch.py").write_text("def set_num_threads(threads): pass\n")
    monkeypatch.syspath_prepend(folder)


def run(kind: str, items, workers: int = 2, folder: Path | str = "", threads: int = 1):
    return list(Local(workers, threads).map(Make(kind, str(folder)), items))


def test_one_worker_keeps_order_and_builds_once(tmp_path):
    assert run("square", [3, 1, 2], workers=1, folder=tmp_path) == [(3, 9), (1, 1), (2, 4)]
    assert len(list(tmp_path.glob("built-*"))) == 1


def test_no_items_build_nothing(tmp_path):
    assert run("square", [], workers=1, folder=tmp_path) == run("square", [], workers=4, folder=tmp_path) == []
    assert not list(tmp_path.iterdir())


def test_many_workers_give_every_result_once(light, tmp_path):
    assert sorted(run("square", range(30), workers=3, folder=tmp_path)) == [(i, i * i) for i in range(30)]
    assert 1 <= len(list(tmp_path.glob("built-*"))) <= 3  # each process builds once, however many items it gets


def test_one_item_needs_no_second_process():
    assert run("process", ["x"], workers=4) == [os.getpid()]


def test_threads_are_set_inside_and_restored_outside():
    before = torch.get_num_threads()
    other = before + 1
    assert run("threads", [0, 1], workers=1, threads=other) == [other, other]
    assert run("threads", [0, 1], workers=2, threads=other) == [other, other]
    assert torch.get_num_threads() == before
    with pytest.raises(KeyError), intra_op_threads(other):
        raise KeyError
    assert torch.get_num_threads() == before
    with pytest.raises(KeyError):
        run("bug", [1], workers=1, threads=other)
    assert torch.get_num_threads() == before


def test_leaving_half_way_restores_threads_and_ends_children(light):
    before = torch.get_num_threads()
    results = Local(1, before + 1).map(Make("square"), [1, 2])
    next(results)
    results.close()
    assert torch.get_num_threads() == before
    results = Local(2, 1).map(Make("process"), range(6))
    pid = next(results)
    results.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_for_the_user_keeps_its_type_and_parts(light, workers):
    with pytest.raises(DataError) as caught:
        run("refuse", [1, 2, 3], workers=workers)
    error = caught.value
    assert (error.got, error.expected, error.do, error.code) == ("item two", "another", "leave it out", "two")


def test_a_bug_in_a_worker_shows_its_traceback(light):
    with pytest.raises(RuntimeError) as caught:
        run("bug", [7, 8])
    assert "KeyError: 'missing key" in str(caught.value)
    assert "in bug" in str(caught.value)


def test_an_answer_that_cannot_travel_is_an_error_and_no_hang(light):
    with pytest.raises(RuntimeError, match="in a worker"):
        run("unpicklable", [1, 2])


def test_dead_workers_are_replaced_and_nothing_is_lost_or_doubled(light, tmp_path):
    items = list(range(12))
    killed = [i for i in items if random.Random(i).random() < 0.4]
    assert 3 <= len(killed) <= 8
    assert sorted(run("die_once", items, folder=tmp_path)) == items
    for item in items:
        assert (tmp_path / f"try-{item}").read_text() == (".." if item in killed else ".")


@pytest.mark.parametrize("kind", ["die_in_answer", "die_in_half_an_answer"])
def test_a_worker_that_dies_while_it_answers_is_replaced(light, tmp_path, kind):
    assert sorted(run(kind, range(4), folder=tmp_path)) == [0, 1, 2, 3]


def test_three_deaths_at_one_item_end_the_run(light):
    with pytest.raises(RunError) as caught:
        run("die", [1, 2])
    assert caught.value.code == "worker-died"
    assert caught.value.exit_code == 3
    assert "-9" in caught.value.got and "3 times" in caught.value.got


PARENT = """
import sys
sys.path[:0] = [{light!r}, {here!r}]
from augmint.engine import Local
from test_engine import MakeSleeper
for pid in Local(2, 1).map(MakeSleeper({folder!r}), range(4)):
    pass
"""


@dataclass(frozen=True)
class MakeSleeper:
    folder: str

    def __call__(self):
        return self.work

    def work(self, item):
        (Path(self.folder) / str(os.getpid())).touch()
        time.sleep(600)  # until it is killed


def wait_for(true, seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while not (found := true()) and time.monotonic() < end:
        time.sleep(0.02)
    return bool(found)


def gone(pid: int) -> bool:
    """No such process, or one that only waits to be collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.skipif(sys.platform != "linux", reason="asks the Linux kernel")
def test_children_do_not_survive_the_death_of_their_parent(light, tmp_path):
    script = PARENT.format(light=sys.path[0], here=str(Path(__file__).parent), folder=str(tmp_path))
    parent = subprocess.Popen([sys.executable, "-c", script])
    try:
        assert wait_for(lambda: len(list(tmp_path.iterdir())) == 2)
        pids = [int(path.name) for path in tmp_path.iterdir()]
        assert not any(map(gone, pids))
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert wait_for(lambda: all(map(gone, pids)), 10)
