"""What gateway holds of people, and how it is forgotten."""

from typing import Final

from flotilla.privacy import Privacy

privacy: Final = Privacy()
"""Nobody: ids, roles and public keys, and of a request's path no more than its log's first lines say."""
