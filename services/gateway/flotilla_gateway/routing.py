"""Which service answers a path: a trie made of the merged OpenAPI document.

Each operation of the document says `x-service`, `x-permission` and `x-rate-limit`, and may say `x-feature`;
nothing else is routed.
Segments are compared as the bytes that were sent: a path that spells a known segment with percent signs is
an unknown path.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from flotilla.security.permissions import PUBLIC

METHODS: Final = ("get", "put", "post", "delete", "patch", "head")
PARAMETER: Final = b"{}"
MOST_REMEMBERED: Final = 4096
LONGEST_REMEMBERED: Final = 128
"""Bytes of a path: callers write it."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path, and what the gateway must know of it."""

    method: str
    template: str
    """As the document has it, `/v1/contacts/{contact_id}`: what logs and metrics name."""
    service: str
    public: bool
    """Nobody needs to be signed in; the request carries no principal."""
    limit: str
    """The rate-limit class."""
    feature: str | None = None
    """What of the organization's plan it takes."""
    parameters: tuple[int, ...] = ()
    """Where in a path, split at its slashes, the template's parameters stand."""


class _Node:
    __slots__ = ("children", "operations")

    def __init__(self) -> None:
        self.children: dict[bytes, _Node] = {}
        self.operations: dict[str, Operation] = {}


class RoutingTable:
    """Finds operations by path."""

    def __init__(self, operations: tuple[Operation, ...]) -> None:
        self.operations = operations
        self._root = _Node()
        self._found: dict[bytes, Mapping[str, Operation]] = {}
        for operation in operations:
            node = self._root
            for segment in operation.template.encode().strip(b"/").split(b"/"):
                key = PARAMETER if segment[:1] == b"{" else segment
                node = node.children.setdefault(key, _Node())
            node.operations[operation.method] = operation

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "RoutingTable":
        """The table of a merged OpenAPI document."""
        return cls(
            tuple(
                _operation(method, template, item[method])
                for template, item in document.get("paths", {}).items()
                for method in METHODS
                if method in item
            )
        )

    @property
    def remembered(self) -> int:
        """Paths whose operations need no looking up."""
        return len(self._found)

    def remembers(self, raw_path: bytes) -> bool:
        """Whether it was found before, and so was what may be looked up."""
        return raw_path in self._found

    def find(self, raw_path: bytes) -> Mapping[str, Operation] | None:
        """Operations of this path by method; none for an unknown path. Many are asked for again and again."""
        found = self._found.get(raw_path)
        if found is None:
            found = self._look_up(raw_path)
            if found is not None and len(raw_path) <= LONGEST_REMEMBERED:
                if len(self._found) >= MOST_REMEMBERED:
                    self._found.clear()
                self._found[raw_path] = found
        return found

    def _look_up(self, raw_path: bytes) -> Mapping[str, Operation] | None:
        segments = raw_path[1:].split(b"/")
        node = self._root
        for at, segment in enumerate(segments):
            child = node.children.get(segment)
            if child is None:
                child = node.children.get(PARAMETER)
                if child is None or not segment or _is_disguised(segment, node):
                    return None
            elif PARAMETER in node.children:
                return _walk(node, segments, at)
            node = child
        return node.operations or None


def _walk(node: _Node, segments: list[bytes], at: int) -> dict[str, Operation] | None:
    """A named segment goes before a parameter; where it leads nowhere, the parameter is tried."""
    if at == len(segments):
        return node.operations or None
    segment = segments[at]
    child = node.children.get(segment) if segment != PARAMETER else None
    if child is not None and (found := _walk(child, segments, at + 1)):
        return found
    child = node.children.get(PARAMETER)
    if child is None or not segment or _is_disguised(segment, node):
        return None
    return _walk(child, segments, at + 1)


def _is_disguised(segment: bytes, node: _Node) -> bool:
    """Whether it is a named segment by another spelling: taken here for a parameter's value, it would lead to the named
    route in a service, which decodes it, past what this one is asked about that route."""
    return b"%" in segment and unquote_to_bytes(segment) in node.children


def _operation(method: str, template: str, described: Mapping[str, Any]) -> Operation:
    public = described["x-permission"] == PUBLIC
    limit = described.get("x-rate-limit", "session")
    if public and limit == "session":
        limit = "open"
    feature = described.get("x-feature")
    segments = template.split("/")
    parameters = tuple(at for at, segment in enumerate(segments) if segment.startswith("{"))
    return Operation(method.upper(), template, described["x-service"], public, limit, feature, parameters)
