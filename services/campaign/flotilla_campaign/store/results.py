"""What came of messages, counted by step and variant."""

from typing import Final
from uuid import UUID

from flotilla.store.postgres import Row, Transaction

_COUNTED: Final = """
SELECT step, variant, count(*) AS asked, count(sent_at) AS sent, count(delivered_at) AS delivered,
       count(failed_at) AS failed, count(bounced_at) AS bounced, count(opened_at) AS opened,
       count(clicked_at) AS clicked, count(replied_at) AS replied, count(unsubscribed_at) AS unsubscribed
FROM sends WHERE organization_id = $1 AND """
_GROUPED: Final = " GROUP BY step, variant ORDER BY step, variant"
OF_CAMPAIGN: Final = f"{_COUNTED} campaign_id = $2 {_GROUPED}"
OF_VERSION: Final = f"{_COUNTED} sequence_id = $2 AND version = $3 {_GROUPED}"


async def of_campaign(tx: Transaction, org: UUID, campaign_id: UUID) -> list[Row]:
    """Of those that a campaign enrolled."""
    return await tx.fetch(OF_CAMPAIGN, org, campaign_id)


async def of_version(tx: Transaction, org: UUID, sequence_id: UUID, version: int) -> list[Row]:
    """Of all in one version of a sequence."""
    return await tx.fetch(OF_VERSION, org, sequence_id, version)
