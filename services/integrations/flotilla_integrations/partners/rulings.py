"""What comes of turns and of making queues for the subscription itself: ready, disabled."""

from flotilla.bus.declare import Job, TimerKind
from flotilla.store.postgres import Transaction

from flotilla_integrations.partners import asking, telling
from flotilla_integrations.partners.asking import RULING, Ruling
from flotilla_integrations.partners.domain import State
from flotilla_integrations.partners.store import subscriptions, wants


async def rule(tx: Transaction, job: Job) -> None:
    """Apply it, unless the subscription has changed since."""
    ruling: Ruling = job.payload
    if ruling.verdict == "ready":
        after = await subscriptions.one(tx, subscriptions.READY, job.org, ruling.subscription_id)
        before = State.PREPARING
        asking.take_turn(tx, job.org, ruling.subscription_id)
    else:
        after = await subscriptions.one(
            tx, subscriptions.DISABLE, job.org, ruling.subscription_id, ruling.sequence, ruling.reason
        )
        before = State.ACTIVE
        if after is not None:
            await wants.want(tx, job.org, after.id, ())
    if after is not None:
        changed = {"state": [before, after.state]}
        telling.tell(tx, after, changed | ({"reason": [None, after.reason]} if after.reason else {}))


ruling_timer = TimerKind(RULING, Ruling, rule)
