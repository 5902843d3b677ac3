"""How long a batch may fill."""

from flotilla.bus.pace import WORTH, Pace

SHORT, LONG = 0.02, 0.1


def paced(events_a_second: float, seconds: float = 5.0) -> Pace:
    """One that has seen so many, a batch every tenth of a second."""
    pace = Pace(SHORT, LONG)
    now = pace._since
    for _ in range(int(seconds * 10)):
        now += 0.1
        pace.took(round(events_a_second / 10), now)
    return pace


def test_nobody_waits_for_company_that_does_not_come() -> None:
    assert Pace(SHORT, LONG).seconds == SHORT
    assert paced(WORTH / LONG / 2).seconds == SHORT


def test_where_much_comes_a_batch_fills_longer() -> None:
    assert paced(WORTH / LONG * 2).seconds == LONG


def test_after_a_rush_it_is_short_again() -> None:
    pace = paced(1000)
    pace.took(1, pace._since + 10)
    assert pace.seconds == SHORT


def test_a_lane_without_a_busy_wait_always_waits_alike() -> None:
    pace = Pace(SHORT, 0)
    pace.took(10_000, pace._since + 1)
    assert pace.seconds == SHORT
