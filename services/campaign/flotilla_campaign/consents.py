"""Who may be written to: asked before anybody is enrolled, and again before each message."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from flotilla.bus.declare import projection
from flotilla.bus.envelope import Received
from flotilla.consent import known
from flotilla.consent import store as kept
from flotilla.consent.known import Key
from flotilla.consent.rules import OwnRule, Verdict
from flotilla.events.campaign import ConsentRuleChanged
from flotilla.events.crm import ConsentChanged, ContactLocated
from flotilla.store.postgres import Transaction

from flotilla_campaign.store import consents as store


@projection(ConsentChanged, lane="directory", tables=("marketing_consents",))
async def keep_consents(tx: Transaction, batch: Sequence[Received[ConsentChanged]]) -> None:
    """What people said about marketing; what they said of other things is not campaign's to know."""
    await kept.keep_consents(tx, batch)


@projection(ContactLocated, lane="directory", tables=("contact_regions",))
async def keep_regions(tx: Transaction, batch: Sequence[Received[ContactLocated]]) -> None:
    """Under whose law people live, by their telephone numbers."""
    await kept.keep_regions(tx, batch)


async def verdicts(tx: Transaction, people: Mapping[Key, str | None], now: datetime) -> dict[Key, Verdict]:
    """Which of these people may be written to, and how, or why not: each with their time zone, where it is known. Two
    statements for all of them."""
    if not people:
        return {}
    asked = await known.read(tx, (org for org, _ in people), people)
    return {key: asked.verdict(*key, now, time_zone=zone) for key, zone in people.items()}


async def decide(tx: Transaction, wanted: OwnRule, org: UUID, before: OwnRule | None) -> OwnRule:
    """The organization goes by this from now on; told, with its reason."""
    now = await store.set_rule(tx, org, wanted)
    was = before or OwnRule(tx.app.settings.region)
    names = ("region", "strict", "known", "reason")
    changed = {
        name: [getattr(was, name), getattr(now, name)]
        for name in names
        if getattr(was, name) != getattr(now, name)
    }
    fact = ConsentRuleChanged(
        organization_id=org,
        region=now.region,
        strict=now.strict,
        known=now.known,
        reason=now.reason,
        changed=changed,
    )
    tx.emit(fact, org=org, sequence=now.sequence)
    return now
