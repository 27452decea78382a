"""Where work runs. ``Local`` is the reference: in this process, or in a few processes of this machine.

A worker is built once in each process (a model loads once) and handed one item at a time. Workers share nothing:
what an item gives may depend on the item alone, so one worker or many give the same bytes. A worker that dies is
replaced and its item handed out again; when this process dies, however it dies, its workers die with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing as mp
import os
import signal
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Final

from augmint.core.errors import AugmintError, RunError
from augmint.core.protocols import Engine

MakeWorker = Callable[[], Callable[[Any], Any]]

TABLE: dict[str, str] = {"local": "augmint.engine:Local"}

_PR_SET_PDEATHSIG: Final = 1
_ATTEMPTS: Final = 3


@dataclass(frozen=True)
class Local(Engine):
    """Run in ``workers`` processes, each with ``threads`` threads inside one operation.

    Attributes:
        workers: 1 runs in this process.
        threads: part of the plan, not of the machine: float sums change with it, so it is the same for any
            number of workers.
    """

    workers: int = 1
    threads: int = 1

    def map(self, make_worker: MakeWorker, items: Sequence[Any]) -> Iterator[Any]:
        """Results as they finish.

        Raises:
            AugmintError: as raised by a worker.
            RunError: when an item kills three workers in a row.
        """
        if not items:
            return
        if self.workers <= 1 or len(items) == 1:
            with intra_op_threads(self.threads):
                worker = make_worker()
                for item in items:
                    yield worker(item)
        else:
            yield from _Pool(make_worker, min(self.workers, len(items)), self.threads).run(items)


@contextlib.contextmanager
def intra_op_threads(threads: int) -> Iterator[None]:
    """Fix the threads of torch and of numpy's BLAS for the time of a block, and put them back.

    Both change the last bits of sums; and BLAS threads that wait for a busy core made a probe fit three times slower.
    """
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with threadpool_limits(threads):
            yield
    finally:
        torch.set_num_threads(before)


@dataclass
class _Member:
    """One worker process: our end of its pipe and the item it holds."""

    process: BaseProcess
    pipe: Connection
    item: int | None = None


@dataclass
class _Pool:
    """Hands items to processes and survives the death of any of them."""

    make_worker: MakeWorker
    size: int
    threads: int
    members: list[_Member] = field(default_factory=list)
    deaths: dict[int, int] = field(default_factory=dict)

    def run(self, items: Sequence[Any]) -> Iterator[Any]:
        todo = deque(range(len(items)))
        left = len(items)
        try:
            while left:
                self._feed(items, todo)
                busy = {m.pipe: m for m in self.members if m.item is not None}
                for pipe in wait(list(busy)):
                    member = busy[pipe]  # type: ignore[index]
                    done, result = self._collect(member, todo)
                    if done:
                        left -= 1
                        yield result
        finally:
            self._stop()

    def _feed(self, items: Sequence[Any], todo: deque[int]) -> None:
        while todo and len(self.members) < min(self.size, len(todo) + len(self.members)):
            self.members.append(self._spawn())
        for member in self.members:
            if member.item is None and todo:
                member.item = todo.popleft()
                with contextlib.suppress(OSError):  # its death is noticed, and mended, in _collect
                    member.pipe.send(items[member.item])

    def _spawn(self) -> _Member:
        context = mp.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, self.make_worker, self.threads, os.getpid()), daemon=True)
        process.start()
        theirs.close()
        return _Member(process, ours)

    def _collect(self, member: _Member, todo: deque[int]) -> tuple[bool, Any]:
        assert member.item is not None
        try:
            ok, payload = member.pipe.recv()
        except (EOFError, OSError):  # OSError: it died in the middle of its answer
            self._bury(member, todo)
            return False, None
        member.item = None
        if ok:
            return True, payload
        raise payload if isinstance(payload, AugmintError) else RuntimeError(f"in a worker:\n{payload}")

    def _bury(self, member: _Member, todo: deque[int]) -> None:
        assert member.item is not None
        member.process.join()
        self.members.remove(member)
        deaths = self.deaths[member.item] = self.deaths.get(member.item, 0) + 1
        if deaths >= _ATTEMPTS:
            raise RunError(
                f"a worker ended with exit code {member.process.exitcode}, {deaths} times at the same unit",
                expected="workers that finish their unit (code -9 is often the kernel, short of memory)",
                do="free memory or use --workers 1, then run the same command: finished units are kept",
                code="worker-died",
            )
        todo.appendleft(member.item)

    def _stop(self) -> None:
        for member in self.members:
            member.process.kill()
        for member in self.members:
            member.process.join()
            member.pipe.close()


def _work(pipe: Connection, make_worker: MakeWorker, threads: int, parent: int) -> None:
    """Life of a worker process: build once, then item in, result out, until the pipe closes."""
    _die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        import torch
        from threadpoolctl import threadpool_limits

        torch.set_num_threads(threads)
        worker = None
        while True:
            item = pipe.recv()
            try:
                if worker is None:
                    worker = make_worker()
                    threadpool_limits(threads)  # now, when all libraries are loaded
                pipe.send((True, worker(item)))
            except AugmintError as error:
                pipe.send((False, error))
            except Exception:
                pipe.send((False, traceback.format_exc()))
    except (EOFError, BrokenPipeError):
        return


def _die_with_parent(parent: int) -> None:
    """Ask the kernel (Linux) to kill this process when its parent ends, kill -9 included."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked
        os._exit(1)
