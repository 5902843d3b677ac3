"""The breaker and the deadlines of a connection, on a clock of the test's own."""

import pytest
from flotilla_gateway.edge.limits import EdgeLimits, Late, Patience
from flotilla_gateway.forward.breaker import LONGEST_PAUSE_SECONDS, THRESHOLD, Breaker


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def opened() -> tuple[Breaker, Clock]:
    """A breaker that has just opened."""
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(THRESHOLD):
        assert breaker.wait() == 0
        breaker.failed()
    return breaker, clock


def test_opens_after_failures_in_a_row_only() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(10):
        for _ in range(THRESHOLD - 1):
            breaker.failed()
        breaker.succeeded()
    assert breaker.wait() == 0
    assert opened()[0].wait() == pytest.approx(1.0, rel=0.21)


def test_one_request_probes_and_the_others_wait() -> None:
    breaker, clock = opened()
    clock.now += 1.3
    assert breaker.wait() == 0
    assert breaker.wait() > 0
    breaker.succeeded()
    assert [breaker.wait() for _ in range(3)] == [0, 0, 0]


def test_a_probe_that_could_not_tell_leaves_it_to_the_next() -> None:
    breaker, clock = opened()
    clock.now += 1.3
    assert breaker.wait() == 0
    breaker.undecided()
    assert breaker.wait() == 0


def test_pauses_grow_up_to_a_limit_and_begin_anew_after_a_success() -> None:
    breaker, clock = opened()
    pauses = []
    for _ in range(10):
        pauses.append(breaker.wait())
        clock.now += pauses[-1] + 0.001
        assert breaker.wait() == 0
        breaker.failed()
    assert pauses[3] > pauses[0] * 3
    assert max(pauses) <= LONGEST_PAUSE_SECONDS * 1.2
    clock.now += LONGEST_PAUSE_SECONDS * 1.3
    assert breaker.wait() == 0
    breaker.succeeded()
    for _ in range(THRESHOLD):
        breaker.failed()
    assert breaker.wait() == pytest.approx(1.0, rel=0.21)


LIMITS = EdgeLimits(head_seconds=10, body_seconds=60, stall_seconds=30)


def test_a_head_has_its_time_from_the_connection_or_its_first_byte() -> None:
    patience = Patience(LIMITS, 0)
    patience.head_is_due(9)
    assert patience.late(10, reading=True, unsent=0) is None
    assert patience.late(11, reading=True, unsent=0) is Late.HEAD
    patience.head_ends()
    patience.body_is_due(11)
    patience.body_ends()
    assert patience.late(1000, reading=True, unsent=0) is None, "idle between requests"
    patience.head_is_due(1000)
    assert patience.late(1011, reading=True, unsent=0) is Late.HEAD


def test_a_body_does_not_pay_for_the_gateways_own_pauses() -> None:
    patience = Patience(LIMITS, 0)
    patience.head_ends()
    patience.body_is_due(0)
    assert patience.late(61, reading=False, unsent=0) is None
    assert patience.late(75, reading=True, unsent=0) is None
    assert patience.late(77, reading=True, unsent=0) is Late.BODY


def test_a_reader_that_takes_something_now_and_then_is_let_be() -> None:
    patience = Patience(LIMITS, 0)
    patience.head_ends()
    patience.body_is_due(0)
    patience.body_ends()
    for now in range(0, 300, 20):
        assert patience.late(now, reading=True, unsent=1000 - now) is None
    assert patience.late(311, reading=True, unsent=720) is Late.READER
