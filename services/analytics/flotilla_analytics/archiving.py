"""From events to archived rows, and back to what a reader may see."""

from collections.abc import Sequence
from typing import Any, Final

from flotilla.bus.declare import RawEvent
from flotilla.security.sealing import Keyring
from flotilla.store.postgres import Row, Transaction

from flotilla_analytics.domain import persons
from flotilla_analytics.domain.personal import Parts, divide, unite
from flotilla_analytics.store import archive
from flotilla_analytics.store.persons import Person, link_identities, make_ciphers, read_ciphers

IDENTIFIED: Final = "contact.identified.v1"


async def archive_events(tx: Transaction, keyring: Keyring, events: Sequence[RawEvent]) -> None:
    """Keep each event once, its personal part sealed under the person's key."""
    divided = [(event, divide(event.envelope.type, bytes(event.envelope.data))) for event in events]
    if links := _links(divided):
        await link_identities(tx, links)
    people = {
        (event.envelope.organizationid, parts.person)
        for event, parts in divided
        if parts.personal is not None
    }
    ciphers = await make_ciphers(tx, keyring, people)
    await archive.insert(tx, [_row(event, parts, ciphers) for event, parts in divided])


async def open_events(tx: Transaction, keyring: Keyring, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The `data` of archived rows; personal fields are null where the person was erased."""
    ciphers = await read_ciphers(
        tx, keyring, {(row["organization_id"], row["person"]) for row in rows if row["sealed"] is not None}
    )
    return [_open(row, ciphers) for row in rows]


def redacted(row: Row) -> dict[str, Any]:
    """The `data` of an archived row without anything personal."""
    return unite(row["data"], None)


def _open(row: Row, ciphers: dict[Person, Any]) -> dict[str, Any]:
    org = row["organization_id"]
    cipher = ciphers.get((org, row["person"])) if row["sealed"] is not None else None
    return unite(row["data"], cipher.open(row["sealed"], org, row["id"]) if cipher else None)


def _row(event: RawEvent, parts: Parts, ciphers: dict[Person, Any]) -> tuple[object, ...]:
    envelope = event.envelope
    org, event_id = envelope.organizationid, envelope.id
    person = sealed = None
    if parts.personal is not None:
        person = parts.person
        cipher = ciphers[org, person]
        sealed = cipher.seal(parts.personal, org, event_id) if cipher else None
    return (
        org,
        event_id,
        envelope.type,
        envelope.source,
        envelope.subject,
        envelope.time,
        int(envelope.sequence),
        envelope.region,
        envelope.correlationid,
        envelope.causationid,
        envelope.requestid,
        envelope.traceparent,
        envelope.actor,
        envelope.audience,
        parts.public,
        person,
        sealed,
    )


def _links(divided: Sequence[tuple[RawEvent, Parts]]) -> dict[Person, tuple[str, int]]:
    """Which identities turned out to be whom, the newest of each."""
    links: dict[Person, tuple[str, int]] = {}
    for event, parts in divided:
        envelope, fields = event.envelope, parts.fields
        if envelope.type != IDENTIFIED or not fields:
            continue
        person = (envelope.organizationid, persons.identity(fields.get("identity_id")))
        link = (persons.contact(fields.get("contact_id")), int(envelope.sequence))
        if person not in links or links[person][1] < link[1]:
            links[person] = link
    return links
