"""Secrets of subscriptions: what webhooks are signed with, what a queue is read with."""

import base64
import hashlib
import os
import secrets
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from flotilla.security import webhooks
from flotilla.security.sealed_columns import SealedColumn
from flotilla.security.sealing import Keyring

from flotilla_integrations.partners.domain import BOTH_SECRETS, Kind, Secrets

SIGNING_BYTES: Final = 32
SALT_BYTES: Final = 4


def fresh(kind: Kind) -> tuple[str, Secrets]:
    """(what the partner is shown once, what is kept)."""
    if kind is Kind.AMQP:
        password = secrets.token_urlsafe(32)
        return password, Secrets(password_hash=_hashed(password))
    signing = webhooks.PREFIX + base64.b64encode(os.urandom(SIGNING_BYTES)).decode()
    return signing, Secrets(signing=signing)


def rotated(kind: Kind, old: Secrets, now: datetime) -> tuple[str, Secrets]:
    """The same anew; what webhooks were signed with stays good beside it for a day."""
    shown, kept = fresh(kind)
    if kind is Kind.WEBHOOK:
        kept = msgspec.structs.replace(kept, old_signing=old.signing, old_until=now + BOTH_SECRETS)
    return shown, kept


SEALED: Final = SealedColumn(
    "partner_subscriptions", "sealed", ("organization_id", "id"), lambda row: bytes(row["id"].bytes)
)


def seal(keyring: Keyring, subscription_id: UUID, kept: Secrets) -> bytes:
    """Sealed under the master key, and tied to the subscription's row."""
    return keyring.seal(msgspec.json.encode(kept), subscription_id.bytes)


def unseal(keyring: Keyring, subscription_id: UUID, sealed: bytes) -> Secrets:
    """UnsealError where it is of another row, or its key is gone."""
    return msgspec.json.decode(keyring.open(sealed, subscription_id.bytes), type=Secrets)


def sign(kept: Secrets, message_id: str, now: datetime, body: bytes) -> dict[str, str]:
    """The headers of Standard Webhooks: a signature by each secret that is good now."""
    good = [kept.signing] if kept.signing else []
    if kept.old_signing and kept.old_until and now < kept.old_until:
        good.append(kept.old_signing)
    each = [webhooks.sign(webhooks.key_of(secret), message_id, int(now.timestamp()), body) for secret in good]
    return {**each[0], "webhook-signature": " ".join(headers["webhook-signature"] for headers in each)}


def _hashed(password: str) -> str:
    """As RabbitMQ keeps passwords: base64(salt + SHA-256(salt + password)). The password is 32 random bytes."""
    salt = os.urandom(SALT_BYTES)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
