"""What it costs where many want no more, or can't be reached, at once: no more round trips than one. Real servers."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from flotilla.bus.dispatch import Dispatcher
from flotilla.bus.envelope import encode
from flotilla.cause import Cause
from flotilla.events.base import Event
from flotilla.events.crm import ConsentChanged
from flotilla.events.integrations import ChannelMessageFailed
from flotilla.ids import new_id
from flotilla.testing import Harness
from flotilla.testing.bills import charged, watch
from flotilla_campaign.own import LANE

from services.campaign.tests.conftest import HELLO, WAIT, Stands, Wish, enrolled, published, received

MANY = 5


async def price(campaign: Harness, org: UUID, lane: str, events: Sequence[Event]) -> int:
    """Statements of these as one batch of the lane."""
    settings, cause = campaign.app.settings, Cause.fresh()
    await watch(campaign.app.db.pool, settings.postgres_connections)
    bodies = [
        encode(event, org=org, sequence=1, cause=cause, region=settings.region, service="campaign").body
        for event in events
    ]
    with charged() as bill:
        await Dispatcher(campaign.app, lane).handle(bodies)
    return bill.statements.total()


async def test_many_who_withdraw_their_consent(campaign: Harness, org: UUID, stands: Stands) -> None:
    sequence_id = await published(campaign, org, steps=[WAIT])
    made = [await enrolled(campaign, org, sequence_id) for _ in range(1 + MANY)]
    told = [
        ConsentChanged(
            consent_id=new_id(),
            contact_id=UUID(each["contact_id"]),
            channel="email",
            purpose="marketing",
            state="withdrawn",
            legal_basis="consent",
            source="form",
            evidence=None,
            said_at=datetime.now(UTC),
        )
        for each in made
    ]
    one = await price(campaign, org, "directory", told[:1])
    assert await price(campaign, org, "directory", told[1:]) <= one
    for each in made:
        await stands(each["id"], state="stopped", reason="unsubscribed")


async def test_many_who_opt_out_or_cannot_be_reached(
    campaign: Harness, org: UUID, wish: Wish, stands: Stands
) -> None:
    sequence_id = await published(campaign, org, steps=[HELLO, WAIT])
    made = [await enrolled(campaign, org, sequence_id) for _ in range(2 * (1 + MANY))]
    asked = [await wish(place) for place in range(len(made))]
    failed = [
        ChannelMessageFailed(
            message_id=each.data.request_id,
            account_id=new_id(),
            channel="email",
            reason="No such mailbox.",
            occurred_at=datetime.now(UTC),
            permanent=True,
        )
        for each in asked[: 1 + MANY]
    ]
    assert all(each.data.conversation_id for each in asked)
    out = [
        received(each.data.conversation_id, "STOP") for each in asked[1 + MANY :] if each.data.conversation_id
    ]
    for events in (failed, out):
        one = await price(campaign, org, LANE, events[:1])
        assert await price(campaign, org, LANE, events[1:]) <= one
    reasons = {str(each.data.contact_id): "bounced" for each in asked[: 1 + MANY]}
    for each in made:
        await stands(each["id"], state="stopped", reason=reasons.get(each["contact_id"], "unsubscribed"))
