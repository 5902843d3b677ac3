"""Who asks, as the door knows them: a person by an access token, a program by an API key."""

from collections.abc import Callable
from uuid import UUID


class Session:
    """In good standing; made once, used by every request with the same credential."""

    __slots__ = (
        "_sign",
        "_signed",
        "actor",
        "bucket",
        "epoch",
        "expires_at",
        "org",
        "org_id",
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
        self.renew_at = 0.0
        self._sign: Callable[[str], str] | None = None
        self._signed: dict[str, bytes] = {}

    @property
    def requests_per_hour(self) -> int | None:
        """A limit of its own, within its organization's; None: it has none."""
        return None

    def signs(self, sign: Callable[[str], str]) -> None:
        """From now on `sign` makes the principal for a service."""
        self._sign = sign
        self._signed = {}

    def principal(self, service: str) -> bytes:
        """The signed principal, as this service is sent it."""
        signed = self._signed.get(service)
        if signed is None:
            assert self._sign is not None, "a session is signed before anybody is asked"
            signed = self._signed[service] = self._sign(service).encode()
        return signed
