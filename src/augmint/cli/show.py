"""What the user sees: tables and JSON on stdout, progress and messages on stderr."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import logging
import sys
import time
import webbrowser
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console as RichConsole
from rich.markup import escape
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.table import Column, Table

from augmint.cli.say import clean, say
from augmint.pipeline.progress import Progress

_SECONDS_BETWEEN_LINES = 30.0
_WIDE = 10_000


@dataclass(frozen=True)
class Console:
    """Output of one command, as its flags say."""

    as_json: bool
    quiet: bool
    bars: bool

    def text(self, line: str) -> None:
        """A line of the result; on stderr under ``--json``, where stdout is one object."""
        if not self.quiet and not self.as_json:
            say(line, sys.stdout)

    def warn(self, line: str) -> None:
        """A line the user must see even with ``-q``."""
        say(line, sys.stderr)

    def table(self, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """A table of the result."""
        if self.quiet or self.as_json or not rows:
            return
        # Cut to the width of a terminal, never in a pipe: scripts look for names.
        width = None if sys.stdout.isatty() else _WIDE
        table = Table(*(Column(word, overflow="fold") for word in head), box=None, pad_edge=False)
        for row in rows:
            table.add_row(*(escape(clean(str(cell), breaks="")) for cell in row))
        console = RichConsole(highlight=False, width=width, file=io.StringIO(), no_color=True)
        with console.capture() as caught:
            console.print(table)
        say("\n".join(line.rstrip() for line in caught.get().rstrip("\n").split("\n")), sys.stdout)

    def json(self, facts: dict[str, Any]) -> None:
        """The one object of ``--json``."""
        if self.as_json:
            say(json.dumps({"schema_version": 1, **facts}, ensure_ascii=False, default=str), sys.stdout)

    @contextlib.contextmanager
    def progress(self) -> Iterator[Progress]:
        """A watcher for the pipeline."""
        if self.quiet:
            yield Progress()
        elif self.bars and sys.stderr.isatty():
            with _bars() as bars:
                yield _Bars(bars)
        else:
            yield _Lines(every=_SECONDS_BETWEEN_LINES if self.bars else None)


def console_of(args: argparse.Namespace) -> Console:
    """The console that the common flags ask for."""
    if args.verbose:
        logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(name)s: %(message)s")
    return Console(args.json, args.quiet, not args.no_progress)


def show_page(path: Path, console: Console) -> None:
    """Show a page in the browser, or say that there is none."""
    if not webbrowser.open(path.resolve().as_uri()):
        console.warn(f"no browser was found; open {path} in one")


def _bars() -> RichProgress:
    columns = (
        TextColumn("{task.description:<9}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
    )
    return RichProgress(*columns, console=RichConsole(stderr=True))


class _Bars(Progress):
    """A bar for each stage, with ETA and samples/s."""

    def __init__(self, bars: RichProgress) -> None:
        self.bars = bars
        self.task: Any = None
        self.unit = ""
        self.begin = 0.0
        self.done = 0.0

    def stage(self, name: str, total: float, unit: str) -> None:
        self.task = self.bars.add_task(name, total=total, speed="")
        self.unit, self.begin, self.done = unit, time.monotonic(), 0.0

    def advance(self, steps: float) -> None:
        self.done += steps
        passed = time.monotonic() - self.begin
        speed = f"{self.done / passed:.0f} {self.unit}/s" if passed > 0 and self.unit == "samples" else ""
        self.bars.update(self.task, advance=steps, speed=speed)

    def say(self, message: str) -> None:
        self.bars.console.print(clean(message), highlight=False, markup=False)


class _Lines(Progress):
    """For logs: messages, and a line at most every so many seconds."""

    def __init__(self, every: float | None) -> None:
        self.every = every
        self.name, self.total, self.unit = "", 0.0, ""
        self.begin = self.last = time.monotonic()
        self.done = 0.0

    def stage(self, name: str, total: float, unit: str) -> None:
        self.name, self.total, self.unit, self.done = name, total, unit, 0.0
        self.begin = time.monotonic()

    def advance(self, steps: float) -> None:
        self.done += steps
        now = time.monotonic()
        if self.every is None or now - self.last < self.every:
            return
        self.last = now
        passed = max(now - self.begin, 1e-9)
        speed = f", {self.done / passed:.1f} {self.unit}/s" if self.unit == "samples" and self.done else ""
        left = f", {(self.total - self.done) * passed / self.done:.0f} s left" if self.done else ""
        say(f"{self.name}: {self.done / max(self.total, 1e-9):.0%}{speed}{left}", sys.stderr)

    def say(self, message: str) -> None:
        say(message, sys.stderr)
