from __future__ import annotations

import math

from augmint.core.units import NATS, POINTS, unit_of


def test_points_of_a_hundred_and_nats_as_they_are() -> None:
    assert unit_of("accuracy") is unit_of("calibration_error") is POINTS and unit_of("log_loss") is NATS
    assert POINTS.change(0.0213) + POINTS.interval(0.008, 0.034) == "+2.1 [0.8, 3.4]"
    assert NATS.change(-0.0213) + NATS.interval(-0.05, 0.0004) == "-0.021 [-0.050, 0.000]"
    assert NATS.told(1.17654) == "1.177" and POINTS.told(0.5) == "50.0"


def test_what_is_not_known_is_no_number() -> None:
    assert POINTS.interval(math.nan, 0.1) == "" and POINTS.change(math.nan) == POINTS.told(math.inf) == "\N{EM DASH}"
