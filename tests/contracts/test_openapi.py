"""The merged OpenAPI document: what callers read and the gateway routes by."""

from typing import Any
from uuid import UUID

import pytest
from fastapi import Request, Response
from flotilla.events.contracts import here
from flotilla.http import Page, PageQuery, Routes, check_if_match, set_etag
from flotilla.http.openapi import RouteClashError, merged
from flotilla.problems import GoneError
from flotilla.service import Service
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel, create_model

Document = dict[str, Any]


def _check(request: Request) -> None:
    check_if_match(request, 1)


BERTH = {"id": "0199d4e2-7a1c-7c3e-9b1f-5d2a6c0e41f7", "quay": "quay"}


class Berth(BaseModel):
    """Where a ship lies."""

    id: UUID
    quay: str


Ship = create_model("ShipOut", name=(str, ...), berth=(Berth, ...))
OtherShip = create_model("ShipOut", name=(str, ...), tons=(int, ...))
Convoy = create_model("Convoy", ships=(list[Ship], ...))
OtherConvoy = create_model("Convoy", ships=(list[OtherShip], ...))


def ships(prefix: str, ship: Any, convoy: Any, kind: str = "ship") -> Routes:
    """Routes of ships, each named after their kind."""
    routes = Routes(prefix, tag="ships")

    @routes.get("", permission="contacts:read", name=f"list_{kind}s")
    async def list_ships(query: PageQuery) -> Page[ship]:
        """By name."""
        raise NotImplementedError

    @routes.get("/{ship_id}", permission="contacts:read", name=f"read_{kind}")
    async def read_ship(ship_id: UUID, response: Response) -> ship:
        set_etag(response, 1)
        raise NotImplementedError

    @routes.patch("/{ship_id}", permission="contacts:write", name=f"change_{kind}")
    async def change_ship(ship_id: UUID, body: ship, request: Request) -> ship:
        _check(request)
        raise NotImplementedError

    @routes.post("", permission="contacts:write", status_code=201, name=f"add_{kind}s")
    async def add_convoy(convoy: convoy) -> Berth:
        raise NotImplementedError

    @routes.post("/hail", permission="public", limit="hook", name=f"hail_{kind}")
    async def hail() -> Berth:
        raise NotImplementedError

    return routes


@pytest.fixture(scope="module")
def quays() -> Document:
    """Quays, what is loaded there, and runs of two kinds."""
    routes = Routes("/v1", tag="quays")

    @routes.get("/quays", permission="contacts:read")
    async def list_quays(query: PageQuery) -> Page[Berth]:
        raise NotImplementedError

    @routes.get("/quays/{quay_id}/loads", permission="deals:read")
    async def list_loads(quay_id: UUID, query: PageQuery) -> Page[Berth]:
        raise NotImplementedError

    @routes.post("/quays/{quay_id}/loads", permission="deals:write")
    async def load(quay_id: UUID) -> Berth:
        raise NotImplementedError

    @routes.get("/loads/{load_id}", permission="deals:read", responses={409: {}})
    async def read_load(load_id: UUID) -> Berth:
        raise GoneError("It was eaten.")

    @routes.post("/quays/{quay_id}/runs", permission="deals:write")
    async def run(quay_id: UUID) -> Berth:
        raise NotImplementedError

    @routes.get("/runs/{run_id}", permission="rules:read")
    async def read_run(run_id: UUID) -> Berth:
        raise NotImplementedError

    return merged((Service(name="crm", routes=(routes,)),))


@pytest.fixture(scope="module")
def document() -> Document:
    return merged(
        (
            Service(name="crm", routes=(ships("/v1/ships", Ship, Convoy),)),
            Service(name="kyb", routes=(ships("/v1/wrecks", OtherShip, OtherConvoy, "wreck"),)),
        )
    )


def test_it_is_a_valid_document(document: Document) -> None:
    OpenAPIV31SpecValidator(document).validate()


def test_each_operation_says_whose_it_is_and_what_it_takes(document: Document) -> None:
    listing = document["paths"]["/v1/ships"]["get"]
    assert (listing["operationId"], listing["summary"]) == ("list_ships", "List ships")
    assert (listing["x-service"], listing["x-permission"]) == ("crm", "contacts:read")
    assert listing["x-rate-limit"] == "session"
    assert listing["security"] == [{"bearer": []}, {"api_key": []}]
    hail = document["paths"]["/v1/wrecks/hail"]["post"]
    assert (hail["x-service"], hail["x-rate-limit"], hail["security"]) == ("kyb", "hook", [])


def test_errors_are_problems_and_only_those_that_can_happen(document: Document) -> None:
    paths = document["paths"]
    problems = {
        method + path: sorted(status for status, answer in operation["responses"].items() if "$ref" in answer)
        for path, item in paths.items()
        for method, operation in item.items()
    }
    assert problems["get/v1/ships/{ship_id}"] == [
        *("400", "401", "403", "404", "414", "422", "429", "503", "default"),
    ]
    assert problems["post/v1/ships"] == ["400", "401", "403", "409", "413", "422", "429", "503", "default"]
    assert problems["post/v1/ships/hail"] == ["409", "429", "503", "default"]
    missing = document["components"]["responses"]["404"]["content"]
    assert missing["application/problem+json"]["example"]["type"] == "/problems/not-found"
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_writes_can_be_repeated(document: Document) -> None:
    def names(path: str, method: str) -> list[str]:
        parameters = document["paths"][path][method].get("parameters", ())
        return [each.get("name") or each["$ref"].rpartition("/")[2] for each in parameters]

    assert names("/v1/ships", "post") == ["Idempotency-Key"]
    assert names("/v1/ships/{ship_id}", "get") == ["ship_id"]
    assert names("/v1/ships/hail", "post") == []
    assert names("/v1/ships/{ship_id}", "patch") == ["ship_id", "If-Match", "Idempotency-Key"]


def test_what_a_route_reads_and_sets_is_declared(document: Document) -> None:
    ship = document["paths"]["/v1/ships/{ship_id}"]
    assert "ETag" in ship["get"]["responses"]["200"]["headers"]
    assert "ETag" not in ship["patch"]["responses"]["200"]["headers"]
    assert "412" in ship["patch"]["responses"]
    assert "412" not in document["paths"]["/v1/ships"]["post"]["responses"]


def test_an_answer_leads_on(document: Document) -> None:
    made = document["paths"]["/v1/ships"]["post"]["responses"]["201"]
    assert made["links"]["read_ship"] == {
        "operationId": "read_ship",
        "parameters": {"ship_id": "$response.body#/id"},
    }
    assert {"read_ship", "change_ship"} <= made["links"].keys()
    read = document["paths"]["/v1/ships/{ship_id}"]["get"]["responses"]["200"]
    assert read["links"]["change_ship"]["parameters"] == {
        "ship_id": "$request.path.ship_id",
        "If-Match": "$response.header.ETag",
    }


def test_problems_that_a_route_raises_or_says_are_declared(quays: Document) -> None:
    answers = quays["paths"]["/v1/loads/{load_id}"]["get"]["responses"]
    assert {status: answers[status] for status in ("409", "410")} == {
        status: {"$ref": f"#/components/responses/{status}"} for status in ("409", "410")
    }
    assert "410" not in quays["paths"]["/v1/quays"]["get"]["responses"]


def test_a_list_leads_on_from_the_first_of_it(quays: Document) -> None:
    listed = quays["paths"]["/v1/quays"]["get"]["responses"]["200"]
    first = "$response.body#/items/0/id"
    assert {name: link["parameters"] for name, link in listed["links"].items()} == {
        **{name: {"quay_id": first} for name in ("list_loads", "load", "run")},
    }


def test_what_has_a_path_elsewhere_is_taken_for_no_other_thing_of_that_name(quays: Document) -> None:
    paths = quays["paths"]
    loaded = paths["/v1/quays/{quay_id}/loads"]["post"]["responses"]["200"]["links"]
    assert loaded == {
        "read_load": {"operationId": "read_load", "parameters": {"load_id": "$response.body#/id"}}
    }, "a path of its own, by the same permission"
    assert "links" not in paths["/v1/quays/{quay_id}/runs"]["post"]["responses"]["200"]


def test_bodies_have_examples(document: Document) -> None:
    made = document["paths"]["/v1/ships"]["post"]
    sent = made["requestBody"]["content"]["application/json"]["examples"]["usual"]["$ref"]
    examples = document["components"]["examples"]
    assert examples[sent.rpartition("/")[2]]["value"] == {
        "ships": [{"name": "Harbour Coffee", "berth": BERTH}]
    }
    assert examples["Berth"]["value"] == BERTH


def test_names_that_mean_two_things_are_prefixed_and_so_is_what_holds_them(document: Document) -> None:
    schemas = document["components"]["schemas"]
    assert {
        "CrmShip",
        "KybShip",
        "CrmConvoy",
        "KybConvoy",
        "CrmShipPage",
        "KybShipPage",
    } <= schemas.keys()
    assert {"Berth", "ParkedEvent", "Problem"} <= schemas.keys()
    assert {"Ship", "Convoy"}.isdisjoint(schemas)
    assert schemas["KybConvoy"]["properties"]["ships"]["items"] == {"$ref": "#/components/schemas/KybShip"}


def test_services_in_another_order_give_the_same_document(document: Document) -> None:
    services = (
        Service(name="kyb", routes=(ships("/v1/wrecks", OtherShip, OtherConvoy, "wreck"),)),
        Service(name="crm", routes=(ships("/v1/ships", Ship, Convoy),)),
    )
    assert merged(services) == document


def test_a_path_belongs_to_one_service() -> None:
    with pytest.raises(RouteClashError, match=r"/v1/ships.*kyb"):
        merged(
            (
                Service(name="crm", routes=(ships("/v1/ships", Ship, Convoy),)),
                Service(name="kyb", routes=(ships("/v1/ships", Ship, Convoy, "wreck"),)),
            )
        )


def test_a_name_belongs_to_one_route_of_the_fleet() -> None:
    wrecks = ships("/v1/wrecks", OtherShip, OtherConvoy)
    with pytest.raises(RouteClashError, match=r"two routes named list_ships.*rename one"):
        merged(
            (
                Service(name="crm", routes=(ships("/v1/ships", Ship, Convoy),)),
                Service(name="kyb", routes=(wrecks,)),
            )
        )


def test_a_name_belongs_to_one_route() -> None:
    twice = (ships("/v1/ships", Ship, Convoy), ships("/v1/boats", Ship, Convoy))
    with pytest.raises(RouteClashError, match="two routes named list_ships"):
        merged((Service(name="crm", routes=twice),))


def test_the_fleets_own_document_is_valid() -> None:
    OpenAPIV31SpecValidator(merged(here().services)).validate()
