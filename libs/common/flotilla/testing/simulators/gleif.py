"""A local server that speaks GLEIF's API, the register of legal entity identifiers (api.gleif.org/api/v1, JSON:API).

`GET /lei-records/{lei}`, and under it `/direct-parent`, `/ultimate-parent` (a record, or 404) and
`/direct-parent-reporting-exception`, `/ultimate-parent-reporting-exception` (why there is none, or 404).

    async with GleifSimulator.running() as gleif:
        gleif.register("529900T8BM49AURSDO55", "Ink & Paper GmbH", country="DE", parent="HWUPKR0MPOU8FGXBT394")
        gleif.fails("529900T8BM49AURSDO55", throttled(2))
"""

from dataclasses import dataclass
from typing import Any, Final

import msgspec
from aiohttp import web

from flotilla.testing.simulators.register import Drop, Fault, Hang, RegisterSimulator, Say

MEDIA_TYPE: Final = "application/vnd.api+json"


@dataclass(frozen=True, kw_only=True)
class Record:
    """What GLEIF knows of an entity; the parts of it that differ between entities here."""

    lei: str
    name: str
    country: str = "DE"
    city: str = "Berlin"
    line: str = "Hauptstr. 1"
    status: str = "ISSUED"
    entity_status: str = "ACTIVE"
    registered_as: str | None = None
    next_renewal: str = "2031-06-01T00:00:00Z"
    parent: str | None = None
    ultimate_parent: str | None = None
    exception: str = "NO_KNOWN_PERSON"


def throttled(seconds: int = 1) -> Say:
    """The answer to more than 60 requests a minute."""
    return Say(429, _errors("429", "Too Many Requests"), {"Retry-After": str(seconds)}, MEDIA_TYPE)


def _errors(status: str, title: str) -> bytes:
    return msgspec.json.encode({"errors": [{"status": status, "title": title}]})


class GleifSimulator(RegisterSimulator):
    """GLEIF: what is not registered is not found."""

    base = "/api/v1"

    def __init__(self) -> None:
        super().__init__()
        self._records: dict[str, Record] = {}

    def register(self, lei: str, name: str, **more: Any) -> None:
        """Know an entity, or let something about it be otherwise."""
        self._records[lei] = Record(lei=lei, name=name, **more)

    def forget(self, lei: str) -> None:
        """Know it no more."""
        self._records.pop(lei, None)

    def _route(self, app: web.Application) -> None:
        records = f"{self.base}/lei-records/{{lei}}"
        app.router.add_get(records, self._record)
        for level in ("direct", "ultimate"):
            app.router.add_get(f"{records}/{{level:{level}}}-parent", self._parent)
            app.router.add_get(f"{records}/{{level:{level}}}-parent-reporting-exception", self._exception)

    async def _record(self, request: web.Request) -> web.Response:
        lei = request.match_info["lei"]
        record = self._records.get(lei)
        return await self._answer(
            request, lei, self._document(_record(record)) if record else self._not_found()
        )

    async def _parent(self, request: web.Request) -> web.Response:
        lei, level = request.match_info["lei"], request.match_info["level"]
        parent = self._records.get(_parent_of(self._records.get(lei), level) or "")
        known = self._document(_record(parent)) if parent else self._not_found()
        return await self._answer(request, f"{lei}/{level}-parent", known)

    async def _exception(self, request: web.Request) -> web.Response:
        lei, level = request.match_info["lei"], request.match_info["level"]
        record = self._records.get(lei)
        if record is None or _parent_of(record, level):
            known = self._not_found()
        else:
            category = f"{level.upper()}_ACCOUNTING_CONSOLIDATION_PARENT"
            attributes = {"lei": lei, "category": category, "reason": record.exception}
            known = self._document({"type": "reporting-exceptions", "id": lei, "attributes": attributes})
        return await self._answer(request, f"{lei}/{level}-parent-reporting-exception", known)

    @staticmethod
    def _document(resource: dict[str, Any]) -> web.Response:
        return web.Response(body=msgspec.json.encode({"data": resource}), content_type=MEDIA_TYPE)

    @staticmethod
    def _not_found() -> web.Response:
        return web.Response(status=404, body=_errors("404", "Not Found"), content_type=MEDIA_TYPE)


def _parent_of(record: Record | None, level: str) -> str | None:
    if record is None:
        return None
    return record.parent if level == "direct" else record.ultimate_parent or record.parent


def _record(record: Record) -> dict[str, Any]:
    address = {
        "language": "de",
        "addressLines": [record.line],
        "city": record.city,
        "region": None,
        "country": record.country,
        "postalCode": "10115",
    }
    return {
        "type": "lei-records",
        "id": record.lei,
        "attributes": {
            "lei": record.lei,
            "entity": {
                "legalName": {"name": record.name, "language": "de"},
                "otherNames": [],
                "legalAddress": address,
                "headquartersAddress": address,
                "registeredAt": {"id": "RA000242", "other": None},
                "registeredAs": record.registered_as,
                "jurisdiction": record.country,
                "category": "GENERAL",
                "legalForm": {"id": "2HBR", "other": None},
                "status": record.entity_status,
            },
            "registration": {
                "initialRegistrationDate": "2014-03-01T00:00:00Z",
                "lastUpdateDate": "2026-01-05T08:00:00Z",
                "status": record.status,
                "nextRenewalDate": record.next_renewal,
                "managingLou": "5299000J2N45DDNE4Y28",
                "corroborationLevel": "FULLY_CORROBORATED",
            },
        },
        "relationships": {
            f"{level}-parent": {"links": _links(record, level)} for level in ("direct", "ultimate")
        },
        "links": {"self": f"https://api.gleif.org/api/v1/lei-records/{record.lei}"},
    }


def _links(record: Record, level: str) -> dict[str, str]:
    own = f"https://api.gleif.org/api/v1/lei-records/{record.lei}/{level}-parent"
    if _parent_of(record, level):
        return {"relationship-record": f"{own}-relationship", "lei-record": own}
    return {"reporting-exception": f"{own}-reporting-exception"}


__all__ = ["Drop", "Fault", "GleifSimulator", "Hang", "Record", "Say", "throttled"]
