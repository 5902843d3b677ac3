"""TLS of a process: its certificate, whom it believes, and how both are exchanged without a restart.

The stores' addresses say for themselves how they are encrypted and against which authority their certificate is
checked; drivers read that file at each new connection. What stands here is for HTTP: the listener, and the gateway's
connections to the services.
"""

import asyncio
import ssl
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

import structlog

if TYPE_CHECKING:
    from flotilla.settings import Settings

log = structlog.get_logger()

LOOK_SECONDS: Final = 30.0
"""How often the files are looked at: a platform that exchanges them tells nobody."""
_ENCRYPTED: Final = frozenset({"https", "wss", "s3", "s3a", "gs", "az", "adl", "abfs", "abfss", "file", ""})
_ON: Final = ("true", "1")


class PlainAddressError(ValueError):
    """A process that must encrypt was given an address without encryption, or without a check of whom it speaks to."""


class Tls:
    """The contexts of a process; connections made after `reload` use what the files say then."""

    def __init__(self, ca_file: Path, cert_file: Path, key_file: Path) -> None:
        self._ca_file, self._cert_file, self._key_file = ca_file, cert_file, key_file
        self._seen = self._stamps()
        self._contexts: list[ssl.SSLContext] = []
        self.changed = asyncio.Event()
        """Set it to have the files read again at once (SIGHUP does)."""
        self.client = self._made(trusting(ca_file))
        """For connections to the project's own: checks name and authority, shows our certificate."""

    @classmethod
    def of(cls, settings: "Settings") -> "Tls | None":
        """None where TLS is off."""
        if settings.tls == "off":
            return None
        files = settings.tls_ca_file, settings.tls_cert_file, settings.tls_key_file
        ca_file, cert_file, key_file = files
        if ca_file is None or cert_file is None or key_file is None:
            raise PlainAddressError(
                "FLOTILLA_TLS=on needs FLOTILLA_TLS_CA_FILE, _TLS_CERT_FILE and _TLS_KEY_FILE"
            )
        return cls(ca_file, cert_file, key_file)

    def server(self, *, client_certificates: bool) -> ssl.SSLContext:
        """For a listener; with `client_certificates` nobody is served who has none of our authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if client_certificates:
            context.load_verify_locations(self._ca_file)
            context.verify_mode = ssl.CERT_REQUIRED
        return self._made(context)

    def reload(self) -> bool:
        """Read certificate, key and authorities again: whether they could be read.

        Pairs that do not belong together, as in the middle of an exchange, leave everything as it is. An authority that
        was believed is believed until the process ends.
        """
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self._cert_file, self._key_file)
            for context in self._contexts:
                if context.verify_mode is ssl.CERT_REQUIRED:
                    context.load_verify_locations(self._ca_file)
                context.load_cert_chain(self._cert_file, self._key_file)
        except OSError as error:  # ssl.SSLError is one
            log.error("certificates.unreadable", error=str(error))
            return False
        log.info("certificates.reloaded")
        return True

    async def keep(self, stopping: asyncio.Event) -> None:
        """Reload when told, or when the files have changed, until the process stops."""
        while not stopping.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self.changed.wait(), LOOK_SECONDS)
            stamps = self._stamps()
            if (self.changed.is_set() or stamps != self._seen) and self.reload():
                self._seen = stamps
            self.changed.clear()

    def _made(self, context: ssl.SSLContext) -> ssl.SSLContext:
        context.load_cert_chain(self._cert_file, self._key_file)
        self._contexts.append(context)
        return context

    def _stamps(self) -> tuple[int, ...]:
        files = (self._ca_file, self._cert_file, self._key_file)
        return tuple(file.stat().st_mtime_ns if file.exists() else 0 for file in files)


def trusting(ca_file: str | Path | None) -> ssl.SSLContext:
    """A client's context that checks name and authority; without a file, the system's authorities."""
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def require_encrypted(addresses: dict[str, str]) -> None:
    """PlainAddressError where one of these, by setting, is plain or checks nobody; empty ones are no hop."""
    plain = [
        name for name, address in addresses.items() if address and not all(map(_encrypted, _each(address)))
    ]
    if plain:
        raise PlainAddressError(
            f"FLOTILLA_TLS=on, and these addresses are not encrypted or check no certificate: {', '.join(plain)}"
        )


def _each(address: str) -> Sequence[str]:
    """One address, or those of `name=http://…|http://…,name=…`."""
    head, separator, _ = address.partition("=")
    if not separator or "://" in head:
        return [address]
    return [one for pair in address.split(",") for one in pair.partition("=")[2].split("|")]


def _encrypted(address: str) -> bool:
    parts = urlsplit(address)
    said = {name: values[-1].lower() for name, values in parse_qs(parts.query).items()}
    match parts.scheme:
        case "postgresql" | "postgres":
            return said.get("sslmode") == "verify-full"
        case "amqps":
            return "no_verify_ssl" not in said and "verify" not in said
        case "rediss":
            return (
                said.get("ssl_cert_reqs", "required") == "required" and said.get("ssl_check_hostname") in _ON
            )
        case "mongodb" | "mongodb+srv":
            lax = ("tlsinsecure", "tlsallowinvalidcertificates", "tlsallowinvalidhostnames")
            options = {name.lower(): value for name, value in said.items()}
            return options.get("tls") in _ON and not any(options.get(name) in _ON for name in lax)
    return parts.scheme in _ENCRYPTED
