"""Headers and problems of operations: which a route reads, sets and raises is read from its code, so that nothing says
it twice."""

from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

from flotilla.http.etags import check_if_match, set_etag
from flotilla.problems import Problem

_DEEPEST: Final = 4
_OURS: Final = "flotilla"
_SHARED: Final = {each.status for each in Problem.__subclasses__() if each.__module__ == Problem.__module__}

PARAMETERS: Final[dict[str, dict[str, Any]]] = {
    "Idempotency-Key": {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "Repeated with the same key, the request is done once and answered alike.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"},
        "example": "0199d4e2-7a1c-7c3e-9b1f-5d2a6c0e41f7",
    },
    "If-Match": {
        "name": "If-Match",
        "in": "header",
        "required": False,
        "description": "The `ETag` that was read: where it has changed since, 412 and nothing is done.",
        "schema": {"type": "string", "pattern": '^(\\*|(W/)?"[0-9]{1,18}")$'},
        "example": '"3"',
    },
}
HEADERS: Final[dict[str, dict[str, Any]]] = {
    "ETag": {
        "description": "Which state this is; send it back as `If-Match`.",
        "schema": {"type": "string"},
        "example": '"3"',
    },
    "Location": {
        "description": "Where the new thing can be read.",
        "schema": {"type": "string", "format": "uri-reference"},
        "example": "/v1/contacts/0199d4e2-7a1c-7c3e-9b1f-5d2a6c0e41f7",
    },
    "RateLimit": {
        "description": "What is left of the limit `r` and the seconds until it is whole again `t`.",
        "schema": {"type": "string"},
        "example": '"session";r=599;t=1',
    },
    "RateLimit-Policy": {
        "description": "The limit: `q` requests in `w` seconds.",
        "schema": {"type": "string"},
        "example": '"session";q=600;w=60',
    },
    "Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 0}, "example": 2},
}


def parameter(name: str) -> dict[str, str]:
    """A reference to a header that callers send."""
    return {"$ref": f"#/components/parameters/{name}"}


def header(name: str) -> dict[str, str]:
    """A reference to a header of answers."""
    return {"$ref": f"#/components/headers/{name}"}


def is_conditional(endpoint: Callable[..., Any]) -> bool:
    """Whether the route looks at If-Match."""
    return any(called is check_if_match for called in _called(endpoint))


def answered(endpoint: Callable[..., Any]) -> Iterator[str]:
    """The headers the route sets on what it answers."""
    if any(called is set_etag for called in _called(endpoint)):
        yield "ETag"
    if any("Location" in code.co_consts for function in _reached(endpoint) for code in _codes(function)):
        yield "Location"


def raised(endpoint: Callable[..., Any]) -> Iterator[str]:
    """The statuses of the problems that the route, or what it calls, names: of those that all services have."""
    for named in _called(endpoint):
        if isinstance(named, type) and issubclass(named, Problem) and named.status in _SHARED:
            yield str(named.status)


def _called(endpoint: Callable[..., Any]) -> Iterator[object]:
    for function in _reached(endpoint):
        yield from _named(function)


def _reached(endpoint: object, depth: int = 0, seen: set[int] | None = None) -> Iterator[FunctionType]:
    """The function and those of ours that it names, as far as a route's own helpers go."""
    seen = set() if seen is None else seen
    function = getattr(endpoint, "__wrapped__", endpoint)
    if not isinstance(function, FunctionType) or id(function) in seen or depth > _DEEPEST:
        return
    seen.add(id(function))
    yield function
    for named in _named(function):
        module = getattr(named, "__module__", None) or ""
        if module == function.__module__ or module.startswith(_OURS):
            yield from _reached(named, depth + 1, seen)


def _named(function: FunctionType) -> Iterator[object]:
    """What the names of its code stand for: globals, those of modules (`views.saved`), and what it closes over."""
    for code in _codes(function):
        module: object = None
        for name in code.co_names:
            found = function.__globals__.get(name)
            yield found if found is not None else getattr(module, name, None)
            module = found if _is_ours(found) else module
    for cell in function.__closure__ or ():
        yield cell.cell_contents


def _codes(function: FunctionType) -> Iterator[CodeType]:
    waiting = [function.__code__]
    while waiting:
        code = waiting.pop()
        yield code
        waiting += [const for const in code.co_consts if isinstance(const, CodeType)]


def _is_ours(found: object) -> bool:
    return isinstance(found, ModuleType) and found.__name__.startswith(_OURS)
