"""ETag, If-Match and If-None-Match (RFC 9110 section 13): the entity's `sequence` is its version."""

from fastapi import Request, Response

from flotilla.problems import PreconditionFailedError


def set_etag(response: Response, sequence: int) -> None:
    """Say which state this is."""
    response.headers["ETag"] = f'"{sequence}"'


def check_if_match(request: Request, sequence: int) -> None:
    """A 412 problem where the caller read another state than `sequence`; nothing said: last write wins."""
    wanted = request.headers.get("if-match")
    if wanted is None or wanted.strip() == "*":
        return
    if str(sequence) not in _tags(wanted):
        raise PreconditionFailedError(
            "Read it again and repeat the change.", headers={"ETag": f'"{sequence}"'}
        )


def is_known(request: Request, sequence: int) -> bool:
    """Whether the caller has this state already and is answered 304."""
    known = request.headers.get("if-none-match", "")
    return known.strip() == "*" or str(sequence) in _tags(known)


def _tags(said: str) -> set[str]:
    return {tag.strip().removeprefix("W/").strip('"') for tag in said.split(",")}
