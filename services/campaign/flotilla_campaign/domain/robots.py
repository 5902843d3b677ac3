"""Whether a program opened or followed a link before the person could: a guess, told with the event.

Mail security products and chat apps fetch what a message links to; some mail apps fetch all pictures at once. None of
that is reading. Gmail's picture proxy, on the other hand, fetches when the person looks, so it counts.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

AT_ONCE: Final = timedelta(seconds=2)
"""Nobody reads this soon after the channel took the message."""
PROGRAMS: Final = re.compile(
    r"bot\b|bot/|crawl|spider|scan|preview|prefetch|python|curl|wget|java/|go-http|okhttp|headless|facebookexternalhit"
    r"|whatsapp|slack|telegram|skype|discord|barracuda|proofpoint|mimecast|safelinks|mailshield|symantec",
    re.IGNORECASE,
)
APPLE_PREFETCH: Final = "Mozilla/5.0"
"""All that Apple's Mail Privacy Protection says of itself."""
EARLY: Final = ("purpose", "sec-purpose", "x-purpose", "x-moz")
"""Headers in which browsers say that they fetch ahead."""


def looks_automated(headers: Mapping[str, str], since_sent: timedelta) -> bool:
    """Whether this was rather a program; `headers` by their lower-case names."""
    agent = headers.get("user-agent", "").strip()
    if agent in ("", APPLE_PREFETCH) or PROGRAMS.search(agent):
        return True
    if any("prefetch" in headers.get(name, "").lower() for name in EARLY):
        return True
    return since_sent < AT_ONCE
