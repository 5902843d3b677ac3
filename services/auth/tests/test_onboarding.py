"""What others prepare for a new organization: all of it, or nothing of it and another try."""

from datetime import UTC, datetime
from typing import Any

from flotilla.cause import Cause
from flotilla.events.auth import OrganizationCreated, OrganizationUpdated
from flotilla.events.base import Event
from flotilla.events.billing import (
    SubscriptionCancelled,
    SubscriptionCancelRequested,
    SubscriptionCreated,
    SubscriptionRequested,
)
from flotilla.events.messaging import InboxCreated, InboxDeleted, InboxDeleteRequested, InboxRequested
from flotilla.events.pipeline import (
    PipelineCreated,
    PipelineDeleted,
    PipelineDeleteRequested,
    PipelineFailed,
    PipelineRequested,
)
from flotilla.events.websocket import NotificationRequested
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually
from flotilla_auth.testing import People, Person

Json = dict[str, Any]


def _subscription(type_: type[Any], state: str) -> Any:
    now = datetime.now(UTC)
    return type_(
        subscription_id=new_id(),
        plan="pro",
        state=state,
        provider="local",
        trial_ends_at=None,
        period_started_at=now,
        period_ends_at=now,
        cancel_at_period_end=False,
    )


def _pipeline(wish: PipelineRequested) -> PipelineCreated:
    return PipelineCreated(pipeline_id=wish.request_id, name="Sales", default=True)


def _inbox(wish: InboxRequested) -> InboxCreated:
    return InboxCreated(
        inbox_id=wish.request_id,
        name=wish.name,
        channels=[],
        time_zone=wish.time_zone,
        hours=[],
        ai_mode="draft",
        default=True,
    )


class Others:
    """Billing, pipeline and messaging, as a test has them answer."""

    def __init__(self, auth: Harness, owner: Person) -> None:
        self.auth = auth
        self.owner = owner

    async def asked(self, type_: type[Any], nth: int = 0) -> Any:
        """The nth wish of the type."""
        await self.auth.spy.expect(
            type_, lambda _: len(self.auth.spy.of(type_, self.owner.org)) > nth, seconds=10
        )
        return self.auth.spy.of(type_, self.owner.org)[nth].data

    async def answer(self, wish: Any, fact: Event) -> None:
        cause = Cause(correlation_id=new_id(), request_id=wish.request_id)
        await self.auth.publish(fact, org=self.owner.org, sequence=1, cause=cause)

    async def grant(self, nth: int = 0) -> None:
        """Everything."""
        wish = await self.asked(SubscriptionRequested, nth)
        await self.answer(wish, _subscription(SubscriptionCreated, "trialing"))
        pipeline = await self.asked(PipelineRequested, nth)
        await self.answer(pipeline, _pipeline(pipeline))
        inbox = await self.asked(InboxRequested, nth)
        await self.answer(inbox, _inbox(inbox))

    async def until(self, state: str) -> None:
        """The organization's onboarding says so."""

        async def said() -> bool:
            shown = (await self.owner.client.get("/v1/organization")).json()
            assert shown["onboarding"] == state, shown
            return True

        await eventually(said)

    async def saga(self) -> Json:
        """The latest."""
        found: Json = (await self.owner.client.get("/v1/sagas/auth")).json()["items"][0]
        return found


async def test_all_is_prepared_and_the_owner_is_welcomed(auth: Harness, owner: Person) -> None:
    others = Others(auth, owner)
    created = await auth.spy.expect(OrganizationCreated, lambda event: event.org == owner.org)
    assert created.data.onboarding == "running"
    assert (await others.asked(SubscriptionRequested)) is not None
    assert not auth.spy.of(PipelineRequested, owner.org), "one after the other"

    await others.grant()

    await others.until("done")
    told = await auth.spy.expect(OrganizationUpdated, lambda event: event.org == owner.org)
    assert told.data.changed == {"onboarding": ["running", "done"]}
    inbox = await others.asked(InboxRequested)
    assert (inbox.name, inbox.time_zone) == ("Northwind Coffee", "UTC")
    welcome = await auth.spy.expect(NotificationRequested, lambda event: event.org == owner.org)
    assert (welcome.data.user_id, welcome.data.kind) == (owner.id, "organization.ready")
    assert welcome.envelope.audience == f"user:{owner.id}"
    saga = await others.saga()
    assert (saga["state"], [step["state"] for step in saga["steps"]]) == ("done", ["done"] * 3)


async def test_what_was_made_is_taken_back_and_made_again(auth: Harness, owner: Person) -> None:
    others = Others(auth, owner)
    wish = await others.asked(SubscriptionRequested)
    await others.answer(wish, _subscription(SubscriptionCreated, "trialing"))
    pipeline = await others.asked(PipelineRequested)
    await others.answer(pipeline, PipelineFailed(request_id=pipeline.request_id, reason="no room"))

    cancel = await others.asked(SubscriptionCancelRequested)
    assert cancel.cancels == wish.request_id
    await others.answer(cancel, _subscription(SubscriptionCancelled, "cancelled"))

    await others.until("failed")
    saga = await others.saga()
    assert (saga["state"], saga["reason"]) == ("undone", "pipeline: no room")
    assert (await owner.client.get("/v1/users")).status == 200, "people work all the same"
    assert not auth.spy.of(NotificationRequested, owner.org)
    again = await owner.client.post("/v1/organization/onboarding")
    assert (again.status, again.json()["onboarding"]) == (202, "running")
    assert (await owner.client.post("/v1/organization/onboarding")).status == 409
    await others.answer(
        await others.asked(SubscriptionRequested, 1), _subscription(SubscriptionCreated, "trialing")
    )
    second = await others.asked(PipelineRequested, 1)
    await others.answer(second, _pipeline(second))
    inbox = await others.asked(InboxRequested)
    await others.answer(inbox, _inbox(inbox))
    await others.until("done")


async def test_a_service_that_never_answers_is_given_up(auth: Harness, owner: Person) -> None:
    others = Others(auth, owner)
    await others.answer(
        await others.asked(SubscriptionRequested), _subscription(SubscriptionCreated, "trialing")
    )
    pipeline = await others.asked(PipelineRequested)
    await others.answer(pipeline, _pipeline(pipeline))
    inbox = await others.asked(InboxRequested)

    await auth.app.db.execute(
        "UPDATE jobs SET due_at = now() WHERE kind = 'onboarding_saga' AND key = $1", f"{inbox.request_id}:1"
    )

    undo = await others.asked(InboxDeleteRequested)
    assert undo.cancels == inbox.request_id, "it may be granted still"
    await others.answer(
        undo, InboxDeleted(inbox_id=undo.cancels, request_id=undo.request_id, reason=undo.reason)
    )
    undo = await others.asked(PipelineDeleteRequested)
    await others.answer(
        undo, PipelineDeleted(pipeline_id=undo.cancels, request_id=undo.request_id, reason=undo.reason)
    )
    cancel = await others.asked(SubscriptionCancelRequested)
    await others.answer(cancel, _subscription(SubscriptionCancelled, "cancelled"))
    await others.until("failed")
    assert (await others.saga())["reason"] == "inbox: no answer in time"


async def test_only_administrators_have_it_tried_again(people: People, owner: Person) -> None:
    member = await people.member(owner, "team_member")

    assert (await member.client.post("/v1/organization/onboarding")).status == 403
    assert (await owner.client.post("/v1/organization/onboarding")).status == 409, "it is going on"
