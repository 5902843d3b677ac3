"""What billing holds of people, and how it is forgotten."""

from typing import Final

from flotilla.privacy import Privacy, Rows

ERASED: Final = "'[erased]'"
_LINES: Final = (
    "(SELECT coalesce(jsonb_agg(l || '{\"description\": \"[erased]\"}'::jsonb), '[]')"
    " FROM jsonb_array_elements(t.lines) AS l)"
)
_CUSTOMER: Final = """t.customer || '{"name": "[erased]", "address": "", "tax_id": "", "email": ""}'::jsonb"""

privacy: Final = Privacy(
    rows=(
        # Numbers, days and amounts stay: the books are kept. Who it was for is forgotten.
        Rows(
            "invoices",
            contact=("contact_id",),
            clear={"customer": _CUSTOMER, "lines": _LINES, "note": "''"},
        ),
        Rows(
            "payments",
            via=(("invoice_id", "invoices"),),
            clear={"reference": "CASE WHEN t.method = 'manual' THEN '' ELSE t.reference END"},
        ),
    ),
    harmless={
        "organizations": "of organizations",
        "invoice_settings": "an organization's own",
        "companies": "names of companies",
    },
)
