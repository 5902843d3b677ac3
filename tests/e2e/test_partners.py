"""A partner outside receives what becomes of a deal: over a queue of its own, and by webhook, and nobody else's."""

from tests.e2e.arranged import EUROS
from tests.e2e.conftest import NewOffice
from tests.e2e.filled import stages_of
from tests.e2e.outside import PARTNERS, listening, read, subscribed
from tests.e2e.selling import a_deal, move, of

TYPES = ["deal.won.v1", "invoice.issued.v1", "deal.closed.v1"]


async def test_a_partner_hears_of_a_won_deal(new_office: NewOffice) -> None:
    ours, theirs = [(await new_office(name)).owner for name in ("Harbour", "Kite")]
    queue, foreign = await subscribed(ours, TYPES), await subscribed(theirs, TYPES)
    async with listening() as program:
        wanted = {"kind": "webhook", "name": "BI", "types": ["deal.*"], "url": program.address}
        hook = await ours.ok("POST", PARTNERS, wanted)
        program.secret = hook["secret"]
        stages = await stages_of(ours)
        deal = await a_deal(ours, EUROS, "Kite & Sons")
        async with ours.live() as live:
            await move(ours, deal, stages["Won"])
            await live.expect("deal.closed.v1", of(deal))
        events = await read(queue, TYPES)
        assert sorted(event["type"] for event in events) == sorted(TYPES)
        assert {event["data"]["deal_id"] for event in events} == {deal["id"]}
        assert {event["data"].get("title") for event in events} == {None}  # personal, and not asked for
        closed = await program.first("deal.closed.v1")
    assert closed in [(event["id"], event) for event in events]
    log = await ours.ok("GET", f"{PARTNERS}/{hook['id']}/deliveries?state=delivered")
    assert closed[0] in [each["event_id"] for each in log["items"]]
    # The other organization's queue is as empty as it was: its own test event is the first in it.
    await theirs.ok("POST", f"{PARTNERS}/{foreign['id']}/test")
    (told,) = await read(foreign, ["partner.subscription.changed.v1"])
    assert told["type"] == "partner.subscription.changed.v1"
