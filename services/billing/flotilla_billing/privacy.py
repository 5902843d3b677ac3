"""What billing holds of people, and how it is forgotten."""

from typing import Final

from flotilla.privacy import Privacy, Rows
from flotilla.privacy.keep import Keep

ERASED: Final = "'[erased]'"
_LINES: Final = (
    "(SELECT coalesce(jsonb_agg(l || '{\"description\": \"[erased]\"}'::jsonb), '[]')"
    " FROM jsonb_array_elements(t.lines) AS l)"
)
_CUSTOMER: Final = """t.customer || '{"name": "[erased]", "address": "", "tax_id": "", "email": ""}'::jsonb"""
_OF_SOMEBODY: Final = {"customer": _CUSTOMER, "lines": _LINES, "note": "''"}

privacy: Final = Privacy(
    rows=(
        # Numbers, days and amounts stay: the books are kept. Who it was for is forgotten.
        Rows(
            "invoices",
            contact=("contact_id",),
            clear=_OF_SOMEBODY,
        ),
        Rows(
            "payments",
            via=(("invoice_id", "invoices"),),
            clear={"reference": "CASE WHEN t.method = 'manual' THEN '' ELSE t.reference END"},
        ),
    ),
    keeps=(
        Keep(
            "invoices",
            "invoices",
            where="t.state IN ('paid', 'void') AND t.customer ->> 'name' <> '[erased]'",
            clear=_OF_SOMEBODY,
        ),
    ),
    harmless={
        "checkouts": "what an organization buys, and for how much",
        "purchases": "what an organization buys, and for how much",
        "wallets": "what an organization buys, and for how much",
        "wallet_entries": "what an organization buys, and for how much",
        "subscriptions": "what an organization buys, and for how much",
        "contract_terms": "what an organization buys, and for how much",
        "entitlements": "names of features, and numbers",
        "holdings": "names of features, and numbers",
        "usage_periods": "names of features, and numbers",
        "usage_records": "names of features, and numbers",
        "stripe_customers": "Stripe's own ids, of organizations",
        "stripe_events": "Stripe's own ids, of organizations",
        "stripe_objects": "Stripe's own ids, of organizations",
        "overdue_bills": "Stripe's own ids, of organizations",
        "stripe_requests": "what an organization asked Stripe for itself",
        "invoice_requests": "states",
        "number_series": "numbers",
        "organizations": "of organizations",
        "invoice_settings": "an organization's own",
        "companies": "names of companies",
        "client_contacts": "ids, and none of a contact that is gone",
    },
)
