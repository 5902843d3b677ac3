"""/v1/consent-rule: by which law an organization writes to people, and whether it wants consent on record."""

from typing import Literal

from fastapi import Request, Response
from flotilla.http import Routes, Tx, Who, check_if_match, set_etag
from flotilla.http.bodies import Written
from pydantic import BaseModel

from flotilla_campaign.domain.consent import rule_of
from flotilla_campaign.store import consents as store
from flotilla_campaign.store.consents import OwnRule

routes = Routes("/v1/consent-rule", tag="campaigns")

Region = Literal["eu", "ca", "us"]


class ConsentRuleIn(Written):
    """What the organization goes by from now on."""

    region: Region
    strict: bool = False
    """Whether nobody is written to without consent, or another lawful basis, on record."""


class ConsentRuleOut(BaseModel):
    """The rule, and where it comes from."""

    region: Region
    strict: bool
    law: str
    bases: dict[str, int | None]
    """Lawful basis, as consents record it, to the days for which it counts; null: until it is withdrawn."""
    sources: list[str]


@routes.get("", permission="campaigns:read")
async def read_consent_rule(tx: Tx, who: Who, response: Response) -> ConsentRuleOut:
    """What the organization goes by: what it has decided, else the law of its region."""
    found = (await store.rules(tx, [who.org])).get(who.org)
    return _shown(found or OwnRule(tx.app.settings.region, strict=False), response)


@routes.put("", permission="campaigns:write")
async def set_consent_rule(
    body: ConsentRuleIn, tx: Tx, who: Who, request: Request, response: Response
) -> ConsentRuleOut:
    """Decide it. It counts from the next message on, for those who are in sequences already too."""
    before = (await store.rules(tx, [who.org])).get(who.org)
    check_if_match(request, before.sequence if before else 0)
    return _shown(await store.set_rule(tx, who.org, body.region, strict=body.strict), response)


def _shown(own: OwnRule, response: Response) -> ConsentRuleOut:
    set_etag(response, own.sequence)
    rule = rule_of(own.region)
    return ConsentRuleOut(
        region=own.region,
        strict=own.strict,
        law=rule.law,
        bases={name: None if lasts is None else lasts.days for name, lasts in rule.bases.items()},
        sources=list(rule.sources),
    )
