"""What takes a recent proof of who one is, in one list: a route that is added has to be put where it belongs."""

from typing import Any, Final

import pytest
from flotilla.events.contracts import here
from flotilla.http.openapi import merged
from flotilla.http.routes import PEOPLE
from flotilla.security.permissions import SENSITIVE

NO_PROGRAM: Final = {
    "POST /v1/api-keys",
    "POST /v1/erasures",
    "POST /v1/exports",
    "POST /v1/exports/{export_id}/link",
    "POST /v1/oauth-clients",
    "POST /v1/oauth-clients/{client_id}/secret",
    "POST /v1/organization/children",
    "POST /v1/organization/grants",
    "POST /v1/organization/received-grants/{received_grant_id}/accept",
    "POST /v1/roles",
    "PATCH /v1/roles/{role_id}",
    "DELETE /v1/roles/{role_id}",
    "PATCH /v1/retention",
    "PUT /v1/invoice-settings",
    "PUT /v1/stripe-account",
    "DELETE /v1/stripe-account",
    "PUT /v1/subscription",
    "POST /v1/subscription/changes",
    "POST /v1/subscription/ending",
    "POST /v1/subscription/portals",
}
"""By people alone, who have just proven who they are."""
PROGRAMS_TOO: Final = {
    "GET /v1/audit/export",
    "PATCH /v1/partner-subscriptions/{subscription_id}",
    "POST /v1/bd-offers/{offer_id}/purchase",
    "POST /v1/partner-subscriptions",
    "POST /v1/partner-subscriptions/{subscription_id}/rotate-secret",
    "POST /v1/wallet/top-ups",
}
"""By such people, and by programs that were given the scope by one."""
SOMETIMES: Final = {
    "PATCH /v1/organization": "services/auth/tests/test_step_up.py, test_origins.py",
    "PATCH /v1/users/{user_id}": "services/auth/tests/test_step_up.py",
    "POST /v1/invitations": "services/auth/tests/test_step_up.py",
}
"""Some of what may be asked there takes a proof; shown by."""
FREE: Final = {
    "DELETE /v1/api-keys/{api_key_id}": "ends",
    "DELETE /v1/invitations/{invitation_id}": "ends",
    "DELETE /v1/oauth-clients/{client_id}": "ends",
    "DELETE /v1/organization/grants/{grant_id}": "ends",
    "DELETE /v1/organization/received-grants/{received_grant_id}": "ends",
    "DELETE /v1/partner-subscriptions/{subscription_id}": "ends",
    "DELETE /v1/users/{user_id}/contact": "ends",
    "POST /v1/organization/onboarding": "tries again what was begun",
    "POST /v1/partner-subscriptions/{subscription_id}/deliveries/{delivery_id}/retry": "where it was sent to",
    "POST /v1/partner-subscriptions/{subscription_id}/pause": "ends for a while",
    "POST /v1/partner-subscriptions/{subscription_id}/replay": "where it was sent to",
    "POST /v1/partner-subscriptions/{subscription_id}/resume": "where it was sent to",
    "POST /v1/partner-subscriptions/{subscription_id}/test": "holds nothing of anybody",
    "POST /v1/subscription/checkouts": "paid at Stripe, by who has the card",
    "POST /v1/subscription/previews": "changes nothing",
    "POST /v1/subscription/tax-ids": "stands on invoices",
}
"""By a sensitive permission, and not sensitive."""


@pytest.fixture(scope="module")
def operations() -> dict[str, dict[str, Any]]:
    """Every operation by method and path."""
    paths = merged(here().services)["paths"]
    return {
        f"{method.upper()} {path}": operation
        for path, operations in paths.items()
        for method, operation in operations.items()
        if isinstance(operation, dict) and "x-permission" in operation
    }


def test_each_takes_what_the_list_says(operations: dict[str, dict[str, Any]]) -> None:
    for name in NO_PROGRAM:
        assert operations[name].get("x-step-up") is True, name
        assert operations[name]["security"] == [{"bearer": []}], name
    for name in PROGRAMS_TOO:
        assert operations[name].get("x-step-up") == PEOPLE, name
        assert len(operations[name]["security"]) == 2, name
    for name in SOMETIMES:
        assert operations[name].get("x-step-up-when"), name


def test_the_list_is_whole(operations: dict[str, dict[str, Any]]) -> None:
    listed = {*NO_PROGRAM, *PROGRAMS_TOO, *SOMETIMES, *FREE}
    sensitive = {
        name
        for name, operation in operations.items()
        if operation["x-permission"] in SENSITIVE and not name.startswith("GET ")
    }
    assert sensitive - listed == set()
    assert listed - sensitive == {"GET /v1/audit/export"}
    assert not {name for name in FREE if "x-step-up" in operations[name]}
