"""Words to arguments. Standard library only, so that ``augmint --help`` answers at once."""

from __future__ import annotations

import argparse
import importlib
import os
import re
import shlex
from collections.abc import Callable, Sequence
from functools import partial
from typing import NoReturn

from augmint.core.errors import UsageError, did_you_mean
from augmint.core.version import __version__

Handler = Callable[[argparse.Namespace], int]

_ABOUT = """\
augmint mints new training samples with pretrained models.

  augmint quickstart                           offline demo on real digits, under a minute
  augmint inspect photos/                      counts, imbalance, duplicates, leaks, bad files
  augmint run photos/ -o more/ --factor 3      a bigger labelled data set
  augmint run reviews.csv -o more/             the same for texts: csv, jsonl, parquet
  augmint evaluate photos/ -o lift/            does it help? paired, with intervals
"""


class _Parser(argparse.ArgumentParser):
    """Errors in three parts, as everywhere else."""

    def error(self, message: str) -> NoReturn:
        known = [word for action in self._actions for word in (*action.option_strings, *(action.choices or ()))]
        wrong = re.search(r"(?:invalid choice|unrecognized arguments): '?([^\s'=]+)", message)
        raise UsageError(
            f"{self.prog}: {message}",
            expected=f"arguments as in: {self.prog} -h",
            do=f"{did_you_mean(wrong[1] if wrong else '', known)} see {self.prog} -h".strip(),
            code="arguments",
        )


def _late(module: str, name: str) -> Handler:
    """A handler imported when it is called: parsing must not pay for it."""

    def call(args: argparse.Namespace) -> int:
        return int(getattr(importlib.import_module(module), name)(args))

    return call


def parse(words: Sequence[str]) -> argparse.Namespace | int:
    """The arguments of a command, with its ``handler``; an exit code when help or version was asked for."""
    parser = _Parser(
        "augmint",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"augmint {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, build in COMMANDS.items():
        build(commands, name)
    try:
        args, extra = parser.parse_known_args(words or ["--help"])
        if extra:  # told by the command's own parser, which knows its flags
            args.parser.error(f"unrecognized arguments: {shlex.join(extra)}")
        return args
    except SystemExit as stop:
        return int(stop.code or 0)


def _command(
    commands: argparse._SubParsersAction[_Parser],
    name: str,
    summary: str,
    examples: Sequence[str],
    handler: Handler,
) -> _Parser:
    lines = "\n".join(f"  {example}" for example in examples)
    parser = commands.add_parser(
        name,
        help=summary,
        description=summary,
        epilog=f"examples:\n{lines}",
        allow_abbrev=False,  # a script's abbreviation would break when a flag is added
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(handler=handler, parser=parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    parser.add_argument("-q", "--quiet", action="store_true", help="errors only")
    parser.add_argument("-v", "--verbose", action="store_true", help="log to stderr")
    parser.add_argument("--no-progress", action="store_true", help="no progress bars")
    return parser


Commands = argparse._SubParsersAction


def _quickstart(commands: Commands[_Parser], name: str) -> None:
    parser = _command(
        commands,
        name,
        "offline demo: real digits in, more digits out, does it help? In under a minute",
        ["augmint quickstart --open", "augmint quickstart -o demo/ --workers 2", "augmint quickstart --json"],
        _late("augmint.cli.running", "quickstart"),
    )
    parser.add_argument("-o", "--out", default="quickstart-out", help="folder to write (default: %(default)s)")
    parser.add_argument("--workers", type=_workers, default=1, metavar="N", help="processes (default: 1)")
    parser.add_argument("--seed", type=int, default=0, help="of every random stream (default: 0)")
    parser.add_argument("--open", action="store_true", help="show the report in the browser")


def _data(parser: _Parser) -> None:
    parser.add_argument(
        "data", help="pictures: class folders, a folder with metadata.csv/jsonl, or an .npz; texts: csv, jsonl, parquet"
    )


def _columns(group: argparse._ActionsContainer, default: str | None = None) -> None:
    """Which columns are read; None leaves it to a config."""
    for name, words in (
        ("--label", "column with the label"),
        ("--group", "column with the group; its rows stay together"),
        ("--text", "column with the text, or a,b for a pair (default: the only one)"),
        ("--spans", "column with labelled parts of the text (entities, answers)"),
    ):
        group.add_argument(name, metavar="COL", default=default, help=words)


def _machine(group: argparse._ActionsContainer, *, workers: bool = True) -> None:
    """Where it runs, and whether what is in the folder is thrown away first."""
    if workers:
        group.add_argument("--workers", type=_workers, default=1, metavar="N", help="processes, or auto (default: 1)")
    group.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 (default: auto)")
    group.add_argument("--fresh", action="store_true", help="throw away what is in the folder from before")


def _inspect(commands: Commands[_Parser], name: str) -> None:
    parser = _command(
        commands,
        name,
        "counts, imbalance, duplicates, leaks, bad files; exit 1 if a leak",
        [
            "augmint inspect photos/ --group patient",
            "augmint inspect reviews.csv --near",
            "augmint inspect a.npz --json",
        ],
        _late("augmint.cli.looking", "inspect"),
    )
    _data(parser)
    _columns(parser, default="")
    parser.add_argument("--near", action="store_true", help="training samples that are near copies of val or test, too")


def _run(commands: Commands[_Parser], name: str) -> None:
    parser = _command(
        commands,
        name,
        "make a bigger labelled data set",
        [
            "augmint run photos/ -o more/ --factor 3",
            "augmint run cells/ -o balanced/ --method gan --strategy auto",
            "augmint run cells/ -o more/ --strategy Platelets=200,WBC=100 --dry-run",
            "augmint run cells/ -o more/ --method retrieval --pool unsorted/ --factor 5",
            "augmint run cells/ -o more/ --heldout other_hospital/ --group patient",
            "augmint run photos/ -o more/ --method classic --set method_options.preset=light",
            "augmint run cells/ -o more/ --method gan --then classic",
            "augmint run reviews.csv --text text --label label -o more/",
            "augmint run intents.jsonl -o more/ --method classic --factor 5 --heldout test.jsonl",
            "augmint run reviews.csv -o rows/ --method noise --space rows",
            "augmint run cells/ -o more/ --method auto --time 10m",
            "augmint run cells/ -o again/ --config more/config.yaml --workers 2",
        ],
        _late("augmint.cli.running", "run"),
    )
    _data(parser)
    parser.add_argument("-o", "--out", required=True, help="folder to write; the same command resumes it")
    parser.add_argument("--pool", metavar="DIR", help="unlabelled samples, for methods that pick from them (retrieval)")
    parser.add_argument(
        "--base",
        metavar="DIR",
        help="another labelled data set, for methods that borrow from it (else: other classes, or the model's own)",
    )
    parser.add_argument(
        "--heldout", metavar="DIR", help="samples that no child may be a near copy of, beside val and test"
    )
    plan = parser.add_argument_group("what to make (also keys of --config)")
    plan.add_argument("--config", metavar="FILE", help="YAML file; flags win over it")
    plan.add_argument("--model", help="name of a model (augmint models list), or for texts a local folder")
    plan.add_argument("--method", help="of making children (see: augmint methods list)")
    plan.add_argument(
        "--space", choices=["samples", "rows"], help="rows: write the method's rows (rows.npz), no samples"
    )
    plan.add_argument("--then", help="transform that every child goes through after it, such as classic")
    plan.add_argument("--factor", type=float, help="rows after / rows before, in every class (default: 2)")
    plan.add_argument("--strategy", help="auto, minority, 'not minority', 'not majority', all, or name=count,...")
    plan.add_argument("--judge", help="encoder that the gates look through")
    plan.add_argument("--gate", action="append", metavar="NAME", help="repeatable; 'none' for no gates")
    _columns(plan)
    plan.add_argument("--label-by", help="parents, judge, or auto: the judge for picks of a pool (default)")
    plan.add_argument("--seed", type=int, help="of every random stream (default: 0)")
    plan.add_argument("--size", type=int, help="working size in pixels or tokens; 0 chooses (default)")
    plan.add_argument("--synthetic-only", action="store_true", default=None, help="write the children alone")
    plan.add_argument("--keep-metadata", action="store_true", default=None, help="keep EXIF in the originals")
    plan.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="any key of the config")
    _search_flags(parser, trials=12, title="with --method auto")
    how = parser.add_argument_group("how to run it (never changes the result)")
    _machine(how)
    how.add_argument("--max-skipped", type=_share, default=0.05, metavar="SHARE", help="exit 1 above it (default: 5%%)")
    how.add_argument("--dry-run", action="store_true", help="counts, sizes and a time estimate; writes nothing")


def _tune(commands: Commands[_Parser], name: str) -> None:
    parser = _command(
        commands,
        name,
        "choose what to mint by nested validation on the training rows, or abstain",
        [
            "augmint tune photos/ -o tuned/ && augmint run photos/ -o more/ --config tuned/config.yaml",
            "augmint tune photos/ -o tuned/ --trials 60 --time 1h --pool unsorted/",
            "augmint tune cells/ -o tuned/ --method noise,classic --strategy auto --student probe --margin 0.5",
        ],
        _late("augmint.cli.tuning", "tune"),
    )
    _data(parser)
    parser.add_argument("-o", "--out", required=True, help="folder for tune.json and config.yaml; goes on where it was")
    what = parser.add_argument_group("what is searched")
    what.add_argument("--method", default="", metavar="A,B,C", help="methods (default: those that fit in no time)")
    what.add_argument("--model", default="", metavar="A,B", help="codecs (default: tiny-image)")
    what.add_argument("--pool", metavar="DIR", help="unlabelled samples; adds retrieval")
    what.add_argument("--strategy", help="as in run; the amount is searched where there is none")
    what.add_argument("--judge", help="encoder that the gates look through")
    what.add_argument("--gate", action="append", metavar="NAME", help="repeatable; the gates of all candidates")
    _columns(what)
    what.add_argument("--size", type=int, help="working size in pixels; 0 chooses (default)")
    what.add_argument("--seed", type=int, help="of every random stream (default: 0)")
    _search_flags(parser, trials=30)
    how = parser.add_argument_group("how to run it")
    _machine(how, workers=False)


def _search_flags(parser: _Parser, trials: int, title: str = "how long, for whom, and when data may ship") -> None:
    search = parser.add_argument_group(title)
    search.add_argument("--trials", type=int, metavar="N", help=f"most candidates (default: {trials})")
    search.add_argument("--time", default="", metavar="TIME", help="of the search: 1h, 10m, 90s (default: no limit)")
    search.add_argument("--student", help="who is to get better: scratch (default), probe, finetune, scratch-cnn")
    search.add_argument("--margin", type=float, metavar="POINTS", help="loss of accuracy to rule out (default: 1)")
    search.add_argument("--updates", type=int, metavar="N", help="steps of every training (default: 150)")


def _report(commands: Commands[_Parser], name: str) -> None:
    parser = _command(
        commands,
        name,
        "one HTML file about a run, a measured lift, or both; works offline",
        ["augmint report more/", "augmint report more/ --open", "augmint report more/ --lift lift/ --json"],
        _late("augmint.cli.looking", "report"),
    )
    parser.add_argument("out", help="folder of a finished run, or of an evaluation")
    parser.add_argument("--lift", metavar="DIR", help="folder of an evaluation whose lift belongs to this run")
    parser.add_argument("--open", action="store_true", help="show it in the browser")


def _evaluate(commands: Commands[_Parser], name: str) -> None:
    parser = _command(
        commands,
        name,
        "measure whether minted data help: paired, equal budgets, intervals; exit 1 if the time was up first",
        [
            "augmint evaluate photos/ -o lift/",
            "augmint evaluate photos/ --method gan,gan+classic,class-weights --student probe,scratch -o lift/",
            "augmint evaluate photos/ --method retrieval --pool unsorted/ --shots 5,20 --pairs 20 --budget 6h -o lift/",
        ],
        _late("augmint.cli.lifting", "evaluate"),
    )
    _data(parser)
    parser.add_argument("-o", "--out", required=True, help="folder for lift.json; the same command resumes it")
    what = parser.add_argument_group("what to compare")
    arms = "beside none: methods, classic, METHOD+classic, class-weights, oversampling, on-the-fly, input-mixup"
    what.add_argument("--method", metavar="A,B,C", help=f"{arms} (default: a few that are cheap)")
    what.add_argument("--student", default="probe", help="probe (default), scratch, finetune, scratch-cnn, or several")
    what.add_argument("--shots", metavar="N,...", help="rows of each class to train on, or all (default: chosen)")
    what.add_argument("--pairs", "--seeds", type=int, metavar="N", help="pairs of each cell (default: 10)")
    what.add_argument("--pool", metavar="DIR", help="unlabelled samples, for methods that pick from them")
    _columns(what, default="")
    what.add_argument("--metric", help="accuracy, balanced_accuracy, macro_f1, auroc, log_loss, calibration_error")
    what.add_argument("--factor", type=float, help="rows after / rows before, for arms that mint (default: 3)")
    what.add_argument("--model", help="codec (see: augmint models list)")
    what.add_argument("--judge", help="encoder that the gates look through")
    what.add_argument("--encoder", help="encoder of the probe")
    what.add_argument("--gate", action="append", metavar="NAME", help="repeatable; 'none' for no gates")
    what.add_argument("--size", type=int, help="working size in pixels; 0 chooses (default)")
    what.add_argument("--space", choices=["samples", "rows"], help="rows: mint the probe's own rows, decode nothing")
    what.add_argument("--seed", type=int, help="of every random stream (default: 0)")
    spent = parser.add_argument_group("what every student of every arm may spend")
    spent.add_argument("--updates", type=int, metavar="N", help="steps (default: 150)")
    spent.add_argument("--batch", type=int, metavar="N", help="rows of a step (default: 32)")
    spent.add_argument("--trials", type=int, metavar="N", help="settings it may try by inner validation (default: 3)")
    how = parser.add_argument_group("how to run it (never changes the result)")
    how.add_argument("--budget", default="", metavar="TIME", help="no pair is begun after it: 6h, 30m, 90s")
    _machine(how)


def _verify(commands: Commands[_Parser], name: str) -> None:
    parser = _command(
        commands,
        name,
        "check every byte of a run's folder; exit 1 if one differs, or if a child is a near copy of held-out samples",
        [
            "augmint verify more/",
            "augmint verify more/ --against test_photos/",
            "augmint verify more/ -q && echo whole",
        ],
        _late("augmint.cli.looking", "verify"),
    )
    parser.add_argument("out", help="folder of a finished run")
    parser.add_argument("--against", metavar="HELDOUT", help="held-out samples that no child may be a near copy of")


def _replay(commands: Commands[_Parser], name: str) -> None:
    parser = _command(
        commands,
        name,
        "make one child again and compare its bytes; exit 1 if they differ",
        [
            "augmint replay more/ syn-0123456789abcdef",
            "augmint replay more/ syn-0123456789abcdef --save again.png",
            "augmint replay more/ syn-0123456789abcdef --data moved/photos",
        ],
        _late("augmint.cli.looking", "replay"),
    )
    parser.add_argument("out", help="folder of a finished run")
    parser.add_argument("sample_id", help="file name of the child without its ending")
    parser.add_argument("--data", help="where the input is now, if it moved")
    parser.add_argument("--pool", help="where the pool is now, if it moved")
    parser.add_argument("--save", metavar="FILE", help="write the child's file here")


def _models(commands: Commands[_Parser], name: str) -> None:
    parser = _command(
        commands,
        name,
        "pretrained models: list them, or fetch one",
        ["augmint models list", "augmint models fetch all-MiniLM-L6-v2", "augmint models list --json"],
        _late("augmint.cli.lists", "models"),
    )
    parser.add_argument("action", choices=["list", "fetch"])
    parser.add_argument("name", nargs="?", help="for fetch: the model's name")


def _listing(commands: Commands[_Parser], name: str, about: str) -> None:
    examples = [f"augmint {name} list", f"augmint {name} list --json", f"augmint {name} list -q"]
    parser = _command(commands, name, about, examples, _late("augmint.cli.lists", name))
    parser.add_argument("action", choices=["list"], nargs="?", default="list")


def _env(commands: Commands[_Parser], name: str) -> None:
    examples = ["augmint env", "augmint env --json", "augmint env -q"]
    _command(commands, name, "versions, machine, settings in force", examples, _late("augmint.cli.lists", "env"))


def _workers(word: str) -> int:
    if word == "auto":
        return os.cpu_count() or 1
    if not word.isdecimal() or not int(word):
        raise argparse.ArgumentTypeError(f"{word!r} is not a number of processes, 1 or more, or auto")
    return int(word)


def _share(word: str) -> float:
    text = word.removesuffix("%")
    try:
        value = float(text) / (100 if text != word else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{word!r} is not a share such as 5% or 0.05")
    return value


COMMANDS: dict[str, Callable[[Commands[_Parser], str], None]] = {
    "quickstart": _quickstart,
    "inspect": _inspect,
    "run": _run,
    "tune": _tune,
    "report": _report,
    "evaluate": _evaluate,
    "verify": _verify,
    "replay": _replay,
    "models": _models,
    "methods": partial(_listing, about="methods and their options"),
    "gates": partial(_listing, about="quality gates and their options"),
    "env": _env,
}
