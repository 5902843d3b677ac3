"""What websocket holds of people, and how it is forgotten."""

from typing import Final

from flotilla.privacy import Privacy, Rows

privacy: Final = Privacy(
    rows=(
        Rows("feed", naming=("event",)),
        Rows("notifications", user=("user_id",)),
        Rows(
            "notifications",
            naming=("link", "params"),
            clear={"title": "NULL", "text": "NULL", "params": "NULL"},
        ),
        Rows("notification_preferences", user=("id",)),
    ),
    harmless={"members": "states"},
)
