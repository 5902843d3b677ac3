"""Why an exchange with a service ended early."""


class ExchangeError(Exception):
    """The exchange is over; its connection is closed."""


class ConnectError(ExchangeError):
    """No connection could be made in time."""


class ClosedEarlyError(ExchangeError):
    """The service closed the connection before the answer was complete."""

    def __init__(self, *, untouched: bool) -> None:
        super().__init__("closed before the answer was complete")
        self.untouched = untouched
        """Not one byte of an answer came: on a kept-alive connection the request was most likely never read."""


class BadAnswerError(ExchangeError):
    """What the service sent is no HTTP response."""


class TimedOutError(ExchangeError):
    """The service did not go on within its time."""


class CallerGoneError(ExchangeError):
    """The caller closed its connection: nobody waits for the answer."""


class BodyTooLargeError(ExchangeError):
    """The caller sent more than a body may have."""


class BusyError(ExchangeError):
    """Every connection to the service is in use, and none came free in time."""
