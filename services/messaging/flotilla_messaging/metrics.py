"""What messaging counts for operators."""

from typing import Final

from prometheus_client import Counter

MESSAGES: Final = Counter("flotilla_messages_total", "Messages placed", ["channel", "direction"])
STATES: Final = Counter("flotilla_message_states_total", "States that messages reached", ["channel", "state"])
