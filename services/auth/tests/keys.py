"""Passkeys of people in tests, with an authenticator in software."""

from typing import Any

from flotilla.testing import Client, Harness
from flotilla.testing.harness import Answer
from flotilla_auth.testing import Person

from services.auth.tests.soft_authenticator import Json, SoftAuthenticator


async def options(client: Client, path: str, body: Any = None) -> Json:
    """What the browser is told."""
    answer = await client.post(path, body)
    assert answer.status == 200, answer.body
    assert answer.headers["Cache-Control"] == "no-store"
    told: Json = answer.json()["public_key"]
    return told


async def add(person: Person, device: SoftAuthenticator, name: str | None = None) -> Json:
    """A passkey of somebody, from now on: `passkey` and `recovery_codes`."""
    answer = await register(person.client, device, name)
    assert answer.status == 201, answer.body
    added: Json = answer.json()
    return added


async def register(client: Client, device: SoftAuthenticator, name: str | None = None) -> Answer:
    """Both requests."""
    made = device.create(await options(client, "/v1/me/passkeys"))
    return await client.post("/v1/me/passkeys/complete", {"credential": made, "name": name})


async def sign_in(auth: Harness, device: SoftAuthenticator, **said: Any) -> Answer:
    """With the passkey alone."""
    nobody = auth.anonymous()
    signed = device.get(await options(nobody, "/v1/sign-in/passkey"), **said)
    return await nobody.post("/v1/sign-in/passkey/complete", {"credential": signed})


async def second_step(auth: Harness, token: str, device: SoftAuthenticator, **said: Any) -> Answer:
    """With the passkey, after a password."""
    nobody, half_way = auth.anonymous(), {"pending_token": token}
    signed = device.get(await options(nobody, "/v1/sign-in/second-factor/passkey", half_way), **said)
    return await nobody.post("/v1/sign-in/second-factor", {**half_way, "passkey": signed})


async def step_up(client: Client, device: SoftAuthenticator, **said: Any) -> Answer:
    """With the passkey."""
    signed = device.get(await options(client, "/v1/step-up/passkey"), **said)
    return await client.post("/v1/step-up", {"passkey": signed})
