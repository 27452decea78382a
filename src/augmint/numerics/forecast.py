"""What a fit of many equal updates will cost, from a few of them."""

from __future__ import annotations

import time
from collections.abc import Callable

WARM_UP, TIMED = 3, 20


def fit_seconds(prepare: Callable[[], Callable[[], None]], steps: int) -> float:
    """Seconds of the preparation and of ``steps`` updates: TIMED updates, after WARM_UP, and multiplied.

    Args:
        prepare: sets a fit up, and returns what makes one update.
        steps: of the whole fit.
    """
    start = time.perf_counter()
    update = prepare()
    for _ in range(WARM_UP):
        update()
    setup, begin = time.perf_counter() - start, time.perf_counter()
    for _ in range(TIMED):
        update()
    return setup + (time.perf_counter() - begin) * steps / TIMED
