"""The street door: ``augmint COMMAND``. Data on stdout, all else on stderr, exit codes that scripts can trust.

0 ok; 1 finished, but a gate failed; 2 bad usage, config or data; 3 failed, resumable; 130/143 interrupted, too.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from augmint.cli.parser import parse
from augmint.cli.say import say
from augmint.core.errors import AugmintError, RunError


class Terminated(BaseException):
    """SIGTERM arrived."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        args = parse(words)
        if isinstance(args, int):
            sys.stdout.flush()
            return args
        _catch_signals()
        return int(args.handler(args))
    except AugmintError as error:
        return _tell(error, as_json="--json" in words)
    except (KeyboardInterrupt, Terminated) as stop:
        return _interrupted(words, 143 if isinstance(stop, Terminated) else 130)
    except BrokenPipeError:  # `augmint --help | head`; python would complain again when it flushes at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _tell(_no_access(error), as_json="--json" in words)
    except Exception as error:
        return _bug(error, as_json="--json" in words)


def _interrupted(words: Sequence[str], code: int) -> int:
    if "--json" in words:
        _print_error("interrupted", "a signal", "none", f"resume with: {_command(words)}")
    say(f"interrupted; finished units are kept. Resume with: {_command(words)}", sys.stderr)
    return code


def _no_access(error: OSError) -> RunError:
    return RunError(
        str(error),
        expected="files and folders that can be read and written",
        do="mend it, then run the same command: finished units are kept",
        code="files",
    )


def _tell(error: AugmintError, *, as_json: bool) -> int:
    if os.environ.get("AUGMINT_DEBUG") == "1":
        raise error
    if as_json:
        _print_error(error.code, error.got, error.expected, error.do)
    say(f"error\n{error}", sys.stderr)
    return error.exit_code


def _bug(error: Exception, *, as_json: bool) -> int:
    facts = RunError(
        f"an internal error, {type(error).__name__}: {error}",
        expected="none",
        do="run again with AUGMINT_DEBUG=1 and report the traceback; finished units are kept",
        code="internal",
    )
    if os.environ.get("AUGMINT_DEBUG") == "1":
        raise error
    return _tell(facts, as_json=as_json)


def _print_error(code: str, got: str, expected: str, do: str) -> None:
    import json

    facts = {"code": code, "got": got, "expected": expected, "do": do}
    say(json.dumps({"schema_version": 1, "error": facts}, ensure_ascii=False), sys.stdout)


def _command(words: Sequence[str]) -> str:
    import shlex

    return shlex.join(["augmint", *(word for word in words if word != "--fresh")])


def _catch_signals() -> None:
    """First signal: unwind and say how to resume. Second: leave at once."""
    received: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        if received:
            os._exit(128 + number)
        received.append(number)
        raise Terminated if number == signal.SIGTERM else KeyboardInterrupt

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
