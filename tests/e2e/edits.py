"""A change that changes something, of everything that can be changed: bodies of PUT and PATCH, by operation."""

from collections.abc import Mapping
from typing import Any, Final

from flotilla.testing.people import PASSWORD
from flotilla.testing.pictures import png

NEXT_PASSWORD: Final = f"{PASSWORD}, and another"


def edits(ids: Mapping[str, str]) -> dict[str, Any]:
    """For an organization that was filled (filled.py), whose ids these are; what it has been made is otherwise."""
    return {
        **_of_oneself(),
        "PATCH /v1/accounts/{account_id}": {"name": "Another bot"},
        "PATCH /v1/ai/policies/{policy_id}": {"name": "No prices"},
        "PUT /v1/ai/settings": {"tone": "formal"},
        "PATCH /v1/bd-accounts/{bd_account_id}": {"daily_limit": 7},
        "PUT /v1/bd-accounts/{bd_account_id}/assignment": {"user_id": ids["user_id"]},
        "PUT /v1/bookings/hosts/{user_id}": {"time_zone": "Europe/Kyiv", "hours": []},
        "PATCH /v1/campaigns/{campaign_id}": {"name": "Sooner", "message": {"text": "Our sale, at last!"}},
        "PATCH /v1/companies/{company_id}": {"domain": "kite.example"},
        "PUT /v1/consent-rule": {"region": "ca"},
        "PATCH /v1/contacts/{contact_id}": {"language": "de"},
        "PATCH /v1/conversations/{conversation_id}": {"ai_enabled": False},
        "PATCH /v1/counterparties/{counterparty_id}": {"name": "Ink & Paper AG"},
        "PATCH /v1/deals/{deal_id}": {"title": "300 mugs"},
        "PATCH /v1/feature-flags/{flag_id}": {"percentage": 50},
        "PATCH /v1/goals/{goal_id}": {"target": "12"},
        "PATCH /v1/inboxes/{inbox_id}": {"name": "Front desk"},
        "PUT /v1/invoice-settings": {"legal_name": "Harbour Ltd", "note": "IBAN DE02 1203 0000 0000 2020 51"},
        "PUT /v1/leads/routing": {"mode": "round_robin", "member_ids": [ids["user_id"]]},
        "PATCH /v1/leads/{lead_id}": {"source": "trade-fair"},
        "PATCH /v1/messages/{message_id}": {"text": "Two days, not three."},
        "PATCH /v1/metrics/custom/{metric_id}": {"title": "Guests"},
        "PATCH /v1/organization": {"time_zone": "Europe/Kyiv", "domain": "kite.example"},
        "PATCH /v1/partner-subscriptions/{subscription_id}": {"name": "CRM"},
        "PATCH /v1/pipelines/{pipeline_id}": {"name": "Mugs"},
        "PATCH /v1/pipelines/{pipeline_id}/stages/{stage_id}": {"probability": 35},
        "PUT /v1/quality/criteria/{criterion_id}": {"name": "Kind", "weight": 2},
        "PUT /v1/reports/{report_id}": {"name": "Sold", "measure": "deals_won"},
        "PATCH /v1/retention": {"held": ["messages"], "reason": "7 O 12/26"},
        "PATCH /v1/roles/{role_id}": {"name": "Reader of deals"},
        "PATCH /v1/rules/{rule_id}": {"name": "Offers"},
        "PATCH /v1/segments/{segment_id}": {"name": "With a name"},
        "PATCH /v1/sequences/{sequence_id}": {"name": "Much later"},
        "PUT /v1/stripe-account": {
            "secret_key": "sk_test_another_account_of_nobody",
            "webhook_secret": "whsec_another_account_of_nobody",
        },
        "PUT /v1/subscription": {"plan": "enterprise"},
        "PUT /v1/surveys/{survey_id}": {"name": "And now?", "kind": "csat"},
        "PATCH /v1/tasks/{task_id}": {"title": "Call again"},
        "PATCH /v1/teams/{team_id}": {"name": "Help"},
        "PUT /v1/teams/{team_id}/members/{user_id}": {"capacity": 3},
        "PATCH /v1/users/{user_id}": {"role": "viewer"},
    }


def _of_oneself() -> dict[str, Any]:
    return {
        "PATCH /v1/me": {"locale": "de"},
        "PUT /v1/me/avatar": png(200, 40, 40),
        "PATCH /v1/me/passkeys/{passkey_id}": {"name": "Old phone"},
        "PUT /v1/me/password": {"current_password": PASSWORD, "password": NEXT_PASSWORD},
        "PUT /v1/notification-preferences": {"choices": [{"kind": "task", "in_app": False}]},
    }
