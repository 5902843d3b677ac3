"""One request to whoever vouches for people; what goes wrong there is said, and logged without anything personal."""

from typing import Any, Final

import structlog
from flotilla.http import UnavailableError
from flotilla.outside_http import OutsideError, OutsideHttp, OutsideResponse
from flotilla.problems import UnauthorizedError

SECONDS: Final = 5.0

log = structlog.get_logger()


async def ask(http: OutsideHttp, provider: str, method: str, url: str, **options: Any) -> OutsideResponse:
    """Their answer, whatever its status; a 503 problem where there is none."""
    try:
        return await http.request(method, url, limit=SECONDS, repeatable=method == "GET", **options)
    except OutsideError as error:
        log.warning("oidc.away", provider=provider, error=type(error).__name__)
        raise UnavailableError(
            "This way to sign in does not answer: try again, or use another.", headers={"Retry-After": "10"}
        ) from None


def refused(provider: str, why: str) -> UnauthorizedError:
    """The problem where what they say is not good, which is not told to whoever brought it."""
    log.warning("oidc.refused", provider=provider, why=why)
    return UnauthorizedError("This sign-in could not be checked: begin again.")
