"""The organization and the people in it."""

from typing import Any, Final

from flotilla.seed.content import Member, Organization
from flotilla.seed.gateway import Gateway, RefusedError, SeedError
from flotilla.seed.patience import once_known

PASSWORD: Final = "ten brown beans a day"  # noqa: S105 - of a demo that exists on developers' machines only


async def enter(nobody: Gateway, wanted: Organization) -> Gateway:
    """As the owner: signed in, signed up where that was never done."""
    owner = wanted.people[0]
    try:
        signed_in = await nobody.post("/v1/sign-in", {"email": owner.email, "password": PASSWORD})
    except RefusedError as refused:
        if refused.status != 401:
            raise
        signed_in = await _sign_up(nobody, wanted, owner)
    person = nobody.signed_in(signed_in["access_token"])
    # In a fleet that has just started, the gateway may not know the key yet that signed this token.
    await once_known(lambda: person.get("/v1/me"), 401)
    return person


async def members(owner: Gateway, nobody: Gateway, wanted: Organization) -> dict[str, str]:
    """Everybody's id by their address; who is missing is invited, and comes."""
    known = {user["email"]: user["id"] for user in await owner.every("/v1/users")}
    missing = [member for member in wanted.people if member.email not in known]
    if missing:
        await _take_back(owner, {member.email for member in missing})
    for member in missing:
        invited = await owner.post("/v1/invitations", {"email": member.email, "role": member.role})
        if invited["token"] is None:
            await owner.call("DELETE", f"/v1/invitations/{invited['id']}")
            raise SeedError(
                "Invitations go by mail here, and the demo's people read none: seed without FLOTILLA_SMTP_HOST."
            )
        accepted = {
            "token": invited["token"],
            "name": member.name,
            "password": PASSWORD,
            "locale": member.locale,
        }
        joined = await nobody.post("/v1/invitations/accept", accepted)
        known[member.email] = joined["user"]["id"]
    return known


async def _sign_up(nobody: Gateway, wanted: Organization, owner: Member) -> Any:
    body = {
        "organization_name": wanted.name,
        "name": owner.name,
        "email": owner.email,
        "password": PASSWORD,
        "locale": wanted.locale,
        "time_zone": wanted.time_zone,
        "currency": wanted.currency,
    }
    try:
        return await nobody.post("/v1/sign-up", body)
    except RefusedError as refused:
        if refused.status == 409:
            raise SeedError(f"{owner.email} exists with another password than the demo's.") from refused
        raise


async def _take_back(owner: Gateway, emails: set[str]) -> None:
    """Invitations of an earlier run that was cut off: their tokens are lost."""
    for invitation in await owner.every("/v1/invitations"):
        if invitation["state"] == "pending" and invitation["email"] in emails:
            await owner.call("DELETE", f"/v1/invitations/{invitation['id']}")
