"""The problems that operations may answer with, as components that all of them share (RFC 9457)."""

from collections.abc import Iterator
from typing import Any, Final

from flotilla.problems import CONTENT_TYPE, Problem

PROBLEM: Final = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457: what is wrong and what the caller can do.",
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "`/problems/<slug>`"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What to do about it."},
        "request_id": {"type": "string", "description": "Names this request to the operator."},
        "errors": {
            "type": "array",
            "description": "Each value that does not fit.",
            "items": {
                "type": "object",
                "properties": {
                    "pointer": {"type": "string", "description": "JSON pointer (RFC 6901) into the body."},
                    "parameter": {"type": "string"},
                    "detail": {"type": "string"},
                },
                "required": ["detail"],
            },
        },
    },
    "required": ["type", "title", "status", "detail", "request_id"],
}
_EXAMPLE_DETAIL: Final = {
    "detail": "What to do about it.",
    "request_id": "0199d4e2-7a1c-7c3e-9b1f-5d2a6c0e41f7",
}
_LATER: Final = (429, 503)


def statuses(method: str, public: bool, operation: dict[str, Any], conditional: bool) -> Iterator[str]:
    """Which problems such an operation may answer with; `conditional`: it looks at If-Match."""
    if not public:
        yield from ("401", "403")
    if "x-feature" in operation:
        yield "402"
    places = {parameter.get("in") for parameter in operation.get("parameters", ())}
    if "path" in places:
        # 400: of characters that no path may have.
        yield from ("400", "404")
    if places & {"path", "query"}:
        yield "414"
    if method != "get":
        yield "409"
    if conditional:
        yield "412"
    if "requestBody" in operation:
        yield from ("400", "413")
    if "requestBody" in operation or operation.get("parameters"):
        yield "422"
    yield from ("429", "503")


def responses() -> dict[str, dict[str, Any]]:
    """A response for each status that a problem has; of several with one status the first is the general one."""
    known: list[type[Problem]] = [Problem, *Problem.__subclasses__()]
    by_status: dict[int, type[Problem]] = {}
    for problem in known:
        if problem.__module__ == Problem.__module__:
            by_status.setdefault(problem.status, problem)
    return {str(status): _response(problem) for status, problem in sorted(by_status.items())}


def _response(problem: type[Problem]) -> dict[str, Any]:
    example = {"type": f"/problems/{problem.slug}", "title": problem.title, "status": problem.status}
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example | _EXAMPLE_DETAIL}
    response: dict[str, Any] = {"description": problem.title, "content": {CONTENT_TYPE: content}}
    if problem.status in _LATER:
        response["headers"] = {"Retry-After": {"$ref": "#/components/headers/Retry-After"}}
    return response
