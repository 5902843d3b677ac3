"""/v1/roles: the table of permissions."""

from flotilla.http import Page, Routes
from flotilla.security.permissions import ROLES
from pydantic import BaseModel

routes = Routes("/v1/roles", tag="roles")


class RoleView(BaseModel):
    """A role and what it may, as `<resource>:<action>`."""

    name: str
    permissions: list[str]


@routes.get("", permission="users:read")
async def list_roles() -> Page[RoleView]:
    """Every role there is."""
    return Page(items=[RoleView(name=name, permissions=sorted(may)) for name, may in ROLES.items()])
