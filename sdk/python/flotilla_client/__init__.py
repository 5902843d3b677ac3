"""Flotilla's API for Python programs.

    from flotilla_client import Flotilla
    from flotilla_client.rest.api.contacts import create_contact, list_contacts
    from flotilla_client.rest.models import ContactIn

    with Flotilla("https://flotilla.example.com", api_key="flt_…") as flotilla:
        contact = flotilla.call(create_contact.sync, body=ContactIn(name="Iryna Koval"))
        for each in flotilla.pages(list_contacts.sync, tag="wholesale"):
            print(each.name)

`flotilla_client.rest` is generated from contracts/openapi.json (`make clients`); the rest is here.
"""

from flotilla_client.client import Flotilla
from flotilla_client.problems import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    LimitReachedError,
    NotFoundError,
    PreconditionFailedError,
    ProblemError,
    StepUpRequiredError,
    TooManyRequestsError,
    UnauthorizedError,
    UnavailableError,
)
from flotilla_client.webhooks import InvalidSignatureError, verify_webhook

__all__ = [
    "ConflictError",
    "Flotilla",
    "ForbiddenError",
    "InvalidError",
    "InvalidSignatureError",
    "LimitReachedError",
    "NotFoundError",
    "PreconditionFailedError",
    "ProblemError",
    "StepUpRequiredError",
    "TooManyRequestsError",
    "UnauthorizedError",
    "UnavailableError",
    "verify_webhook",
]
