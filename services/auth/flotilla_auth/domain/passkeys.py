"""Passkeys (WebAuthn): what is asked of authenticators, and whether what they answer is right."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import webauthn
from webauthn.helpers import base64url_to_bytes, options_to_json_dict, parse_client_data_json
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

NAME: Final = "Flotilla"
MOST: Final = 20
"""Passkeys of one person."""
CHALLENGE_LIFETIME: Final = timedelta(minutes=5)
_TIMEOUT_MS: Final = int(CHALLENGE_LIFETIME.total_seconds() * 1000)

Json = dict[str, Any]
"""What browsers take (`parseCreationOptionsFromJSON`, `parseRequestOptionsFromJSON`) and give (`toJSON`)."""


class NotRightError(Exception):
    """An answer is not one to what was asked, whatever is wrong with it."""


@dataclass(frozen=True, slots=True)
class Party:
    """For whom authenticators sign: WebAuthn's relying party."""

    id: str
    """A domain; passkeys are bound to it for good."""
    origins: tuple[str, ...]
    """Pages that may ask for them."""

    @classmethod
    def of(cls, id_: str, origins: Sequence[str], console: str) -> "Party":
        """As it is told, else that of the console's address."""
        parts = urlsplit(console)
        return cls(id_ or parts.hostname or "", tuple(origins) or (f"{parts.scheme}://{parts.netloc}",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Passkey:
    """One authenticator's key for one person."""

    id: UUID
    user_id: UUID
    credential_id: bytes
    public_key: bytes
    sign_count: int
    sealed_name: bytes
    transports: list[str]
    backed_up: bool
    """Whether its maker's cloud keeps it: then it does not count signatures."""
    made_at: datetime
    used_at: datetime | None
    cloned_at: datetime | None
    sequence: int


@dataclass(frozen=True, slots=True)
class Registered:
    """A key that an authenticator has just made."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    transports: list[str]
    backed_up: bool


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature that is right, and what the authenticator says beside it."""

    sign_count: int
    verified: bool
    """Whether it made sure that it is its owner: by finger, face or PIN."""
    backed_up: bool


def creation_options(party: Party, user_id: UUID, email: str, known: Iterable[Passkey]) -> tuple[bytes, Json]:
    """A challenge, and what a browser is told to make a passkey: one that finds its person, and knows its owner."""
    options = webauthn.generate_registration_options(
        rp_id=party.id,
        rp_name=NAME,
        user_id=user_id.bytes,
        user_name=email,
        timeout=_TIMEOUT_MS,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=_descriptors(known),
    )
    return options.challenge, options_to_json_dict(options)


def request_options(party: Party, known: Iterable[Passkey], *, alone: bool) -> tuple[bytes, Json]:
    """A challenge, and what a browser is told to sign it with one of these; with any of the person's, where none.

    `alone`: no other factor is asked for, so the authenticator makes sure that it is its owner.
    """
    needed = UserVerificationRequirement.REQUIRED if alone else UserVerificationRequirement.PREFERRED
    options = webauthn.generate_authentication_options(
        rp_id=party.id,
        timeout=_TIMEOUT_MS,
        allow_credentials=_descriptors(known),
        user_verification=needed,
    )
    return options.challenge, options_to_json_dict(options)


def challenge_of(credential: Json) -> bytes:
    """Which challenge it answers, by its own word; empty where that cannot be read."""
    try:
        return parse_client_data_json(base64url_to_bytes(credential["response"]["clientDataJSON"])).challenge
    except Exception:  # a stranger's bytes: whatever is wrong with them
        return b""


def id_of(credential: Json) -> bytes:
    """The authenticator's id of the key, by its own word; empty where that cannot be read."""
    try:
        return base64url_to_bytes(credential["rawId"])
    except ValueError:
        return b""


def registered(party: Party, credential: Json, challenge: bytes) -> Registered:
    """The key that was made; NotRightError where the answer is not to be believed.

    No attestation is asked for, and none believed: what kind of authenticator it is makes no difference here.
    """
    try:
        _refuse_embedded(credential)
        found = webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=list(party.origins),
            require_user_verification=True,
        )
    except Exception as error:  # a stranger's bytes went through parsers: whatever they stumbled over
        raise NotRightError(str(error)) from error
    return Registered(
        credential_id=found.credential_id,
        public_key=found.credential_public_key,
        sign_count=found.sign_count,
        transports=_transports(credential["response"].get("transports")),
        backed_up=found.credential_backed_up,
    )


def signed(party: Party, credential: Json, challenge: bytes, passkey: Passkey, *, alone: bool) -> Signed:
    """What the authenticator says; NotRightError where it is not this passkey's word, or says too little.

    The count of signatures is compared where the next is kept, so that two at once are compared too.
    """
    try:
        _refuse_embedded(credential)
        _check_owner(credential, passkey, needed=alone)
        found = webauthn.verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=list(party.origins),
            credential_public_key=passkey.public_key,
            credential_current_sign_count=0,
            require_user_verification=alone,
        )
    except Exception as error:  # as above
        raise NotRightError(str(error)) from error
    return Signed(found.new_sign_count, found.user_verified, found.credential_backed_up)


def _refuse_embedded(credential: Mapping[str, Any]) -> None:
    client = parse_client_data_json(base64url_to_bytes(credential["response"]["clientDataJSON"]))
    if client.cross_origin:
        raise NotRightError("asked for by a page inside of another's")


def _check_owner(credential: Mapping[str, Any], passkey: Passkey, *, needed: bool) -> None:
    """Section 7.2, step 6: whose it is by the authenticator's word is whose it is by ours."""
    handle = credential["response"].get("userHandle")
    if handle is None:
        if needed:
            raise NotRightError("does not say whose it is")
    elif base64url_to_bytes(handle) != passkey.user_id.bytes:
        raise NotRightError("somebody else's, by its own word")


def _descriptors(known: Iterable[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=each.credential_id, transports=[AuthenticatorTransport(name) for name in each.transports]
        )
        for each in known
    ]


def _transports(said: object) -> list[str]:
    """Those that are known; browsers may say others one day."""
    names = {each.value for each in AuthenticatorTransport}
    return (
        sorted(names.intersection(each for each in said if isinstance(each, str)))
        if isinstance(said, list)
        else []
    )
