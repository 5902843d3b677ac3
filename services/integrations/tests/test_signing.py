"""Signatures agree with the Standard Webhooks SDK, both ways."""

import base64
import os
from datetime import UTC, datetime

import pytest
from flotilla.security import webhooks as signing
from standardwebhooks import Webhook

SECRET = "whsec_" + base64.b64encode(os.urandom(32)).decode()
KEY = signing.key_of(SECRET)
BODY = '{"type":"ping","text":"Grüße"}'


def test_the_sdk_accepts_ours_and_we_accept_the_sdks() -> None:
    now = datetime.now(UTC)
    ours = signing.sign(KEY, "msg_1", int(now.timestamp()), BODY.encode())
    assert Webhook(SECRET).verify(BODY, ours) == {"type": "ping", "text": "Grüße"}
    theirs = {**ours, "webhook-signature": "v1,AAAA " + Webhook(SECRET).sign("msg_1", now, BODY)}
    assert signing.verify(KEY, theirs, BODY.encode()) == "msg_1"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"webhook-id": "msg_2"}, "not right"),
        ({"webhook-signature": "v1,"}, "not right"),
        ({"webhook-signature": ""}, "Send the headers"),
        ({"webhook-timestamp": "1e9"}, "whole seconds"),
        ({"webhook-timestamp": "1700000400"}, "not right"),
    ],
)
def test_what_was_changed_is_refused(changed: dict[str, str], words: str) -> None:
    headers = {**signing.sign(KEY, "msg_1", 1_700_000_300, BODY.encode()), **changed}
    with pytest.raises(signing.SignatureError, match=words):
        signing.verify(KEY, headers, BODY.encode(), now=1_700_000_300)


@pytest.mark.parametrize("now", [1_700_000_000 - 301, 1_700_000_000 + 301])
def test_what_is_old_or_of_the_future_is_refused(now: float) -> None:
    headers = signing.sign(KEY, "msg_1", 1_700_000_000, BODY.encode())
    with pytest.raises(signing.SignatureError, match="five minutes"):
        signing.verify(KEY, headers, BODY.encode(), now=now)


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_!!!", "whsec_" + base64.b64encode(b"short").decode()]
)
def test_a_weak_secret_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="secret"):
        signing.key_of(secret)
