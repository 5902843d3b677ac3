"""Guests: people of another organization, who read by a grant; what they ask for is told before they get it."""

from typing import Final

from fastapi import Request

from flotilla.app import App
from flotilla.cause import Cause
from flotilla.events.sharing import OrganizationDataRead
from flotilla.problems import ForbiddenError
from flotilla.security.principal import Principal
from flotilla.security.sharing import GRANTABLE, READING

LONGEST_PATH: Final = 500


async def note(app: App, who: Principal, request: Request, permission: str, cause: Cause) -> None:
    """Tell the organization whose things these are, durably; a 403 problem where a guest would do more than read."""
    if who.via is None or who.grant_id is None:
        return
    if request.method not in READING or permission not in GRANTABLE:
        raise ForbiddenError("Another organization's grant lets you read what it names, and nothing else.")
    read = OrganizationDataRead(
        read_id=app.new_id(),
        grant_id=who.grant_id,
        grantee_id=who.via,
        user_id=who.user_id,
        permission=permission,
        path=request.url.path[:LONGEST_PATH],
    )
    async with app.db.transaction(who.org, cause=cause) as tx:
        tx.emit(read, org=who.org, sequence=1)
