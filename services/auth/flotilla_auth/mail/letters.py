"""What mails say, in five languages: plain text, and the same as simple HTML.

No name stands in them: whoever signs up with somebody else's address could write to them through us.
"""

import tomllib
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, localtime
from functools import cache
from html import escape
from importlib import resources
from typing import Any, Final

LANGUAGES: Final = ("en", "fr", "de", "uk", "ru")
PATHS: Final = {
    "verify_email": "/verify-email",
    "reset_password": "/reset-password",
    "password_changed": "/forgot-password",
    "second_factor_added": "/forgot-password",
    "second_factor_removed": "/forgot-password",
    "passkey_added": "/forgot-password",
    "passkey_cloned": "/forgot-password",
    "second_factors_reset": "/forgot-password",
    "identity_linked": "/forgot-password",
    "invitation": "/accept-invitation",
}
"""Every kind of mail, and the page of the console that its link opens."""
_HTML: Final = """\
<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><title>{subject}</title></head>
<body style="font-family:sans-serif;max-width:36em;margin:2em auto;color:#1a1a1a">
<p>{text}</p>
<p><a href="{link}" style="background:#0b5cad;color:#fff;padding:.6em 1em;text-decoration:none">{button}</a></p>
<p style="color:#555;font-size:85%">{link}<br>{footer}</p>
</body></html>
"""


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail's words."""

    language: str
    subject: str
    text: str
    html: str

    def message(self, sender: str, recipient: str, message_id: str) -> EmailMessage:
        """As it is sent; sent twice, it is one message to whoever reads it, by its Message-ID."""
        message = EmailMessage()
        message["From"] = sender
        message["To"] = Address(addr_spec=recipient)
        message["Subject"] = self.subject
        message["Date"] = format_datetime(localtime())
        message["Message-ID"] = message_id
        message["Content-Language"] = self.language
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation answers
        message.set_content(self.text)
        message.add_alternative(self.html, subtype="html")
        return message


def letter(kind: str, locale: str, links: str, token: str | None) -> Letter:
    """The mail of a kind in the language of a locale (`de-AT`), English where there is none.

    The token stands behind a `#`: browsers send that to no server, so it is in nobody's log.
    """
    language = locale.split("-")[0].lower()
    words = texts(language if language in LANGUAGES else "en")
    said = words[kind]
    footer = said.get("footer", words["footer"])
    link = links + PATHS[kind] + (f"#token={token}" if token else "")
    shown = {"link": link, "language": language, **said, "footer": footer}
    return Letter(
        language=language if language in LANGUAGES else "en",
        subject=said["subject"],
        text=f"{said['text']}\n\n{link}\n\n-- \n{footer}\n",
        html=_HTML.format(**{name: escape(value) for name, value in shown.items()}),
    )


@cache
def texts(language: str) -> dict[str, Any]:
    """All that is said in a language."""
    file = resources.files("flotilla_auth.mail").joinpath("texts", f"{language}.toml")
    return tomllib.loads(file.read_text("utf-8"))
