"""When things are done again: spread, so that a thousand counterparties do not come at the same second."""

import math
import random
from datetime import timedelta
from typing import Final

from flotilla_kyb.domain.counterparty import Monitoring

PERIODS: Final = {Monitoring.DAILY: timedelta(days=1), Monitoring.WEEKLY: timedelta(days=7)}
SPREAD: Final = 0.05
LONGEST_WAIT: Final = timedelta(hours=6)


def next_turn(monitoring: str) -> timedelta | None:
    """How long until the next check by schedule, give or take a twentieth; None where there is no schedule."""
    if monitoring == Monitoring.NONE:
        return None
    return PERIODS[Monitoring(monitoring)] * random.uniform(1 - SPREAD, 1 + SPREAD)


def back_off(first: timedelta, tried: int, factor: int = 4) -> timedelta:
    """How long after the `tried`th failure (from 1) to try again; each wait is `factor` times the one before."""
    wait = min(first * math.pow(factor, min(tried - 1, 10)), LONGEST_WAIT)
    return wait * random.uniform(1 - SPREAD, 1 + SPREAD)
