"""What an organization's owners are told of erasures and exports."""

from dataclasses import replace

from flotilla.cause import Cause
from flotilla.events.websocket import NotificationRequested
from flotilla.store.postgres import Transaction

from flotilla_auth.store import privacy_requests as store
from flotilla_auth.store.privacy_requests import PrivacyRequest


async def tell_owners(
    tx: Transaction, request: PrivacyRequest, kind: str, title: str, text: str, cause: Cause
) -> None:
    """Every owner is told, once for each asking."""
    for owner in await store.owners(tx, request.organization_id):
        notification_id = tx.app.new_id()
        notification = NotificationRequested(
            notification_id=notification_id,
            user_id=owner,
            kind=kind,
            title=title,
            text=text,
            link=f"/settings/privacy/{request.id}",
            params={"request_id": str(request.id)},
        )
        asking = replace(cause, request_id=notification_id)
        org = request.organization_id
        tx.emit(notification, org=org, sequence=1, cause=asking, audience=f"user:{owner}")
