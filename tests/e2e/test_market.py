"""An account is bought from another organization, over the whole fleet: paid from the balance, or given back."""

from flotilla.testing.people import Person

from tests.e2e.conftest import Flotilla, NewOffice
from tests.e2e.filled import first
from tests.e2e.market import PRICE, bought, euros, offered

MONEY = 100_00


async def test_what_cannot_be_paid_is_to_be_had_again_and_what_is_paid_changes_hands(
    new_office: NewOffice, flotilla: Flotilla
) -> None:
    seller, buyer = [await new_office(name) for name in ("Harbour", "Kite")]
    offer = await offered(seller)
    assert (await buyer.owner.call("DELETE", f"/v1/bd-offers/{offer['id']}")).status == 404
    failed = await bought(buyer.owner, offer, "failed")
    assert "balance" in failed["reason"]
    assert await steps(buyer.owner, failed["id"]) == ("undone", ["failed", "waiting"])
    assert (await buyer.owner.ok("GET", f"/v1/bd-offers/{offer['id']}"))["state"] == "open"

    await buyer.owner.ok("POST", "/v1/wallet/top-ups", {"amount": euros(MONEY)})
    done = await bought(buyer.owner, offer)
    assert await steps(buyer.owner, done["id"]) == ("done", ["done", "done"])
    (left,) = (await buyer.owner.ok("GET", "/v1/wallet"))["balances"]
    assert left["amount_minor"] == MONEY - PRICE
    mine = await buyer.owner.ok("GET", f"/v1/bd-accounts/{done['bd_account_id']}")
    assert (mine["state"], mine["user_id"]) == ("connected", buyer.owner.user["id"])
    sold = await first(seller.owner, "/v1/bd-accounts")
    assert sold["state"] == "sold"
    assert (await buyer.owner.call("GET", f"/v1/bd-offers/{offer['id']}")).status == 404
    assert (await seller.owner.call("GET", f"/v1/bd-purchases/{done['id']}")).status == 404
    listed = await flotilla("sagas", "list", "integrations")
    assert failed["id"] in listed.output
    assert done["id"] in listed.output


async def steps(owner: Person, purchase_id: str) -> tuple[str, list[str]]:
    """How the saga of a purchase stands, and each of its steps."""
    saga = await first(owner, f"/v1/sagas/integrations?subject_id={purchase_id}")
    return saga["state"], [step["state"] for step in saga["steps"]]
