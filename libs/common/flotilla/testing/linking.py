"""Clients, people outside, of whom auth says which contacts they are."""

from uuid import UUID

from flotilla.events.auth import ClientLinked, ClientUnlinked
from flotilla.testing.harness import Client, Harness


async def link(service: Harness, client: Client, sequence: int, *contact_ids: UUID) -> None:
    """As auth would say; none: unlinked."""
    type_ = ClientLinked if contact_ids else ClientUnlinked
    told = type_(user_id=client.user_id, contact_ids=list(contact_ids))
    await service.publish(told, org=client.org, sequence=sequence)
