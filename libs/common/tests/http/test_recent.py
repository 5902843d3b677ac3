"""Routes that do what is sensitive say whether they take a recent proof."""

import pytest
from flotilla.http import Routes
from flotilla.http.routes import PEOPLE
from flotilla.security.permissions import KNOWN, SENSITIVE


def test_a_sensitive_route_cannot_be_declared_without_saying_so() -> None:
    routes = Routes("/v1/x", tag="x")
    for permission in sorted(SENSITIVE):
        for declare in (routes.post, routes.put, routes.patch, routes.delete):
            with pytest.raises(ValueError, match="is sensitive"):
                declare("", permission=permission)
            for said in (True, False, PEOPLE, "it gives a role"):
                declare("", permission=permission, recent=said)
    routes.get("", permission="billing:write")
    routes.post("", permission="contacts:write")


def test_what_is_sensitive_is_known() -> None:
    assert SENSITIVE < KNOWN
