"""Webhooks that Flotilla sends: whether they are Flotilla's (standardwebhooks.com), and what they say."""

import json
from collections.abc import Mapping
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError


class InvalidSignatureError(Exception):
    """Not of Flotilla, changed on the way, or too old: answer 401 and do nothing."""


def verify_webhook(secret: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """The event (CloudEvents 1.0) of a webhook; `secret` is what `POST /v1/partner-subscriptions` answered.

    `body` as it came, not parsed and written again. `InvalidSignatureError` where it must not be trusted.
    """
    given = {name.lower(): value for name, value in headers.items()}
    try:
        Webhook(secret).verify(body, given)
    except WebhookVerificationError as error:
        raise InvalidSignatureError(str(error)) from None
    event: dict[str, Any] = json.loads(body)
    return event
