"""SMTP: one mail, one connection, within a time limit; the server's certificate is checked wherever TLS is on."""

import ssl
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Final

import aiosmtplib
from flotilla.outside import forbid_in_transaction

from flotilla_auth.settings import AuthSettings

PERMANENT: Final = 500
"""Answers from here on say that trying again is of no use (RFC 5321 section 4.2.1)."""


class RefusedError(Exception):
    """The server will not take this mail, however often it is tried."""


class Smtp:
    """The way to the mail server."""

    def __init__(self, settings: AuthSettings) -> None:
        self._settings = settings
        self._context = (
            None
            if settings.smtp_tls == "none"
            else ssl.create_default_context(cafile=settings.smtp_ca_file and str(settings.smtp_ca_file))
        )

    @property
    def is_configured(self) -> bool:
        """Whether there is a server to send by."""
        return bool(self._settings.smtp_host)

    async def send(self, message: EmailMessage) -> None:
        """Hand it over; `RefusedError` for good, other errors where it may be tried again."""
        forbid_in_transaction("SMTP")
        settings = self._settings
        try:
            await aiosmtplib.send(
                message,
                sender=parseaddr(settings.smtp_from)[1],
                hostname=settings.smtp_host,
                port=settings.smtp_port,
                username=settings.smtp_user or None,
                password=settings.smtp_password.get_secret_value() or None,
                use_tls=settings.smtp_tls == "implicit",
                start_tls=settings.smtp_tls == "starttls",
                tls_context=self._context,
                timeout=settings.smtp_seconds,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            if all(each.code >= PERMANENT for each in error.recipients):
                raise RefusedError("the address is refused") from None
            raise
        except aiosmtplib.SMTPDataError as error:
            if error.code >= PERMANENT:
                raise RefusedError("the mail is refused") from None
            raise
