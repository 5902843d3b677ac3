"""From a customer's first words to a closed deal, and all that comes of it on the way, through the gateway alone."""

from datetime import UTC, datetime, timedelta

from flotilla.testing import eventually
from flotilla.testing.people import OWN_CUSTOMERS, Live, Office, Person
from flotilla.testing.simulators.vies import ViesSimulator, refusal

from tests.e2e.conftest import Flotilla, NewOffice
from tests.e2e.filled import first, stages_of
from tests.e2e.outside import Program, listening, read, subscribed
from tests.e2e.selling import WORDS, Json, deals_in, move, of, qualified

CHAT = 4712
AUSTRIAN = "ATU13585627"
FOLLOW_UP = "Hello Iryna, have you seen our offer?"
REPLY = "Yes, let us do it."
TOLD = (
    "message.received.v1",
    "lead.qualified.v1",
    "lead.created.v1",
    "deal.created.v1",
    "automation.rule.triggered.v1",
    "deal.stage.changed.v1",
    "task.created.v1",
    "sequence.started.v1",
    "sequence.step.sent.v1",
    "sequence.stopped.v1",
    "trigger.executed.v1",
    "source.failed.v1",
    "counterparty.checked.v1",
    "deal.won.v1",
    "invoice.issued.v1",
    "deal.closed.v1",
)
"""What the partner wants to hear of."""


async def test_a_conversation_becomes_a_closed_deal(
    new_office: NewOffice, vies: ViesSimulator, flotilla: Flotilla
) -> None:
    office = await new_office("Harbour")
    owner = office.owner
    stages = await stages_of(owner)
    partner = await subscribed(owner, TOLD)
    assert not any((await numbers(owner)).values())
    async with listening() as program, owner.live() as live:
        rule = await follows_up(owner, stages["Proposal"], program)
        deal = await qualified(office, live, chat=CHAT)
        assert deal["id"] in await deals_in(owner, stages["New"])
        await move(owner, deal, stages["Proposal"])
        await followed_up(live, rule, deal, program)
        assert deal["id"] in await deals_in(owner, stages["Proposal"])
        await ends_with_the_reply(office, live, rule)
        await checked_while_the_register_is_down(owner, live, vies)
        await move(owner, deal, stages["Won"])
        saga_id = await carried_out(owner, live, deal)
    await reads_step_by_step(owner, flotilla, deal, saga_id)
    await eventually(lambda: counted(owner, deal), seconds=20, what="the numbers moved")
    heard = await read(partner, TOLD)
    assert {event["type"] for event in heard} == set(TOLD)
    about = [event["data"]["deal_id"] for event in heard if event["type"].startswith("deal.")]
    assert set(about) == {deal["id"]}


async def follows_up(owner: Person, stage: Json, program: Program) -> Json:
    """A rule: who comes to this stage is to be written an offer, another program is told, and a sequence begins."""
    steps = [
        {"type": "send", "text": "Hello {{ name | there }}, have you seen our offer?"},
        {"type": "wait", "amount": 2, "unit": "days"},
        {"type": "send", "text": "Still there?"},
    ]
    await owner.ok("PUT", "/v1/consent-rule", OWN_CUSTOMERS)
    sequence = await owner.ok("POST", "/v1/sequences", {"name": "Offer", "steps": steps})
    await owner.ok("POST", f"/v1/sequences/{sequence['id']}/versions")
    enrol = {"sequence_id": sequence["id"], "conversation_id": "{{ data.conversation_id }}"}
    rule: Json = {
        "name": "Offer",
        "enabled": True,
        "trigger": "deal.stage.changed.v1",
        "condition": {"field": "data.to_stage_id", "operator": "equals", "value": stage["id"]},
        "actions": [
            {"type": "create_task", "title": "Write {{ data.title | the customer }} an offer"},
            {"type": "call_webhook", "url": program.address},
            {"type": "start_sequence", "name": "{{ data.title }}", **enrol},
        ],
    }
    made = await owner.ok("POST", "/v1/rules", rule)
    program.secret = (await owner.ok("GET", "/v1/rules/signing-secret"))["secret"]
    return {**made, "sequence_id": sequence["id"]}


async def followed_up(live: Live, rule: Json, deal: Json, program: Program) -> None:
    """Every action of the rule had its effect, once."""
    moved = await live.expect("deal.stage.changed.v1", of(deal))
    await live.expect("task.created.v1", lambda task: task["title"] == "Write Iryna an offer")
    ran = await live.expect("trigger.executed.v1", lambda run: run["rule_id"] == rule["id"])
    assert ran["data"]["outcome"] == "done"
    _, told = await program.first("automation.webhook")
    assert (told["rule_id"], told["event"]["id"]) == (rule["id"], moved["id"])
    assert len(program.got) == 1


async def ends_with_the_reply(office: Office, live: Live, rule: Json) -> None:
    """The sequence really writes, and nothing more once the customer has answered."""
    owner = office.owner
    written = await live.expect("message.sent.v1")
    assert taken(office) == [(CHAT, FOLLOW_UP)]
    enrolment = await first(owner, f"/v1/sequences/{rule['sequence_id']}/enrolments")
    assert enrolment["conversation_id"] == written["data"]["conversation_id"]
    await office.customer_writes(REPLY, chat=CHAT)

    async def stopped() -> bool:
        shown = await owner.ok("GET", f"/v1/enrolments/{enrolment['id']}")
        assert (shown["state"], shown["reason"]) == ("stopped", "replied"), shown
        return True

    await eventually(stopped, what="the sequence is stopped")
    assert taken(office) == [(CHAT, FOLLOW_UP)]


async def checked_while_the_register_is_down(owner: Person, live: Live, vies: ViesSimulator) -> None:
    """Nothing is said of the counterparty until the register answers."""
    vies.register("AT", AUSTRIAN.removeprefix("AT"), "Tinte GmbH")
    vies.down(refusal("MS_UNAVAILABLE"))
    try:
        wanted = {"name": "Tinte GmbH", "country": "AT", "vat_number": AUSTRIAN}
        made = await owner.ok("POST", "/v1/counterparties", wanted)
        checked = (await live.expect("counterparty.checked.v1"))["data"]
    finally:
        vies.up()
    assert (checked["counterparty_id"], checked["state"]) == (made["id"], "unverified")
    assert (await owner.ok("GET", "/v1/counterparty-alerts"))["items"] == []
    await owner.ok("POST", f"/v1/counterparties/{made['id']}/checks")
    await live.expect("counterparty.checked.v1", lambda data: data["state"] == "verified")
    said = {event["data"]["state"] for event in live.events if event["type"] == "counterparty.checked.v1"}
    assert said == {"unverified", "verified"}


async def carried_out(owner: Person, live: Live, deal: Json) -> str:
    """The deal is invoiced, delivered and closed; the id of the saga that saw to it."""
    won = await live.expect("deal.won.v1", of(deal))
    issued = (await live.expect("invoice.issued.v1", of(deal)))["data"]
    delivery = await live.expect("task.created.v1", lambda task: task["title"] == "Deliver: Iryna")
    closed = await live.expect("deal.closed.v1", of(deal))
    assert issued["net"] == deal["value"]
    assert delivery["data"]["contact_id"] == deal["contact_id"]
    assert closed["data"]["saga_id"] == won["data"]["saga_id"]
    assert closed["correlation_id"] == won["correlation_id"]
    invoice = await owner.ok("GET", f"/v1/invoices/{issued['invoice_id']}")
    assert (invoice["customer"]["name"], invoice["state"]) == ("Iryna", "issued")
    pdf = await owner.call("GET", f"/v1/invoices/{invoice['id']}/pdf")
    assert (pdf.status, pdf.headers["Content-Type"], pdf.body[:5]) == (200, "application/pdf", b"%PDF-")
    return str(won["data"]["saga_id"])


async def reads_step_by_step(owner: Person, flotilla: Flotilla, deal: Json, saga_id: str) -> None:
    """Over HTTP and by the command alike."""
    assert (await owner.ok("GET", f"/v1/deals/{deal['id']}"))["state"] == "closed"
    saga = await owner.ok("GET", f"/v1/sagas/pipeline/{saga_id}")
    assert [(step["name"], step["state"]) for step in saga["steps"]] == [
        ("invoice", "done"),
        ("delivery", "done"),
    ]
    org = (await owner.ok("GET", "/v1/organization"))["id"]
    listed = await flotilla("sagas", "list", "--org", org, "--state", "done")
    assert saga_id in listed.output, listed.output
    assert "auth" in listed.output, "how the organization began"
    shown = await flotilla("sagas", "show", "pipeline", saga_id)
    for step in saga["steps"]:
        assert step["name"] in shown.output
        assert step["request_id"] in shown.output


def taken(office: Office) -> list[tuple[int, str]]:
    """What the bot was made to write, and to whom."""
    return [(each.chat, each.text) for each in office.telegram.sent if each.token == office.token]


async def numbers(owner: Person) -> Json:
    """What analytics counts of these days."""
    today = datetime.now(UTC).date()
    days = f"from={today - timedelta(days=1)}&to={today + timedelta(days=2)}"
    path = f"/v1/analytics/metrics?metric=message_volume&group_by=direction&{days}"
    messages = (await owner.ok("GET", path))["groups"]
    leads = (await owner.ok("GET", f"/v1/analytics/sales/leads?{days}"))["periods"]
    deals = (await owner.ok("GET", f"/v1/analytics/sales/deals?{days}"))["groups"]
    return {
        "messages": {group["direction"]: group["count"] for group in messages},
        "leads": sum(period["created"] for period in leads),
        "converted": sum(period["converted"] for period in leads),
        "won": sum(group["won"] for group in deals),
        "revenue": sum(amount["amount_minor"] for group in deals for amount in group["revenue"]),
    }


async def counted(owner: Person, deal: Json) -> bool:
    """Each message, the lead and the deal, once."""
    assert await numbers(owner) == {
        "messages": {"inbound": len(WORDS) + 1, "outbound": 1},
        "leads": 1,
        "converted": 1,
        "won": 1,
        "revenue": deal["value"]["amount_minor"],
    }
    return True
