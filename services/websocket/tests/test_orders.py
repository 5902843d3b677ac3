"""The list of notifications in every order that it offers."""

from uuid import UUID

from flotilla.events.websocket import NotificationDelivered
from flotilla.testing import Harness
from flotilla.testing.orders import check_list, check_orders

from services.websocket.tests.test_notifications import answer, ask, joined


async def test_every_order_of_every_list(live: Harness, org: UUID) -> None:
    anna = live.client(org, "team_member", user_id=await joined(live, org))
    for number in range(5):
        await answer(live, await ask(live, org, anna.user_id, title=f"Task {number}"), NotificationDelivered)
    assert await check_orders("websocket", anna, {}) == ["list_notifications"]
    await check_list(anna, "/v1/notifications", ["-created_at", "created_at"], unread="true")
