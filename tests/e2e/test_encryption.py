"""A fleet with TLS on every hop: it works, nobody gets in without, and its certificates are renewed while it runs."""

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import aio_pika
import aiohttp
import asyncpg
import msgspec
import pytest
from cryptography import x509
from flotilla import secrets
from flotilla.bus.connection import close, connect
from flotilla.bus.envelope import encode
from flotilla.bus.topology import EXCHANGE
from flotilla.bus.wire.publisher import Publisher
from flotilla.cause import Cause
from flotilla.cli import app
from flotilla.fleet import OPERATOR, Fleet
from flotilla.ids import new_id
from flotilla.instance import HOST, Instance
from flotilla.secrets import Key
from flotilla.security.sealing import Keyring
from flotilla.security.tls import trusting
from flotilla.service import load
from flotilla.store.files import Files
from flotilla.testing import eventually
from flotilla.testing.people import PASSWORD
from flotilla.testing.simulators.channel import Channel
from pymongo import AsyncMongoClient
from redis.asyncio import Redis
from typer.testing import CliRunner

from tests.e2e.encrypted import LIMIT, REGION, SERVICES, Encrypted

Hop = Callable[[str], Awaitable[object]]
"""Connects by an address, and says something."""


async def test_what_a_customer_wrote_comes_to_a_person_who_signed_in(encrypted: Encrypted) -> None:
    """Outbox, wire client, lanes, documents, limiter and forwarding: every hop there is, encrypted.

    That the gateway is ready says that auth's outbox came to its lane.
    """
    async with encrypted.caller() as nobody:
        wanted = {
            "organization_name": "Harbour",
            "name": "Anna",
            "email": "anna@harbour.example",
            "password": PASSWORD,
        }
        anna = nobody.signed_in(await nobody.ok("POST", "/v1/sign-up", wanted))
        org = UUID((await anna.ok("GET", "/v1/organization"))["id"])
        await _customer_writes(encrypted, org, "Is the quay open on Sunday?")

        async def arrived() -> Any:
            return (await anna.ok("GET", "/v1/conversations"))["items"]

        conversations = await eventually(arrived, what="the conversation")
        found = await anna.call("GET", f"/v1/conversations/{conversations[0]['id']}/messages")
        assert "Is the quay open on Sunday?" in found.body.decode(), "its body comes from the document store"
        assert "ratelimit" in {name.lower() for name in found.headers}, "Redis was asked"


async def _customer_writes(encrypted: Encrypted, org: UUID, text: str) -> None:
    """As integrations would say it: published by the wire client, at whose other end messaging's lane is."""
    outgoing = encode(
        Channel(new_id()).writes(1, text),
        org=org,
        sequence=1,
        cause=Cause.fresh("service:test"),
        region=REGION,
    )
    connection = await aio_pika.connect(encrypted.fleet.instance.amqp_url, timeout=10)
    async with connection:
        channel = await connection.channel(publisher_confirms=True)
        exchange = await channel.get_exchange(EXCHANGE)
        await exchange.publish(
            aio_pika.Message(outgoing.body, message_id=str(outgoing.id), delivery_mode=2), outgoing.type
        )


async def _postgres(address: str) -> None:
    connection = await asyncpg.connect(address, timeout=10)
    await connection.close()


async def _aio_pika(address: str) -> None:
    await close(await connect(address))


async def _wire(address: str) -> None:
    publisher = await Publisher.open(address, "test")
    await publisher.close()


async def _redis(address: str) -> None:
    async with Redis.from_url(address, socket_timeout=10, socket_connect_timeout=10) as redis:
        await redis.ping()


async def _documents(address: str) -> None:
    client: AsyncMongoClient[Any] = AsyncMongoClient(address, serverSelectionTimeoutMS=1500)
    async with client:
        await client.admin.command("ping")


def _hops(encrypted: Encrypted) -> dict[str, tuple[Hop, str]]:
    instance = encrypted.fleet.instance
    return {
        "postgres": (_postgres, instance.runtime_dsn("auth")),
        "rabbitmq, aio-pika": (_aio_pika, instance.amqp_url),
        "rabbitmq, our own client": (_wire, instance.amqp_url),
        "redis": (_redis, instance.redis_url),
        "documents": (_documents, instance.documents_url),
    }


def _plain(address: str) -> str:
    """The same without encryption."""
    parts = urlsplit(address)
    scheme = {"amqps": "amqp", "rediss": "redis"}.get(parts.scheme, parts.scheme)
    query = {"postgresql": "sslmode=disable", "mongodb": "directConnection=true"}.get(scheme, "")
    return parts._replace(scheme=scheme, query=query).geturl()


async def test_no_store_takes_a_plain_connection_or_is_believed_under_another_authority(
    encrypted: Encrypted,
) -> None:
    ours, strange = str(encrypted.authority.ca_file), str(encrypted.stranger.ca_file)
    for name, (hop, address) in _hops(encrypted).items():
        assert ours in address, name
        await hop(address)
        for refused in (_plain(address), address.replace(ours, strange)):
            with pytest.raises(Exception) as raised:
                await asyncio.wait_for(hop(refused), 15)
            assert not isinstance(raised.value, TimeoutError), (name, refused)


async def test_services_serve_only_who_has_a_certificate_and_the_gateway_everybody(
    encrypted: Encrypted,
) -> None:
    instance = encrypted.fleet.instance
    auth = f"{HOST}:{instance.service_ports['auth']}"
    gateway = f"{HOST}:{instance.service_ports['gateway']}"
    anonymous = trusting(instance.ca_file)
    forged = trusting(instance.ca_file)
    forged.load_cert_chain(encrypted.stranger.cert_file(OPERATOR), encrypted.stranger.key_file(OPERATOR))
    deceived = trusting(encrypted.stranger.ca_file)
    assert await _status(f"https://{auth}/readyz", encrypted.fleet.tls()) == 200
    assert await _status(f"https://{gateway}/readyz", anonymous) == 200
    for url, tls in (
        (f"http://{auth}/readyz", None),
        (f"http://{gateway}/readyz", None),
        (f"https://{auth}/readyz", anonymous),
        (f"https://{auth}/readyz", forged),
        (f"https://{auth}/readyz", deceived),
        (f"https://{gateway}/readyz", deceived),
        (f"https://{HOST}:{instance.ports.rabbitmq_management}/", deceived),
        (f"http://{HOST}:{instance.ports.rabbitmq_management}/", None),
    ):
        with pytest.raises(aiohttp.ClientError):
            await _status(url, tls)


async def test_certificates_are_exchanged_while_it_runs(encrypted: Encrypted) -> None:
    """New connections see the new one; those that are open go on."""
    instance = encrypted.fleet.instance
    before = {
        name: encrypted.authority.cert_file(name).read_bytes() for name in ("auth", "redis", "postgres")
    }
    async with asyncio.timeout(60), encrypted.caller() as nobody:
        await encrypted.fleet.renew(anew=True)
        for name, port in (("auth", instance.service_ports["auth"]), ("redis", instance.ports.redis)):
            assert encrypted.authority.cert_file(name).read_bytes() != before[name]

            async def shown(name: str = name, port: int = port) -> bool:
                return await _shown(encrypted, port) == _serial(
                    encrypted.authority.cert_file(name).read_bytes()
                )

            await eventually(shown, what=f"the new certificate of {name}")
        wanted = {"email": "nobody@harbour.example", "password": PASSWORD}
        assert (await nobody.call("POST", "/v1/sign-in", wanted)).status == 401, (
            "asked of auth, over new connections"
        )
        await _postgres(instance.runtime_dsn("auth"))


async def test_a_service_refuses_to_start_with_a_plain_address(encrypted: Encrypted) -> None:
    environment = encrypted.fleet.instance.environment("gateway")
    told: dict[str, Any] = {
        name.removeprefix("FLOTILLA_").lower(): value for name, value in environment.items()
    }
    settings = load("gateway").settings
    settings(**told)
    for name in ("postgres_dsn", "amqp_url", "redis_url", "documents_url", "upstreams", "public_url"):
        lax = _plain(told[name]) if "@" in told[name] or "mongodb" in told[name] else ""
        with pytest.raises(ValueError, match=f"FLOTILLA_{name.upper()}"):
            settings(**{**told, name: lax or re.sub("https", "http", told[name], count=1)})


async def test_master_keys_are_changed_step_by_step(
    encrypted: Encrypted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last here: at its end the first key is gone, and what was written under it is there."""
    fleet, load_ = encrypted.fleet, Instance.load
    name, root, folder = fleet.instance.name, fleet.instance.root, fleet.instance.folder
    monkeypatch.setattr(Instance, "load", lambda _: load_(name, root))

    async def keys(*arguments: str) -> int:
        return (await asyncio.to_thread(CliRunner().invoke, app, ["keys", *arguments])).exit_code

    wanted = {"organization_name": "Quay", "name": "Olha", "email": "olha@quay.example", "password": PASSWORD}
    async with encrypted.caller() as nobody:
        await nobody.ok("POST", "/v1/sign-up", wanted)
        path = f"{new_id()}/a"
        async with Files.open(fleet.instance.files_url, _keyring(fleet.instance)).writing(path) as sink:
            await sink.write(b"kept")
        for added in (("add", "k2"), ("derivation", "add", "d2"), ("principal", "add", "p2")):
            assert await keys(*added) == 0
        used = (("use", "k2"), ("derivation", "use", "d2"), ("principal", "use", "p2"))
        for use in used:
            assert await keys(*use) == 1, "services run that do not know it"
        await fleet.stop_services(SERVICES)
        for use in used:
            assert await keys(*use) == 0
        assert await keys("derivation", "drop", "d1", "--leaked") == 1, "people's addresses are found by it"
        assert await keys("derivation", "list") == 0
        assert await keys("drop", "k1") == 1, "it was retired just now"
        secrets.change_keys(folder, "master_keys", _retired_long_ago)
        assert await keys("drop", "k1") == 1, "something is under it"
        assert await keys("reseal") == 0
        assert await keys("reseal") == 0, "there is nothing more to do"
        assert await keys("drop", "k1") == 0
        renewed = Fleet(load_(name, root))
        assert [key.id for key in renewed.instance.secrets.master_keys] == ["k2"]
        assert [key.id for key in renewed.instance.secrets.derivation_keys] == ["d2", "d1"]
        assert renewed.instance.secrets.principal_keys[0].id == "p2"
        renewed = encrypted.fleet = Fleet(renewed.instance.with_isolation(overrides=fleet.instance.overrides))
        await renewed.start_services(SERVICES)
        signed_in = await nobody.ok(
            "POST", "/v1/sign-in", {name: wanted[name] for name in ("email", "password")}
        )
        olha = nobody.signed_in(signed_in)
        assert (await olha.ok("GET", "/v1/organization"))["name"] == "Quay"
        files = Files.open(fleet.instance.files_url, _keyring(renewed.instance))
        assert b"".join([piece async for piece in files.read(path)]) == b"kept"


def _retired_long_ago(keys: list[Key]) -> list[Key]:
    return [
        msgspec.structs.replace(key, retired_at=key.retired_at and "2020-01-01T00:00:00+00:00")
        for key in keys
    ]


def _keyring(instance: Instance) -> Keyring:
    return Keyring(instance.secrets.keyring, instance.secrets.derivation_keyring)


async def _status(url: str, tls: ssl.SSLContext | None) -> int:
    connector = aiohttp.TCPConnector(ssl=tls or True)
    async with (
        aiohttp.ClientSession(connector=connector, timeout=LIMIT) as session,
        session.get(url) as answer,
    ):
        return answer.status


async def _shown(encrypted: Encrypted, port: int) -> int:
    """The serial number of the certificate that is shown to a new connection."""
    _, writer = await asyncio.open_connection(HOST, port, ssl=encrypted.fleet.tls())
    try:
        return _serial(
            ssl.DER_cert_to_PEM_cert(writer.get_extra_info("ssl_object").getpeercert(True)).encode()
        )
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def _serial(pem: bytes) -> int:
    return x509.load_pem_x509_certificate(pem).serial_number
