"""/v1/counterparty-sources."""

from typing import Literal
from uuid import UUID

from flotilla.http import Routes, Tx, Who
from flotilla.http.bodies import Shown
from pydantic import AwareDatetime

from flotilla_kyb.store import alerts as store

sources = Routes("/v1/counterparty-sources", tag="counterparty sources")


class RegisterOut(Shown):
    """A register, or the member state's part of one, that has failed at some time."""

    id: UUID
    source: str
    scope: str | None
    state: Literal["up", "down"]
    reason: str | None
    since: AwareDatetime


@sources.get("", permission="counterparties:read")
async def list_counterparty_sources(tx: Tx, who: Who) -> list[RegisterOut]:
    """Which registers do not answer, and which do again; one that never failed is not among them."""
    rows = await tx.fetch(store.SOURCES, who.org)
    return [RegisterOut(**{**row, "scope": row["scope"] or None}) for row in rows]
