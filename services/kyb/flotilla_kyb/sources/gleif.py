"""GLEIF, the register of legal entity identifiers: api.gleif.org, JSON:API 1.0.

A record links, for the direct and the ultimate parent, either the parent's record or the exception that says why
there is none; a 404 there is an answer. The links are taken as words, the addresses are our own: an answer cannot
send us elsewhere.
"""

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from flotilla_kyb.domain.identity import GLEIF, Identity
from flotilla_kyb.domain.rules import GONE
from flotilla_kyb.sources.base import Answer, Asking, SourceDownError, told
from flotilla_kyb.sources.pace import Pace

MEDIA_TYPE: Final = "application/vnd.api+json"
UNREADABLE: Final = "Its answer cannot be read."


class _Named(msgspec.Struct):
    name: str


class _Address(msgspec.Struct, rename="camel"):
    country: str
    address_lines: list[str] = []
    city: str | None = None
    region: str | None = None
    postal_code: str | None = None


class _Entity(msgspec.Struct, rename="camel"):
    legal_name: _Named
    legal_address: _Address
    status: str | None = None
    jurisdiction: str | None = None
    registered_as: str | None = None


class _Registration(msgspec.Struct, rename="camel"):
    status: str
    next_renewal_date: str | None = None


class _Attributes(msgspec.Struct):
    lei: str
    entity: _Entity
    registration: _Registration


class _Relationship(msgspec.Struct):
    links: dict[str, Any] = {}


class _Record(msgspec.Struct):
    id: str
    attributes: _Attributes
    relationships: dict[str, _Relationship] = {}


class _Document(msgspec.Struct):
    data: _Record


@dataclass(frozen=True)
class Gleif:
    """The client."""

    address: str
    pace: Pace
    name: str = GLEIF

    async def ask(self, asking: Asking, identity: Identity) -> Answer:
        """The record of the LEI, and its parents."""
        assert identity.lei is not None
        record = await self._record(asking, identity.lei)
        if record is None:
            return Answer(False, {"registered": "no"}, reason="GLEIF does not know the LEI.")
        if record.attributes.lei != identity.lei:
            raise SourceDownError(UNREADABLE)
        fields = _fields(record)
        for level in ("direct", "ultimate"):
            links = record.relationships.get(f"{level}-parent", _Relationship()).links
            fields |= await self._parent(asking, identity.lei, level, links)
        status = record.attributes.registration.status
        ended = status in GONE or record.attributes.entity.status == "INACTIVE"
        return Answer(not ended, fields, reason=f"The LEI is {status}." if ended else None)

    async def _record(self, asking: Asking, path: str) -> _Record | None:
        said = await self._get(asking, path)
        if said is None:
            return None
        try:
            return msgspec.convert(said, _Document).data
        except msgspec.ValidationError as error:
            raise SourceDownError(UNREADABLE) from error

    async def _parent(
        self, asking: Asking, lei: str, level: str, links: dict[str, Any]
    ) -> dict[str, str | None]:
        """The parent's LEI and name, or why there is none."""
        field = f"{level}_parent"
        if "lei-record" in links:
            parent = await self._record(asking, f"{lei}/{level}-parent")
            if parent is not None:
                name = told(parent.attributes.entity.legal_name.name)
                return {field: parent.attributes.lei, f"{field}_name": name}
        elif "reporting-exception" in links:
            said = await self._get(asking, f"{lei}/{level}-parent-reporting-exception")
            return {field: _exception(said)}
        return {field: None}

    async def _get(self, asking: Asking, path: str) -> Any:
        """The document, None where there is none."""
        status, said = await asking.ask("GET", f"{self.address}/lei-records/{path}", accept=MEDIA_TYPE)
        if status == 404:
            return None
        if status != 200:
            raise SourceDownError(f"It answers with HTTP {status}.")
        return said


def _fields(record: _Record) -> dict[str, str | None]:
    entity, registration = record.attributes.entity, record.attributes.registration
    address = entity.legal_address
    parts = (
        *address.address_lines,
        f"{address.postal_code or ''} {address.city or ''}",
        address.region or "",
        address.country,
    )
    return {
        "registered": "yes",
        "name": told(entity.legal_name.name),
        "address": told("\n".join(parts)),
        "country": told(address.country),
        "jurisdiction": told(entity.jurisdiction),
        "registered_as": told(entity.registered_as),
        "entity_status": told(entity.status),
        "registration_status": told(registration.status),
        "next_renewal": told(registration.next_renewal_date),
    }


def _exception(said: Any) -> str | None:
    """`none: NO_KNOWN_PERSON` and the like."""
    if said is None:
        return None
    try:
        return f"none: {told(said['data']['attributes']['reason'])}"
    except (KeyError, TypeError) as error:
        raise SourceDownError(UNREADABLE) from error
