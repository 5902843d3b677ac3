"""A service of nothing but routes: one of each kind that flotilla.http has an opinion about."""

import asyncio
import os
import signal
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Request, Response
from flotilla.events.crm import CompanyCreated
from flotilla.http import (
    ConflictError,
    CurrentApp,
    NotFoundError,
    Page,
    PageQuery,
    Routes,
    Tx,
    Who,
    Work,
    check_if_match,
    note_change,
    set_etag,
)
from flotilla.http.pages import page
from flotilla.ids import new_id
from flotilla.service import Service
from flotilla.store.postgres import Row, Transaction
from flotilla.testing import synthetic
from pydantic import BaseModel, Field

shops = Routes("/v1/shops", tag="shops")
may_go_on = asyncio.Event()
"""What a shop named "Waits" waits for, inside its transaction."""
waiting = asyncio.Event()


class Address(BaseModel):
    city: str


class Wanted(BaseModel):
    name: Annotated[str, Field(min_length=1, max_length=100)]
    size: int = 0
    address: Address | None = None


class Shop(BaseModel):
    id: UUID
    name: str
    sequence: int


@shops.post("", permission="companies:write", status_code=201)
async def open_shop(wanted: Wanted, tx: Tx, who: Who, response: Response) -> Shop:
    return await _open(wanted, tx, who.org, response)


@shops.post("/prepared", permission="companies:write", status_code=201)
async def open_prepared(wanted: Wanted, work: Work, who: Who, response: Response) -> Shop:
    """Something idempotent outside would be done here first."""
    return await _open(wanted, await work.begin(), who.org, response)


@shops.post("/open", permission="public", limit="open", status_code=201)
async def knock(work: Work) -> dict[str, str]:
    return {"token": str(new_id()), "key": work.idempotency_key or ""}


class Rung(BaseModel):
    name: str
    said: str


@shops.post("/{name}/bell", permission="companies:write", plain=True)
async def ring(name: str, request: Request, app: CurrentApp, work: Work) -> Rung:
    """Past FastAPI."""
    said = (await request.body()).decode()
    if said == "nobody":
        raise NotFoundError("Nobody is there.")
    if said == "broken":
        raise RuntimeError("a bug")
    if said == "open":
        tx = await work.begin()
        await tx.execute("INSERT INTO companies VALUES ($1, $2, $3, 1)", work.who.org, new_id(), name)
    return Rung(name=name, said=f"{app.service.name}: {said}")


@shops.get("", permission="companies:read")
async def by_name(tx: Tx, query: PageQuery) -> Page[Shop]:
    name, id_ = query.after(str, UUID) or ("", UUID(int=0))
    rows = await tx.fetch(
        "SELECT * FROM companies WHERE (name, id) > ($1, $2) ORDER BY name, id LIMIT $3",
        *(name, id_, query.limit + 1),
    )
    return page([_shop(row) for row in rows], query.limit, key=lambda shop: (shop.name, shop.id))


@shops.get("/by-sequence", permission="companies:read")
async def by_sequence(tx: Tx, query: PageQuery) -> list[int]:
    (sequence,) = query.after(int) or (0,)
    rows = await tx.fetch("SELECT sequence FROM companies WHERE sequence > $1::bigint", sequence)
    return [row["sequence"] for row in rows]


@shops.get("/by-moment", permission="companies:read")
async def by_moment(tx: Tx, query: PageQuery) -> list[str]:
    (moment,) = query.after(datetime) or (None,)
    return [str(await tx.fetchval("SELECT $1::timestamptz", moment))]


@shops.get("/{shop_id}", permission="companies:read")
async def read_shop(shop_id: UUID, tx: Tx, response: Response) -> Shop:
    row = await _find(tx, shop_id)
    set_etag(response, row["sequence"])
    return _shop(row)


@shops.patch("/{shop_id}", permission="companies:write")
async def rename(shop_id: UUID, wanted: Wanted, tx: Tx, request: Request) -> Shop:
    check_if_match(request, (await _find(tx, shop_id, "FOR UPDATE"))["sequence"])
    row = await tx.fetchrow(
        "UPDATE companies SET name = $2, sequence = sequence + 1 WHERE id = $1 RETURNING *",
        *(shop_id, wanted.name),
    )
    assert row
    return _shop(row)


class Sign(BaseModel):
    words: str
    color: str = "black"


@shops.put("/{shop_id}/sign", permission="companies:write", audited="values")
async def hang_sign(shop_id: UUID, sign: Sign, tx: Tx) -> Sign:
    await _find(tx, shop_id, "FOR UPDATE")
    return sign


@shops.put("/{shop_id}/board", permission="companies:write", status_code=204)
async def paint_board(shop_id: UUID, sign: Sign, work: Work, who: Who, own: bool = False) -> None:
    """Says what was and what is, and tells of something else besides; `own`: not as the request's."""
    if own:
        async with work.app.db.transaction(who.org, cause=work.cause) as tx:
            await _paint_board(tx, shop_id, sign, who)
    else:
        await _paint_board(await work.begin(), shop_id, sign, who)


async def _paint_board(tx: Transaction, shop_id: UUID, sign: Sign, who: Who) -> None:
    row = await _find(tx, shop_id, "FOR UPDATE")
    before, after = {"words": row["name"], "color": "black", "size": 3}, {**sign.model_dump(), "size": 3}
    note_change(before, after, user_id=who.user_id)
    painted = CompanyCreated(company_id=shop_id, name=row["name"], domain=None, owner_id=None, tags=[])
    tx.emit(painted, org=who.org, sequence=2)


@shops.post("/{shop_id}/look", permission="companies:write", audited="nothing", status_code=204)
async def look(shop_id: UUID) -> None:
    """Keeps nothing."""


@shops.post("/{shop_id}/paint", permission="companies:write", status_code=204)
async def paint(shop_id: UUID, sign: Sign, work: Work, who: Who, tell: bool = False) -> None:
    """In a transaction of its own."""
    async with work.app.db.transaction(who.org, cause=work.cause) as tx:
        row = await _find(tx, shop_id, "FOR UPDATE")
        if tell:
            painted = CompanyCreated(
                company_id=shop_id, name=row["name"], domain=None, owner_id=None, tags=[]
            )
            tx.emit(painted, org=who.org, sequence=2)


@shops.post("/{shop_id}/move", permission="companies:write", status_code=204)
async def move(shop_id: UUID, sign: Sign, work: Work, who: Who) -> None:
    """Commits by itself, and comes to an end right after, or looks at something else first."""
    app = work.app
    async with app.db.transaction(who.org) as looking:
        await _find(looking, shop_id, "FOR SHARE")
    if sign.words == "Refused":
        raise ConflictError("It stands where it is.")
    async with app.db.transaction(who.org, cause=work.cause) as tx:
        await tx.execute("UPDATE companies SET name = $2 WHERE id = $1", shop_id, sign.words)
    match sign.color:
        case "dead":
            os.kill(os.getpid(), signal.SIGKILL)
        case "broken":
            raise RuntimeError("a bug")
        case "twice":
            async with app.db.transaction(who.org, cause=work.cause) as tx:
                await tx.execute("UPDATE companies SET name = 'twice' WHERE id = $1", shop_id)


@shops.post("/{shop_id}/carry", permission="companies:write", status_code=204)
async def carry(shop_id: UUID, app: CurrentApp) -> None:
    """By a statement alone, with which nothing can be told: what no route should do."""
    await app.db.execute("DELETE FROM idempotency_keys WHERE key = $1", str(shop_id))


meeting = asyncio.Barrier(2)
met: list[UUID] = []
"""The first shop of each attempt at swapping."""


@shops.post("/{shop_id}/swap/{other_id}", permission="companies:write", status_code=204)
async def swap(shop_id: UUID, other_id: UUID, work: Work, who: Who, own: bool = False) -> None:
    """Holds one, meets whoever comes from the other side, and reaches for the other; `own`: not as the request's."""
    if own:
        async with work.app.db.transaction(who.org, cause=work.cause) as tx:
            await _swap(tx, shop_id, other_id)
    else:
        await _swap(await work.begin(), shop_id, other_id)


async def _swap(tx: Transaction, shop_id: UUID, other_id: UUID) -> None:
    await _find(tx, shop_id, "FOR UPDATE")
    first = shop_id not in met
    met.append(shop_id)
    if first:
        await meeting.wait()
    await _find(tx, other_id, "FOR UPDATE")
    await tx.execute("UPDATE companies SET sequence = sequence + 1 WHERE id = $1", shop_id)


@shops.delete("/{shop_id}", permission="users:write", recent=False, status_code=204)
async def close_shop(shop_id: UUID, tx: Tx) -> None:
    await tx.execute("DELETE FROM companies WHERE id = $1", shop_id)


async def _open(wanted: Wanted, tx: Transaction, org: UUID, response: Response) -> Shop:
    shop = Shop(id=new_id(), name=wanted.name, sequence=1)
    await tx.execute("INSERT INTO companies VALUES ($1, $2, $3, 1)", org, shop.id, shop.name)
    created = CompanyCreated(company_id=shop.id, name=shop.name, domain=None, owner_id=None, tags=[])
    tx.emit(created, org=org, sequence=1)
    match wanted.name:
        case "Fails":
            raise RuntimeError(f"{wanted.name} Ltd. of jane@example.org")
        case "Refused":
            raise ConflictError("There is one already.")
        case "Waits":
            waiting.set()
            await may_go_on.wait()
    response.headers["Location"] = f"/v1/shops/{shop.id}"
    set_etag(response, 1)
    return shop


async def _find(tx: Transaction, shop_id: UUID, how: str = "") -> Row:
    row = await tx.fetchrow(f"SELECT * FROM companies WHERE id = $1 {how}", shop_id)
    if row is None:
        raise NotFoundError("There is no such shop.")
    return row


def _shop(row: Row) -> Shop:
    return Shop(id=row["id"], name=row["name"], sequence=row["sequence"])


service = Service(
    name="crm", migrations_folder=synthetic.service.migrations, routes=(shops,), emits=(CompanyCreated,)
)
