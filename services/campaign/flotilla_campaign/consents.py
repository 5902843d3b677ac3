"""Who may be written to: asked before anybody is enrolled, and again before each message."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from flotilla.bus.declare import projection
from flotilla.bus.envelope import Received
from flotilla.events.crm import ConsentChanged
from flotilla.store.postgres import Transaction

from flotilla_campaign.domain.consent import refusal
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


async def refusals(tx: Transaction, people: Iterable[Key], now: datetime) -> dict[Key, str]:
    """Those of these people who may not be written to, and why; two statements for all of them."""
    wanted = set(people)
    if not wanted:
        return {}
    said = await store.of(tx, wanted)
    rules = await store.rules(tx, (org for org, _ in wanted))
    home = OwnRule(tx.app.settings.region, strict=False)
    found: dict[Key, str] = {}
    for key in wanted:
        rule = rules.get(key[0], home)
        if (why := refusal(rule.region, said.get(key, ()), now, strict=rule.strict)) is not None:
            found[key] = why
    return found
