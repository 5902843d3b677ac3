"""What is said to callers outside the ASGI application."""

from dataclasses import dataclass

from flotilla.problems import Problem, render
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from flotilla_gateway.edge import security
from flotilla_gateway.forward.headers import Header


@dataclass(frozen=True, slots=True)
class Handshake:
    """The head of a request to become a WebSocket (RFC 6455 section 4.1)."""

    method: str
    target: bytes
    headers: list[Header]
    peer: str
    scheme: str


def raw_response(problem: Problem, request_id: str, *, https: bool) -> bytes:
    """The bytes of a problem as a whole last response of a connection."""
    status, headers, body = render(problem, request_id)
    content = [STATUS_LINE.get(status, STATUS_LINE[500])]
    fields = {**headers, "x-request-id": request_id, "content-length": str(len(body)), "connection": "close"}
    content += [f"{name}: {value}\r\n".encode("latin-1") for name, value in fields.items()]
    content += (security.API_HTTPS_LINES if https else security.API_LINES, security.NO_STORE_LINE)
    return b"".join([*content, b"\r\n", body])
