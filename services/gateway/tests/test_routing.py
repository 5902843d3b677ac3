"""The routing table made of the merged document."""

import re

import pytest
from flotilla_gateway.pages.document import Document
from flotilla_gateway.routing import LONGEST_REMEMBERED, MOST_REMEMBERED, Operation, RoutingTable

from services.gateway.tests.world import DOCUMENT


def test_public_routes_count_by_address_where_no_class_is_named() -> None:
    described = {"x-service": "auth", "x-permission": "public", "x-rate-limit": "session"}
    table = RoutingTable.of({"paths": {"/v1/a": {"get": described}}})
    found = table.find(b"/v1/a")
    assert found == {"GET": Operation("GET", "/v1/a", "auth", public=True, limit="open")}


def test_a_named_segment_goes_before_a_parameter_and_leads_back_to_it() -> None:
    described = {"x-service": "x", "x-permission": "a:b", "x-rate-limit": "session"}
    paths = ("/v1/{a}/mine", "/v1/things/{b}", "/v1/things/{b}/parts", "/v1/{a}/{b}/parts/{c}")
    table = RoutingTable.of({"paths": {path: {"get": described} for path in paths}})
    for raw, template in (
        (b"/v1/things/mine", "/v1/things/{b}"),
        (b"/v1/others/mine", "/v1/{a}/mine"),
        (b"/v1/things/1/parts", "/v1/things/{b}/parts"),
        (b"/v1/things/1/parts/2", "/v1/{a}/{b}/parts/{c}"),
        (b"/v1/things/{}", "/v1/things/{b}"),
    ):
        found = table.find(raw)
        assert found is not None
        assert found["GET"].template == template
    for unknown in (b"/v1/things", b"/v1/things/", b"/v1//mine", b"/v1", b"/"):
        assert table.find(unknown) is None


def test_a_named_segment_is_no_parameters_value_by_another_spelling() -> None:
    described = {"x-service": "x", "x-permission": "a:b", "x-rate-limit": "session"}
    paths = ("/v1/things/{b}", "/v1/things/search", "/v1/{a}/{b}/parts")
    table = RoutingTable.of({"paths": {path: {"get": described} for path in paths}})
    for disguised in (b"/v1/things/%73earch", b"/v1/things/searc%68", b"/v1/%74hings/1/parts"):
        assert table.find(disguised) is None
    for plain in (
        b"/v1/things/%C3%BC",
        b"/v1/things/a%20b",
        b"/v1/things/search%20",
        b"/v1/others/%73earch/parts",
    ):
        assert table.find(plain) is not None


@pytest.mark.parametrize("document", [DOCUMENT, Document.load(None).content], ids=["test", "committed"])
def test_every_operation_of_a_document_is_found_under_its_path(document: dict[str, object]) -> None:
    table = RoutingTable.of(document)
    for operation in table.operations:
        filled = re.sub(r"{[^}]*}", "0199d4e2-7a1c-7c3e-9b1f-5d2a6c0e41f7", operation.template)
        found = table.find(filled.encode())
        assert found is not None
        assert found[operation.method] == operation


def test_a_path_that_was_found_is_found_again_and_what_is_remembered_has_an_end() -> None:
    described = {"x-service": "x", "x-permission": "a:b", "x-rate-limit": "session"}
    table = RoutingTable.of({"paths": {"/v1/things/{b}": {"get": described}}})
    for number in range(MOST_REMEMBERED + 10):
        found = table.find(b"/v1/things/%d" % number)
        assert found is not None
        assert found is table.find(b"/v1/things/%d" % number)
        assert table.find(b"/v1/unknown/%d" % number) is None
    assert table.find(b"/v1/things/" + b"x" * LONGEST_REMEMBERED) is not None
    assert table.remembered == 10
