"""What a message costs: a batch of many asks no more of the stores than a batch of one.

Batching is what makes the fleet cheap, and one `for` around a statement undoes it unseen. So every lane, job, timer and
worker that takes part when customers write and are answered is charged with its round trips, in batches of one and of
many, from several organizations.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

import aiohttp
import pytest
from flotilla.testing.bills import Bill
from flotilla.testing.people import OWN_CUSTOMERS, Office, Person
from flotilla.testing.simulators.telegram import TelegramSimulator
from flotilla.testing.stepped import Step, SteppedFleet

from tests.e2e.filled import QUALIFYING
from tests.e2e.outside import subscribed

PATIENT = {
    "FLOTILLA_LIMIT_SIGN_IN": "10000/60",
    "FLOTILLA_UPSTREAM_CONNECT_SECONDS": "60",
    "FLOTILLA_UPSTREAM_ANSWER_SECONDS": "60",
    "FLOTILLA_AI_USAGE_EVERY_SECONDS": "3600",
}
"""Thirteen services in one process answer no faster than it runs; what comes by the clock is no message's."""
QUESTION = "Hello, how long does delivery to Germany take?"
OFFICES = 5
FIRST, WARM, ONE, MANY = range(1, 6), range(10, 11), range(20, 21), range(30, 38)
"""Chats: the first; some that have caches filled; one; and many, with each of the offices."""
DELIVERIES = 16
"""From a customer's first message to its draft, where no rule, sequence or partner wants it."""
SLACK = 2
"""Round trips that many may cost more than one: a page more of something, never one an event."""
BY_TIME = 14
"""Round trips of what comes with time and not with one message, where it came for many only."""


@dataclass
class Company:
    """Offices on a fleet that is moved by hand."""

    fleet: SteppedFleet
    offices: list[Office]
    session: aiohttp.ClientSession


Act = Callable[[Company, Sequence[Office], Sequence[int]], Awaitable[None]]


@pytest.fixture(scope="module")
async def company(telegram: TelegramSimulator) -> AsyncIterator[Company]:
    """Some offices, all founded."""
    timeout = aiohttp.ClientTimeout(total=60)
    async with (
        SteppedFleet.running(**PATIENT) as fleet,
        aiohttp.ClientSession(timeout=timeout) as session,
    ):
        nobody = Person(fleet.instance.public_url, session)
        async with fleet.moving():
            offices = [await Office.found(nobody, telegram, f"Office {each}") for each in range(OFFICES)]
        yield Company(fleet, offices, session)


@pytest.fixture(scope="module")
async def wanting(company: Company) -> Company:
    """Each office has a rule that wants customers' messages, a sequence that a reply ends, and a partner."""
    async with company.fleet.moving():
        for office in company.offices:
            await _wants_messages(office.owner)
    return company


async def _wants_messages(owner: Person) -> None:
    steps = [{"type": "wait", "amount": 2, "unit": "days"}, {"type": "send", "text": "Still there?"}]
    await owner.ok("PUT", "/v1/consent-rule", OWN_CUSTOMERS)
    sequence = await owner.ok("POST", "/v1/sequences", {"name": "Later", "steps": steps})
    await owner.ok("POST", f"/v1/sequences/{sequence['id']}/versions")
    task = {"type": "create_task", "title": "Call {{ data.sender.name | the customer }}"}
    enrol = {"sequence_id": sequence["id"], "conversation_id": "{{ data.conversation_id }}"}
    actions = [task, {"type": "start_sequence", "name": "Later", **enrol}]
    rule = {"name": "Call", "enabled": True, "trigger": "message.received.v1", "actions": actions}
    await owner.ok("POST", "/v1/rules", rule)
    await subscribed(owner, ["message.*", "deal.*"])


async def test_a_first_message_is_delivered_so_often_and_no_oftener(company: Company) -> None:
    """What the broker really delivers, counted where it is taken: to every lane of every service."""
    await company.fleet.settle()
    steps = await settled(company, write, company.offices, FIRST)
    delivered = {f"{step.service}.{step.work}": 0 for step in steps if step.work.startswith("lane")}
    for step in steps:
        if step.work.startswith("lane"):
            delivered[f"{step.service}.{step.work}"] += step.events
    messages = len(company.offices) * len(FIRST)
    assert sum(delivered.values()) <= DELIVERIES * messages, delivered
    assert sum(delivered.values()) >= DELIVERIES * messages, "a budget that is not used is too high"


async def test_many_ask_no_more_of_the_stores_than_one(wanting: Company) -> None:
    """Customers write for the first time, write again, and are answered."""
    acts = (write, qualify, write, answer)
    before = await wanting.fleet.settle()
    before += [step for act in acts for step in await settled(wanting, act, wanting.offices, WARM)]
    ones = [await settled(wanting, act, wanting.offices[:1], ONE) for act in acts]
    manys = [await settled(wanting, act, wanting.offices, MANY) for act in acts]
    found = [
        f"{act.__name__}: {words}"
        for act, one, many in zip(acts, ones, manys, strict=True)
        for words in overcharged(one, many, before)
    ]
    assert not found, "\n".join(found)
    bills = [step.bill for many in manys for step in many]
    assert any(bill.statements for bill in bills)
    assert any(bill.documents for bill in bills)
    assert any(bill.redis for bill in bills)


def test_a_statement_an_event_is_seen() -> None:
    """The check itself: a loop shows, and what a job costs is charged for each."""
    one = [_step("lane inbound", 1, begin=1, look=1), _step("job send", 1, begin=1, finish=1)]
    many = [_step("lane inbound", 40, begin=1, look=1), _step("job send", 8, begin=8, finish=8)]
    assert not overcharged(one, many, [])
    looped = _step("lane inbound", 40, begin=1, look=40)
    [words] = overcharged(one, [looped], [])
    assert words.startswith("messaging lane inbound: 41, not 2, for 40: 39 x look")
    assert overcharged([], [looped], [])


def _step(work: str, events: int, **statements: int) -> Step:
    return Step("messaging", work, events, Bill(Counter(statements)))


async def settled(company: Company, act: Act, offices: Sequence[Office], chats: Sequence[int]) -> list[Step]:
    """All that comes of it."""
    await act(company, offices, chats)
    return await company.fleet.settle()


async def write(
    company: Company, offices: Sequence[Office], chats: Sequence[int], words: str = QUESTION
) -> None:
    """A message of each chat to each office, all at once."""

    async def post(office: Office, chat: int) -> None:
        bot = office.telegram.bots[office.token]
        update = office.telegram.update(office.token, chat=chat, text=words, name=f"Customer {chat}")
        headers = {"X-Telegram-Bot-Api-Secret-Token": bot.secret}
        async with company.session.post(bot.url, json=update, headers=headers) as answered:
            assert answered.status == 200, await answered.text()

    await asyncio.gather(*(post(office, chat) for office in offices for chat in chats))


async def qualify(company: Company, offices: Sequence[Office], chats: Sequence[int]) -> None:
    """They say what they want and can pay: leads, and deals."""
    await write(company, offices, chats, QUALIFYING)


async def answer(company: Company, offices: Sequence[Office], chats: Sequence[int]) -> None:
    """The newest drafts are approved, one for each chat with each office, all at once."""
    drafts = f"/v1/drafts?state=generated&limit={len(chats)}"
    waiting = [
        (office, draft["id"])
        for office in offices
        for draft in (await office.owner.ok("GET", drafts))["items"]
    ]
    assert len(waiting) == len(offices) * len(chats)
    approved = (office.owner.ok("POST", f"/v1/drafts/{draft}/approve", {}) for office, draft in waiting)
    await asyncio.gather(*approved)


def overcharged(one: Sequence[Step], many: Sequence[Step], before: Sequence[Step]) -> list[str]:
    """What asks for more because there is more of it, and the words it repeats.

    A job and a timer are charged for each; a lane and a worker for the batch.
    """
    prices = _dearest(before) | _dearest(one)
    found = []
    for work, step in _dearest(many).items():
        price = prices.get(work)
        allowed: float = BY_TIME if price is None else price.bill.total()
        if price is not None and work[1].startswith(("job", "timer")):
            allowed = allowed / price.events * step.events
        if step.bill.total() > allowed + SLACK:
            known = price.bill.lines() if price is not None else Counter[str]()
            repeated = (step.bill.lines() - known).most_common(4)
            words = "; ".join(f"{times} x {said[:110]}" for said, times in repeated)
            found.append(
                f"{' '.join(work)}: {step.bill.total()}, not {allowed:.0f}, for {step.events}: {words}"
            )
    return found


def _dearest(steps: Sequence[Step]) -> dict[tuple[str, str], Step]:
    """Of each work the step that asked for most."""
    ordered = sorted(steps, key=lambda each: each.bill.total())
    return {(step.service, step.work): step for step in ordered}
