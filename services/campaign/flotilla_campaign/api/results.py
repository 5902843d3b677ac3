"""What came of messages, as it is shown."""

from flotilla.http.bodies import Shown
from pydantic import Field


class ResultOut(Shown):
    """What came of the messages of a step, or of one variant of it; each message counts once in each."""

    step: int
    variant: str | None
    asked: int = Field(description="Asked for; the others are of these.")
    sent: int
    delivered: int
    failed: int
    bounced: int
    opened: int = Field(description="By people: programs that fetch ahead do not count.")
    clicked: int
    replied: int
    unsubscribed: int = Field(description="By the link in it.")
