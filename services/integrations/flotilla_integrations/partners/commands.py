"""What people do with subscriptions: each command changes one and tells of it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from flotilla.bus.envelope import encode
from flotilla.cause import Cause
from flotilla.http import ConflictError
from flotilla.ids import new_id
from flotilla.store.postgres import Transaction

from flotilla_integrations.partners import asking, secrets, telling
from flotilla_integrations.partners.domain import LISTENING, Kind, Secrets, State, Subscription
from flotilla_integrations.partners.store import deliveries, subscriptions, wants, window

MOST: Final = 50
TOLD: Final = ("name", "types", "filters", "personal_data", "state", "reason")
"""What the event tells of."""


async def create(tx: Transaction, org: UUID, values: Mapping[str, Any]) -> tuple[Subscription, str]:
    """A new subscription and its secret; a queue is being made, a webhook is active at once."""
    if await tx.fetchval(subscriptions.COUNT, org) >= MOST:
        raise ConflictError(f"An organization has at most {MOST} subscriptions: delete one.")
    kind, now, id_ = Kind(values["kind"]), datetime.now(UTC), new_id()
    shown, kept = secrets.fresh(kind)
    new = Subscription(
        **{**values, "kind": kind},
        organization_id=org,
        id=id_,
        sequence=1,
        state=State.PREPARING if kind is Kind.AMQP else State.ACTIVE,
        reason=None,
        sealed=secrets.seal(tx.app.keyring, id_, kept),
        runs=0,
        created_at=now,
        updated_at=now,
    )
    made = await subscriptions.add(tx, new)
    await wants.want(tx, org, made.id, made.types)
    if kind is Kind.AMQP:
        asking.provision(tx, org, made.id)
    telling.tell(tx, made)
    return made, shown


async def change(tx: Transaction, before: Subscription, values: Mapping[str, Any]) -> Subscription:
    """Change one that the transaction holds; where nothing differs, nothing happens."""
    if all(getattr(before, name) == value for name, value in values.items()):
        return before
    saved = await subscriptions.save(tx, replace(before, **values))
    listens = saved.state in LISTENING
    await wants.want(tx, saved.organization_id, saved.id, saved.types if listens else ())
    if saved.kind is Kind.AMQP and saved.state in (State.PREPARING, State.DELETED):
        asking.provision(tx, saved.organization_id, saved.id)
    if saved.state is State.ACTIVE:
        asking.take_turn(tx, saved.organization_id, saved.id)
    changed = {
        name: [getattr(before, name), getattr(saved, name)]
        for name in TOLD
        if getattr(before, name) != getattr(saved, name)
    }
    telling.tell(tx, saved, changed)
    return saved


async def pause(tx: Transaction, before: Subscription) -> Subscription:
    """Nothing goes out; what happens is kept for as long as the window."""
    if before.state is State.DISABLED:
        raise ConflictError("It is disabled already; nothing is kept for it. Resume it.")
    return await change(tx, before, {"state": State.PAUSED})


async def resume(tx: Transaction, before: Subscription) -> Subscription:
    """Go on, with what was kept meanwhile; also after it was disabled."""
    if before.state in (State.ACTIVE, State.PREPARING):
        return before
    # A queue is made sure of first: an operator may have removed it.
    state = State.PREPARING if before.kind is Kind.AMQP else State.ACTIVE
    return await change(tx, before, {"state": state, "reason": None})


async def delete(tx: Transaction, before: Subscription) -> None:
    """Nothing more is delivered; its queue, its user and its secrets go."""
    await change(tx, before, {"state": State.DELETED, "reason": None, "sealed": None})


async def rotate(tx: Transaction, before: Subscription) -> tuple[Subscription, str]:
    """A new secret. Webhooks are signed with the old one too for a day; a queue's password changes at once."""
    assert before.sealed is not None
    old: Secrets = secrets.unseal(tx.app.keyring, before.id, before.sealed)
    shown, kept = secrets.rotated(before.kind, old, datetime.now(UTC))
    saved = await change(tx, before, {"sealed": secrets.seal(tx.app.keyring, before.id, kept)})
    if saved.kind is Kind.AMQP:
        asking.provision(tx, saved.organization_id, saved.id)
    return saved, shown


async def send_test(tx: Transaction, to: Subscription, cause: Cause) -> UUID:
    """Have an event delivered that tells of the subscription itself, to it alone: the delivery's id."""
    region, org = tx.app.settings.region, to.organization_id
    event = encode(to.told(), org=org, sequence=to.sequence, cause=cause, region=region)
    new = deliveries.New(org, to.id, event.id, event.type, None, await _next_run(tx, to), event.body)
    return await _deliver(tx, to, new)


async def send_again(tx: Transaction, to: Subscription, row: Mapping[str, Any]) -> UUID:
    """Have one delivery made again: the new one's id."""
    new = deliveries.New(
        to.organization_id,
        to.id,
        row["event_id"],
        row["type"],
        row["position"],
        await _next_run(tx, to),
        row["body"],
    )
    return await _deliver(tx, to, new)


async def replay(tx: Transaction, to: Subscription, from_position: int) -> asking.Replay:
    """Have everything delivered again that it wants, from this position up to where the window ends now."""
    until = (await window.extent(tx, to.organization_id)).last
    run = await _next_run(tx, to)
    wanted = asking.Replay(to.id, run, after=from_position - 1, until=until)
    asking.replay(tx, to.organization_id, wanted)
    return wanted


async def _deliver(tx: Transaction, to: Subscription, new: deliveries.New) -> UUID:
    (id_,) = await deliveries.add(tx, [new])
    asking.take_turn(tx, to.organization_id, to.id)
    return id_


async def _next_run(tx: Transaction, to: Subscription) -> int:
    number: int = await tx.fetchval(subscriptions.NEXT_RUN, to.organization_id, to.id)
    return number
