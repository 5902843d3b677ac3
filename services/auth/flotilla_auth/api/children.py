"""/v1/organization/children: organizations that the caller's founds and looks after."""

from uuid import UUID

from fastapi import Response
from flotilla.features import CHILD_ORGANIZATIONS
from flotilla.http import Routes, Who, Work
from pydantic import BaseModel

from flotilla_auth import children
from flotilla_auth.api.fields import Body, Name
from flotilla_auth.api.grants import check_owner

routes = Routes("/v1/organization/children", tag="organization")


class NewChild(Body):
    """A new organization."""

    name: Name


class ChildView(BaseModel):
    """It has been founded; what others prepare for it follows."""

    id: UUID
    name: str
    slug: str
    received_grant_id: UUID
    """By which the parent's owners and administrators enter it."""


@routes.post("", permission="organization:write", recent=True, status_code=201, feature=CHILD_ORGANIZATIONS)
async def found_child(body: NewChild, work: Work, who: Who, response: Response) -> ChildView:
    """Found an organization that this one looks after; an owner may, and owns it too. It takes an enterprise plan."""
    check_owner(who)
    made, grant = await children.found(work, who, body.name)
    response.headers["Location"] = f"/v1/organization/received-grants/{grant.id}"
    return ChildView(id=made.id, name=made.name, slug=made.slug, received_grant_id=grant.id)
