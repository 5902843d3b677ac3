"""One OpenAPI 3.1 document over all services: what callers read, and what the gateway routes by.

Each operation says whose it is (`x-service`), what it takes (`x-permission`), which rate-limit class it
counts in (`x-rate-limit`), which feature of a plan it takes, if any (`x-feature`), and every problem it may
answer with. `make contracts` writes it to contracts/openapi.json.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from flotilla.http.application import build
from flotilla.http.openapi_names import Schemas, share
from flotilla.problems import CONTENT_TYPE, Problem
from flotilla.security.permissions import PUBLIC
from flotilla.service import Service

Operation = dict[str, Any]

METHODS: Final = ("get", "post", "put", "patch", "delete")
_BEARER: Final = "bearer"
_FRAMEWORKS_OWN: Final = ("HTTPValidationError", "ValidationError")
"""Components of an error format that no service answers with: errors are problems."""

_PROBLEM: Final = {
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

_IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Repeated with the same key, the request is done once and answered alike.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}


class RouteClashError(ValueError):
    """Two services, or two routes of one, claim the same path or the same name."""


def merged(services: Iterable[Service]) -> dict[str, Any]:
    """The document of these services; none of them is started."""
    paths: dict[str, dict[str, Operation]] = {}
    schemas: dict[str, Schemas] = {}
    for service in services:
        application = build(service)
        tree = application.openapi()
        names = _names(service.name, application)
        schemas[service.name] = {
            name: schema
            for name, schema in tree.get("components", {}).get("schemas", {}).items()
            if name not in _FRAMEWORKS_OWN
        }
        for path, operations in tree["paths"].items():
            if path in paths:
                raise RouteClashError(f"{path} is claimed by two services; the later one is {service.name}")
            paths[path] = {
                method: _complete(service.name, names[path, method], method, operation)
                for method, operation in operations.items()
            }
    components = share(schemas, paths)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Flotilla",
            "version": "1",
            "description": "Conversations, customers and the AI that drafts for them. Every error is a"
            " problem (RFC 9457); every list is `{items, next_cursor}`.",
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in sorted(_tags(paths))],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": {**components, "Problem": _PROBLEM},
            "responses": dict(sorted(_responses())),
            "securitySchemes": {
                _BEARER: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            },
        },
    }


def _names(service: str, application: FastAPI) -> dict[tuple[str, str], str]:
    """The name of the function behind each (path, method), once in its service."""
    names: dict[tuple[str, str], str] = {}
    for route in iter_route_contexts(application.routes):
        if route.path_format is None or route.name is None or not route.include_in_schema:
            continue
        if route.name in names.values():
            raise RouteClashError(f"{service} has two routes named {route.name}; rename one")
        names |= {(route.path_format, method.lower()): route.name for method in route.methods or ()}
    return names


def _complete(service: str, name: str, method: str, operation: Operation) -> Operation:
    """What FastAPI doesn't know of a route."""
    public = operation["x-permission"] == PUBLIC
    operation |= {
        "operationId": f"{service}_{name}",
        "x-service": service,
        "security": [] if public else [{_BEARER: []}],
    }
    if method != "get" and not public:
        operation["parameters"] = [*operation.get("parameters", ()), _IDEMPOTENCY_KEY]
    operation["responses"].pop("422", None)
    operation["responses"] |= {
        status: {"$ref": f"#/components/responses/{status}"}
        for status in _statuses(method, public, operation)
    }
    operation["responses"]["default"] = {"$ref": "#/components/responses/500"}
    return operation


def _statuses(method: str, public: bool, operation: Operation) -> Iterator[str]:
    """Which problems such a route may answer with."""
    if not public:
        yield from ("401", "403")
    if "x-feature" in operation:
        yield "402"
    if any(parameter["in"] == "path" for parameter in operation.get("parameters", ())):
        yield "404"
    if method != "get":
        yield "409"
    if "requestBody" in operation:
        yield from ("400", "413")
    if "requestBody" in operation or operation.get("parameters"):
        yield "422"
    yield from ("429", "503")


def _responses() -> Iterator[tuple[str, dict[str, Any]]]:
    known: list[type[Problem]] = [Problem, *Problem.__subclasses__()]
    # Of several with one status the first is the general one.
    by_status: dict[int, type[Problem]] = {}
    for problem in known:
        if problem.__module__ == Problem.__module__:
            by_status.setdefault(problem.status, problem)
    for problem in by_status.values():
        example = {"type": f"/problems/{problem.slug}", "title": problem.title, "status": problem.status}
        content = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example | _EXAMPLE_DETAIL}
        response: dict[str, Any] = {"description": problem.title, "content": {CONTENT_TYPE: content}}
        if problem.status in (429, 503):
            response["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}
        yield str(problem.status), response


_EXAMPLE_DETAIL: Final = {
    "detail": "What to do about it.",
    "request_id": "0199d4e2-7a1c-7c3e-9b1f-5d2a6c0e41f7",
}


def _tags(paths: dict[str, dict[str, Operation]]) -> set[str]:
    return {
        tag for item in paths.values() for operation in item.values() for tag in operation.get("tags", ())
    }
