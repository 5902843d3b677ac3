"""/v1/organization: the caller's own."""

from dataclasses import replace

from fastapi import Request, Response
from flotilla.events.auth import OrganizationUpdated
from flotilla.http import ConflictError, Routes, Tx, Who, Work, check_if_match, set_etag

from flotilla_auth import events, onboarding
from flotilla_auth.api.fields import Body, Currency, Locale, Name, TimeZone
from flotilla_auth.api.views import OrganizationView
from flotilla_auth.domain.entities import Organization
from flotilla_auth.store import organizations

routes = Routes("/v1/organization", tag="organization")


class OrganizationChange(Body):
    """What is left out stays."""

    name: Name | None = None
    locale: Locale | None = None
    time_zone: TimeZone | None = None
    currency: Currency | None = None


@routes.get("", permission="organization:read")
async def read_organization(tx: Tx, who: Who, response: Response) -> OrganizationView:
    """Its settings."""
    return _view(await organizations.read(tx, who.org), response)


@routes.patch("", permission="organization:write")
async def change_organization(
    body: OrganizationChange, tx: Tx, who: Who, request: Request, response: Response
) -> OrganizationView:
    """Change its settings."""
    before = await organizations.lock(tx, who.org)
    check_if_match(request, before.sequence)
    wanted = replace(before, **body.model_dump(exclude_none=True))
    if wanted == before:
        return _view(before, response)
    now = await organizations.update(tx, wanted)
    events.organization(tx, OrganizationUpdated, now, before)
    return _view(now, response)


@routes.post("/onboarding", permission="organization:write", status_code=202)
async def onboard_again(tx: Tx, work: Work, who: Who, response: Response) -> OrganizationView:
    """Have others prepare again what an organization begins with; 409 where that has not failed.

    `onboarding` says how it goes, and GET /v1/sagas/auth step by step.
    """
    before = await organizations.lock(tx, who.org)
    if before.onboarding != onboarding.FAILED:
        raise ConflictError(f"The onboarding of your organization is {before.onboarding}.")
    now = await organizations.update(tx, replace(before, onboarding=onboarding.RUNNING))
    events.organization(tx, OrganizationUpdated, now, before)
    await onboarding.begin(tx, now, who.user_id, work.cause)
    return _view(now, response)


def _view(organization: Organization, response: Response) -> OrganizationView:
    set_etag(response, organization.sequence)
    return OrganizationView.model_validate(organization)
