"""Conditions with their arguments in their places."""

from flotilla.ids import new_id
from flotilla.store.where import Where

ORG = new_id()


def test_what_is_not_given_does_not_matter() -> None:
    where = Where(ORG).equal({"owner_id": None, "state": "open"})
    assert str(where) == "organization_id = $1 AND state = $2"
    assert where.arguments == [ORG, "open"]


def test_a_value_of_nothing_is_one() -> None:
    assert Where(ORG).equal({"score": 0, "paid": False}).arguments == [ORG, 0, False]


def test_conditions_of_several_values_and_a_limit() -> None:
    where = Where(ORG, table="l").equal({"state": "new"}).also("(l.score, l.id) < ({}, {})", 7, ORG)
    assert where.argument(20) == "$5"
    assert str(where) == "l.organization_id = $1 AND l.state = $2 AND (l.score, l.id) < ($3, $4)"
    assert where.arguments == [ORG, "new", 7, ORG, 20]
