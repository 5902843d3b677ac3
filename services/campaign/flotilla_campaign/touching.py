"""What people do with messages: open them, follow their links, want no more, or never get them."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from flotilla.bus.envelope import Received
from flotilla.cause import Cause
from flotilla.events.campaign import MailBounced, MailClicked, MailOpened
from flotilla.events.integrations import ChannelMessageFailed
from flotilla.store.postgres import Transaction

from flotilla_campaign.domain.robots import looks_automated
from flotilla_campaign.domain.tracking import Token
from flotilla_campaign.running import BOUNCED, Why, suppress, suppress_all
from flotilla_campaign.sending import AUDIENCE
from flotilla_campaign.store import enrolments, people, sends
from flotilla_campaign.store.sends import Send

OPEN: Final = "open"
CLICK: Final = "click"


async def opened(tx: Transaction, token: Token, headers: Mapping[str, str]) -> None:
    """Somebody, or some program, loaded the picture of a message."""
    send = await sends.read(tx, token.org, token.message_id)
    if send is not None and not objects(headers):
        await _touch(tx, send, OPEN, 0, automated=looks_automated(headers, await _age(tx, send)))


async def followed(tx: Transaction, token: Token, headers: Mapping[str, str]) -> str | None:
    """Somebody, or some program, followed a link: where it leads. Who follows one has opened the message as well."""
    send = await sends.read(tx, token.org, token.message_id)
    if send is None or token.link >= len(send.links):
        return None
    if objects(headers):
        return send.links[token.link]
    automated = looks_automated(headers, await _age(tx, send))
    if not automated:
        await _touch(tx, send, OPEN, 0, automated=False)
    await _touch(tx, send, CLICK, token.link, automated=automated)
    return send.links[token.link]


async def unsubscribed(tx: Transaction, token: Token) -> bool:
    """They want no more, by the link in a message; whether there is such a message."""
    send = await sends.read(tx, token.org, token.message_id)
    if send is None:
        return False
    await people.hold(tx, [(send.organization_id, send.contact_id)])
    await suppress(tx, send.organization_id, send.contact_id, "link", by(send))
    await sends.unsubscribed(tx, send)
    return True


async def bounced(tx: Transaction, found: Sequence[tuple[Send, Received[ChannelMessageFailed]]]) -> None:
    """These messages reached nobody, and none will: nothing more is sent to them. The caller holds the people."""
    if not found:
        return
    sequences = await sends.bounced(tx, [(send.organization_id, send.id) for send, _ in found])
    unreached: dict[people.Key, tuple[str, Why]] = {}
    for send, event in found:
        sequence = sequences.get((send.organization_id, send.id))
        if sequence is None:
            continue
        fact = MailBounced(**send.what(), reason=event.data.reason, occurred_at=event.data.occurred_at)
        tx.emit(fact, org=send.organization_id, sequence=sequence, cause=event, audience=AUDIENCE)
        unreached.setdefault((send.organization_id, send.contact_id), (BOUNCED, event))
    await suppress_all(tx, unreached)


def objects(headers: Mapping[str, str]) -> bool:
    """Whether their browser says for them that nobody shall learn of it: Global Privacy Control (11 CCR § 7025)."""
    return headers.get("sec-gpc", "").strip() == "1"


async def _touch(tx: Transaction, send: Send, kind: str, link: int, *, automated: bool) -> None:
    await enrolments.lock(tx, [(send.organization_id, send.enrolment_id)])
    sequence = await sends.touch(tx, send, kind, link, automated=automated)
    if sequence is None:
        return
    what = {**send.what(), "automated": automated, "occurred_at": await enrolments.now(tx)}
    fact = MailOpened(**what) if kind == OPEN else MailClicked(**what, url=send.links[link])
    tx.emit(fact, org=send.organization_id, sequence=sequence, cause=by(send), audience=AUDIENCE)


async def _age(tx: Transaction, send: Send) -> timedelta:
    return await enrolments.now(tx) - (send.sent_at or send.asked_at)


def by(send: Send) -> Cause:
    """What the person does goes back to nobody but them."""
    return Cause.fresh(f"contact:{send.contact_id}")
