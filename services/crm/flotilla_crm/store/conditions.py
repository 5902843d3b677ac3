"""Conditions as SQL: every value is a parameter, every name one of those that stand here."""

from collections.abc import Mapping
from typing import Any, Final

from flotilla_crm.domain.conditions import All, AnyOf, Compare, Condition, Kind, Not, Operator

FROM: Final = """contacts c LEFT JOIN companies o
    ON o.organization_id = c.organization_id AND o.id = c.company_id"""
"""What a compiled condition is asked of."""

_COLUMNS: Final[Mapping[str, str]] = {
    "name": "c.name",
    "email": "c.email",
    "phone": "c.phone",
    "language": "c.language",
    "source": "c.source",
    "tags": "c.tags",
    "owner_id": "c.owner_id",
    "company_id": "c.company_id",
    "created_at": "c.created_at",
    "company.name": "o.name",
    "company.domain": "o.domain",
    "company.tags": "coalesce(o.tags, '{}')",
    "lead.status": "array(SELECT l.status FROM leads l"
    " WHERE l.organization_id = c.organization_id AND l.contact_id = c.id)",
}
# Of what was said for the channel and for any, the stricter: `withdrawn` sorts after `granted`.
_CONSENT: Final = (
    "(SELECT max(s.state) FROM consents s WHERE s.organization_id = c.organization_id AND s.contact_id = c.id"
    " AND s.purpose = {} AND s.channel IN ({}, 'any'))"
)
_TEXT: Final[Mapping[Operator, str]] = {
    Operator.EQUALS: "lower({0}) = lower({1})",
    Operator.NOT_EQUALS: "lower({0}) IS DISTINCT FROM lower({1})",
    Operator.CONTAINS: "strpos(lower({0}), lower({1})) > 0",
    Operator.STARTS_WITH: "starts_with(lower({0}), lower({1}))",
    Operator.IN: "lower({0}) = ANY (SELECT lower(x) FROM unnest({1}) AS x)",
}
_PLAIN: Final[Mapping[Operator, str]] = {
    Operator.EQUALS: "{0} = {1}",
    Operator.NOT_EQUALS: "{0} IS DISTINCT FROM {1}",
    Operator.IN: "{0} = ANY ({1})",
    Operator.LESS: "{0} < {1}",
    Operator.AT_MOST: "{0} <= {1}",
    Operator.GREATER: "{0} > {1}",
    Operator.AT_LEAST: "{0} >= {1}",
    Operator.BEFORE: "{0} < {1}",
    Operator.AFTER: "{0} > {1}",
    Operator.CONTAINS: "{1} = ANY ({0})",
}
_TYPES: Final[Mapping[type, str]] = {str: "text", bool: "boolean", float: "numeric", int: "numeric"}


class Compiler:
    """Compiles conditions into one statement, whose parameters follow those that it has already."""

    def __init__(self, *args: Any) -> None:
        self.args = list(args)

    def sql(self, condition: Condition) -> str:
        """The condition as a boolean that is never null."""
        if isinstance(condition, Compare):
            return f"coalesce({self._compare(condition)}, false)"
        if isinstance(condition, Not):
            return f"NOT {self.sql(condition.part)}"
        word = " AND " if isinstance(condition, All) else " OR "
        parts: tuple[Condition, ...] = condition.parts if isinstance(condition, All | AnyOf) else ()
        return f"({word.join(self.sql(part) for part in parts)})"

    def _compare(self, compare: Compare) -> str:
        if compare.kind is Kind.CUSTOM:
            return self._custom(compare)
        if compare.field == "consent":
            column = _CONSENT.format(*(self._add(each, "text") for each in compare.parameters))
        else:
            column = _COLUMNS[compare.field]
        if compare.operator in (Operator.IS_SET, Operator.IS_NOT_SET):
            known = f"{column} <> '{{}}'" if compare.kind is Kind.LIST else f"{column} IS NOT NULL"
            return known if compare.operator is Operator.IS_SET else f"NOT ({known})"
        type_ = {Kind.ID: "uuid", Kind.MOMENT: "timestamptz"}.get(compare.kind, "text")
        forms = _TEXT if compare.kind is Kind.TEXT else _PLAIN
        return forms[compare.operator].format(column, self._expected(compare, type_))

    def _custom(self, compare: Compare) -> str:
        """A value of another type than the one asked for is not it, and is not cast."""
        value = f"(c.custom_fields -> {self._add(compare.parameters[0], 'text')})"
        if compare.operator is Operator.IS_SET:
            return f"{value} IS NOT NULL"
        if compare.operator is Operator.IS_NOT_SET:
            return f"{value} IS NULL"
        sample = compare.expected[0] if isinstance(compare.expected, tuple) else compare.expected
        type_ = _TYPES[type(sample)]
        json_type = {"text": "string", "numeric": "number"}.get(type_, type_)
        cast = f"CASE WHEN jsonb_typeof({value}) = '{json_type}' THEN ({value} #>> '{{}}')::{type_} END"
        forms = _TEXT if type_ == "text" else _PLAIN
        return forms[compare.operator].format(cast, self._expected(compare, type_))

    def _expected(self, compare: Compare, type_: str) -> str:
        if compare.operator is Operator.IN:
            return self._add(list(compare.expected), f"{type_}[]")
        return self._add(compare.expected, type_)

    def _add(self, value: Any, type_: str) -> str:
        """Numbers go as text, exact: the driver takes no float for a numeric."""
        if type_.startswith("numeric"):
            value = [str(each) for each in value] if isinstance(value, list) else str(value)
            self.args.append(value)
            return f"${len(self.args)}::{'text[]' if type_ == 'numeric[]' else 'text'}::{type_}"
        self.args.append(value)
        return f"${len(self.args)}::{type_}"
