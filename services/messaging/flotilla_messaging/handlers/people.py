"""Who is who, and what follows when somebody goes."""

from collections.abc import Sequence

from flotilla.bus.declare import projection, reaction
from flotilla.bus.envelope import Received
from flotilla.events.auth import User, UserCreated, UserDeactivated, UserUpdated
from flotilla.events.campaign import ContactUnsubscribed
from flotilla.events.crm import ContactIdentified
from flotilla.events.messaging import ConversationAssigned
from flotilla.store.postgres import Transaction

from flotilla_messaging.events import AUDIENCE, conversation_event
from flotilla_messaging.store import conversations, people


@projection(ContactIdentified, lane="directory", tables=("identities",))
async def keep_identities(tx: Transaction, batch: Sequence[Received[ContactIdentified]]) -> None:
    """Which contact is behind an identity."""
    await tx.execute(
        people.KEEP_IDENTITIES,
        [event.org for event in batch],
        [event.data.identity_id for event in batch],
        [event.data.contact_id for event in batch],
        [event.data.name for event in batch],
        [event.sequence for event in batch],
    )
    await tx.arrived(people.CONTACT, [event.data.contact_id for event in batch])


@projection(ContactUnsubscribed, lane="directory", tables=("opt_outs",))
async def keep_opt_outs(tx: Transaction, batch: Sequence[Received[ContactUnsubscribed]]) -> None:
    """Who is sent nothing any more that nobody wrote to them by hand."""
    await tx.execute(
        people.KEEP_OPT_OUTS,
        [event.org for event in batch],
        [event.data.contact_id for event in batch],
        [event.sequence for event in batch],
    )


@projection(UserCreated, UserUpdated, UserDeactivated, lane="directory", tables=("members",))
async def keep_members(tx: Transaction, batch: Sequence[Received[User]]) -> None:
    """Who may be given a conversation."""
    await tx.execute(
        people.KEEP_MEMBERS,
        [event.org for event in batch],
        [event.data.user_id for event in batch],
        [event.data.role for event in batch],
        [event.data.state for event in batch],
        [event.sequence for event in batch],
    )


@reaction(UserDeactivated, lane="directory")
async def release_conversations(tx: Transaction, batch: Sequence[Received[UserDeactivated]]) -> None:
    """What somebody who has gone was working on is nobody's again, so that others see it waiting."""
    gone = {(event.org, event.data.user_id): event for event in batch}
    held = await tx.fetch(people.HELD_BY, [org for org, _ in gone], [member for _, member in gone])
    keys = [(row["organization_id"], row["id"]) for row in held]
    released = []
    for before in await conversations.lock(tx, keys):
        event = gone.get((before.organization_id, before.assignee_id)) if before.assignee_id else None
        if event is None:  # given to somebody else meanwhile
            continue
        after = before.assigned(None)
        released.append(after)
        tx.emit(
            conversation_event(ConversationAssigned, after, before),
            org=after.organization_id,
            sequence=after.sequence,
            cause=event,
            audience=AUDIENCE,
        )
    await conversations.save(tx, released)
