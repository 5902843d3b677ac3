"""An authenticator in software (CTAP2's answers, WebAuthn's bytes), which errs and lies where it is told to."""

import base64
import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

Json = dict[str, Any]
PRESENT, VERIFIED, BACKUP_POSSIBLE, BACKED_UP, ATTESTED = 0x01, 0x04, 0x08, 0x10, 0x40


@dataclass
class Key:
    """One that it made."""

    private: ec.EllipticCurvePrivateKey
    user_handle: bytes
    count: int


@dataclass
class SoftAuthenticator:
    """In a browser that shows the page `origin`."""

    origin: str
    rp_id: str = "localhost"
    verifies: bool = True
    """Whether it makes sure of its owner."""
    synced: bool = False
    """Whether its maker's cloud keeps its keys: then it counts nothing."""
    embedded: bool = False
    """Whether the page stands in a frame of another's."""
    keys: dict[bytes, Key] = field(default_factory=dict)

    def create(self, options: Json, *, credential_id: bytes | None = None) -> Json:
        """Its answer where a passkey is made."""
        private = ec.generate_private_key(ec.SECP256R1())
        credential_id = credential_id or os.urandom(32)
        self.keys[credential_id] = Key(private, _bytes(options["user"]["id"]), 0)
        point = private.public_key().public_numbers()
        cose = cbor2.dumps(
            {1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}
        )
        attested = bytes(16) + len(credential_id).to_bytes(2, "big") + credential_id + cose
        data = self._data(ATTESTED, 0) + attested
        response = {
            "clientDataJSON": self._client_data("webauthn.create", options["challenge"]),
            "attestationObject": _text(cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})),
            "transports": ["internal", "telepathy"],
        }
        return _credential(credential_id, response)

    def get(self, options: Json, *, credential_id: bytes | None = None, **response: Any) -> Json:
        """Its answer where one signs: the first that is asked for, or that it has; `response` is said instead."""
        asked = [_bytes(each["id"]) for each in options.get("allowCredentials", ())]
        chosen = credential_id or next(each for each in asked or self.keys if each in self.keys)
        key = self.keys[chosen]
        key.count += 0 if self.synced else 1
        client_data = self._client_data("webauthn.get", options["challenge"])
        data = self._data(0, key.count)
        signature = key.private.sign(
            data + hashlib.sha256(_bytes(client_data)).digest(), ec.ECDSA(hashes.SHA256())
        )
        said = {
            "clientDataJSON": client_data,
            "authenticatorData": _text(data),
            "signature": _text(signature),
            "userHandle": _text(key.user_handle),
        }
        return _credential(chosen, {**said, **response})

    def _data(self, flags: int, count: int) -> bytes:
        flags |= PRESENT | (VERIFIED if self.verifies else 0)
        flags |= BACKUP_POSSIBLE | BACKED_UP if self.synced else 0
        return hashlib.sha256(self.rp_id.encode()).digest() + bytes([flags]) + count.to_bytes(4, "big")

    def _client_data(self, type_: str, challenge: str) -> str:
        said = {"type": type_, "challenge": challenge, "origin": self.origin, "crossOrigin": self.embedded}
        return _text(json.dumps(said).encode())


def _credential(credential_id: bytes, response: Json) -> Json:
    text = _text(credential_id)
    return {
        "id": text,
        "rawId": text,
        "type": "public-key",
        "authenticatorAttachment": "platform",
        "clientExtensionResults": {"credProps": {"rk": True}},
        "response": response,
    }


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
