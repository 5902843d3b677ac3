"""The whole document, looked over as its readers do: every service does the same things in the same way."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import jsonschema_rs
import pytest
from flotilla.events.contracts import here
from flotilla.http.openapi import merged

JSON = "application/json"
ONE = re.compile(r"\}$")
UNVERSIONED = {
    "upload_attachment_part": "a part of a file is replaced, not changed",
    "upload_import_part": "a part of a file is replaced, not changed",
    "change_password": "nobody reads a password",
    "say_presence": "the last word holds",
    "connect_stripe": "keys are replaced, not changed",
}
"""Writes by PUT without If-Match, and why."""
ELSEWHERE = {
    "record_consent": "how it stands now is the list's",
    "link_export": "the link itself is what was made",
    "accept_invitation": "a session is what was made",
    "enter_child": "a session is what was made",
    "issue_guest_token": "a token is what was made",
    "sign_up": "a session is what was made",
    "publish_sequence_version": "the sequence itself is shown",
    "suppress_address": "no single one can be read",
}
"""What makes something that cannot be read under an id of its own, and why."""
WHOLE = {
    "list_connectors": "as many as there are adapters",
    "list_counterparty_sources": "as many as there are registers",
    "list_measures": "as many as there are measures",
    "list_partner_events": "as many as there are kinds of events",
    "list_report_keys": "a handful",
    "list_experiments": "a handful in a sequence",
    "list_triggers": "as many as there are kinds of events",
    "read_metric_values": "a point a day of the range that was asked for",
    "read_sequence_results": "one a step",
    "read_survey_results": "a point a period of the range that was asked for",
}
"""Answers that are a plain array because they are short by nature, and why."""

SHORT_PAGES = {"list_holds": "a hundred at most, shown at once"}
"""Pages without a next one, and why."""


class Each(NamedTuple):
    """One operation, with parameters written out."""

    path: str
    method: str
    operation: dict[str, Any]
    parameters: dict[str, dict[str, Any]]

    @property
    def name(self) -> str:
        """What clients call it by."""
        found: str = self.operation["operationId"]
        return found

    @property
    def answer(self) -> dict[str, Any]:
        """The answer that tells of success."""
        answers = self.operation["responses"]
        found: dict[str, Any] = next(answers[status] for status in answers if status[0] in "123")
        return found

    @property
    def shown(self) -> str:
        """The name of the schema it answers with, if it has one."""
        schema = self.answer.get("content", {}).get(JSON, {}).get("schema", {})
        return str(schema.get("$ref", "")).rpartition("/")[2]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return merged(here().services)


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> list[Each]:
    known = document["components"]["parameters"]
    found = []
    for path, item in document["paths"].items():
        for method, operation in item.items():
            written = [
                known[each["$ref"].rpartition("/")[2]] if "$ref" in each else each
                for each in operation.get("parameters", ())
            ]
            found.append(Each(path, method, operation, {each["name"]: each for each in written}))
    return found


def test_every_operation_says_what_it_does(operations: list[Each]) -> None:
    silent = [each.name for each in operations if not each.operation.get("description")]
    assert silent == []
    assert [each.name for each in operations if len(each.operation["tags"]) != 1] == []


def test_lists_are_pages(document: dict[str, Any], operations: list[Each]) -> None:
    limit = {"type": "integer", "maximum": 200, "minimum": 1, "default": 50, "title": "Limit"}
    wrong, pages = [], 0
    for each in operations:
        paged = "next_cursor" in document["components"]["schemas"].get(each.shown, {}).get("properties", {})
        asks = "cursor" in each.parameters
        pages += paged
        if paged != asks or (asks and each.parameters["limit"]["schema"] != limit):
            wrong.append(each.name)
    assert wrong == [*SHORT_PAGES]
    assert pages > 80


def test_other_arrays_are_short(operations: list[Each]) -> None:
    arrays = {
        each.name
        for each in operations
        if each.answer.get("content", {}).get(JSON, {}).get("schema", {}).get("type") == "array"
        and not each.name.startswith("read_parked_of_")
    }
    assert arrays == set(WHOLE)


def test_filters_are_typed_alike(operations: list[Each]) -> None:
    wrong = []
    for each in operations:
        for name, parameter in each.parameters.items():
            formats = set(_values(parameter["schema"], "format"))
            if name.endswith("_id") and parameter["in"] == "query" and formats != {"uuid"}:
                wrong.append((each.name, name))
            if name in ("from", "to") and not formats <= {"date", "date-time"}:
                wrong.append((each.name, name))
    assert wrong == []


def test_orders_are_chosen_alike(operations: list[Each]) -> None:
    sorted_ = {
        each.name: each.parameters["sort"]["schema"] for each in operations if "sort" in each.parameters
    }
    assert {"list_companies", "list_deals", "list_contacts", "list_invoices", "list_users"} <= sorted_.keys()
    assert len(sorted_) > 25
    wrong = {}
    for name, schema in sorted_.items():
        ascending = {each for each in schema["enum"] if not each.startswith("-")}
        if set(schema["enum"]) != ascending | {f"-{each}" for each in ascending}:
            wrong[name] = "an order without its opposite"
        if schema.get("default") not in schema["enum"]:
            wrong[name] = "no default"
    for each in operations:
        if each.name in sorted_ and not {"cursor", "limit"} <= each.parameters.keys():
            wrong[each.name] = "no page"
    assert wrong == {}


def test_a_filter_by_several_values_is_one_everywhere(operations: list[Each]) -> None:
    wrong = []
    for each in operations:
        for name, parameter in each.parameters.items():
            lists = [one for one in _values(parameter["schema"], "type") if one == "array"]
            if parameter["in"] == "query" and lists and not any(_values(parameter["schema"], "maxItems")):
                wrong.append((each.name, name))
    assert wrong == []


def test_writes_can_be_repeated_and_are_guarded(operations: list[Each]) -> None:
    for each in operations:
        secured = bool(each.operation["security"])
        assert ("Idempotency-Key" in each.parameters) == (secured and each.method != "get"), each.name
    unguarded = {
        each.name
        for each in operations
        if each.method in ("put", "patch") and "If-Match" not in each.parameters
    }
    assert unguarded == set(UNVERSIONED)


def test_what_is_guarded_can_be_read_with_its_etag(operations: list[Each]) -> None:
    by_place = {(each.method, each.path): each for each in operations}
    missing = []
    for each in operations:
        if each.method not in ("put", "patch") or "If-Match" not in each.parameters:
            continue
        assert "412" in each.operation["responses"]
        assert "ETag" in each.answer["headers"], each.name
        reads = by_place.get(("get", each.path))
        if reads and "ETag" not in reads.answer["headers"]:
            missing.append(reads.name)
    assert missing == []


def test_what_was_made_says_where_it_is(operations: list[Each]) -> None:
    lost = {
        each.name
        for each in operations
        if "201" in each.operation["responses"] and "Location" not in each.answer["headers"]
    }
    assert lost == set(ELSEWHERE)


def test_what_was_made_leads_to_what_is_done_with_it(operations: list[Each]) -> None:
    names = {each.name for each in operations}
    paths = {each.path for each in operations if each.method == "get"}
    for each in operations:
        links = each.answer.get("links", {})
        assert {link["operationId"] for link in links.values()} <= names
        readable = any(ONE.search(path) and path.rpartition("/")[0] == each.path for path in paths)
        if "201" in each.operation["responses"] and readable and each.name not in ELSEWHERE:
            assert links, each.name


def test_errors_are_problems_and_are_told_alike(document: dict[str, Any], operations: list[Each]) -> None:
    for each in operations:
        answers = each.operation["responses"]
        for status, answer in answers.items():
            if status == "default":
                assert answer == {"$ref": "#/components/responses/500"}
            elif status[0] not in "123":
                assert answer == {"$ref": f"#/components/responses/{status}"}, each.name
        wanted = {"429", "503", "default"} | ({"401", "403"} if each.operation["security"] else set())
        assert wanted <= answers.keys(), each.name
    for response in document["components"]["responses"].values():
        assert set(response["content"]) == {"application/problem+json"}


def test_every_body_has_an_example_that_its_schema_allows(
    document: dict[str, Any], operations: list[Each]
) -> None:
    components = document["components"]
    wrong = []
    seen = set()
    for each in operations:
        for kind, content in _bodies(each):
            if kind != JSON or content["schema"].get("format") == "binary":
                continue
            example = _example(components, content)
            key = (str(content["schema"]), str(example))
            if key not in seen:
                seen.add(key)
                schema = content["schema"] | {"components": components}
                valid = jsonschema_rs.validator_for(schema, validate_formats=True).is_valid(example)
                wrong += [] if valid else [each.name]
    assert wrong == []
    assert len(seen) > 200


def _bodies(each: Each) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from each.operation.get("requestBody", {}).get("content", {}).items()
    yield from each.answer.get("content", {}).items()


def _example(components: dict[str, Any], content: dict[str, Any]) -> Any:
    if "example" in content:
        return content["example"]
    return components["examples"][content["examples"]["usual"]["$ref"].rpartition("/")[2]]["value"]


def _values(schema: Any, key: str) -> Iterator[Any]:
    if isinstance(schema, dict):
        if key in schema:
            yield schema[key]
        for value in schema.values():
            yield from _values(value, key)
    elif isinstance(schema, list):
        for value in schema:
            yield from _values(value, key)
