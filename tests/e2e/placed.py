"""What no request makes in a fleet where nothing fails and Stripe is not: put where the services keep it."""

from uuid import UUID

import asyncpg
from flotilla.ids import new_id
from flotilla.instance import Instance
from flotilla.security.sealing import Keyring
from flotilla.testing.people import Person

PARKED = """
INSERT INTO {service}_bus.parked_events (event_id, handler, lane, type, organization_id, body, state, error, stack)
VALUES ($1, 'none', 'none', 'deal.created.v1', $2, '{{}}', 'parked', 'ValueError', 'ValueError')"""
STRIPE_REQUEST = "INSERT INTO billing.stripe_requests (organization_id, id, kind) VALUES ($1, $2, 'portal')"

CALL = """
INSERT INTO integrations.voice_calls (organization_id, id, account_id, direction, state, identity_id)
SELECT organization_id, $2, id, 'inbound', 'completed', $2 FROM integrations.accounts
WHERE organization_id = $1 LIMIT 1"""

SPOKEN = """
INSERT INTO integrations.voice_calls
    (organization_id, id, account_id, direction, state, contact_id, identity_id, number, summary, transcript)
SELECT organization_id, $2, id, 'inbound', 'completed', $3, $2, $4, $4, $4 FROM integrations.accounts
WHERE organization_id = $1 LIMIT 1"""

IDENTITY = """
INSERT INTO auth.identities (id, user_id, provider, issuer, subject_hash)
VALUES ($1, $2, 'none', 'https://example.org', uuid_send($1))"""

PASSKEY = """
INSERT INTO auth.passkeys (id, user_id, credential_id, public_key, sign_count, sealed_name, transports, backed_up)
VALUES ($1, $2, uuid_send($1), '', 0, $3, '{}', false)"""


async def park(instance: Instance, owner: Person, service: str) -> dict[str, str]:
    """An event that a service could not do, by itself."""
    org = UUID((await owner.ok("GET", "/v1/organization"))["id"])
    parked = new_id()
    admin = await asyncpg.connect(instance.admin_dsn())
    try:
        await admin.execute(PARKED.format(service=service), parked, org)
    finally:
        await admin.close()
    return {"event_id": str(parked)}


async def called(instance: Instance, owner: Person, contact_id: str, words: str) -> None:
    """A call of a customer's, and what was said in it."""
    org = UUID((await owner.ok("GET", "/v1/organization"))["id"])
    admin = await asyncpg.connect(instance.admin_dsn())
    try:
        await admin.execute(SPOKEN, org, new_id(), UUID(contact_id), words)
    finally:
        await admin.close()


async def place(instance: Instance, owner: Person) -> dict[str, str]:
    """An event parked in each service, a request to Stripe, a call; an account elsewhere and a passkey of the owner:
    their ids."""
    org = UUID((await owner.ok("GET", "/v1/organization"))["id"])
    parked, request, call, identity, passkey = (new_id() for _ in range(5))
    admin = await asyncpg.connect(instance.admin_dsn())
    try:
        for service in instance.services:
            await admin.execute(PARKED.format(service=service), parked, org)
        await admin.execute(STRIPE_REQUEST, org, request)
        await admin.execute(IDENTITY, identity, UUID(owner.user["id"]))
        name = Keyring(instance.secrets.keyring).seal(b"Phone", b"passkey:" + passkey.bytes)
        await admin.execute(PASSKEY, passkey, UUID(owner.user["id"]), name)
        await admin.execute(CALL, org, call)
    finally:
        await admin.close()
    return {
        "event_id": str(parked),
        "request_id": str(request),
        "call_id": str(call),
        "identity_id": str(identity),
        "passkey_id": str(passkey),
    }
