"""Whether a password is known to have leaked, asked without telling it (k-anonymity).

The service is sent the first 5 of 40 digits of the password's SHA-1 and answers with all that begin so, padded so
that the length of the answer tells nothing (the range API of Have I Been Pwned). It fails open: nobody is kept
from choosing a password because a service elsewhere is away.
"""

import hashlib
import hmac
from typing import Final

import structlog
from flotilla.outside_http import OutsideError, OutsideHttp

PREFIX: Final = 5
WITHIN_SECONDS: Final = 2.0
"""And one try: people wait."""

log = structlog.get_logger()


class Breaches:
    """The service at one address."""

    def __init__(self, http: OutsideHttp, url: str) -> None:
        """`url`: what the prefix is put behind, `https://api.pwnedpasswords.com/range/`."""
        self._http = http
        self._url = url.rstrip("/") + "/"

    async def has(self, password: str) -> bool:
        """Whether it has leaked; False where that cannot be found out in time."""
        digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
        try:
            answer = await self._http.request(
                "GET",
                self._url + digest[:PREFIX],
                headers={"Add-Padding": "true"},
                limit=WITHIN_SECONDS,
                repeatable=False,
            )
        except OutsideError as error:
            log.warning("breaches.unknown", error=type(error).__name__)
            return False
        if answer.status != 200:
            log.warning("breaches.unknown", status=answer.status)
            return False
        # Bytes: compared in constant time, texts may hold nothing beyond ASCII.
        rest, lines = digest[PREFIX:].encode(), (line.partition(b":") for line in answer.body.splitlines())
        # Lines that pad have a count of 0.
        return any(
            hmac.compare_digest(suffix.strip(), rest) and count.strip() not in (b"", b"0")
            for suffix, _, count in lines
        )
