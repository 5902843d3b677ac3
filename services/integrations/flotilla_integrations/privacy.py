"""What integrations holds of people, and how it is forgotten."""

from typing import Final
from uuid import UUID

from flotilla.events.integrations import IntegrationDisconnected
from flotilla.privacy import Person, Privacy, Rows
from flotilla.privacy.declare import Counts
from flotilla.privacy.keep import Keep
from flotilla.store.postgres import Transaction

from flotilla_integrations.events import say_account
from flotilla_integrations.store import accounts
from flotilla_integrations.store import calendars as store


async def _disconnect(tx: Transaction, org: UUID, person: Person) -> Counts:
    """Their own calendars are read no more: every process is told, and forgets what it knows of them."""
    for row in await tx.fetch(store.OF_USERS, org, list(person.users)):
        account = await accounts.one(tx, accounts.DISCONNECT, org, row["id"])
        if account is not None:
            await say_account(tx, account, IntegrationDisconnected)
    return {}


privacy: Final = Privacy(
    rows=(
        # What partners may read again keeps its place, so that nobody's cursor slips.
        Rows("partner_events", naming=("body",), redact="body"),
        Rows("partner_deliveries", via=(("event_id", "partner_events"),), clear={"response": "NULL"}),
        Rows("voice_calls", contact=("contact_id",), identity=("identity_id",)),
        Rows("bd_accounts", user=("user_id",), clear={"user_id": "NULL"}),
        Rows(
            "accounts",
            user=("user_id",),
            clear={
                "name": "'[erased]'",
                "settings": "'{}'",
                "sealed": "NULL",
                "external_id": "NULL",
                "reason": "NULL",
            },
        ),
        Rows("calendar_syncs", via=(("account_id", "accounts"),), key=None),
        Rows("calendar_items", via=(("account_id", "accounts"),)),
    ),
    within=_disconnect,
    keeps=(
        Keep(
            "calls",
            "voice_calls",
            where="num_nonnulls(t.number, t.summary, t.transcript, t.recording_url) > 0",
            clear=dict.fromkeys(("number", "summary", "transcript", "recording_url"), "NULL"),
        ),
    ),
    harmless={
        "calendar_events": "a title is there until it stands in the calendar or never will, and goes then",
        "bd_purchases": "what an organization bought",
        "commerce_orders": "how an order stands; who ordered is in events alone",
        "external_records": "digests of fields, and no values",
        "sends": "a text is there until it was sent or could not be, and goes then",
        "partner_subscriptions": "an organization's own",
    },
)
