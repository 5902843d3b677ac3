"""Guests: a token for another organization's things says what may be read; it ends with its grant or session."""

from uuid import UUID

from flotilla.ids import new_id
from flotilla.problems import UnauthorizedError
from flotilla_gateway.trust.records import Membership

from services.gateway.tests.raw import ask
from services.gateway.tests.world import World


def _claims(**more: str) -> dict[str, str]:
    names = ("sub", "org", "sid", "via", "gid")
    return (
        {name: str(new_id()) for name in names} | {"role": "viewer", "reads": "things:read deals:read"} | more
    )


async def _status(edge: World, token: str) -> int:
    return (await ask(edge.port, "GET", "/v1/things", token=token)).status


def _told(edge: World) -> None:
    """As if the feed had read something anew."""
    edge.gateway.standing.epoch += 1


async def test_a_guest_may_what_the_grant_says_and_nothing_else(edge: World) -> None:
    claims = _claims()
    assert await _status(edge, edge.token(**claims)) == 200
    who = edge.principal()
    assert (who.org, who.via) == (UUID(claims["org"]), UUID(claims["via"]))
    assert (who.grant_id, who.user_id) == (UUID(claims["gid"]), UUID(claims["sub"]))
    assert who.may("deals:read")
    for other in ("contacts:read", "deals:write", "profile:read", "events:subscribe", "organization:write"):
        assert not who.may(other), other
    assert not who.sees_everything
    assert not who.authenticated_within(1e9), "nothing sensitive is done as a guest"


async def test_a_guest_is_out_once_the_grant_or_the_session_has_ended(edge: World) -> None:
    for ends in ("gid", "sid"):
        claims = _claims()
        token = edge.token(**claims)
        assert await _status(edge, token) == 200
        edge.gateway.standing._ended.add(UUID(claims[ends]))
        _told(edge)
        assert await _status(edge, token) == 401


async def test_a_guest_is_out_once_they_are_out_at_home(edge: World) -> None:
    claims = _claims()
    token = edge.token(**claims)
    assert await _status(edge, token) == 200
    left = Membership("admin", None, "deactivated")
    edge.gateway.standing._changed[UUID(claims["via"]), UUID(claims["sub"])] = left
    _told(edge)
    assert await _status(edge, token) == 401


async def test_a_guest_is_out_while_either_organization_is_suspended(edge: World) -> None:
    for name in ("org", "via"):
        claims = _claims()
        token = edge.token(**claims)
        assert await _status(edge, token) == 200
        edge.gateway.standing._suspended.add(UUID(claims[name]))
        _told(edge)
        assert await _status(edge, token) == 403


async def test_a_guests_requests_count_at_home(edge: World) -> None:
    claims = _claims()
    session = edge.gateway.tokens.session(edge.token(**claims).encode())
    assert session.bucket == f"{claims['via']}:{claims['sub']}"
    edge.gateway.standing._ended.add(UUID(claims["gid"]))
    _told(edge)
    try:
        edge.gateway.tokens.session(edge.token(**claims).encode())
    except UnauthorizedError:
        return
    raise AssertionError("a new token for an ended grant is no better")
