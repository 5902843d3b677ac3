"""The fleet's events as one AsyncAPI 3.0 document: a channel a type, an operation a sender or listener."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import yaml

from flotilla.bus.declare import Handler
from flotilla.events.base import Contract, contract_of
from flotilla.service import Service

EXCHANGE: Final = "flotilla.events"
CONTENT_TYPE: Final = "application/cloudevents+json"

Document = dict[str, Any]

_INFO: Final = {
    "title": "Flotilla events",
    "version": "1.0.0",
    "description": (
        "Every event on the topic exchange `flotilla.events`: CloudEvents 1.0 in structured JSON, the routing"
        " key is the type. Deliveries repeat and come in any order: an event is known by its `id`, and of one"
        " subject the higher `sequence` is the newer state. A released version only gains fields that may be absent."
    ),
}


def document(contracts: Mapping[str, Contract], services: Iterable[Service]) -> Document:
    """The document as a tree; payloads refer to the schemas beside it."""
    ordered = sorted(contracts.values(), key=lambda contract: contract.type)
    operations = sorted(_operations(services, contracts))
    return {
        "asyncapi": "3.0.0",
        "info": _INFO,
        "defaultContentType": CONTENT_TYPE,
        "servers": {"fleet": _SERVER},
        "channels": {contract.type: _channel(contract) for contract in ordered},
        "operations": dict(operations),
        "components": {"messages": {contract.type: _message(contract) for contract in ordered}},
    }


def render(contracts: Mapping[str, Contract], services: Iterable[Service]) -> str:
    """The document as YAML."""

    class Dumper(yaml.SafeDumper):
        """Writes shared parts out instead of pointing at them."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    tree = document(contracts, services)
    text: str = yaml.dump(tree, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=110)
    return text


_SERVER: Final = {
    "host": "{host}:{port}",
    "protocol": "amqp",
    "protocolVersion": "0.9.1",
    "description": "The broker of one region's cell. Partners are served by integrations, never here.",
    "variables": {"host": {"default": "localhost"}, "port": {"default": "5672"}},
}

_ROUTED: Final = {
    "amqp": {
        "is": "routingKey",
        "exchange": {"name": EXCHANGE, "type": "topic", "durable": True, "autoDelete": False},
        "bindingVersion": "0.3.0",
    }
}


def _channel(contract: Contract) -> Document:
    return {
        "address": contract.type,
        "description": _sentence(contract),
        "messages": {contract.type: {"$ref": f"#/components/messages/{contract.type}"}},
        "bindings": _ROUTED,
        "x-owner": contract.owner,
    }


def _message(contract: Contract) -> Document:
    return {
        "name": contract.type,
        "title": contract.data.__name__,
        "summary": _sentence(contract),
        "contentType": CONTENT_TYPE,
        "correlationId": {"location": "$message.payload#/correlationid"},
        "payload": {"$ref": f"./events/{contract.type}.json"},
        "tags": [{"name": contract.owner}],
    }


def _operations(
    services: Iterable[Service], contracts: Mapping[str, Contract]
) -> Iterator[tuple[str, Document]]:
    for service in services:
        for data in service.emits:
            type_ = contract_of(data).type
            yield f"{service.name}.sends.{type_}", _operation("send", service.name, type_, {})
        for handler in service.handlers:
            for data in handler.types:
                type_ = contract_of(data).type
                said = {
                    "x-handler": handler.name,
                    "x-kind": str(handler.kind),
                    "x-lane": _lane(service, handler),
                }
                yield (
                    f"{service.name}.{handler.name}.{type_}",
                    _operation("receive", service.name, type_, said),
                )
        if service.tap:
            every = [] if service.tap.dynamic else list(contracts)
            heard = [contract_of(data).type for data in service.tap.types] or every
            lane = f"{service.name}.{service.tap.lane}"
            said = {"x-handler": service.tap.name, "x-kind": "tap", "x-lane": lane}
            for type_ in heard:
                name = f"{service.name}.{service.tap.name}.{type_}"
                yield name, _operation("receive", service.name, type_, said)


def _operation(action: str, service: str, type_: str, said: Mapping[str, str]) -> Document:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{type_}"},
        "messages": [{"$ref": f"#/channels/{type_}/messages/{type_}"}],
        "tags": [{"name": service}],
        "x-service": service,
        **said,
    }


def _lane(service: Service, handler: Handler) -> str:
    return f"{service.name}.{handler.lane}"


def _sentence(contract: Contract) -> str:
    return " ".join((contract.data.__doc__ or contract.type).split())
