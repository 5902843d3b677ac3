"""The merged OpenAPI document: what callers read and the gateway routes by."""

from typing import Any
from uuid import UUID

import pytest
from flotilla.events.contracts import here
from flotilla.http import Page, PageQuery, Routes
from flotilla.http.openapi import RouteClashError, merged
from flotilla.service import Service
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel, create_model

Document = dict[str, Any]


class Berth(BaseModel):
    """Where a ship lies."""

    quay: str


Ship = create_model("Ship", name=(str, ...), berth=(Berth, ...))
OtherShip = create_model("Ship", name=(str, ...), tons=(int, ...))
Convoy = create_model("Convoy", ships=(list[Ship], ...))
OtherConvoy = create_model("Convoy", ships=(list[OtherShip], ...))


def ships(prefix: str, ship: Any, convoy: Any) -> Routes:
    routes = Routes(prefix, tag="ships")

    @routes.get("", permission="contacts:read")
    async def list_ships(query: PageQuery) -> Page[ship]:
        """By name."""
        raise NotImplementedError

    @routes.get("/{ship_id}", permission="contacts:read")
    async def read_ship(ship_id: UUID) -> ship:
        raise NotImplementedError

    @routes.post("", permission="contacts:write", status_code=201)
    async def add_convoy(convoy: convoy) -> Berth:
        raise NotImplementedError

    @routes.post("/hail", permission="public", limit="hook")
    async def hail() -> Berth:
        raise NotImplementedError

    return routes


@pytest.fixture(scope="module")
def document() -> Document:
    return merged(
        (
            Service(name="crm", routes=(ships("/v1/ships", Ship, Convoy),)),
            Service(name="kyb", routes=(ships("/v1/wrecks", OtherShip, OtherConvoy),)),
        )
    )


def test_it_is_a_valid_document(document: Document) -> None:
    OpenAPIV31SpecValidator(document).validate()


def test_each_operation_says_whose_it_is_and_what_it_takes(document: Document) -> None:
    listing = document["paths"]["/v1/ships"]["get"]
    assert listing["operationId"] == "crm_list_ships"
    assert (listing["x-service"], listing["x-permission"]) == ("crm", "contacts:read")
    assert listing["x-rate-limit"] == "session"
    assert listing["security"] == [{"bearer": []}]
    hail = document["paths"]["/v1/wrecks/hail"]["post"]
    assert (hail["x-service"], hail["x-rate-limit"], hail["security"]) == ("kyb", "hook", [])


def test_errors_are_problems_and_only_those_that_can_happen(document: Document) -> None:
    paths = document["paths"]
    problems = {
        method + path: sorted(status for status, answer in operation["responses"].items() if "$ref" in answer)
        for path, item in paths.items()
        for method, operation in item.items()
    }
    assert problems["get/v1/ships/{ship_id}"] == ["401", "403", "404", "422", "429", "503", "default"]
    assert problems["post/v1/ships"] == ["400", "401", "403", "409", "413", "422", "429", "503", "default"]
    assert problems["post/v1/ships/hail"] == ["409", "429", "503", "default"]
    missing = document["components"]["responses"]["404"]["content"]
    assert missing["application/problem+json"]["example"]["type"] == "/problems/not-found"
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_writes_can_be_repeated(document: Document) -> None:
    def names(path: str, method: str) -> list[str]:
        return [parameter["name"] for parameter in document["paths"][path][method].get("parameters", ())]

    assert names("/v1/ships", "post") == ["Idempotency-Key"]
    assert names("/v1/ships/{ship_id}", "get") == ["ship_id"]
    assert names("/v1/ships/hail", "post") == []


def test_names_that_mean_two_things_are_prefixed_and_so_is_what_holds_them(document: Document) -> None:
    schemas = document["components"]["schemas"]
    assert {
        "CrmShip",
        "KybShip",
        "CrmConvoy",
        "KybConvoy",
        "CrmPage_Ship_",
        "KybPage_Ship_",
    } <= schemas.keys()
    assert {"Berth", "ParkedEvent", "Problem"} <= schemas.keys()
    assert {"Ship", "Convoy"}.isdisjoint(schemas)
    assert schemas["KybConvoy"]["properties"]["ships"]["items"] == {"$ref": "#/components/schemas/KybShip"}


def test_services_in_another_order_give_the_same_document(document: Document) -> None:
    services = (
        Service(name="kyb", routes=(ships("/v1/wrecks", OtherShip, OtherConvoy),)),
        Service(name="crm", routes=(ships("/v1/ships", Ship, Convoy),)),
    )
    assert merged(services) == document


def test_a_path_belongs_to_one_service() -> None:
    with pytest.raises(RouteClashError, match=r"/v1/ships.*kyb"):
        merged(
            (
                Service(name="crm", routes=(ships("/v1/ships", Ship, Convoy),)),
                Service(name="kyb", routes=(ships("/v1/ships", Ship, Convoy),)),
            )
        )


def test_a_name_belongs_to_one_route() -> None:
    twice = (ships("/v1/ships", Ship, Convoy), ships("/v1/boats", Ship, Convoy))
    with pytest.raises(RouteClashError, match="two routes named list_ships"):
        merged((Service(name="crm", routes=twice),))


def test_the_fleets_own_document_is_valid() -> None:
    OpenAPIV31SpecValidator(merged(here().services)).validate()
