"""What may end a connection. Each is a `ConnectionError`: nobody's event is to blame, connect again."""


class WireError(ConnectionError):
    """The connection is of no more use."""


class LostError(WireError):
    """It was cut, or the broker fell silent."""


class MalformedError(WireError):
    """What came is no AMQP, or not what may come at this point."""


class RefusedError(WireError):
    """The broker closed the connection or its channel, and said why."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code = code


class CancelledByBrokerError(WireError):
    """The queue was deleted, or lost its leader: nothing more is delivered."""
