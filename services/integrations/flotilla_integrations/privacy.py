"""What integrations holds of people, and how it is forgotten."""

from typing import Final

from flotilla.privacy import Privacy, Rows

privacy: Final = Privacy(
    rows=(
        # What partners may read again keeps its place, so that nobody's cursor slips.
        Rows("partner_events", naming=("body",), redact="body"),
        Rows("partner_deliveries", via=(("event_id", "partner_events"),), clear={"response": "NULL"}),
    ),
    harmless={
        "accounts": "an organization's own",
        "sends": "a text is there until it was sent or could not be, and goes then",
        "partner_subscriptions": "an organization's own",
    },
)
