"""What FastAPI does not know of an operation: its name, whose it is, what it takes, what else it may answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from flotilla.http import openapi_headers as headers
from flotilla.http.openapi_problems import statuses
from flotilla.security.permissions import PUBLIC

Operation = dict[str, Any]

BEARER: Final = "bearer"
SECURITY: Final = {
    BEARER: {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "An access token of a person or of an OAuth client, or an API key.",
    },
    "api_key": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Api-Key",
        "description": "A key of `POST /v1/api-keys`, good for the scopes it was made with.",
    },
}
_CAPITALS: Final = {
    "api": "API",
    "ai": "AI",
    "oauth": "OAuth",
    "oidc": "OIDC",
    "totp": "TOTP",
    "pdf": "PDF",
    "bd": "business development",
    "stripe": "Stripe",
    "id": "id",
}


class RouteClashError(ValueError):
    """Two services, or two routes of one, claim the same path or the same name."""


@dataclass(frozen=True)
class Named:
    """A route: the name of its function, and the function."""

    name: str
    endpoint: Callable[..., Any]


def routes(service: str, application: FastAPI) -> dict[tuple[str, str], Named]:
    """The function behind each (path, method), its name once in its service."""
    found: dict[tuple[str, str], Named] = {}
    taken: set[str] = set()
    for route in iter_route_contexts(application.routes):
        if route.path_format is None or route.name is None or not route.include_in_schema:
            continue
        if route.name in taken:
            raise RouteClashError(f"{service} has two routes named {route.name}; rename one")
        taken.add(route.name)
        assert route.endpoint is not None
        named = Named(route.name, route.endpoint)
        found |= {(route.path_format, method.lower()): named for method in route.methods or ()}
    return found


def complete(service: str, path: str, method: str, named: Named, operation: Operation) -> Operation:
    """The operation, in place, with all that callers and the gateway need to know."""
    public = operation["x-permission"] == PUBLIC
    conditional = headers.is_conditional(named.endpoint)
    operation |= {
        "operationId": _id(service, path, named.name),
        "summary": _summary(service, path, named.name),
        "x-service": service,
        "security": _security(public, operation),
    }
    asked = [*operation.get("parameters", ())]
    if conditional:
        asked.append(headers.parameter("If-Match"))
    if method != "get" and not public:
        asked.append(headers.parameter("Idempotency-Key"))
    operation["responses"].pop("422", None)
    for answer in operation["responses"].values():
        _say_headers(answer, named)
    usual = statuses(method, public, operation | ({"parameters": asked} if asked else {}), conditional)
    problems = {
        status: {"$ref": f"#/components/responses/{status}"}
        for status in {*usual, *headers.raised(named.endpoint), *filter(_is_problem, operation["responses"])}
    }
    operation["responses"] = {**operation["responses"], **dict(sorted(problems.items()))}
    operation["responses"]["default"] = {"$ref": "#/components/responses/500"}
    if asked:
        operation["parameters"] = asked
    return operation


def _is_problem(status: str) -> bool:
    """One that the route declares (`responses={401: {}}`), where it is raised by what its code does not name."""
    return status[0] in "45"


def _id(service: str, path: str, name: str) -> str:
    """The function's name; of what every service has, the service's as well."""
    return f"{name}_of_{service}" if _everywhere(service, path) else name


def _everywhere(service: str, path: str) -> bool:
    return path.split("/")[3:4] == [service]


def _summary(service: str, path: str, name: str) -> str:
    words = " ".join(_CAPITALS.get(word, word) for word in name.split("_"))
    words += f" of {service}" if _everywhere(service, path) else ""
    return words[0].upper() + words[1:]


def _security(public: bool, operation: Operation) -> list[dict[str, list[str]]]:
    """Where one must have proved lately who one is, no program may."""
    if public:
        return []
    return [{BEARER: []}] if operation.get("x-step-up") is True else [{BEARER: []}, {"api_key": []}]


def _say_headers(answer: Operation, named: Named) -> None:
    said = answer.setdefault("headers", {})
    for name in (*headers.answered(named.endpoint), "RateLimit", "RateLimit-Policy"):
        said.setdefault(name, headers.header(name))


def check_ids(paths: Mapping[str, Mapping[str, Operation]]) -> None:
    """No two operations of the fleet have one name: it is what clients call them by."""
    taken: dict[str, str] = {}
    for path, item in paths.items():
        for method, operation in item.items():
            name, place = operation["operationId"], f"{method.upper()} {path}"
            if name in taken:
                raise RouteClashError(f"two routes named {name}: {taken[name]} and {place}; rename one")
            taken[name] = place
