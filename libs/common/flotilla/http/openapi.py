"""One OpenAPI 3.1 document over all services: what callers read, clients are made from and the gateway routes by.

Each operation says whose it is (`x-service`), what it takes (`x-permission`), which rate-limit class it
counts in (`x-rate-limit`), which feature of a plan it takes, if any (`x-feature`), what it is for whoever has its
permission for some people's records only (`x-reach`, flotilla.http.routes), every problem it may answer with, an
example of what is sent and answered, and where an answer leads. `make contracts` writes it to contracts/openapi.json.
"""

from collections.abc import Iterable
from typing import Any, Final

from flotilla.http.application import build
from flotilla.http.openapi_bodies import exemplify
from flotilla.http.openapi_headers import HEADERS, PARAMETERS
from flotilla.http.openapi_links import link
from flotilla.http.openapi_names import Schemas, share
from flotilla.http.openapi_operations import (
    SECURITY,
    Operation,
    RouteClashError,
    check_ids,
    complete,
    routes,
)
from flotilla.http.openapi_problems import PROBLEM, responses
from flotilla.service import Service

__all__ = ["METHODS", "Operation", "RouteClashError", "merged"]

METHODS: Final = ("get", "post", "put", "patch", "delete")
_FRAMEWORKS_OWN: Final = ("HTTPValidationError", "ValidationError")
"""Components of an error format that no service answers with: errors are problems."""
_DESCRIPTION: Final = (
    "Conversations, customers and the AI that drafts for them. Every error is a problem (RFC 9457); every list is"
    " `{items, next_cursor}`; what is read with an `ETag` is changed with `If-Match`; whatever is not a GET can be"
    " repeated with an `Idempotency-Key`."
)


def merged(services: Iterable[Service]) -> dict[str, Any]:
    """The document of these services; none of them is started."""
    paths: dict[str, dict[str, Operation]] = {}
    schemas: dict[str, Schemas] = {}
    for service in services:
        application = build(service)
        tree = application.openapi()
        named = routes(service.name, application)
        schemas[service.name] = {
            name: schema
            for name, schema in tree.get("components", {}).get("schemas", {}).items()
            if name not in _FRAMEWORKS_OWN
        }
        for path, operations in tree["paths"].items():
            if path in paths:
                raise RouteClashError(f"{path} is claimed by two services; the later one is {service.name}")
            paths[path] = {
                method: complete(service.name, path, method, named[path, method], operation)
                for method, operation in operations.items()
            }
    check_ids(paths)
    paths = dict(sorted(paths.items()))
    components = {**share(schemas, paths), "Problem": PROBLEM}
    link(paths, components)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Flotilla", "version": "1", "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in sorted(_tags(paths))],
        "paths": paths,
        "components": {
            "schemas": components,
            "examples": exemplify(paths, components),
            "parameters": PARAMETERS,
            "headers": HEADERS,
            "responses": responses(),
            "securitySchemes": SECURITY,
        },
    }


def _tags(paths: dict[str, dict[str, Operation]]) -> set[str]:
    return {
        tag for item in paths.values() for operation in item.values() for tag in operation.get("tags", ())
    }
