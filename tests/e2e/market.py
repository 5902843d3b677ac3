"""The market of accounts for business development: one organization sells, another buys."""

import secrets
from typing import Any

from flotilla.testing import eventually
from flotilla.testing.people import Office, Person

from tests.e2e.filled import first

PRICE = 49_00
"""In cents."""


def euros(cents: int) -> dict[str, Any]:
    """Money, as it is written."""
    return {"amount_minor": cents, "currency": "EUR"}


async def for_development(office: Office) -> dict[str, Any]:
    """One more bot, which business development writes from."""
    owner, telegram = office.owner, office.telegram
    token = telegram.add_bot(f"bot_{secrets.token_hex(3)}")
    account = await owner.ok("POST", "/v1/accounts", Office.connection(telegram, token))

    async def added() -> dict[str, Any]:
        made: dict[str, Any] = await owner.ok("POST", "/v1/bd-accounts", {"account_id": account["id"]})
        return made

    return await eventually(added, what="the bot is connected")


async def offered(office: Office) -> dict[str, Any]:
    """Such a bot, for sale."""
    account = await for_development(office)
    wanted = {"bd_account_id": account["id"], "kind": "sale", "title": "Warm bot", "price": euros(PRICE)}
    offer: dict[str, Any] = await office.owner.ok("POST", "/v1/bd-offers", wanted)
    return offer


async def bought(buyer: Person, offer: dict[str, Any], state: str = "done") -> dict[str, Any]:
    """What became of buying it."""
    purchase = await buyer.ok("POST", f"/v1/bd-offers/{offer['id']}/purchase", {})

    async def over() -> dict[str, Any]:
        shown: dict[str, Any] = await buyer.ok("GET", f"/v1/bd-purchases/{purchase['id']}")
        assert shown["state"] == state, shown
        return shown

    return await eventually(over, what=f"the purchase is {state}")


async def has_bought(buyer: Person, offer: dict[str, Any]) -> dict[str, str]:
    """The ids of a purchase, of its payment and its saga."""
    purchase = await bought(buyer, offer)
    saga = await first(buyer, f"/v1/sagas/integrations?subject_id={purchase['id']}")
    return {
        "bd_purchase_id": purchase["id"],
        "bd_account_id": purchase["bd_account_id"],
        "purchase_id": (await first(buyer, "/v1/purchases"))["id"],
        "saga_id@integrations": saga["id"],
    }
