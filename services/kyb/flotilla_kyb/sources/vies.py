"""VIES, the EU's VAT register: its REST API (ec.europa.eu/taxation_customs/vies, technical information).

`{"valid": false}` is the one way in which it says that a number does not exist. Every fault is a code in
`errorWrappers`, with HTTP 200 as often as not, and says nothing of the number.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from flotilla.bus.declare import RetryLater

from flotilla_kyb.domain.identity import VIES, Identity, vies_number
from flotilla_kyb.sources.base import Answer, Asking, SourceDownError, SourceRefusedError, told
from flotilla_kyb.sources.pace import Pace

ALL_BUSY: Final = frozenset({"GLOBAL_MAX_CONCURRENT_REQ", "GLOBAL_MAX_CONCURRENT_REQ_TIME"})
STATE_BUSY: Final = frozenset({"MS_MAX_CONCURRENT_REQ", "MS_MAX_CONCURRENT_REQ_TIME"})
STATE_DOWN: Final = {
    "MS_UNAVAILABLE": "The member state's register does not answer.",
    "TIMEOUT": "The member state's register did not answer in time.",
}
REFUSED: Final = {
    "INVALID_INPUT": "It does not take this number as a question.",
    "VAT_BLOCKED": "It does not answer about this number.",
}


@dataclass(frozen=True)
class Vies:
    """The client."""

    address: str
    pace: Pace
    name: str = VIES

    async def ask(self, asking: Asking, identity: Identity) -> Answer:
        """Whether the VAT number is valid, and whose it is where the member state tells."""
        state, number = vies_number(identity)
        question = {"countryCode": state, "vatNumber": number}
        status, said = await asking.ask("POST", f"{self.address}/check-vat-number", question)
        if not isinstance(said, dict):
            raise SourceDownError("Its answer cannot be read.")
        if code := _fault(said):
            await _refuse(asking, code, state)
        if status != 200:
            raise SourceDownError(f"It answers with HTTP {status}.")
        valid = said.get("valid")
        echoed = (said.get("countryCode", state), said.get("vatNumber", number))
        if not isinstance(valid, bool) or echoed != (state, number):
            raise SourceDownError("Its answer cannot be read.")
        fields = {"registered": "yes" if valid else "no"}
        shown = {"name": told(said.get("name")), "address": told(said.get("address"))} if valid else {}
        reason = None if valid else "VIES does not know the number."
        return Answer(valid, fields | shown, scope=state, reason=reason)


def _fault(said: dict[str, Any]) -> str | None:
    wrappers = said.get("errorWrappers")
    if isinstance(wrappers, list) and wrappers and isinstance(wrappers[0], dict):
        return str(wrappers[0].get("error"))
    return "SERVICE_UNAVAILABLE" if said.get("actionSucceed") is False else None


async def _refuse(asking: Asking, code: str, state: str) -> None:
    """Raise what the code means."""
    if code in ALL_BUSY:
        await asking.rest()
    if code in STATE_BUSY:
        raise RetryLater(timedelta(seconds=asking.busy), f"VIES: {code}")
    if code in STATE_DOWN:
        raise SourceDownError(STATE_DOWN[code], scope=state)
    if code in REFUSED:
        raise SourceRefusedError(REFUSED[code])
    raise SourceDownError(f"It says {code[:50]}.")
