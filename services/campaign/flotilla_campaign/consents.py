"""Who may be written to: asked before anybody is enrolled, and again before each message."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from flotilla.bus.declare import projection
from flotilla.bus.envelope import Received
from flotilla.events.campaign import ConsentRuleChanged
from flotilla.events.crm import ConsentChanged
from flotilla.store.postgres import Transaction

from flotilla_campaign.domain.consent import Said, Verdict, verdict
from flotilla_campaign.domain.whereabouts import region_of
from flotilla_campaign.store import consents as store
from flotilla_campaign.store.consents import Key, OwnRule

MARKETING = "marketing"


@projection(ConsentChanged, lane="directory", tables=("marketing_consents",))
async def keep_consents(tx: Transaction, batch: Sequence[Received[ConsentChanged]]) -> None:
    """What people said about marketing; what they said of other things is not campaign's to know."""
    rows = [
        (
            event.org,
            event.data.consent_id,
            event.sequence,
            event.data.contact_id,
            event.data.channel,
            event.data.state,
            event.data.legal_basis,
            event.data.said_at,
        )
        for event in batch
        if event.data.purpose == MARKETING
    ]
    if rows:
        await store.keep(tx, rows)


async def verdicts(tx: Transaction, people: Mapping[Key, str | None], now: datetime) -> dict[Key, Verdict]:
    """Which of these people may be written to, and how, or why not: each with their time zone, where it is known. Two
    statements for all of them."""
    if not people:
        return {}
    said = await store.of(tx, people)
    rules = await store.rules(tx, (org for org, _ in people))
    home = OwnRule(tx.app.settings.region)
    return {
        key: _verdict(rules.get(key[0], home), region_of(zone), said.get(key, ()), now)
        for key, zone in people.items()
    }


def _verdict(own: OwnRule, lives_in: str | None, said: Sequence[Said], now: datetime) -> Verdict:
    """By the organization's rule; and by that of where they live, where it is another."""
    found = verdict(own.region, said, now, strict=own.strict, known=own.known)
    if lives_in is None or lives_in == own.region:
        return found
    return found.and_also(verdict(lives_in, said, now, strict=own.strict, known=own.known))


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
