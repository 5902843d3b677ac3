"""Events of auth about organizations that let others read of them, or look after them.

A grant is told to both organizations, each in its own stream: `organizationid` is whose word it is to hear.
"""

from functools import partial
from uuid import UUID

from flotilla.events.base import Event, Moment, event

_event = partial(event, owner="auth")


class OrganizationGrant(Event, frozen=True, kw_only=True):
    """The state of a grant from one organization to another."""

    grant_id: UUID
    grantor_id: UUID
    """Whose things they are; of `administration`, the child."""
    grantee_id: UUID
    """Who may; of `administration`, the parent."""
    kind: str
    """`data`: people of the grantee may read; `administration`: its owners and administrators may enter."""
    permissions: list[str]
    """What may be read, of `data`; else empty."""
    expires_at: Moment | None
    """Null: until it is revoked."""
    state: str
    """`offered`, `active` or `revoked`."""


@_event("organization.grant.created.v1", subject="grant_id")
class OrganizationGrantCreated(OrganizationGrant, frozen=True, kw_only=True):
    """It is offered, or good from now on."""


@_event("organization.grant.accepted.v1", subject="grant_id")
class OrganizationGrantAccepted(OrganizationGrant, frozen=True, kw_only=True):
    """What was offered is good from now on: both sides want it."""


@_event("organization.grant.revoked.v1", subject="grant_id")
class OrganizationGrantRevoked(OrganizationGrant, frozen=True, kw_only=True):
    """It is good for nothing any more: one side has ended it."""

    revoked_at: Moment
    revoked_by: UUID
    """The organization that did."""


@_event("organization.entered.v1", subject="entry_id")
class OrganizationEntered(Event, frozen=True, kw_only=True):
    """Somebody of the parent organization entered its child, as an administrator of it."""

    entry_id: UUID
    grant_id: UUID
    parent_id: UUID
    user_id: UUID


@_event("organization.data.read.v1", subject="read_id", shared=True)
class OrganizationDataRead(Event, frozen=True, kw_only=True):
    """Somebody of another organization asked to read something of this one, and its grant allows it."""

    read_id: UUID
    grant_id: UUID
    grantee_id: UUID
    user_id: UUID
    """Of the grantee's people."""
    permission: str
    path: str
    """What was asked for, without its query."""
