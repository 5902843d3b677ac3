"""POST /v1/sign-up: an organization and its owner, at once."""

from typing import Annotated

from flotilla.cells import Cells
from flotilla.events.auth import OrganizationCreated, UserCreated
from flotilla.http import ConflictError, Routes, Work
from flotilla.ids import new_id
from pydantic import Field

from flotilla_auth import events, onboarding, sessions
from flotilla_auth.api.fields import Body, Currency, Email, Locale, Name, Password, TimeZone, check_password
from flotilla_auth.api.requests import FromDevice, NoStore, in_the_name_of
from flotilla_auth.api.views import SignedIn
from flotilla_auth.domain import names
from flotilla_auth.domain.roles import OWNER
from flotilla_auth.mail import sending
from flotilla_auth.resources import own
from flotilla_auth.store import credentials, organizations, users

routes = Routes("/v1/sign-up", tag="sign-in")


class SignUp(Body):
    """A new organization and the person who owns it."""

    organization_name: Name
    name: Name
    email: Email
    password: Password
    locale: Locale = "en"
    time_zone: TimeZone = "UTC"
    currency: Currency = "EUR"
    region: Annotated[str, Field(max_length=16)] | None = None
    """Where everything that the organization has stays; by default that of the cell that is asked."""


@routes.post("", permission="public", limit="sign_in", status_code=201, dependencies=[NoStore])
async def sign_up(body: SignUp, work: Work, device: FromDevice) -> SignedIn:
    """Found an organization; its owner is signed in at once, what others prepare for it follows.

    409 where the e-mail address is in use. Of two requests at once with one address, one wins. 421 where the region
    is another cell's, with its address.
    """
    app = work.app
    Cells.of(app.settings).check(body.region)
    await check_password(app, body.password, body.email, body.name, body.organization_name)
    password_hash = await own(app).passwords.hash(body.password.get_secret_value())
    organization_id, user_id = new_id(), new_id()
    cause = in_the_name_of(user_id, work)
    async with app.db.transaction(organization_id, cause=cause) as tx:
        if not await credentials.insert(tx, user_id, own(app).emails.of(body.email), password_hash):
            raise ConflictError("This e-mail address cannot be used to sign up. If it is yours, sign in.")
        await credentials.join(tx, user_id, organization_id)
        organization = await organizations.insert(
            tx,
            organization_id,
            name=body.organization_name,
            slug=names.slug(body.organization_name),
            locale=body.locale,
            time_zone=body.time_zone,
            currency=body.currency,
            region=app.settings.region,
        )
        owner = await users.insert(
            tx,
            organization_id,
            user_id,
            email=body.email,
            name=body.name,
            role=OWNER,
            locale=body.locale,
        )
        events.organization(tx, OrganizationCreated, organization)
        events.user(tx, UserCreated, owner)
        await onboarding.begin(tx, organization, user_id, cause)
        sending.to_person(tx, sending.VERIFY, organization_id, user_id)
        tokens = await sessions.begin(tx, owner, method="password", device=device)
    return SignedIn.of(tokens, owner, organization)
