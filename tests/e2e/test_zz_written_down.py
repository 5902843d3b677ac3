"""At the end of a run: nothing secret and nothing of people stands in any log, the servers' too, in a span, or beside
a parked event.

The file's name makes it the last: what all tests before it did is looked through.
"""

import asyncio

from flotilla.fleet import Fleet
from flotilla.testing.people import PASSWORD

from tests.e2e import server_logs, test_privacy
from tests.e2e.conftest import NewOffice
from tests.e2e.everywhere import places
from tests.e2e.said import (
    MOST,
    Said,
    own_secrets,
    parked,
    parked_beside_people,
    words_of_people,
    written_down,
)

STRUCTURED = "encode(body, 'escape'), error, stack, waiting_for"
TOLD = "error, stack, waiting_for"
"""What is told of why; the event itself is there to be tried again, and swept by its age."""


async def test_no_secret_is_written_down(new_office: NewOffice, fleet: Fleet, said: Said) -> None:
    office = await new_office("Lighthouse")
    await office.owner.ok("POST", "/v1/api-keys", {"name": "ERP", "scopes": ["contacts:read"]})
    secrets = [PASSWORD, office.token, *own_secrets(fleet), *said.secrets[-MOST:]]
    assert len(said.secrets) > 2, "the run's own were heard"

    assert await asyncio.to_thread(written_down, fleet, secrets) == {}
    assert await parked(fleet, secrets, STRUCTURED) == {}
    few = [PASSWORD, office.token, office.owner.tokens["refresh_token"], *said.secrets[-20:]]
    assert await places(fleet, few) == {}, "in no table, document, queue, file or log"


async def test_nothing_of_people_is_written_down(new_office: NewOffice, fleet: Fleet) -> None:
    office = await new_office("Lighthouse")
    async with office.owner.live() as live:
        await office.customer_writes("Is the lighthouse keeper's lamp lit?", chat=4711, name="Ermentrude Vix")
        await live.expect("message.analyzed.v1")
    told_here = [*test_privacy.WORDS, "lighthouse keeper", "Ermentrude"]
    words = [*await words_of_people(fleet), *told_here]

    assert {name for name, _ in server_logs.written(fleet.instance)} >= {"postgres", "rabbitmq", "redis"}
    assert await asyncio.to_thread(written_down, fleet, words, told_here) == {}
    assert await parked(fleet, words, TOLD) == {}
    assert await parked_beside_people(fleet, told_here) == {}


def test_of_a_shared_servers_log_only_what_is_ours_or_nobodys_is_read() -> None:
    ours = (
        b"2031-05-01 10:00:00.000 UTC [7] flotilla_crm@e2e LOG:  duration: 900 ms  execute x:\n\tSELECT 1\n"
    )
    theirs = (
        b"2031-05-01 10:00:00.100 UTC [8] flotilla_crm@other LOG:  duration: 901 ms  execute x:\n\tSELECT 2\n"
    )
    nobodys = b"2031-05-01 10:00:00.200 UTC [1] LOG:  checkpoint starting: time\n"
    assert server_logs.of_database(ours + theirs + nobodys + theirs + ours, "e2e") == ours + nobodys + ours
