"""From events to archived rows, and back to what a reader may see."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from flotilla.bus.declare import RawEvent
from flotilla.security.sealing import Keyring
from flotilla.store.postgres import Row, Transaction

from flotilla_analytics.domain import persons
from flotilla_analytics.domain.ageing import end_of_week, kind_of
from flotilla_analytics.domain.ciphers import PersonCipher, period_in
from flotilla_analytics.domain.personal import Parts, divide, unite
from flotilla_analytics.store import archive
from flotilla_analytics.store.keys import Ciphers, Gone, Held, Person, Wanted, make_ciphers, read_ciphers
from flotilla_analytics.store.persons import link_identities

IDENTIFIED: Final = "contact.identified.v1"
ALIASES: Final = {
    IDENTIFIED: ("identity_id", "contact_id"),
    "invitation.accepted.v1": ("invitation_id", "user_id"),
}
"""What tells who somebody turned out to be whose personal data was sealed under what was known of them before."""


class Personal(StrEnum):
    """What became of what was personal in an event."""

    NONE = "none"
    """There was nothing."""
    SHOWN = "shown"
    REDACTED = "redacted"
    """It is there, and not for who asks."""
    ERASED = "erased"
    """The person was."""
    AGED_OUT = "aged_out"
    """It was older than the organization keeps it."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An archived event's data, as far as there is any."""

    data: dict[str, Any]
    personal: Personal


async def archive_events(tx: Transaction, keyring: Keyring, events: Sequence[RawEvent]) -> None:
    """Keep each event once, its personal part sealed under the person's key, or theirs of the week."""
    divided = [(event, divide(event.envelope.type, bytes(event.envelope.data))) for event in events]
    if links := _links(divided):
        await link_identities(tx, links)
    ciphers = await make_ciphers(
        tx, keyring, {_key_of(event, parts) for event, parts in divided if parts.personal is not None}
    )
    await archive.insert(tx, [_row(event, parts, ciphers) for event, parts in divided])


async def open_events(tx: Transaction, keyring: Keyring, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The `data` of archived rows; personal fields are null where the person was erased, or they grew old."""
    return [opened.data for opened in await open_parts(tx, keyring, rows)]


async def open_parts(tx: Transaction, keyring: Keyring, rows: Sequence[Row]) -> list[Opened]:
    """The same, and of each what became of what is personal."""
    held = [_held(row) if row["sealed"] is not None else None for row in rows]
    ciphers = await read_ciphers(tx, keyring, filter(None, held))
    return [_open(row, ciphers[key] if key else None) for row, key in zip(rows, held, strict=True)]


def redacted(row: Row) -> Opened:
    """An archived row without anything personal."""
    personal = Personal.NONE if row["person"] is None else Personal.REDACTED
    return Opened(unite(row["data"], None), personal)


def _key_of(event: RawEvent, parts: Parts) -> Wanted:
    """By which key its personal part is sealed."""
    org, kind = event.envelope.organizationid, kind_of(event.envelope.type)
    if not kind:
        return Wanted(org, parts.person)
    return Wanted(org, parts.person, kind, end_of_week(event.envelope.time))


def _held(row: Row) -> Held:
    return Held(row["organization_id"], row["person"], period_in(row["sealed"]))


def _open(row: Row, cipher: PersonCipher | Gone | None) -> Opened:
    if isinstance(cipher, PersonCipher):
        plain = cipher.open(row["sealed"], row["organization_id"], row["id"])
        return Opened(unite(row["data"], plain), Personal.SHOWN)
    if cipher is None:  # nothing was sealed: there was nothing, or the person had been erased by then
        return Opened(unite(row["data"], None), Personal.NONE if row["person"] is None else Personal.ERASED)
    return Opened(unite(row["data"], None), Personal(cipher))


def _row(event: RawEvent, parts: Parts, ciphers: Ciphers) -> tuple[object, ...]:
    envelope = event.envelope
    org, event_id = envelope.organizationid, envelope.id
    person = sealed = None
    if parts.personal is not None:
        person = parts.person
        cipher = ciphers[_key_of(event, parts)]
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
    """Which identities and invitations turned out to be whom, the newest of each."""
    links: dict[Person, tuple[str, int]] = {}
    for event, parts in divided:
        envelope, fields = event.envelope, parts.fields
        if envelope.type not in ALIASES or not fields:
            continue
        known_as, is_now = (persons.reference(name, fields.get(name)) for name in ALIASES[envelope.type])
        person, link = (envelope.organizationid, known_as), (is_now, int(envelope.sequence))
        if person not in links or links[person][1] < link[1]:
            links[person] = link
    return links
