"""The report of an erasure: what each service did, signed by auth's signing key (JWS, RFC 7515, compact, Ed25519).

It names nobody: ids, numbers and moments. `verify` is what anybody does with it who has the published keys.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from flotilla.store.postgres import Transaction
from joserfc import jws
from joserfc.jwk import OKPKey

from flotilla_auth.resources import own
from flotilla_auth.signing import ALGORITHM
from flotilla_auth.store import privacy_requests as store
from flotilla_auth.store.privacy_requests import Answered, PrivacyRequest

TYPE: Final = "flotilla-erasure-report+json"


async def signed(tx: Transaction, request: PrivacyRequest, answers: Sequence[Answered]) -> str:
    """The report of what is over now; its key is kept, so that it can be verified later."""
    now = datetime.now(UTC)
    document, key = own(tx.app).tokens.sign_document(_document(request, answers, now), TYPE, now)
    await store.keep_key(tx, key.id, key.public_key)
    return document


def verify(report: str, keys: Mapping[str, OKPKey]) -> dict[str, Any]:
    """What a report says; joserfc's BadSignatureError, or KeyError for a key that is not among these (by `kid`)."""
    found = jws.extract_compact(report.encode())
    signed_by = keys[found.headers()["kid"]]
    valid = jws.deserialize_compact(report, signed_by, algorithms=[ALGORITHM])
    said: dict[str, Any] = msgspec.json.decode(valid.payload)
    return said


def _document(request: PrivacyRequest, answers: Sequence[Answered], now: datetime) -> bytes:
    return msgspec.json.encode(
        {
            "request_id": request.id,
            "organization_id": request.organization_id,
            "kind": request.kind,
            "contact_ids": request.contact_ids,
            "identity_ids": request.identity_ids,
            "user_ids": request.user_ids,
            "requested_by": request.requested_by,
            "requested_at": request.requested_at,
            "reported_at": now,
            "services": [
                {
                    "service": answer.service,
                    "state": answer.state,
                    "answered_at": answer.answered_at,
                    "erased": answer.result,
                }
                for answer in answers
            ],
        }
    )
