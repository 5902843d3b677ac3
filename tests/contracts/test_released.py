"""A released contract only grows."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID

import msgspec
import pytest
from flotilla.events.base import PERSONAL, Contract, Event, Personal
from flotilla.events.contracts import BrokenContractError, ContractsFolder
from flotilla.events.released import broken, promise, write_lock


class Address(msgspec.Struct, frozen=True, kw_only=True):
    street: str
    city: str


class Ship(Event, frozen=True, kw_only=True):
    """A ship came in."""

    ship_id: UUID
    name: Personal
    state: Literal["moored", "sailing"]
    tons: int
    home: Address
    crew: list[Address]


class ShipWithFlag(Ship, frozen=True, kw_only=True):
    flag: str | None = None


class ShipWithRequiredFlag(Ship, frozen=True, kw_only=True):
    flag: str


class ShipWithWords(Ship, frozen=True, kw_only=True):
    """A ship came in, said better."""

    tons: int
    """Metric."""


class ShipRetyped(Ship, frozen=True, kw_only=True):
    tons: float  # type: ignore[assignment]


class ShipNullable(Ship, frozen=True, kw_only=True):
    tons: int | None  # type: ignore[assignment]


class ShipOptional(Ship, frozen=True, kw_only=True):
    tons: int = 0


class ShipWithoutState(Event, frozen=True, kw_only=True):
    ship_id: UUID
    name: Personal
    tons: int
    home: Address
    crew: list[Address]


class ShipNarrow(Ship, frozen=True, kw_only=True):
    state: Literal["moored"]


class ShipWide(Ship, frozen=True, kw_only=True):
    state: Literal["moored", "sailing", "sunk"]  # type: ignore[assignment]


class ShipUnsealed(Ship, frozen=True, kw_only=True):
    name: str | None


class Postcode(msgspec.Struct, frozen=True, kw_only=True):
    street: str
    postcode: str


class ShipMoved(Ship, frozen=True, kw_only=True):
    crew: list[Postcode]  # type: ignore[assignment]


SHIP = Contract(type="ship.arrived.v1", owner="crm", data=Ship, subject="ship_id", person=("ship_id",))
RELEASED = {SHIP.type: SHIP}


def complaints(contract: Contract) -> list[str]:
    return broken(promise(RELEASED, RELEASED), {SHIP.type: contract})


def test_the_same_contract_keeps_its_promise() -> None:
    assert complaints(SHIP) == []


@pytest.mark.parametrize("data", [ShipWithFlag, ShipWithWords])
def test_optional_fields_and_better_words_are_growth(data: type[Event]) -> None:
    assert complaints(replace(SHIP, data=data)) == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (ShipWithRequiredFlag, "`data.flag` is new and required"),
        (ShipRetyped, "`data.tons` was integer and is now number"),
        (ShipNullable, "`data.tons` was integer and is now integer | null"),
        (ShipOptional, "`data.tons` was always there and can now be absent"),
        (ShipWithoutState, "`data.state` was removed or renamed"),
        (ShipNarrow, '`data.state` can no longer be ["sailing"]'),
        (ShipWide, '`data.state` can now be ["sunk"]'),
        (ShipUnsealed, "`data.name` was string | null personal and is now string | null"),
        (ShipMoved, "`data.crew[].city` was removed or renamed"),
    ],
)
def test_anything_else_is_refused_and_told_what_to_do(data: type[Event], said: str) -> None:
    found = complaints(replace(SHIP, data=data))
    assert any(said in complaint for complaint in found), found
    assert all(complaint.startswith("ship.arrived.v1: ") for complaint in found)
    assert all("declare ship.arrived.v2" in complaint for complaint in found)


def test_an_optional_field_that_was_released_is_kept_too() -> None:
    grown = {SHIP.type: replace(SHIP, data=ShipWithFlag)}
    assert "`data.flag` was removed" in broken(promise(grown, grown), RELEASED)[0]


@pytest.mark.parametrize("change", [{"owner": "ai"}, {"subject": "name"}, {"person": ()}])
def test_owner_subject_and_person_stay(change: dict[str, object]) -> None:
    contract = replace(SHIP, **change)  # type: ignore[arg-type]
    (name,) = change
    assert any(f"its {name} was" in complaint for complaint in complaints(contract))


def test_a_contract_does_not_vanish() -> None:
    assert "put it back" in broken(promise(RELEASED, RELEASED), {})[0]


def test_an_edited_lock_is_noticed() -> None:
    lock = promise(RELEASED, RELEASED)
    del lock[SHIP.type]["structure"]["fields"]["data"]["fields"]["tons"]
    assert "edited by hand" in broken(lock, RELEASED)[0]


def test_personal_as_a_whole_stays_personal() -> None:
    class Open(Event, frozen=True, kw_only=True):
        ship_id: UUID
        home: Address | None

    class Closed(Event, frozen=True, kw_only=True):
        ship_id: UUID
        home: Annotated[Address | None, PERSONAL]

    before, after = (replace(SHIP, data=data) for data in (Closed, Open))
    assert broken(promise(RELEASED, {SHIP.type: before}), {SHIP.type: after})


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., ContractsFolder]:
    return lambda **contracts: ContractsFolder(tmp_path / "contracts", contracts or RELEASED, ())


def test_a_folder_is_written_once_and_then_agrees(folder: Callable[..., ContractsFolder]) -> None:
    here = folder()
    assert "contracts/events/ship.arrived.v1.json" in here.check()[1]
    assert here.write() == ["asyncapi.yaml", "events/ship.arrived.v1.json", "openapi.json"]
    assert here.check() == []
    assert here.write() == []


def test_an_unreleased_contract_may_change_and_go(folder: Callable[..., ContractsFolder]) -> None:
    folder().write()
    gone = replace(folder(), contracts={})
    assert gone.check()
    assert "events/ship.arrived.v1.json" in gone.write()
    assert gone.check() == []


def test_a_released_contract_grows_and_nothing_else(folder: Callable[..., ContractsFolder]) -> None:
    folder().write(release=True)
    grown = replace(folder(), contracts={SHIP.type: replace(SHIP, data=ShipWithFlag)})
    assert grown.check() == [
        f"contracts/{name} is not what the code says; run `make contracts`"
        for name in ("asyncapi.yaml", "events/ship.arrived.v1.json", "released.lock")
    ]
    grown.write()
    assert grown.check() == []
    before = {path: path.read_bytes() for path in grown.path.rglob("*") if path.is_file()}
    with pytest.raises(BrokenContractError, match=r"data\.flag"):
        folder().write()
    assert {path: path.read_bytes() for path in grown.path.rglob("*") if path.is_file()} == before
    assert "`data.flag` was removed" in folder().check()[0]


def test_the_lock_is_written_alike_each_time() -> None:
    text = write_lock(promise(RELEASED, RELEASED))
    assert text == write_lock(json.loads(text))
