"""Hashes and signatures whose key is changed: what was made before is good until the old key is dropped."""

import base64
import hashlib
import hmac
import json

import pytest
from flotilla.security import signed
from flotilla.security.keyed_hashes import KeyedHashes, hashed_under
from flotilla.security.sealing import Keyring
from flotilla.security.webhooks import SignatureError, sign, verify

MASTER = "k1:" + base64.b64encode(b"m" * 32).decode()
FIRST = "d1:" + base64.b64encode(b"1" * 32).decode()
SECOND = "d2:" + base64.b64encode(b"2" * 32).decode()
BEFORE, BOTH, AFTER = (Keyring(MASTER, keys) for keys in (FIRST, f"{SECOND},{FIRST}", SECOND))
SAID = b"jane@example.org"


def test_what_was_hashed_before_is_found_until_its_key_is_dropped() -> None:
    stored = KeyedHashes(BEFORE, "look-up").of(SAID)[0]
    fresh, *older = KeyedHashes(BOTH, "look-up").of(SAID)
    assert older == [stored]
    assert KeyedHashes(AFTER, "look-up").of(SAID) == (fresh,)
    assert stored not in KeyedHashes(AFTER, "look-up").of(SAID)
    assert KeyedHashes(BOTH, "something else").of(SAID)[0] != fresh


def test_a_hash_says_of_which_key_it_comes_and_those_of_before_are_as_they_were() -> None:
    first = KeyedHashes(BEFORE, "look-up").of(SAID)[0]
    assert first == hmac.digest(BEFORE.derive("look-up"), SAID, hashlib.sha256)
    assert hashed_under(first) == "d1"
    assert hashed_under(KeyedHashes(BOTH, "look-up").of(SAID)[0]) == "d2"
    assert hashed_under(b"no hash") == "?"


def test_a_key_of_its_own_does_not_come_of_the_master_key() -> None:
    assert BEFORE.derive("look-up") != Keyring(MASTER).derive("look-up")
    assert Keyring("k2:" + MASTER[3:], FIRST).derive("look-up") == BEFORE.derive("look-up")


def test_links_that_were_signed_before_are_believed_until_their_key_is_dropped() -> None:
    before, both, after = (keyring.derive_all("links") for keyring in (BEFORE, BOTH, AFTER))
    old, new = signed.write(before, b"body"), signed.write(both, b"body")
    assert signed.read(both, old, 4) == signed.read(both, new, 4) == signed.read(after, new, 4) == b"body"
    assert signed.read(after, old, 4) is None
    assert signed.read(before, new, 4) is None


def test_a_receiver_of_webhooks_may_know_either_secret() -> None:
    key, *older = BOTH.derive_all("webhooks")
    body = json.dumps({"said": "hello"}).encode()
    headers = sign(key, "msg_1", 1_700_000_000, body, *older)
    for known in (key, BEFORE.derive("webhooks")):
        assert verify(known, headers, body, now=1_700_000_000) == "msg_1"
    with pytest.raises(SignatureError):
        verify(BEFORE.derive("webhooks"), sign(key, "msg_1", 1_700_000_000, body), body, now=1_700_000_000)
