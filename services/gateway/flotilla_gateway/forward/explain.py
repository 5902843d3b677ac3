"""What a caller is told when a service could not be asked."""

import math

from flotilla.problems import Problem, TooLargeError, UnavailableError

from flotilla_gateway.forward.errors import (
    BodyTooLargeError,
    BusyError,
    ConnectError,
    ExchangeError,
    TimedOutError,
)
from flotilla_gateway.problems import BadGatewayError, GatewayTimeoutError


def unavailable(service: str, wait: float) -> UnavailableError:
    """It is down, or left alone for `wait` seconds."""
    return UnavailableError(
        f"`{service}` is not available; the other services are.",
        headers={"retry-after": str(max(1, math.ceil(wait)))},
    )


def explain(service: str, error: ExchangeError, body_limit: int) -> Problem:
    """The problem behind the end of an exchange."""
    match error:
        case ConnectError() | BusyError():
            return unavailable(service, 1)
        case TimedOutError():
            return GatewayTimeoutError(
                f"`{service}` did not answer in time. Read the thing again before you repeat a change."
            )
        case BodyTooLargeError():
            return TooLargeError(f"A body may have {body_limit} bytes here.")
    return BadGatewayError(
        f"`{service}` broke off. Read the thing again before you repeat a change, "
        "or repeat it with the same Idempotency-Key."
    )
