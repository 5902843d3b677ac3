"""/v1/consent-rule: by which law an organization writes to people, and whether it wants consent on record."""

from typing import Annotated, Literal

from fastapi import Request, Response
from flotilla.consent.rules import OwnRule, rule_of
from flotilla.http import Routes, Tx, Who, check_if_match, set_etag
from flotilla.http.bodies import Written
from flotilla.problems import UnprocessableError
from pydantic import BaseModel, Field

from flotilla_campaign import consents
from flotilla_campaign.store import consents as store

routes = Routes("/v1/consent-rule", tag="campaigns")

Region = Literal["eu", "uk", "ca", "us"]


class ConsentRuleIn(Written):
    """What the organization goes by from now on."""

    region: Region
    strict: bool = False
    """Whether nobody is written to without consent, or another lawful basis, on record, where the law would let you."""
    known: bool = False
    """Whether everybody with whom you have a conversation counts as a customer of your own, which you answer for: only
    where the law knows that (the EU and the United Kingdom), and with a reason."""
    reason: Annotated[str, Field(min_length=10, max_length=500, pattern=r"^[^\x00]*$")] | None = None
    """Why they do: kept, and told in the audit log."""


class ConsentRuleOut(BaseModel):
    """The rule, and where it comes from."""

    region: Region
    strict: bool
    known: bool
    reason: str | None
    law: str
    bases: dict[str, int | None]
    """Lawful basis, as consents record it, to the days for which it counts; null: until it is withdrawn."""
    unasked: list[str]
    """Channels on which people may be written to of whom nothing is on record, until they opt out."""
    may_know: bool
    """Whether `known` can be said of this region."""
    sources: list[str]


@routes.get("", permission="campaigns:read")
async def read_consent_rule(tx: Tx, who: Who, response: Response) -> ConsentRuleOut:
    """What the organization goes by: what it has decided, else the law of its region."""
    found = (await store.rules(tx, [who.org])).get(who.org)
    return _shown(found or OwnRule(tx.app.settings.region), response)


@routes.put("", permission="campaigns:write")
async def set_consent_rule(
    body: ConsentRuleIn, tx: Tx, who: Who, request: Request, response: Response
) -> ConsentRuleOut:
    """Decide it. It counts from the next message on, for those who are in sequences already too.

    422 for `known` where the region's law knows no such thing, without a reason, or together with `strict`.
    """
    if body.known and (objection := _objection(body)):
        raise UnprocessableError(objection, errors=[{"pointer": "/known", "detail": objection}])
    before = (await store.rules(tx, [who.org])).get(who.org)
    check_if_match(request, before.sequence if before else 0)
    wanted = OwnRule(body.region, body.strict, body.known, body.reason if body.known else None)
    return _shown(await consents.decide(tx, wanted, who.org, before), response)


def _objection(body: ConsentRuleIn) -> str | None:
    if body.strict:
        return "You cannot be stricter than the law and count on knowing people at once."
    if not rule_of(body.region).lets_known:
        return f"{rule_of(body.region).law}: knowing somebody is not enough there."
    return None if body.reason else "Say why they are customers of your own."


def _shown(own: OwnRule, response: Response) -> ConsentRuleOut:
    set_etag(response, own.sequence)
    rule = rule_of(own.region)
    return ConsentRuleOut(
        region=own.region,
        strict=own.strict,
        known=own.known,
        reason=own.reason,
        law=rule.law,
        bases={name: None if lasts is None else lasts.days for name, lasts in rule.bases.items()},
        unasked=[] if own.strict else sorted(rule.unasked),
        may_know=rule.lets_known,
        sources=list(rule.sources),
    )
