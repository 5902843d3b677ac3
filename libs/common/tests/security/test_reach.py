"""Own, team or all, worked out from the table."""

import pytest
from flotilla.ids import new_id
from flotilla.problems import ForbiddenError
from flotilla.security.permissions import OWN, ROLES, SCOPED, TEAM, is_less, scopes_of, shown_beyond
from flotilla.security.principal import Principal
from flotilla.security.reach import NOBODY, check_mine, owner_of_new, possible_owners, reach_of

ME, MATE, OTHER = new_id(), new_id(), new_id()


def _who(role: str = "team_member", **grants: str) -> Principal:
    named = {name.replace("__", ":"): scope for name, scope in grants.items()}
    return Principal(
        org=new_id(),
        user_id=ME,
        session_id=new_id(),
        role=role,
        expires_at=0,
        grants=named or None,
        colleagues=(MATE,),
    )


@pytest.mark.parametrize("role", sorted(ROLES.keys() - {"client"}))
def test_built_in_roles_reach_everything(role: str) -> None:
    for permission in ROLES[role] - {"contacts:delete"}:
        assert reach_of(_who(role), permission) is None, permission


def test_settings_name_the_owners() -> None:
    who = _who(deals__read=TEAM, deals__write=OWN, tasks__read=OWN, contacts__read="all")
    reach = reach_of(who, "deals:write")
    assert reach is not None
    assert reach.settings == {
        "flotilla.sees_deals": f"{ME},{MATE},{NOBODY}",
        "flotilla.sees_tasks": str(ME),
        "flotilla.writes_deals": str(ME),
    }
    reading = reach_of(who, "contacts:read")
    assert reading is not None
    assert not reading.writes, "a request that reads writes nothing it is kept from"


def test_whose_may_be_written_and_made() -> None:
    who = _who(deals__read="all", deals__write=TEAM)
    for owner in (ME, MATE, None):
        check_mine(who, "deals:write", owner)
    with pytest.raises(ForbiddenError, match="deals:write"):
        check_mine(who, "deals:write", OTHER)
    assert owner_of_new(who, "deals:write", None) == ME
    assert owner_of_new(_who(), "deals:write", None) is None
    assert (possible_owners(who, "deals:write"), possible_owners(_who(), "deals:write")) == ((ME, MATE), ())


def test_what_a_role_can_have() -> None:
    assert scopes_of("deals:read") == ("own", "team", "all")
    assert scopes_of("clients:assign") == ("team", "all")
    assert scopes_of("inboxes:read") == ("all",)
    assert all(len(scopes_of(permission)) == 3 for permission in SCOPED)
    assert shown_beyond({"conversations:read": "own"}, "drafts:read") == "conversations:read"
    assert shown_beyond({"conversations:read": "all"}, "drafts:read") is None
    both = {"conversations:read": "own", "drafts:read": "team"}
    assert shown_beyond(both, "drafts:read") == "conversations:read", "for more than what it shows"
    assert shown_beyond({**both, "drafts:read": "own"}, "drafts:read") is None


@pytest.mark.parametrize(
    ("before", "now", "less"),
    [
        ({"deals:read": "all"}, {"deals:read": "all", "tasks:read": "own"}, False),
        ({"deals:read": "own"}, {"deals:read": "team"}, False),
        ({"deals:read": "all"}, {"deals:read": "team"}, True),
        ({"deals:read": "own"}, {}, True),
    ],
)
def test_who_has_something_for_less(before: dict[str, str], now: dict[str, str], *, less: bool) -> None:
    assert is_less(before, now) is less


def test_a_client_is_named_to_the_database_whatever_they_ask() -> None:
    client = Principal(org=new_id(), user_id=new_id(), session_id=new_id(), role="client", expires_at=0)
    reach = reach_of(client, "profile:read")
    assert reach is not None
    assert reach.settings == {"flotilla.client": str(client.user_id)}
