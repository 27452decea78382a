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
from augmint.core.errors import AugmintError


class Terminated(BaseException):
    """SIGTERM arrived."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        args = parse(words)
        if isinstance(args, int):
            return args
        _catch_signals()
        return int(args.handler(args))
    except AugmintError as error:
        return _tell(error, as_json="--json" in words)
    except (KeyboardInterrupt, Terminated) as stop:
        code = 143 if isinstance(stop, Terminated) else 130
        print(f"interrupted; finished units are kept. Resume with: {_command(words)}", file=sys.stderr)
        return code
    except BrokenPipeError:
        # The reader went away (`augmint ... | head`); python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        return _bug(error)


def _tell(error: AugmintError, *, as_json: bool) -> int:
    if os.environ.get("AUGMINT_DEBUG") == "1":
        raise error
    if as_json:
        import json

        facts = {"code": error.code, "got": error.got, "expected": error.expected, "do": error.do}
        print(json.dumps({"schema_version": 1, "error": facts}, ensure_ascii=False))
    print(f"error\n{error}", file=sys.stderr)
    return error.exit_code


def _bug(error: Exception) -> int:
    if os.environ.get("AUGMINT_DEBUG") == "1":
        raise error
    print(
        f"error\ngot: an internal error, {type(error).__name__}: {error}\nexpected: none\n"
        "do: run again with AUGMINT_DEBUG=1 and report the traceback; finished units are kept",
        file=sys.stderr,
    )
    return 3


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
