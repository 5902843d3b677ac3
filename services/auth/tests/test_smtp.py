"""The way to the mail server: encrypted, checked, tried again, given up."""

import ssl
from collections.abc import AsyncIterator, Iterator
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import pytest
from flotilla.events.security import MailFailed, MailSent
from flotilla.testing.certificates import certify
from flotilla.testing.harness import Harness, settings_for
from flotilla.testing.mailbox import Mailbox, text_of
from flotilla.testing.plugin import StartService
from flotilla_auth.mail.letters import LANGUAGES, PATHS, letter, texts
from flotilla_auth.mail.smtp import Smtp
from flotilla_auth.service import service
from flotilla_auth.testing import People, fresh_email

SECRET = "of the mail server"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return certify(tmp_path)


@pytest.fixture
def guarded(certificate: Path) -> Iterator[Mailbox]:
    """A server that takes nothing before STARTTLS and a password."""
    with Mailbox.running(certificate=certificate, password=SECRET) as running:
        yield running


def smtp(auth: Harness, **options: object) -> Smtp:
    settings = {"smtp_host": "127.0.0.1", "smtp_user": "flotilla", "smtp_password": SECRET, **options}
    return Smtp(settings_for(service, auth.instance, settings))


def words(to: str) -> EmailMessage:
    said = letter("verify_email", "en", "https://app.example", "t")
    return said.message("Flotilla <no-reply@flotilla.example>", to, "<1@x>")


async def test_mail_is_encrypted_and_its_server_checked(
    auth: Harness, guarded: Mailbox, certificate: Path
) -> None:
    trusting = smtp(auth, smtp_port=guarded.port, smtp_ca_file=certificate)
    await trusting.send(words("a@northwind.example"))
    assert (guarded.encrypted, guarded.users) == ([True], ["flotilla"])

    with pytest.raises(ssl.SSLCertVerificationError):
        await smtp(auth, smtp_port=guarded.port).send(words("a@northwind.example"))
    assert len(guarded.letters) == 1, "nothing is sent to a server that nobody vouches for"


async def test_without_starttls_nothing_is_sent_in_the_clear(auth: Harness, mailbox: Mailbox) -> None:
    with pytest.raises(aiosmtplib.SMTPException):
        await smtp(auth, smtp_port=mailbox.port).send(words(to := fresh_email()))
    assert mailbox.to(to) == []


async def test_mail_is_tried_again_where_the_server_says_later(
    auth: Harness, people: People, mailbox: Mailbox
) -> None:
    mailbox.refusals[:] = ["451 later"]
    owner = await people.owner()
    await mailbox.expect(owner.email)
    assert await auth.spy.expect(MailSent, lambda event: event.data.user_id == owner.id)


async def test_what_the_server_refuses_for_good_is_told(
    auth: Harness, people: People, mailbox: Mailbox
) -> None:
    mailbox.refusals[:] = ["550 no such mailbox"]
    owner = await people.owner()
    failed = await auth.spy.expect(MailFailed, lambda event: event.data.user_id == owner.id)
    assert (failed.data.kind, failed.data.reason, failed.envelope.audience) == (
        "verify_email",
        "refused",
        None,
    )
    assert mailbox.to(owner.email) == []


@pytest.fixture
async def without_mail(start_service: StartService) -> AsyncIterator[Harness]:
    async with start_service("auth") as running:
        yield running


async def test_without_a_server_each_mail_says_so_at_once(without_mail: Harness) -> None:
    owner = await People(without_mail).owner()
    failed = await without_mail.spy.expect(MailFailed, lambda event: event.data.user_id == owner.id)
    assert failed.data.reason == "not_configured"


async def test_without_a_server_an_invitations_token_is_told_once(without_mail: Harness) -> None:
    people = People(without_mail)
    owner = await people.owner(verified=False)
    email = fresh_email()
    invited = await owner.client.post("/v1/invitations", {"email": email})
    assert invited.headers["Cache-Control"] == "no-store"
    token = invited.json()["token"]
    one = await owner.client.get(f"/v1/invitations/{invited.json()['id']}")
    everything = await owner.client.get("/v1/invitations")
    assert token not in one.body.decode() + everything.body.decode()
    joined = people.person(await people.accept(token))
    assert (await joined.client.get("/v1/me")).json()["email_verified"] is False, "whoever invited had it too"
    assert (await joined.client.post("/v1/me/totp")).status == 201, "nobody can show an address here"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_mail_is_said_in_every_language(language: str) -> None:
    said = texts(language)
    assert set(said) == {"footer", *PATHS}
    for kind, path in PATHS.items():
        assert set(said[kind]) - {"footer"} == {"subject", "text", "button"}
        made = letter(kind, f"{language}-XX", "https://app.example", "flm_t").message(
            "Flotilla <no-reply@flotilla.example>", "a@northwind.example", "<1@flotilla.example>"
        )
        html = made.get_body(("html",))
        assert html is not None
        for text in (text_of(made), str(html.get_content())):
            assert f"https://app.example{path}#token=flm_t" in text
        assert f'<html lang="{language}">' in str(html.get_content())
        if language != "en":
            assert said[kind]["text"] != texts("en")[kind]["text"]


def test_other_languages_are_written_to_in_english() -> None:
    assert letter("verify_email", "ja", "", None).subject == texts("en")["verify_email"]["subject"]
