"""What people have on their phones."""

from dataclasses import dataclass

import pyotp
from flotilla.testing import Harness
from flotilla_auth.testing import Person


@dataclass(frozen=True)
class Authenticator:
    """What somebody has on their phone."""

    auth: Harness
    owner: Person
    secret: str
    recovery_codes: list[str]

    @classmethod
    async def added(cls, auth: Harness, person: Person) -> "Authenticator":
        """Somebody's, from now on."""
        offered = await person.client.post("/v1/me/totp")
        assert offered.status == 201, offered.body
        secret = offered.json()["secret"]
        confirmed = await person.client.post("/v1/me/totp/confirm", {"code": pyotp.TOTP(secret).now()})
        assert confirmed.status == 200, confirmed.body
        return cls(auth, person, secret, confirmed.json()["recovery_codes"])

    async def code(self) -> str:
        """A code that was not taken yet, as if half a minute had gone by since the last."""
        await self.auth.app.db.execute(
            "UPDATE totp_factors SET last_step = 0 WHERE user_id = $1", self.owner.id
        )
        return pyotp.TOTP(self.secret).now()
