"""An organization with one of each thing that the API shows."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from flotilla.testing import eventually
from flotilla.testing.people import OWN_CUSTOMERS, Office, Person

from tests.e2e.arranged import EUROS, NOWHERE, arrange
from tests.e2e.opinions import ask_and_judge

UNKNOWN_VAT_NUMBER = "DE136695976"
"""Well-formed, and registered with no simulator: a check of it raises an alert."""
QUALIFYING = (
    "We need a help desk for 25 agents. Our budget is 12,000 EUR a year. We want to go live next month."
    " I'm the CEO and I decide."
)
"""Need, budget, timeline, authority."""


@dataclass
class Full:
    """An organization and the ids of one of each thing in it."""

    office: Office
    ids: dict[str, str]

    @property
    def owner(self) -> Person:
        """Who may do everything in it."""
        return self.office.owner


async def onboarded(owner: Person) -> None:
    """Wait until everything is there that an organization begins with."""

    async def done() -> bool:
        found: dict[str, Any] = await owner.ok("GET", "/v1/organization")
        assert found["onboarding"] == "done", found
        return True

    await eventually(done, seconds=30)


async def fill(office: Office) -> Full:
    """One of each thing that the API shows."""
    owner = office.owner
    ids = await _inbox(office)
    ids |= await _beginnings(owner)
    ids |= await _customers(owner, ids)
    ids |= await _contacts(owner, ids)
    ids |= await _bookings(owner, ids)
    ids |= await _leads(office)
    ids |= await _noticed(owner, ids)
    ids |= await _campaigns(owner, ids)
    ids |= await _sales(owner)
    ids |= await _invoices(owner)
    ids |= await _counterparties(owner, ids["deal_id"])
    ids |= await _partners(owner)
    ids |= await arrange(owner, ids)
    ids |= await ask_and_judge(owner, ids)
    return Full(office, ids)


async def _inbox(office: Office) -> dict[str, str]:
    owner = office.owner
    async with owner.live() as live:
        await office.customer_writes("Hello, how long does delivery to Germany take?", chat=99)
        drafted = await live.expect("ai.draft.generated.v1")
        contact = await live.expect("contact.created.v1")
    draft = drafted["data"]
    sources = await owner.ok("GET", "/v1/knowledge/sources")
    sessions = await owner.ok("GET", "/v1/sessions")
    return {
        "account_id": office.account_id,
        "conversation_id": draft["conversation_id"],
        "message_id": draft["message_id"],
        "draft_id": draft["draft_id"],
        "contact_id": contact["data"]["contact_id"],
        "source_id": sources["items"][0]["id"],
        "session_id": sessions["items"][0]["id"],
        "user_id": owner.user["id"],
        "correlation_id": drafted["correlation_id"],
        "attachment_id": await _attachment(owner, draft["conversation_id"]),
    }


async def _attachment(owner: Person, conversation_id: str) -> str:
    """A file of a conversation, whole."""
    begun = await owner.ok("POST", f"/v1/conversations/{conversation_id}/attachments", {"name": "offer.txt"})
    path = f"/v1/attachments/{begun['id']}"
    part = await owner.call("PUT", f"{path}/parts?number=1", body=b"200 mugs")
    assert part.status == 204, part.body
    await owner.ok("POST", f"{path}/complete", {"parts": 1})
    return str(begun["id"])


async def _beginnings(owner: Person) -> dict[str, str]:
    """What an organization begins with."""
    saga, inbox = await first(owner, "/v1/sagas/auth"), await first(owner, "/v1/inboxes")
    welcome = await first(owner, "/v1/notifications")
    return {"saga_id@auth": saga["id"], "inbox_id": inbox["id"], "notification_id": welcome["id"]}


async def _customers(owner: Person, ids: dict[str, str]) -> dict[str, str]:
    company = await owner.ok("POST", "/v1/companies", {"name": "Kite & Sons"})
    task = await owner.ok("POST", "/v1/tasks", {"title": "Call back"})
    note = await owner.ok("POST", "/v1/notes", {"text": "Likes tea", "contact_id": ids["contact_id"]})
    address = f"{ids['draft_id']}@example.org"
    invitation = await owner.ok("POST", "/v1/invitations", {"email": address, "role": "viewer"})
    return {
        "company_id": company["id"],
        "task_id": task["id"],
        "note_id": note["id"],
        "invitation_id": invitation.get("id") or invitation["invitation"]["id"],
    }


async def _contacts(owner: Person, ids: dict[str, str]) -> dict[str, str]:
    """A merge, a segment, and a file that was begun."""
    other = await owner.ok("POST", "/v1/contacts", {"name": "Iryna K."})
    path = f"/v1/contacts/{ids['contact_id']}/merges"
    merge = await owner.ok("POST", path, {"contact_id": other["id"]})
    condition = {"field": "name", "operator": "is_set"}
    segment = await owner.ok("POST", "/v1/segments", {"name": "Named", "condition": condition})
    imported = await owner.ok("POST", "/v1/imports", {"name": "customers.csv"})
    part = f"/v1/imports/{imported['id']}/parts?number=1"
    answer = await owner.call("PUT", part, body=b"name,email\nAnn,ann@example.com\n")
    assert answer.status == 200, answer.body
    return {
        "merge_id": merge["id"],
        "segment_id": segment["id"],
        "import_id": imported["id"],
    }


async def _bookings(owner: Person, ids: dict[str, str]) -> dict[str, str]:
    """A person who can be booked, and is."""
    booking_id = await booked(owner, ids["user_id"], ids["contact_id"])
    saga = await first(owner, f"/v1/sagas/crm?subject_id={booking_id}")
    return {"booking_id": booking_id, "saga_id@crm": saga["id"]}


async def booked(owner: Person, user_id: str, contact_id: str, **more: str) -> str:
    """A customer's appointment with a colleague, in their next hours."""
    hours = [{"weekday": day, "opens": "09:00", "closes": "17:00"} for day in range(1, 8)]
    body = {"time_zone": "Europe/Berlin", "hours": hours}
    await owner.ok("PUT", f"/v1/bookings/hosts/{user_id}", body)
    begin = datetime.now(UTC) + timedelta(days=1)
    window = {"from": begin.isoformat(), "to": (begin + timedelta(days=7)).isoformat(), "host_id": user_id}
    slot = await first(owner, f"/v1/bookings/slots?{urlencode(window)}")
    wanted = {"contact_id": contact_id, "starts_at": slot["starts_at"], "host_ids": [user_id], **more}
    return str((await owner.ok("POST", "/v1/bookings", wanted))["id"])


async def _leads(office: Office) -> dict[str, str]:
    """Somebody who may well buy."""
    await office.customer_writes(QUALIFYING, chat=98)
    lead = await first(office.owner, "/v1/leads")
    return {"lead_id": lead["id"], "conversation_id@qualifications": lead["conversation_id"]}


async def _noticed(owner: Person, ids: dict[str, str]) -> dict[str, str]:
    """What the AI noticed and summarised, and what it shall not say."""
    policy = await owner.ok("POST", "/v1/ai/policies", {"name": "Prices", "phrases": ["best price"]})
    about = {"conversation_id": ids["conversation_id"]}
    await owner.ok("POST", "/v1/summaries", about)
    summary = await first(owner, f"/v1/summaries?{urlencode(about)}")
    insight = await first(owner, "/v1/insights")
    return {"policy_id": policy["id"], "summary_id": summary["id"], "insight_id": insight["id"]}


async def _campaigns(owner: Person, ids: dict[str, str]) -> dict[str, str]:
    """A sequence, somebody on their way through it, and a campaign that waits."""
    steps = [{"type": "wait", "amount": 2, "unit": "days"}, {"type": "send", "text": "Still there?"}]
    await owner.ok("PUT", "/v1/consent-rule", OWN_CUSTOMERS)
    sequence = await owner.ok("POST", "/v1/sequences", {"name": "Later", "steps": steps})
    path = f"/v1/sequences/{sequence['id']}"
    await owner.ok("POST", f"{path}/versions")
    who = {name: ids[name] for name in ("contact_id", "conversation_id")}
    enrolment = await owner.ok("POST", f"{path}/enrolments", who)
    campaign = await owner.ok("POST", "/v1/campaigns", {"name": "Later", "message": {"text": "Our sale!"}})
    return {
        "sequence_id": sequence["id"],
        "enrolment_id": enrolment["id"],
        "campaign_id": campaign["id"],
    }


async def _sales(owner: Person) -> dict[str, str]:
    """A deal that is won, its saga, and a rule that it triggers on its way."""
    stages = await stages_of(owner)
    rule = await owner.ok(
        "POST",
        "/v1/rules",
        {
            "name": "Offer",
            "enabled": True,
            "trigger": "deal.stage.changed.v1",
            "actions": [{"type": "create_task", "title": "Write an offer"}],
        },
    )
    deal = await owner.ok("POST", "/v1/deals", {"title": "200 mugs", "value": EUROS})
    for stage in ("Proposal", "Won"):
        await owner.ok("POST", f"/v1/deals/{deal['id']}/move", {"stage_id": stages[stage]["id"]})
    run = await first(owner, f"/v1/rules/{rule['id']}/runs")
    saga = await first(owner, f"/v1/sagas/pipeline?subject_id={deal['id']}")
    tried = {"trigger": "deal.created.v1", "actions": [{"type": "create_task", "title": "Say hello"}]}
    backtest = await owner.ok("POST", "/v1/rules/backtests", tried)
    return {
        "backtest_id": backtest["id"],
        "pipeline_id": deal["pipeline_id"],
        "stage_id": stages["Proposal"]["id"],
        "deal_id": deal["id"],
        "saga_id": saga["id"],
        "rule_id": rule["id"],
        "run_id": run["id"],
    }


async def _invoices(owner: Person) -> dict[str, str]:
    """An invoice, issued, partly paid, and with a page to pay the rest on."""
    line = {"description": "200 mugs", "unit_price": EUROS}
    draft = {"customer": {"name": "Kite & Sons"}, "currency": "EUR", "lines": [line]}
    invoice = await owner.ok("POST", "/v1/invoices", draft)
    path = f"/v1/invoices/{invoice['id']}"
    await owner.ok("POST", f"{path}/issue")
    amount = {"amount_minor": 100, "currency": "EUR"}
    payment = await owner.ok("POST", f"{path}/payments", {"amount": amount})
    keys = {"secret_key": "sk_test_nobody", "webhook_secret": "whsec_nobody"}
    await owner.ok("PUT", "/v1/stripe-account", keys)
    checkout = await owner.ok("POST", f"{path}/checkouts")
    return {"invoice_id": invoice["id"], "payment_id": payment["id"], "checkout_id": checkout["id"]}


async def _counterparties(owner: Person, deal_id: str) -> dict[str, str]:
    """A counterparty that was checked, what the check found, and a deal that waits for the decision about it."""
    wanted = {"name": "Ink & Paper GmbH", "country": "DE", "vat_number": UNKNOWN_VAT_NUMBER}
    counterparty = await owner.ok("POST", "/v1/counterparties", wanted)
    path = f"/v1/counterparties/{counterparty['id']}"
    onboarding = await owner.ok("POST", f"{path}/onboardings", {"deal_id": deal_id})
    alert = await first(owner, f"/v1/counterparty-alerts?counterparty_id={counterparty['id']}")
    return {
        "counterparty_id": counterparty["id"],
        "check_id": (await first(owner, f"{path}/checks"))["id"],
        "snapshot_id": (await first(owner, f"{path}/snapshots"))["id"],
        "alert_id": alert["id"],
        "onboarding_id": onboarding["id"],
        "saga_id@kyb": onboarding["saga_id"],
    }


async def _partners(owner: Person) -> dict[str, str]:
    """A partner that nobody reaches, and what is on its way there."""
    wanted = {"kind": "webhook", "name": "ERP", "types": ["deal.*"], "url": f"{NOWHERE}/in"}
    subscription = await owner.ok("POST", "/v1/partner-subscriptions", wanted)
    delivery = await owner.ok("POST", f"/v1/partner-subscriptions/{subscription['id']}/test")
    return {"subscription_id": subscription["id"], "delivery_id": delivery["id"]}


async def stages_of(owner: Person) -> dict[str, Any]:
    """The columns of the pipeline that an organization begins with, by name, once it is there."""
    pipeline = await first(owner, "/v1/pipelines")
    board = await owner.ok("GET", f"/v1/pipelines/{pipeline['id']}/board")
    return {column["name"]: column for column in board["columns"]}


async def first(owner: Person, path: str) -> dict[str, Any]:
    """The first thing of a list, waited for."""

    async def listed() -> dict[str, Any] | None:
        items: list[dict[str, Any]] = (await owner.ok("GET", path))["items"]
        return items[0] if items else None

    found = await eventually(listed, seconds=20, what=f"something at {path}")
    assert found is not None
    return found
