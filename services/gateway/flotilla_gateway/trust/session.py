"""Who asks, as the door knows them: a person by an access token, a program by an API key."""

from uuid import UUID


class Session:
    """In good standing; made once, used by every request with the same credential."""

    __slots__ = (
        "actor",
        "bucket",
        "epoch",
        "expires_at",
        "org",
        "org_id",
        "principal",
        "renew_at",
        "session",
    )

    is_program = False
    """Counted by its organization's plan, and refused where that does not allow what it asks."""

    def __init__(self, org: UUID, session: UUID, actor: str, bucket: str, expires_at: float) -> None:
        self.org_id = org
        self.org = str(org)
        self.session = str(session)
        """What a revocation names: a session's id, or a key's."""
        self.actor = actor
        self.bucket = bucket
        """Whose budget of requests it uses."""
        self.expires_at = expires_at
        """Unix seconds."""
        self.epoch = 0
        """Of the standing that it was last found good under."""
        self.principal = b""
        """The signed principal, as sent to services."""
        self.renew_at = 0.0
