"""``--method auto``: a search before the run, in the run's own state folder."""

from __future__ import annotations

from pathlib import Path

from augmint.pipeline.manifest import Manifest
from augmint.pipeline.output import check_folder, remove_earlier
from augmint.pipeline.plan import Plan
from augmint.pipeline.progress import Progress
from augmint.pipeline.sources import Inputs
from augmint.pipeline.tuning import Tuned, Tuning, is_finished, tune

QUICK = Tuning(trials=12, controls=False)
"""What ``run --method auto`` spends when nothing else is said."""


def settle(
    plan: Plan, inputs: Inputs, out: Path, tuning: Tuning, device: str, fresh: bool, progress: Progress
) -> Tuned:
    """The plan of the run; the same command finds what was settled before in ``OUT/.augmint/tune``.

    Args:
        plan: keys that are not searched.
        inputs: data and pool.
        out: folder of the run.
        tuning: how the search goes.
        device: of the models.
        fresh: throw away an earlier run and its search.
        progress: receives stages and messages.
    """
    check_folder(out, inputs)
    if fresh and (out / ".augmint").is_dir():
        with Manifest(out).lock():
            remove_earlier(out)
    home = Manifest(out).home / "tune"
    finished = is_finished(home)
    settled = bool(finished)
    found = tune(plan, inputs.data, home, tuning, pool=inputs.pool, device=device, settled=settled, progress=progress)
    if finished is False:  # a run that followed a search that was not done stands on no decision
        with Manifest(out).lock():
            remove_earlier(out, keep="tune")
    progress.say(f"auto: {'abstains' if found.plan.abstained else 'ships'}; {found.reason} (see {home / 'tune.json'})")
    return found
