"""/v1/organization: the caller's own."""

from dataclasses import replace
from typing import Annotated, Any, Final

from fastapi import Request, Response
from flotilla.events.auth import OrganizationUpdated
from flotilla.http import ConflictError, Routes, Tx, Who, Work, check_if_match, set_etag
from flotilla.http.bodies import Patch
from flotilla.http.routes import check_recent
from flotilla.security.principal import Principal
from pydantic import AfterValidator, Field

from flotilla_auth import events, onboarding, sessions
from flotilla_auth.api.fields import Currency, Domain, Locale, Name, TimeZone
from flotilla_auth.api.views import OrganizationView
from flotilla_auth.domain.entities import Organization
from flotilla_auth.domain.names import SLUG_LENGTH
from flotilla_auth.domain.origins import LONGEST_ORIGIN, MOST_ORIGINS, origins
from flotilla_auth.store import organizations

Origins = Annotated[
    list[Annotated[str, Field(max_length=LONGEST_ORIGIN)]],
    Field(max_length=MOST_ORIGINS),
    AfterValidator(origins),
]

routes = Routes("/v1/organization", tag="organization")
WHEN_IT_OPENS: Final = (
    "it demands a second factor or no more, lets pages act for its people, or changes its slug"
)
SLUG: Final = "^[a-z0-9]+(-[a-z0-9]+)*$"
MOST_SLUGS: Final = 5
"""As many may an organization have had: names are everybody's."""


class OrganizationChange(Patch):
    """What is left out stays."""

    name: Name | None = None
    slug: Annotated[str, Field(pattern=SLUG, max_length=SLUG_LENGTH)] | None = None
    """What others name it by; those that it had stay its own, so that nothing meant for it reaches another."""
    locale: Locale | None = None
    time_zone: TimeZone | None = None
    currency: Currency | None = None
    second_factor_required: bool | None = None
    """Whether nobody enters without one; whoever did ends, and adds one with their next sign-in."""
    allowed_origins: Origins | None = None
    """Whose pages may call the API in a browser for people of the organization, with their cookies too."""
    domain: Domain | None = None
    """The company's; null: none. It is what you state: nobody looks whether it is yours, others may state the same,
    and nothing is let in or sent because of it. Refused is one under which others register, as `co.uk`."""


@routes.get("", permission="organization:read")
async def read_organization(tx: Tx, who: Who, response: Response) -> OrganizationView:
    """Its settings."""
    return _view(await organizations.read(tx, who.org), response)


@routes.patch("", permission="organization:write", recent=WHEN_IT_OPENS)
async def change_organization(
    body: OrganizationChange, tx: Tx, who: Who, request: Request, response: Response
) -> OrganizationView:
    """Change its settings. Whether a second factor is demanded, only who has one decides; that, whose pages may act
    for its people, and its slug take a proof of who one is of the last minutes. 409 where another has the slug."""
    if body.second_factor_required is not None:
        _check_second_factor(who, body.second_factor_required)
    if body.allowed_origins is not None or body.slug is not None:
        check_recent(who)
    before = await organizations.lock(tx, who.org)
    check_if_match(request, before.sequence)
    wanted = replace(before, **_said(body))
    if wanted == before:
        return _view(before, response)
    if wanted.slug != before.slug and not await organizations.take_slug(tx, who.org, wanted.slug, MOST_SLUGS):
        raise ConflictError(f"Another organization has this slug, or yours has had {MOST_SLUGS}.")
    now = await organizations.update(tx, wanted)
    events.organization(tx, OrganizationUpdated, now, before)
    if now.second_factor_required and not before.second_factor_required:
        await sessions.end_with_one_factor(tx, who.org)
    return _view(now, response)


@routes.post("/onboarding", permission="organization:write", recent=False, status_code=202)
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


def _said(body: OrganizationChange) -> dict[str, Any]:
    """What shall be different: of all settings an organization can be without a domain only."""
    said = body.model_dump(exclude_none=True)
    return said | {"domain": body.domain} if "domain" in body.model_fields_set else said


def _view(organization: Organization, response: Response) -> OrganizationView:
    set_etag(response, organization.sequence)
    return OrganizationView.model_validate(organization)


def _check_second_factor(who: Principal, wanted: bool) -> None:
    check_recent(who)
    if wanted and who.factors < 2:
        raise ConflictError("Add a second factor of your own first: you would shut yourself out.")
