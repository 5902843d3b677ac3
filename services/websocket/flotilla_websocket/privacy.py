"""What websocket holds of people, and how it is forgotten."""

from typing import Final

from flotilla.privacy import Privacy, Rows
from flotilla.privacy.keep import Keep

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
    keeps=(Keep("notifications", "notifications"),),
    harmless={"members": "states"},
)
