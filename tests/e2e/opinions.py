"""What customers are asked, and how conversations are judged."""

from urllib.parse import urlencode
from uuid import uuid4

from flotilla.testing import eventually
from flotilla.testing.people import Person


async def ask_and_judge(owner: Person, ids: dict[str, str]) -> dict[str, str]:
    """A survey, a criterion and a conversation judged by it, once analytics knows the conversation and the pipeline."""
    survey = await owner.ok("POST", "/v1/surveys", {"name": "After help", "kind": "csat"})
    criterion = await owner.ok("POST", "/v1/quality/criteria", {"name": "Tone"})
    wanted = {
        "conversation_id": ids["conversation_id"],
        "agent_id": str(uuid4()),
        "scores": [{"criterion_id": criterion["id"], "score": 4}],
    }

    async def judged() -> str | None:
        answer = await owner.call("POST", "/v1/quality/reviews", wanted)
        return str(answer.json()["id"]) if answer.status == 201 else None

    review_id = await eventually(judged, seconds=20, what="a conversation that can be judged")
    query = urlencode({"from": "2030-01-01", "to": "2030-02-01", "pipeline_id": ids["pipeline_id"]})

    async def folded() -> bool:
        return (await owner.call("GET", f"/v1/analytics/sales/funnel?{query}")).status == 200

    await eventually(folded, seconds=20, what="the funnel")
    return {"survey_id": survey["id"], "criterion_id": criterion["id"], "review_id": str(review_id)}
