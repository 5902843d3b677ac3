"""The clients for programs, against the fleet: an organization's own program signs in, works and meets problems."""

import asyncio
import os
import secrets
import shutil
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from flotilla.fleet import Fleet
from flotilla.testing.people import Person
from flotilla.testing.serving import serving
from standardwebhooks.webhooks import Webhook

ROOT = Path(__file__).resolve().parents[2]
SCOPES = ["companies:read", "companies:write", "contacts:read", "contacts:write"]


async def generated(name: str) -> None:
    """The client's generated half is up to date: made of the document where it is not."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, ROOT / "sdk" / "generate.py", name), stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    assert process.returncode == 0, said.decode()


@pytest.fixture(scope="module")
async def credentials(fleet: Fleet, session: aiohttp.ClientSession) -> dict[str, str]:
    """An API key and an OAuth client of one organization, as the clients' programs read them."""
    nobody = Person(fleet.instance.public_url, session)
    wanted = {
        "organization_name": "Programs",
        "name": "Programs' owner",
        "email": f"{secrets.token_hex(6)}@example.org",
        "password": secrets.token_urlsafe(20),
    }
    owner = nobody.signed_in(await nobody.ok("POST", "/v1/sign-up", wanted))
    key = await owner.ok("POST", "/v1/api-keys", {"name": "Shop", "scopes": SCOPES})
    client = await owner.ok("POST", "/v1/oauth-clients", {"name": "ERP", "scopes": SCOPES})
    return {
        "FLOTILLA_ADDRESS": fleet.instance.public_url,
        "FLOTILLA_API_KEY": key["key"],
        "FLOTILLA_CLIENT_ID": client["id"],
        "FLOTILLA_CLIENT_SECRET": client["client_secret"],
    }


async def test_a_python_program(credentials: dict[str, str]) -> None:
    await generated("python")
    from flotilla_client import Flotilla, InvalidError, NotFoundError, PreconditionFailedError
    from flotilla_client.rest.api.companies import (
        change_company,
        create_company,
        list_companies,
        read_company,
    )
    from flotilla_client.rest.models import CompanyIn, CompanyPatch

    def job() -> None:
        address = credentials["FLOTILLA_ADDRESS"]
        client_id, client_secret = (
            credentials["FLOTILLA_CLIENT_ID"],
            credentials["FLOTILLA_CLIENT_SECRET"],
        )
        with (
            Flotilla(address, api_key=credentials["FLOTILLA_API_KEY"]) as by_key,
            Flotilla(address, client_id=client_id, client_secret=client_secret) as by_client,
        ):
            made = by_key.call(create_company.sync, body=CompanyIn(name="Pythonic Coffee"))
            read = read_company.sync_detailed(made.id, client=by_client)
            assert read.parsed.name == "Pythonic Coffee"
            etag = read.headers["etag"]
            tea = CompanyPatch(name="Pythonic Tea")
            changed = by_key.call(change_company.sync, company_id=made.id, body=tea, if_match=etag)
            assert changed.name == "Pythonic Tea"
            with pytest.raises(PreconditionFailedError):
                by_key.call(change_company.sync, company_id=made.id, body=tea, if_match=etag)
            for each in range(3):
                by_key.call(create_company.sync, body=CompanyIn(name=f"Shop {each}"))
            found = [company.id for company in by_key.pages(list_companies.sync, limit=2)]
            assert made.id in found
            assert len(found) == len(set(found)) >= 4
            with pytest.raises(NotFoundError) as missing:
                by_key.call(read_company.sync, company_id="00000000-0000-7000-8000-000000000000")
            assert missing.value.request_id
            with pytest.raises(InvalidError) as invalid:
                by_key.call(create_company.sync, body=CompanyIn(name=""))
            assert invalid.value.errors[0]["pointer"] == "/name"

    await asyncio.to_thread(job)


async def test_a_program_that_waits_for_nothing(credentials: dict[str, str]) -> None:
    await generated("python")
    from flotilla_client import Flotilla, UnauthorizedError
    from flotilla_client.rest.api.companies import create_company, list_companies
    from flotilla_client.rest.models import CompanyIn

    address = credentials["FLOTILLA_ADDRESS"]
    async with Flotilla(address, api_key=credentials["FLOTILLA_API_KEY"]) as flotilla:
        wanted = [
            flotilla.acall(create_company.asyncio, body=CompanyIn(name=f"Stand {each}")) for each in "abc"
        ]
        made = {company.id for company in await asyncio.gather(*wanted)}
        assert made <= {company.id async for company in flotilla.apages(list_companies.asyncio, limit=2)}
    async with Flotilla(address, api_key="flt_wrong") as stranger:
        with pytest.raises(UnauthorizedError):
            await stranger.acall(list_companies.asyncio)


@pytest.mark.skipif(
    shutil.which("npm") is None and not os.environ.get("CI"), reason="Node 20 with npm is needed"
)
async def test_a_typescript_program(credentials: dict[str, str]) -> None:
    await generated("typescript")
    process = await asyncio.create_subprocess_exec(
        *(
            "node",
            "--unhandled-rejections=strict",
            ROOT / "sdk" / "typescript" / "dist" / "test" / "main_job.js",
        ),
        env={**os.environ, **credentials},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    assert said.decode().strip() == "all done"


class Faltering:
    """A server that refuses first, and remembers every request's key."""

    def __init__(self, *answers: tuple[int, dict[str, str]]) -> None:
        self._answers = [*answers]
        self.keys: list[str | None] = []

    async def answer(self, request: web.Request) -> web.Response:
        """The next answer; at last a company."""
        self.keys.append(request.headers.get("Idempotency-Key"))
        if self._answers:
            status, headers = self._answers.pop(0)
            return web.json_response(
                {"type": "/problems/x", "status": status}, status=status, headers=headers
            )
        return web.json_response(COMPANY, status=201)


COMPANY: dict[str, object] = {
    "id": "0199d4e2-7a1c-7c3e-9b1f-5d2a6c0e41f7",
    "name": "Late",
    "domain": None,
    "owner_id": None,
    "tags": [],
    "custom_fields": {},
    "created_at": "2026-11-20T09:30:00Z",
    "updated_at": "2026-11-20T09:30:00Z",
}


@pytest.fixture
async def faltering() -> AsyncIterator[tuple[Faltering, str]]:
    """A server that is down once, then says when to come again."""
    server = Faltering((502, {}), (429, {"Retry-After": "0"}))
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.answer)
    async with serving(application) as address:
        yield server, address


async def test_a_write_is_tried_again_with_its_key(faltering: tuple[Faltering, str]) -> None:
    await generated("python")
    from flotilla_client import Flotilla
    from flotilla_client.rest.api.companies import create_company
    from flotilla_client.rest.models import CompanyIn

    server, address = faltering
    async with Flotilla(address, api_key="flt_x") as flotilla:
        made = await flotilla.acall(create_company.asyncio, body=CompanyIn(name="Late"))
    assert made.name == "Late"
    assert len(server.keys) == 3
    assert len(set(server.keys)) == 1
    assert server.keys[0] is not None


async def test_patience_ends(faltering: tuple[Faltering, str]) -> None:
    await generated("python")
    from flotilla_client import Flotilla, ProblemError
    from flotilla_client.rest.api.companies import create_company
    from flotilla_client.rest.models import CompanyIn

    server, address = faltering
    async with Flotilla(address, api_key="flt_x", attempts=1) as flotilla:
        with pytest.raises(ProblemError) as refused:
            await flotilla.acall(create_company.asyncio, body=CompanyIn(name="Late"))
    assert (refused.value.code, len(server.keys)) == (502, 1)


async def test_a_clients_token_is_renewed_where_it_is_refused() -> None:
    await generated("python")
    from flotilla_client import Flotilla
    from flotilla_client.rest.api.companies import read_company

    given: list[str] = []

    async def issue(request: web.Request) -> web.Response:
        given.append(f"token-{len(given)}")
        return web.json_response({"access_token": given[-1], "expires_in": 900})

    async def read(request: web.Request) -> web.Response:
        if request.headers["Authorization"] != "Bearer token-1":
            return web.json_response({"type": "/problems/unauthorized"}, status=401)
        return web.json_response(COMPANY)

    application = web.Application()
    application.router.add_post("/v1/oauth/token", issue)
    application.router.add_get("/v1/companies/{id}", read)
    async with (
        serving(application) as address,
        Flotilla(address, client_id="erp", client_secret="secret") as flotilla,
    ):
        for _ in range(2):
            read_one = await flotilla.acall(read_company.asyncio, company_id=COMPANY["id"])
            assert read_one.name == "Late"
    assert given == ["token-0", "token-1"]


async def test_a_webhook_is_believed_only_as_it_was_signed() -> None:
    await generated("python")
    from flotilla_client import InvalidSignatureError, verify_webhook

    secret, body, now = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", '{"type": "deal.won.v1"}', datetime.now(UTC)
    headers = {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": str(int(now.timestamp())),
        "Webhook-Signature": Webhook(secret).sign("msg_1", now, body),
    }
    assert verify_webhook(secret, headers, body.encode())["type"] == "deal.won.v1"
    with pytest.raises(InvalidSignatureError):
        verify_webhook(secret, headers, body.replace("won", "lost").encode())
