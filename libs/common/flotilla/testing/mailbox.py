"""A mail server on loopback that keeps what it is sent.

with Mailbox.running() as mailbox:
    ...  # FLOTILLA_SMTP_PORT is mailbox.port
    letter = await mailbox.expect("grace@example.org")
"""

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from flotilla.testing.eventually import eventually
from flotilla.testing.ports import free_port

_TOKEN = re.compile(r"#token=(\S+)")


@dataclass
class Mailbox:
    """All mail that came; `refusals` are answered instead, one after the other."""

    port: int = 0
    letters: list[EmailMessage] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    """Who sent, where the server asks for it."""

    @classmethod
    @contextmanager
    def running(cls, *, certificate: Path | None = None, password: str | None = None) -> Iterator["Mailbox"]:
        """Listen on a free port; with a certificate, nothing is taken before STARTTLS; with a password, before that."""
        mailbox = cls(free_port())
        context = None
        if certificate is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(certificate)
        controller = Controller(
            mailbox,
            hostname="127.0.0.1",
            port=mailbox.port,
            tls_context=context,
            require_starttls=context is not None,
            authenticator=mailbox._authenticator(password) if password else None,
            auth_required=password is not None,
        )
        controller.start()
        try:
            yield mailbox
        finally:
            controller.stop()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """aiosmtpd's hook: a whole mail."""
        if self.refusals:
            return self.refusals.pop(0)
        assert isinstance(envelope.content, bytes)
        letter = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(letter, EmailMessage)
        self.encrypted.append(session.ssl is not None)
        self.letters.append(letter)
        return "250 OK"

    async def expect(self, address: str, path: str = "", *, count: int = 1) -> EmailMessage:
        """The `count`th mail to somebody whose link leads to `path`, waited for."""

        async def come() -> list[EmailMessage]:
            found = [each for each in self.letters if each["To"] == address and path in text_of(each)]
            return found if len(found) >= count else []

        return (await eventually(come, what=f"mail to {address}"))[count - 1]

    def to(self, address: str) -> list[EmailMessage]:
        """All that came for somebody so far."""
        return [letter for letter in self.letters if letter["To"] == address]

    def _authenticator(self, password: str):  # type: ignore[no-untyped-def]
        def check(
            server: SMTP, session: Session, envelope: Envelope, mechanism: str, said: object
        ) -> AuthResult:
            good = isinstance(said, LoginPassword) and said.password == password.encode()
            if good and isinstance(said, LoginPassword):
                self.users.append(said.login.decode())
            return AuthResult(success=good)

        return check


def text_of(letter: EmailMessage) -> str:
    """Its plain text."""
    body = letter.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def token_of(letter: EmailMessage) -> str:
    """The token in its link."""
    found = _TOKEN.search(text_of(letter))
    assert found is not None, text_of(letter)
    return found[1]
