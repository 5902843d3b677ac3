"""/v1/enrolments: how far a person has come, and why."""

from uuid import UUID

from fastapi import Request, Response
from flotilla.http import NotFoundError, Routes, Tx, Who, check_if_match, set_etag
from flotilla.store.postgres import Transaction

from flotilla_campaign import commands
from flotilla_campaign.api.schemas import EnrolmentOut, EnrolmentWithSteps
from flotilla_campaign.domain.enrolments import Enrolment
from flotilla_campaign.store import enrolments as store

routes = Routes("/v1/enrolments", tag="campaigns")


@routes.get("/{enrolment_id}", permission="campaigns:read")
async def read_enrolment(enrolment_id: UUID, tx: Tx, who: Who, response: Response) -> EnrolmentWithSteps:
    """An enrolment: every step that was taken, why, and where it stands."""
    enrolment = await store.read(tx, who.org, enrolment_id)
    if enrolment is None:
        raise NotFoundError("There is no enrolment with this id.")
    set_etag(response, enrolment.sequence)
    return EnrolmentWithSteps.told(enrolment, await store.effects(tx, who.org, enrolment_id))


@routes.post("/{enrolment_id}/pause", permission="campaigns:write")
async def pause_enrolment(
    enrolment_id: UUID, request: Request, tx: Tx, who: Who, response: Response
) -> EnrolmentOut:
    """Begin no further step until it is resumed."""
    return _shown(await commands.pause(tx, await _held(tx, who.org, enrolment_id, request)), response)


@routes.post("/{enrolment_id}/resume", permission="campaigns:write")
async def resume_enrolment(
    enrolment_id: UUID, request: Request, tx: Tx, who: Who, response: Response
) -> EnrolmentOut:
    """Go on; a step that came due meanwhile begins at once."""
    return _shown(await commands.resume(tx, await _held(tx, who.org, enrolment_id, request)), response)


@routes.post("/{enrolment_id}/stop", permission="campaigns:write")
async def stop_enrolment(
    enrolment_id: UUID, request: Request, tx: Tx, who: Who, response: Response
) -> EnrolmentOut:
    """Go no further. The person may be enrolled anew."""
    return _shown(await commands.stop(tx, await _held(tx, who.org, enrolment_id, request)), response)


async def _held(tx: Transaction, org: UUID, enrolment_id: UUID, request: Request) -> Enrolment:
    found = await store.lock(tx, [(org, enrolment_id)])
    if not found:
        raise NotFoundError("There is no enrolment with this id.")
    check_if_match(request, found[0].sequence)
    return found[0]


def _shown(enrolment: Enrolment, response: Response) -> EnrolmentOut:
    set_etag(response, enrolment.sequence)
    return EnrolmentOut.of(enrolment)
