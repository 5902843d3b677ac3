"""What it costs where many want no more, or can't be reached, at once: no more round trips than one. Real servers."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from flotilla.bus.dispatch import Dispatcher
from flotilla.bus.envelope import encode
from flotilla.bus.jobs import job_of
from flotilla.cause import Cause
from flotilla.events.base import Event
from flotilla.events.crm import ConsentChanged, ContactMerged
from flotilla.events.integrations import ChannelMessageFailed
from flotilla.events.messaging import MessageRequested
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually
from flotilla.testing.bills import charged, watch
from flotilla_campaign.own import LANE
from flotilla_campaign.running import STEP_DUE, StepPayload
from flotilla_campaign.stepping import step_due

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


async def test_many_whose_steps_come_due(campaign: Harness, org: UUID, stands: Stands) -> None:
    """Of two sequences, one of which tries two texts: as many statements as one person's step."""
    plain = await published(campaign, org, steps=[WAIT, HELLO])
    trying = await published(campaign, org, steps=[WAIT, {**HELLO, "variants": ["Good day!"]}])
    made = [await enrolled(campaign, org, (plain, trying)[place % 2]) for place in range(1 + MANY)]
    for each in made:
        await stands(each["id"], phase="wait")
    app = campaign.app
    rows = await app.db.fetch("SELECT * FROM jobs WHERE organization_id = $1 AND kind = $2", org, STEP_DUE)
    jobs = [job_of(row, StepPayload) for row in rows]
    assert len(jobs) == 1 + MANY
    assert step_due.fire_all is not None
    await watch(app.db.pool, app.settings.postgres_connections)
    prices = []
    for due in (jobs[:1], jobs[1:]):
        with charged() as bill:
            async with app.db.transaction([org]) as tx:
                await step_due.fire_all(tx, due)
        prices.append(bill.statements.total())
    assert prices[1] <= prices[0] + 1, "whether a text has won is asked where several are tried"
    for each in made:
        await stands(each["id"], state="active", step=1, phase="answer")

    async def asked() -> bool:
        wishes = campaign.spy.of(MessageRequested, org)
        return sorted(str(wish.data.contact_id) for wish in wishes) == sorted(
            each["contact_id"] for each in made
        )

    await eventually(asked, what="each is written to once")


async def test_many_who_are_found_to_be_others(campaign: Harness, org: UUID, stands: Stands) -> None:
    """As many statements as of one; and who stayed in one merger goes in the next, heard of in the same batch."""
    sequence_id = await published(campaign, org, steps=[WAIT])
    made = [await enrolled(campaign, org, sequence_id) for _ in range(1 + MANY)]

    def into(loser: UUID, winner: UUID) -> ContactMerged:
        return ContactMerged(contact_id=loser, into_contact_id=winner, merge_id=new_id(), identity_ids=[])

    winners = [new_id() for _ in made][::-1]
    told = [into(UUID(each["contact_id"]), winner) for each, winner in zip(made, winners, strict=True)]
    one = await price(campaign, org, "directory", told[:1])
    assert await price(campaign, org, "directory", told[1:]) <= one
    last = new_id()
    chain = [into(winners[0], winners[1]), into(winners[1], last)]
    await price(campaign, org, "directory", chain)
    await stands(made[0]["id"], state="stopped", reason="merged")
    await stands(made[1]["id"], state="active", contact_id=str(last))
    for each, winner in list(zip(made, winners, strict=True))[2:]:
        await stands(each["id"], state="active", contact_id=str(winner))
