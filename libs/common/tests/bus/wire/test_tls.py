"""The broker behind TLS, as `amqps://`: its certificate must be one that we trust."""

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from flotilla.bus.wire.connection import CLOSE_SECONDS, OPEN_SECONDS
from flotilla.bus.wire.errors import WireError
from flotilla.bus.wire.frames import Message
from flotilla.bus.wire.publisher import Publisher
from flotilla.ids import new_id
from flotilla.native.authority import Authority
from flotilla.testing import Harness
from pamqp import commands, frame


def certify(folder: Path) -> Path:
    """A key and a certificate for 127.0.0.1, signed by itself, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "broker")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    encoding, no_password = serialization.Encoding.PEM, serialization.NoEncryption()
    file = folder / "broker.pem"
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, no_password)
    file.write_bytes(private + certificate.public_bytes(encoding))
    return file


@pytest.fixture
async def secured(still: Harness, tmp_path: Path) -> AsyncIterator[tuple[str, Path]]:
    """(the broker's address by way of TLS, what to trust)."""
    certificate = certify(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    carrying: set[asyncio.Task[None]] = set()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", still.instance.ports.rabbitmq)
        carrying.update({asyncio.create_task(carry(reader, back)), asyncio.create_task(carry(there, writer))})

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    plain = still.instance.amqp_url.replace(f":{still.instance.ports.rabbitmq}/", f":{port}/")
    yield plain.replace("amqp://", "amqps://"), certificate
    server.close()
    await asyncio.wait(carrying)


async def test_a_trusted_broker_is_published_to(secured: tuple[str, Path]) -> None:
    url, certificate = secured
    publisher = await Publisher.open(f"{url}?cafile={certificate}", "test")
    messages = [Message(new_id(), "nobody", b"x" * 10_000) for _ in range(100)]
    receipt = await publisher.publish("", messages, seconds=10)
    assert receipt.refused == 100, "each returned: there is no such queue"
    await publisher.close()


async def test_a_stranger_is_not(secured: tuple[str, Path]) -> None:
    url, certificate = secured
    with pytest.raises(ssl.SSLCertVerificationError):
        await Publisher.open(url, "test")
    publisher = await Publisher.open(f"{url}?cafile={certificate}", "test")
    await publisher.close()


async def test_the_name_in_the_address_is_sent_and_must_be_the_certificates(tmp_path: Path) -> None:
    """A broker behind a proxy is found by that name (RFC 6066); a number is no name, and is checked all the same."""
    authority = Authority(tmp_path / "own")
    authority.issue(["broker"])
    certificate = certify(tmp_path)
    asked: list[str | None] = []
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority.cert_file("broker"), authority.key_file("broker"))
    context.sni_callback = lambda _socket, name, _context: asked.append(name)

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    for host in ("localhost", "127.0.0.1"):
        with pytest.raises(WireError):
            await Publisher.open(f"amqps://u:p@{host}:{port}/v?cafile={authority.ca_file}", "test")
    assert asked == ["localhost", None]
    context.load_cert_chain(certificate)
    with pytest.raises(ssl.SSLCertVerificationError):
        await Publisher.open(f"amqps://u:p@localhost:{port}/v?cafile={certificate}", "test")
    server.close()


async def test_a_broker_that_refuses_and_then_says_nothing_more_is_not_waited_for(tmp_path: Path) -> None:
    """Not even for its part of ending TLS."""
    authority = Authority(tmp_path)
    authority.issue(["broker"])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority.cert_file("broker"), authority.key_file("broker"))
    never = asyncio.Event()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        writer.write(frame.marshal(commands.Connection.Close(403, "no", 0, 0), 0))
        await never.wait()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    async with asyncio.timeout(OPEN_SECONDS + CLOSE_SECONDS):
        with pytest.raises(WireError):
            await Publisher.open(f"amqps://u:p@localhost:{port}/v?cafile={authority.ca_file}", "test")
    never.set()
    server.close()
