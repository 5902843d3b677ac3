"""The whole gateway service on its stores, one service behind it, and auth's key."""

from uuid import UUID

from flotilla.events.auth import SigningKeyRotated
from flotilla.ids import PLATFORM_ORG
from flotilla.testing import Harness, eventually

from services.gateway.tests.raw import Answer, ask
from services.gateway.tests.scripted import ScriptedService
from services.gateway.tests.world import SigningKey

KEY_SET = UUID("0199d4e2-0000-7000-8000-000000000001")


class Fleet:
    """A gateway service, one service behind it, and auth's key."""

    def __init__(self, gateway: Harness, things: ScriptedService, key: SigningKey) -> None:
        self.gateway = gateway
        self.things = things
        self.key = key
        self.port = int(gateway.base_url.rpartition(":")[2])

    async def ask(self, token: str, path: str = "/v1/things") -> Answer:
        """One request."""
        return await ask(self.port, "GET", path, token=token)

    async def rotated(self, *keys: SigningKey, sequence: int) -> None:
        """Auth tells its keys, and the gateway has heard."""
        told = SigningKeyRotated(key_set_id=KEY_SET, keys=[key.public() for key in keys])
        await self.gateway.publish(told, org=PLATFORM_ORG, sequence=sequence)

    async def posts(self, status: int, token: str) -> None:
        """Wait until what takes a feature is answered with that."""

        async def asked() -> bool:
            return (await ask(self.port, "POST", "/v1/metered", token=token, body=b"{}")).status == status

        await eventually(asked)

    async def becomes(self, status: int, token: str) -> None:
        """Wait until the gateway answers that."""

        async def asked() -> bool:
            answer = await self.ask(token)
            assert answer.status == status, answer.body
            return True

        await eventually(asked)
