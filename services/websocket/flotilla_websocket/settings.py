"""What websocket is told beside what every service is."""

from flotilla.settings import Settings
from pydantic import Field


class WebsocketSettings(Settings):
    """Limits of sockets and of the ways between replicas."""

    heartbeat_seconds: float = Field(default=25.0, gt=0)
    """How often a client is asked whether it is still there; silent for two and a half of these, it is gone."""
    socket_lifetime_seconds: float = 12 * 3600.0
    """After that it connects again, with rights looked up anew."""
    queued_events: int = Field(default=1000, ge=1)
    """What may wait for one slow client; more, and it is told to read everything again."""
    send_seconds: float = 30.0
    """How long one send may take before the client is given up."""
    resume_events: int = Field(default=500, ge=1)
    """What a client that was away is sent at most; more, and it is told to read everything again. Less than
    `queued_events`, so that what happens meanwhile has room too."""
    sweep_seconds: float = 5.0
    """How often the feed is compared with what was pushed while Redis is well."""
    fallback_seconds: float = 0.25
    """The same while it is not."""
    revoked_seconds: float = Field(default=5.0, gt=0)
    """How often it is looked whether sessions with a connection here were revoked; that they were is said at once, and
    this finds what was not heard."""
    unknown_person_seconds: float = 30.0
    """How long a notification waits for a person who is not known yet, before it is said that there is nobody."""
