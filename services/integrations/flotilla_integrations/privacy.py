"""What integrations holds of people, and how it is forgotten."""

from typing import Final

from flotilla.privacy import Privacy, Rows
from flotilla.privacy.keep import Keep

privacy: Final = Privacy(
    rows=(
        # What partners may read again keeps its place, so that nobody's cursor slips.
        Rows("partner_events", naming=("body",), redact="body"),
        Rows("partner_deliveries", via=(("event_id", "partner_events"),), clear={"response": "NULL"}),
        Rows("voice_calls", contact=("contact_id",), identity=("identity_id",)),
        Rows("bd_accounts", user=("user_id",), clear={"user_id": "NULL"}),
    ),
    keeps=(
        Keep(
            "calls",
            "voice_calls",
            where="num_nonnulls(t.number, t.summary, t.transcript, t.recording_url) > 0",
            clear=dict.fromkeys(("number", "summary", "transcript", "recording_url"), "NULL"),
        ),
    ),
    harmless={
        "calendar_syncs": "a calendar's own marks of where it was read up to",
        "accounts": "an organization's own",
        "calendar_events": "a title is there until it stands in the calendar or never will, and goes then",
        "calendar_items": "when a colleague is busy, never what with",
        "bd_purchases": "what an organization bought",
        "commerce_orders": "how an order stands; who ordered is in events alone",
        "external_records": "digests of fields, and no values",
        "sends": "a text is there until it was sent or could not be, and goes then",
        "partner_subscriptions": "an organization's own",
    },
)
