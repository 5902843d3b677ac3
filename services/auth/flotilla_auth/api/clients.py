"""/v1/clients: people outside who sign in as a contact of the organization, and see what is theirs."""

from uuid import UUID

from flotilla.http import NotFoundError, Page, PageQuery, Routes, Tx, Who

from flotilla_auth import clients
from flotilla_auth.api.orders import BY_USER, ByUser
from flotilla_auth.api.views import View
from flotilla_auth.store import clients as store
from flotilla_auth.store import users

routes = Routes("/v1", tag="clients")


class ClientView(View):
    """Somebody who is a client."""

    user_id: UUID
    contact_ids: list[UUID]
    """The contact they were invited as, and those that were merged with it."""


@routes.get("/clients", permission="users:read")
async def list_clients(tx: Tx, who: Who, query: PageQuery, sort: ByUser = "user_id") -> Page[ClientView]:
    """Who is linked to a contact; POST /v1/invitations with the role `client` and a `contact_id` makes one."""
    order = BY_USER[sort]
    found = await store.page(tx, who.org, order, query.place(sort, order), query.limit + 1)
    return query.page([ClientView.model_validate(each) for each in found], sort, order)


@routes.delete("/users/{user_id}/contact", permission="users:write", recent=False, status_code=204)
async def unlink_client(user_id: UUID, tx: Tx, who: Who) -> None:
    """They are no contact's any more, and see nothing of one from then on; they may still sign in."""
    if await users.lock(tx, who.org, user_id) is None:
        raise NotFoundError("There is no such person in your organization.")
    await clients.unlink(tx, who.org, user_id)
