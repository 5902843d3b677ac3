"""What callers ask for, checked: problems that point at each mistake."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flotilla.problems import UnprocessableError
from flotilla.security.principal import Principal

from flotilla_integrations.adapters.addresses import check_address
from flotilla_integrations.adapters.base import RefusedError
from flotilla_integrations.partners.domain import Kind
from flotilla_integrations.partners.filters import Filters, mistakes
from flotilla_integrations.partners.offer import expand, needs_whole_view
from flotilla_integrations.partners.redaction import personal_fields
from flotilla_integrations.settings import IntegrationsSettings


def check(values: Mapping[str, Any], who: Principal, settings: IntegrationsSettings) -> None:
    """A 422 problem for a subscription that could not be; `values`: kind, types, filters, personal_data, url."""
    found = [
        *_types(values["types"], who),
        *_filters(values["filters"], values["types"], personal=values["personal_data"]),
        *_way(Kind(values["kind"]), values["url"], settings),
    ]
    if found:
        errors = [{"pointer": pointer, "detail": detail} for pointer, detail in found]
        raise UnprocessableError("Correct the values named in `errors`.", errors=errors)


def _types(types: Sequence[str], who: Principal) -> Iterator[tuple[str, str]]:
    for place, pattern in enumerate(types):
        meant = expand([pattern])
        if not meant:
            yield f"/types/{place}", "no such event is offered: see GET /v1/partner-events"
        elif not who.sees_everything and any(map(needs_whole_view, meant)):
            yield f"/types/{place}", "only owners and administrators may subscribe to it"


def _filters(filters: Filters, types: Sequence[str], *, personal: bool) -> Iterator[tuple[str, str]]:
    for field, what in mistakes(filters):
        yield f"/filters/{field}" if field else "/filters", what
    if personal:
        return
    hidden = {f"data.{name}" for type_ in expand(types) for name in personal_fields(type_)}
    for field in filters:
        if any(field == name or field.startswith(f"{name}.") for name in hidden):
            yield f"/filters/{field}", "it is personal, and this subscription has no personal data"


def _way(kind: Kind, url: str | None, settings: IntegrationsSettings) -> Iterator[tuple[str, str]]:
    if kind is Kind.AMQP:
        if url is not None:
            yield "/url", "a queue has none"
        if not settings.partners_admin_url.get_secret_value():
            yield "/kind", "this installation offers webhooks only"
    elif url is None:
        yield "/url", "missing"
    else:
        try:
            check_address(url, settings)
        except RefusedError as error:
            yield "/url", str(error)
