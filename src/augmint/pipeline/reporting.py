"""``augmint report``: gathers what a folder holds of a run and of a lift, and writes ``report/index.html`` there."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from augmint.core.errors import DataError, UsageError
from augmint.core.version import __version__
from augmint.pipeline.figures import renewed
from augmint.pipeline.films import films_of
from augmint.pipeline.finished import Finished
from augmint.pipeline.guard import leak_words
from augmint.pipeline.judge_map import map_of
from augmint.pipeline.lift_file import LIFT, lift_of, read_lift, read_scores, verdicts
from augmint.pipeline.manifest import Manifest, file_sha256
from augmint.pipeline.provenance import evaluate_commands, models_of, run_commands, settings_of
from augmint.pipeline.quality import SCORES, write_scores
from augmint.pipeline.strips import rejections_of, strips_of
from augmint.pipeline.sums import parse_sums, vouch
from augmint.report.facts import ClassRow, LiftFacts, Report

PAGE = Path("report") / "index.html"
CARD = Path("README.md")
_NOT_MEASURED = "Whether the samples help a model was not measured."
_NO_LEAK_CHECK = (
    "None: no held-out data was given (--heldout), so nothing is known of minted samples that copy it. "
    "Exact copies between the splits of the data set itself are found by augmint inspect."
)


@dataclass(frozen=True)
class Written:
    """A report that was written: where, how large, which sections it has not, and why, and what is wrong with it."""

    path: Path
    bytes: int
    missing: dict[str, str]
    warnings: tuple[str, ...] = ()


def report(out: str | Path, lift: str | Path | None = None) -> Written:
    """Write the report of a run, of a measured lift, or of both.

    Args:
        out: folder of a finished run, of an evaluation (``lift.json``), or of both.
        lift: folder of an evaluation whose lift belongs to this run; a copy stays in ``OUT/report``.

    Raises:
        DataError: neither is there, or the lift was measured on other classes than the run's.
        UsageError: a lift for a folder that has its own.
    """
    root = Path(out)
    if not Finished.is_at(root) and not (root / "lift.json").is_file():
        raise DataError(
            f"{out}: no finished run and no lift.json",
            expected="the -o folder of augmint run or augmint evaluate",
            do="check the path, or run the same command again to finish it",
            code="not-a-run" if root.exists() else "missing-path",
        )
    if Finished.is_at(root) and Finished(root).is_rows:
        raise DataError(
            f"{out}: a run whose product is rows (--space rows)",
            expected="a run that wrote samples",
            do="numpy.load opens rows.npz; run it without --space rows, into another folder, for samples to look at",
            code="no-samples",
        )
    manifest, doubts = Manifest(root), tuple[str, ...]()
    with manifest.lock():
        manifest.open()
        if lift is not None:
            _refuse_own_lift(root)
            source = Path(lift) / "lift.json"
            measured = read_lift(source)  # refused before it is copied
            if Finished.is_at(root):
                _refuse_other_classes(measured, Finished(root), source)
                doubts = _other_data(measured, Finished(root))
            manifest.write(root / LIFT, source.read_bytes())
        if Finished.is_at(root) and not (root / SCORES).is_file():  # a run of an earlier version
            judge = Finished(root).facts.get("judge")
            if judge != "none":
                write_scores(manifest, shared=judge == "shared")
        written = write_report(manifest)
        return dataclasses.replace(written, warnings=(*written.warnings, *doubts))


def _refuse_own_lift(root: Path) -> None:
    if (root / "lift.json").is_file():
        raise UsageError(
            f"--lift for {root}, which has a lift of its own",
            expected="the folder of a run",
            do="leave out --lift, or name the run",
            code="own-lift",
        )


def _refuse_other_classes(lift: LiftFacts, run: Finished, source: Path) -> None:
    classes = {label for cell in lift.cells for arm in cell.arms for label in arm.recall}
    other = sorted(classes - set(run.classes))
    if other:
        raise DataError(
            f"{source}: measured on other data, with a class {other[0]!r}",
            expected=f"the classes of the run: {', '.join(run.classes[:5])}{', ...' if len(run.classes) > 5 else ''}",
            do="give the folder that augmint evaluate wrote for this data set",
            code="other-data",
        )


def write_report(manifest: Manifest) -> Written:
    """Write the page of a folder whose lock is held, and vouch for it where the folder is a run."""
    from augmint.report.page import render  # not at the top: matplotlib is slow to load, and every command would pay

    root = manifest.out
    run = Finished(root) if Finished.is_at(root) else None
    facts = gather(root, run)
    page = render(facts).encode()
    manifest.write(root / PAGE, page, durable=False)
    if run is not None:
        own = _renew_card(manifest)
        vouch(manifest, [*own, *(path for path in (PAGE, LIFT, SCORES) if (root / path).is_file())])
    warnings = _other_method(facts.lift, run) if run else ()
    return Written(root / PAGE, len(page), dict(facts.missing), warnings)


def _renew_card(manifest: Manifest) -> list[Path]:
    """Put the figures of now into the card; a card that is not the run's own any more is left alone."""
    path, sums = manifest.out / CARD, parse_sums(manifest.out / "SHA256SUMS")
    if not path.is_file() or file_sha256(path) != sums.get(CARD.as_posix()):
        return []
    manifest.write(path, renewed(path.read_text(encoding="utf-8"), manifest.out).encode())
    return [CARD]


def gather(root: Path, run: Finished | None) -> Report:
    """Everything that the folder holds for a report."""
    lift = lift_of(root)
    scores = read_scores(root / SCORES) if (root / SCORES).is_file() else None
    facts = Report("Report: does it help?", __version__, lift=lift, scores=scores)
    if run is not None:
        facts = _with_run(facts, run)
    commands = (*facts.commands, *(evaluate_commands(root) if lift else ()))
    said = (verdicts(lift) if lift else _NOT_MEASURED, *([f"Samples as a set: {scores.headline}."] if scores else []))
    missing = tuple(_missing(facts, run).items())
    return dataclasses.replace(facts, commands=commands, missing=missing, summary=(*facts.summary, *said))


def _with_run(facts: Report, run: Finished) -> Report:
    films = films_of(run)
    classes = _class_rows(run)
    word = "abstained" if run.facts.get("abstained") else run.recipe
    return dataclasses.replace(
        facts,
        title=f"Report: {word}",
        summary=_summary(run, classes),
        alarms=(*_alarms(run), *_other_method(facts.lift, run)),
        classes=classes,
        strips=strips_of(run),
        strips_total=run.tally.made.total(),
        rejections=rejections_of(run),
        rejections_total=run.tally.rejected.total(),
        films=films,
        map=map_of(run),
        models=models_of(run),
        settings=settings_of(run),
        leak_check=_leak_words(run),
        commands=run_commands(run),
    )


def _class_rows(run: Finished) -> tuple[ClassRow, ...]:
    made, rejected = run.tally.made, dict[str, dict[str, int]]()
    for (label, gate), count in sorted(run.tally.rejected.items()):
        rejected.setdefault(label, {})[gate] = count
    return tuple(
        ClassRow(name, run.before[name], run.asked[name], made[name], rejected.get(name, {})) for name in run.classes
    )


def _summary(run: Finished, classes: tuple[ClassRow, ...]) -> tuple[str, ...]:
    plan, real, asked = run.plan, sum(row.before for row in classes), sum(row.asked for row in classes)
    made, rejected = run.tally.made.total(), run.tally.rejected.total()
    if run.facts.get("abstained"):
        why = run.facts.get("tuned") or "a search found nothing that was shown to help"
        return (f"Abstained: nothing was added, all {real:,} samples are real ({why}).",)
    codec = f" with {plan['model']} at {plan['size']} {run.medium.unit}" if run.uses_model else ""
    lines = [
        f"{real:,} real and {made:,} minted training samples in {len(classes)} classes: "
        f"{run.recipe}{codec}, seed {plan['seed']}.",
        f"Asked for {asked:,}, made {made:,}; the gates rejected {rejected:,} of {made + rejected:,} draws.",
    ]
    return (*lines, *([f"Chosen by a search: {run.facts['tuned']}."] if run.facts.get("tuned") else []))


def _alarms(run: Finished) -> tuple[str, ...]:
    lines = list(run.facts.get("problems", ()))
    if run.facts.get("judge") == "shared":
        lines.append("The judge shares its weights with the model: its verdicts flatter.")
    lines += [f"{count} samples: {note}" for note, count in run.tally.notes.items()]
    return (*lines, *([f"{run.skipped} inputs could not be used; skipped.jsonl says why."] if run.skipped else []))


def _other_method(lift: LiftFacts | None, run: Finished) -> tuple[str, ...]:
    """That the lift says nothing of the method that made this set; nothing where it does."""
    own = run.recipe
    if lift is None or not lift.recipes or own in lift.recipes or run.facts.get("abstained"):
        return ()
    return (f"The lift was measured for {', '.join(lift.recipes)}; it says nothing of {own}, which made this set.",)


def _other_data(lift: LiftFacts, run: Finished) -> tuple[str, ...]:
    """That a lift that was named may be of other data: their folders have other names."""
    data = str(run.facts.get("data", ""))
    if not lift.data or not data or Path(lift.data).name == Path(data).name:
        return ()
    return (f"The lift was measured on {lift.data}, this set was made from {data}: is that the same data set?",)


def _leak_words(run: Finished) -> str:
    said = run.facts.get("leak_check", "none")
    return _NO_LEAK_CHECK if said == "none" else leak_words(said, run.medium.noun)


def _missing(facts: Report, run: Finished | None) -> dict[str, str]:
    """Sections that this report has not, and why."""
    reasons: dict[str, tuple[object, str]] = {
        "Does it help?": (
            facts.lift,
            "not measured; augmint evaluate DATA -o LIFT, then augmint report OUT --lift LIFT",
        )
    }
    if run is not None:
        made, judged = bool(run.tally.first), run.facts.get("judge") != "none"
        unseen = "nothing was minted" if not made else "no gate and no label asked for a judge"
        reasons |= {
            "Scores of the minted set": (facts.scores, "not measured" if made and judged else unseen),
            "Parents and children": (facts.strips, "nothing was minted"),
            "From one sample to another": (facts.films, _no_films(run)),
            "Map": (facts.map, "too few encoded rows" if made and judged else unseen),
            "What the gates rejected": (facts.rejections, "no draw was rejected" if run.plan["gates"] else "no gates"),
        }
    else:
        reasons["The samples"] = (None, "this folder holds a measured lift, not a run")
    return {section: reason for section, (found, reason) in reasons.items() if not found}


def _no_films(run: Finished) -> str:
    if not run.tally.first:
        return "nothing was minted"
    if run.medium.name == "text":
        return "texts are not decoded from places between two others"
    return f"{run.plan['method']} made no sample from two different real ones, so there is no way between parents"
