"""A local server that speaks the REST API of VIES, the EU's VAT register (ec.europa.eu/taxation_customs/vies).

`POST /check-vat-number` with `{"countryCode", "vatNumber"}` answers `{"valid", "name", "address", …}`; a member
state that does not answer, too many requests and the rest are
`{"actionSucceed": false, "errorWrappers": [{"error": "<CODE>"}]}`, under 200 as often as under 500.

    async with ViesSimulator.running() as vies:
        vies.register("DE", "136695976", "Ink & Paper GmbH", "Hauptstr. 1\n10115 Berlin")
        vies.fails("DE136695976", refusal("MS_UNAVAILABLE"))
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from flotilla.testing.simulators.register import Drop, Fault, Hang, RegisterSimulator, Say

_STATES: Final = "AT BE BG CY CZ DE DK EE EL ES FI FR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK XI"
MEMBER_STATES: Final = frozenset(_STATES.split())
NOT_TOLD: Final = "---"
"""What stands for a name or an address that the member state keeps to itself."""


@dataclass(frozen=True)
class Trader:
    """Whom a VAT number belongs to."""

    name: str
    address: str


def refusal(code: str, *, status: int = 200) -> Say:
    """VIES's answer where it has none: `MS_UNAVAILABLE`, `GLOBAL_MAX_CONCURRENT_REQ`, …"""
    body = {"actionSucceed": False, "errorWrappers": [{"error": code}]}
    return Say(status, json.dumps(body).encode())


class ViesSimulator(RegisterSimulator):
    """VIES: what is not registered is not valid."""

    base = "/taxation_customs/vies/rest-api"

    def __init__(self) -> None:
        super().__init__()
        self._traders: dict[str, Trader] = {}

    def register(self, state: str, number: str, name: str = NOT_TOLD, address: str = NOT_TOLD) -> None:
        """Make a number valid, or let its trader be called or live otherwise."""
        self._traders[state + number] = Trader(name, address)

    def strike_off(self, state: str, number: str) -> None:
        """Make a number invalid."""
        self._traders.pop(state + number, None)

    def _route(self, app: web.Application) -> None:
        app.router.add_post(f"{self.base}/check-vat-number", self._check)

    async def _check(self, request: web.Request) -> web.Response:
        asked = await request.json()
        state, number = str(asked.get("countryCode", "")), str(asked.get("vatNumber", ""))
        what = state + number
        if state not in MEMBER_STATES or not number:
            said = refusal("INVALID_INPUT", status=400)
            return await self._answer(request, what, web.Response(status=400, body=said.body))
        trader = self._traders.get(what)
        answer = {
            "countryCode": state,
            "vatNumber": number,
            "requestDate": datetime.now(UTC).isoformat(),
            "valid": trader is not None,
            "requestIdentifier": "",
            "name": trader.name if trader else NOT_TOLD,
            "address": trader.address if trader else NOT_TOLD,
            "traderName": NOT_TOLD,
            "traderStreet": NOT_TOLD,
            "traderPostalCode": NOT_TOLD,
            "traderCity": NOT_TOLD,
            "traderCompanyType": NOT_TOLD,
            "traderNameMatch": "NOT_PROCESSED",
            "traderStreetMatch": "NOT_PROCESSED",
            "traderPostalCodeMatch": "NOT_PROCESSED",
            "traderCityMatch": "NOT_PROCESSED",
            "traderCompanyTypeMatch": "NOT_PROCESSED",
        }
        return await self._answer(request, what, web.json_response(answer))


__all__ = ["Drop", "Fault", "Hang", "Say", "Trader", "ViesSimulator", "refusal"]
