"""What gateway holds of people, and how it is forgotten."""

from typing import Final

from flotilla.privacy import Privacy

privacy: Final = Privacy()
"""Nobody in its tables: ids, roles and public keys. Redis counts by address, for as long as a limit or a block lasts (a
week for how often one was blocked); no log and no event names one."""
